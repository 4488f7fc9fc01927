//! A dashboard: metrics beside each other, for whoever wants to see how things are.
//!
//! API: [PutDashboard](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutDashboard.html),
//! [its body](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
//!
//! Surprises: putting is an upsert, and takes over a stranger's dashboard of that name without a word. A dashboard carries no tags, so
//! one that is found is ours only if it says exactly what we would say. Dashboards are the account's, in all Regions at once.

use std::collections::BTreeMap;

use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Observed, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cloudwatch_alarm::{Dimension, dimension_of, text};
use crate::{
    Aws,
    classify::{absent, fault},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
const NAME_LIMIT: usize = 255;
/// Of the 24 columns that a dashboard has.
const WIDTH: usize = 12;
const HEIGHT: usize = 6;

/// What a dashboard should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id, so it cannot drift.
    pub name: String,
    /// The pictures, two in a row.
    pub widgets: Vec<Widget>,
}

/// One picture: lines over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Widget {
    /// What stands above it.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Whose metric it is (`AWS/RDS`).
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// What is made of a minute's values (`Average`, `p95`).
    pub statistic: String,
    /// Of which resources: the dimensions by name.
    pub dimensions: BTreeMap<String, Dimension>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:cloudwatch::…:dashboard/…`
    pub dashboard_arn: String,
}

/// A dashboard.
pub struct Dashboard;

impl Resource for Dashboard {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "cloudwatch/dashboard";
    const REPLACE_ON: &'static [&'static str] = &["name"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let id = Id::from(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let body = wanted(cx, spec)?;
        // Putting would take a stranger's over.
        if get(cx.cloud, &id).await?.is_some_and(|(_, live)| live != body) {
            let message = format!("there is a dashboard {id} that says something else");
            return Err(Fault::ours(FaultKind::Exists, "PutDashboard", "DashboardAlreadyExists", message));
        }
        put(cx.cloud, &id, &body).await?;
        Ok(id)
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let body = wanted(cx, spec)?;
        if get(cx.cloud, id).await?.is_some_and(|(_, live)| live == body) {
            return Ok(());
        }
        put(cx.cloud, id, &body).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some((arn, body)) = get(cx.cloud, id).await? else { return Ok(None) };
        let widgets = seen(&cx.identity.deployment, &body).unwrap_or(body);
        Ok(Some(Observed::new(Outputs { dashboard_arn: arn }).see("widgets", widgets)))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::from(physical_name(cx.identity, &spec.name, NAME_LIMIT));
        let found = get(cx.cloud, &id).await?;
        let body = wanted(cx, spec)?;
        Ok(found.is_some_and(|(_, live)| live == body).then_some(id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.cloudwatch.delete_dashboards().dashboard_names(id.as_str());
        request.send().await.map(drop).map_err(fault("cloudwatch", "DeleteDashboards"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &["cloudwatch:PutDashboard"],
            read: &["cloudwatch:GetDashboard"],
            delete: &["cloudwatch:DeleteDashboards"],
        }
    }
}

async fn put(aws: &Aws, id: &Id, body: &Value) -> Result<(), Fault> {
    let request = aws.cloudwatch.put_dashboard().dashboard_name(id.as_str()).dashboard_body(body.to_string());
    request.send().await.map(drop).map_err(fault("cloudwatch", "PutDashboard"))
}

/// The ARN and the body. A body that is not JSON is its text, and so equals none of ours.
async fn get(aws: &Aws, id: &Id) -> Result<Option<(String, Value)>, Fault> {
    let request = aws.cloudwatch.get_dashboard().dashboard_name(id.as_str());
    let answer = absent(request.send().await.map_err(fault("cloudwatch", "GetDashboard")))?;
    Ok(answer.map(|answer| {
        let text = answer.dashboard_body().unwrap_or_default();
        let body = serde_json::from_str(text).unwrap_or_else(|_| text.into());
        (answer.dashboard_arn().unwrap_or_default().to_owned(), body)
    }))
}

/// The body that a spec means.
fn wanted(cx: &Cx<'_>, spec: &Spec) -> Result<Value, Fault> {
    let line = |line: &Line| {
        let named = line.dimensions.iter().map(|(name, value)| Ok((name.clone(), text(cx, value)?)));
        Ok(row(&line.namespace, &line.metric, &named.collect::<Result<Vec<_>, Fault>>()?, &line.statistic))
    };
    let widget = |widget: &Widget| {
        Ok((widget.title.clone(), widget.lines.iter().map(line).collect::<Result<Vec<_>, Fault>>()?))
    };
    let widgets = spec.widgets.iter().map(widget).collect::<Result<Vec<_>, Fault>>()?;
    Ok(body(&cx.identity.deployment.region, widgets))
}

/// `["AWS/RDS", "CPUUtilization", "DBInstanceIdentifier", "acme-rcm-prod-db", {"stat": "Average"}]`
fn row(namespace: &str, metric: &str, dimensions: &[(String, String)], statistic: &str) -> Value {
    let mut row = vec![json!(namespace), json!(metric)];
    row.extend(dimensions.iter().flat_map(|(name, value)| [json!(name), json!(value)]));
    row.push(json!({"stat": statistic}));
    row.into()
}

/// A body with these titles and rows.
fn body(region: &str, widgets: Vec<(String, Vec<Value>)>) -> Value {
    let widget = |(index, (title, metrics)): (usize, (String, Vec<Value>))| {
        json!({
            "type": "metric",
            "x": index % 2 * WIDTH,
            "y": index / 2 * HEIGHT,
            "width": WIDTH,
            "height": HEIGHT,
            "properties": {"title": title, "metrics": metrics, "region": region, "view": "timeSeries", "period": 60}
        })
    };
    json!({"widgets": widgets.into_iter().enumerate().map(widget).collect::<Vec<_>>()})
}

/// The widgets of a live body as a spec says them; `None` where it is none that a spec can mean.
fn seen(at: &Deployment, live: &Value) -> Option<Value> {
    let mut rendered = Vec::new();
    let mut widgets = Vec::new();
    for widget in live["widgets"].as_array()? {
        let (title, metrics) = (widget["properties"]["title"].as_str()?, widget["properties"]["metrics"].as_array()?);
        let lines = metrics.iter().map(|row| line_of(at, row)).collect::<Option<Vec<_>>>()?;
        rendered.push((title.to_owned(), metrics.clone()));
        widgets.push(json!({"title": title, "lines": lines}));
    }
    (body(&at.region, rendered) == *live).then(|| widgets.into())
}

/// A row as a spec says it, with ARNs for references.
fn line_of(at: &Deployment, row: &Value) -> Option<Value> {
    let [namespace, metric, dimensions @ .., options] = row.as_array()?.as_slice() else { return None };
    let pair = |pair: &[Value]| {
        let [name, value] = pair else { return None };
        let (name, value) = (name.as_str()?, value.as_str()?);
        Some((name.to_owned(), dimension_of(at, name, value)))
    };
    let dimensions = dimensions.chunks(2).map(pair).collect::<Option<BTreeMap<_, _>>>()?;
    (options.as_object()?.len() == 1).then_some(())?;
    Some(json!({
        "namespace": namespace.as_str()?,
        "metric": metric.as_str()?,
        "statistic": options["stat"].as_str()?,
        "dimensions": dimensions,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Deployment {
        Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        }
    }

    #[test]
    fn a_body_reads_as_a_spec_would_say_it_and_no_other_does() {
        let named = [("LoadBalancer".to_owned(), "app/acme/1".to_owned())];
        let row = row("AWS/ApplicationELB", "RequestCount", &named, "Sum");
        let body = body("us-east-1", vec![("Requests".into(), vec![row])]);
        let arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/acme/1";
        let line = json!({
            "namespace": "AWS/ApplicationELB",
            "metric": "RequestCount",
            "statistic": "Sum",
            "dimensions": {"LoadBalancer": {"load_balancer": arn}},
        });
        assert_eq!(seen(&deployment(), &body), Some(json!([{"title": "Requests", "lines": [line]}])));
        let mut moved = body.clone();
        moved["widgets"][0]["x"] = json!(3);
        assert_eq!(seen(&deployment(), &moved), None);
        assert_eq!(seen(&deployment(), &json!("no JSON")), None);
    }
}
