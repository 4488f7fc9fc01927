//! An alarm: when a metric is beyond its threshold for long enough, a topic is told, and once more when it is back.
//!
//! API: [PutMetricAlarm](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html),
//! [DescribeAlarms](https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html),
//! [missing data](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
//!
//! Surprises: putting is an upsert that replaces everything but the tags, and takes over a stranger's alarm of that name without a
//! word. Nothing that an alarm names has to exist: a wrong dimension is an alarm that never has data. A percentile is not a statistic
//! but an extended one. DeleteAlarms says nothing of alarms that are not there.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{ComparisonOperator, Dimension as Sent, MetricAlarm, Statistic, Tag};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::in_order, elb_load_balancer::LoadBalancer, elb_target_group::TargetGroup, sns_topic::Topic,
};
use crate::{
    Aws,
    classify::{absent, fault},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest name.
const NAME_LIMIT: usize = 255;
/// How many DescribeAlarms takes by name.
const BATCH: usize = 100;

/// What an alarm should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name. It is the id, so it cannot drift.
    pub name: String,
    /// What it means and what to do, for whoever gets the mail.
    pub description: String,
    /// Whose metric it is (`AWS/RDS`).
    pub namespace: String,
    /// The metric's name.
    pub metric: String,
    /// What is made of a period's values: `Average`, `Sum`, `Minimum`, `Maximum`, or a percentile (`p95`).
    pub statistic: String,
    /// Of which resources: the dimensions by name.
    pub dimensions: BTreeMap<String, Dimension>,
    /// How long a period is, in seconds.
    pub period_seconds: i32,
    /// How many of the last periods are looked at.
    pub periods: i32,
    /// How many of those have to be beyond the threshold.
    pub periods_to_alarm: i32,
    /// The threshold, in the metric's unit.
    pub threshold: f64,
    /// What beyond means (`GreaterThanThreshold`, `LessThanThreshold`, …).
    pub comparison: String,
    /// What a period without data counts as: `missing`, `breaching`, `notBreaching`, `ignore`.
    pub missing_data: String,
    /// What is told when it is raised and when it is over.
    pub topic: Ref<Topic>,
}

/// The value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// What a resource is called: text, or a reference to it.
    Name(Value),
    /// A load balancer, which metrics call by the tail of its ARN.
    LoadBalancer(Ref<LoadBalancer>),
    /// A target group, which metrics call by the tail of its ARN.
    TargetGroup(Ref<TargetGroup>),
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:cloudwatch:…:alarm:…`
    pub alarm_arn: String,
}

/// An alarm.
pub struct Alarm;

impl Resource for Alarm {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "cloudwatch/alarm";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        // Putting would take a stranger's over.
        if let Some(live) = alarms(cx.cloud, vec![name.clone()]).await?.first()
            && !identity::owns(cx.identity, pairs(&tags_of(cx.cloud, arn(live)).await?))
        {
            let message = format!("there is an alarm {name} that is not ours");
            return Err(Fault::ours(FaultKind::Exists, "PutMetricAlarm", "AlarmAlreadyExists", message));
        }
        put(cx, &name, spec, Some(tags(cx))).await?;
        Ok(Id::from(name.as_str()))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        match cx.creating() {
            // Found after a crash, it may have been made from an older spec.
            true if is_right(cx, id, spec).await? => Ok(()),
            _ => put(cx, id.as_str(), spec, None).await,
        }
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let at = &cx.identity.deployment;
        Ok(observe(at, &[id], alarms(cx.cloud, vec![id.to_string()]).await?).remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, .. }) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let mut found = Vec::new();
        for names in ids.chunks(BATCH) {
            found.extend(alarms(cx.cloud, names.iter().map(ToString::to_string).collect()).await?);
        }
        Ok(observe(&cx.identity.deployment, &ids, found))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let name = identity::physical_name(cx.identity, &spec.name, NAME_LIMIT);
        let Some(live) = alarms(cx.cloud, vec![name.clone()]).await?.pop() else { return Ok(None) };
        let tags = tags_of(cx.cloud, arn(&live)).await?;
        Ok(identity::owns(cx.identity, pairs(&tags)).then(|| Id::from(name.as_str())))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.cloudwatch.delete_alarms().alarm_names(id.as_str());
        request.send().await.map(drop).map_err(fault("cloudwatch", "DeleteAlarms"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let request = aws.cloudwatch.describe_alarms().alarm_name_prefix(identity::stem(deployment));
        let pages = request.into_paginator().send().try_collect().await.map_err(fault("cloudwatch", "DescribeAlarms"))?;
        let mut found = Vec::new();
        for live in pages.iter().flat_map(|page| page.metric_alarms()) {
            let tags = tags_of(aws, arn(live)).await?;
            found.extend(identity::belongs(deployment, live.alarm_name().unwrap_or_default(), pairs(&tags)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        let arn = format!("arn:{partition}:cloudwatch:{region}:{account}:alarm:{id}");
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?))?;
        let request = cx.cloud.cloudwatch.tag_resource().resource_arn(arn).set_tags(Some(tags(cx)));
        request.send().await.map(drop).map_err(fault("cloudwatch", "TagResource"))
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == identity::physical_name(cx.identity, &spec.name, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &["cloudwatch:PutMetricAlarm", "cloudwatch:TagResource"],
            read: &["cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource"],
            delete: &["cloudwatch:DeleteAlarms"],
        }
    }
}

async fn put(cx: &Cx<'_>, name: &str, spec: &Spec, tags: Option<Vec<Tag>>) -> Result<(), Fault> {
    let topic = cx.id(&spec.topic)?.to_string();
    let request = cx.cloud.cloudwatch.put_metric_alarm().alarm_name(name).alarm_description(&spec.description);
    let request = request.namespace(&spec.namespace).metric_name(&spec.metric).set_dimensions(Some(dimensions(cx, spec)?));
    let request = match is_percentile(&spec.statistic) {
        true => request.extended_statistic(&spec.statistic),
        false => request.statistic(Statistic::from(spec.statistic.as_str())),
    };
    let request = request.period(spec.period_seconds).evaluation_periods(spec.periods);
    let request = request.datapoints_to_alarm(spec.periods_to_alarm).threshold(spec.threshold);
    let request = request.comparison_operator(ComparisonOperator::from(spec.comparison.as_str()));
    let request = request.treat_missing_data(&spec.missing_data).actions_enabled(true);
    let request = request.alarm_actions(&topic).ok_actions(&topic).set_tags(tags);
    request.send().await.map(drop).map_err(fault("cloudwatch", "PutMetricAlarm"))
}

async fn is_right(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<bool, Fault> {
    let Some(live) = alarms(cx.cloud, vec![id.to_string()]).await?.pop() else { return Ok(false) };
    let (mut wanted, mut found) = (dimensions(cx, spec)?, live.dimensions().to_vec());
    wanted.sort_by(|a, b| a.name().cmp(&b.name()));
    found.sort_by(|a, b| a.name().cmp(&b.name()));
    Ok(found == wanted
        && topic(&live) == Some(cx.id(&spec.topic)?.as_str())
        && statistic(&live) == Some(spec.statistic.as_str())
        && live.alarm_description() == Some(spec.description.as_str())
        && missing_data(&live) == spec.missing_data
        && live.comparison_operator().map(|one| one.as_str()) == Some(spec.comparison.as_str())
        && (live.namespace(), live.metric_name()) == (Some(&*spec.namespace), Some(&*spec.metric))
        && (live.period(), live.threshold()) == (Some(spec.period_seconds), Some(spec.threshold))
        && (live.evaluation_periods(), live.datapoints_to_alarm()) == (Some(spec.periods), Some(spec.periods_to_alarm)))
}

fn is_percentile(statistic: &str) -> bool {
    statistic.strip_prefix('p').is_some_and(|rest| rest.parse::<f64>().is_ok())
}

fn dimensions(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<Sent>, Fault> {
    let dimension = |(name, value): (&String, &Dimension)| Ok(Sent::builder().name(name).value(text(cx, value)?).build());
    spec.dimensions.iter().map(dimension).collect()
}

/// What metrics call it.
pub(super) fn text(cx: &Cx<'_>, dimension: &Dimension) -> Result<String, Fault> {
    let odd = |what: &dyn std::fmt::Display| Fault::invalid("dimension", format!("{what} names no metric"));
    match dimension {
        Dimension::Name(value) => {
            let value = cx.resolve(value)?;
            value.as_str().map(str::to_owned).ok_or_else(|| odd(&value))
        }
        Dimension::LoadBalancer(balancer) => {
            let id = cx.id(balancer)?;
            id.as_str().split_once(":loadbalancer/").map(|(_, tail)| tail.to_owned()).ok_or_else(|| odd(&id))
        }
        Dimension::TargetGroup(group) => {
            let id = cx.id(group)?;
            id.as_str().split_once(":targetgroup/").map(|(_, tail)| format!("targetgroup/{tail}")).ok_or_else(|| odd(&id))
        }
    }
}

async fn alarms(aws: &Aws, names: Vec<String>) -> Result<Vec<MetricAlarm>, Fault> {
    let request = aws.cloudwatch.describe_alarms().set_alarm_names(Some(names)).max_records(100);
    let answer = request.send().await.map_err(fault("cloudwatch", "DescribeAlarms"))?;
    Ok(answer.metric_alarms.unwrap_or_default())
}

fn observe(at: &Deployment, ids: &[&Id], alarms: Vec<MetricAlarm>) -> Vec<Option<Observed<Outputs>>> {
    in_order(ids, alarms, |live| live.alarm_name(), |live| {
        Observed::new(Outputs { alarm_arn: arn(live).to_owned() })
            .see("description", live.alarm_description())
            .see("namespace", live.namespace())
            .see("metric", live.metric_name())
            .see("statistic", statistic(live))
            .see("dimensions", dimensions_of(at, live))
            .see("period_seconds", live.period())
            .see("periods", live.evaluation_periods())
            .see("periods_to_alarm", live.datapoints_to_alarm())
            .see("threshold", live.threshold())
            .see("comparison", live.comparison_operator().map(|one| one.as_str()))
            .see("missing_data", missing_data(live))
            .see("topic", topic(live))
    })
}

fn arn(live: &MetricAlarm) -> &str {
    live.alarm_arn().unwrap_or_default()
}

fn statistic(live: &MetricAlarm) -> Option<&str> {
    live.extended_statistic().or_else(|| live.statistic().map(|one| one.as_str()))
}

/// The dimensions as a spec says them, with ARNs for references.
fn dimensions_of(at: &Deployment, live: &MetricAlarm) -> BTreeMap<String, Value> {
    let pair = |one: &Sent| Some((one.name()?.to_owned(), dimension_of(at, one.name()?, one.value()?)));
    live.dimensions().iter().filter_map(pair).collect()
}

/// A dimension's value as a spec says it.
pub(super) fn dimension_of(at: &Deployment, name: &str, value: &str) -> Value {
    let Deployment { partition, region, account, .. } = at;
    let arn = |tail: &str| format!("arn:{partition}:elasticloadbalancing:{region}:{account}:{tail}");
    match name {
        "LoadBalancer" => json!({"load_balancer": arn(&format!("loadbalancer/{value}"))}),
        "TargetGroup" => json!({"target_group": arn(value)}),
        _ => json!({"name": value}),
    }
}

/// AWS need not tell its default.
fn missing_data(live: &MetricAlarm) -> &str {
    live.treat_missing_data().unwrap_or("missing")
}

/// The one topic that is told of everything; `None` where it is told of nothing, or not of the end, or nobody is, or another is, too.
fn topic(live: &MetricAlarm) -> Option<&str> {
    match (live.alarm_actions(), live.ok_actions()) {
        ([one], [end]) if one == end && live.actions_enabled() != Some(false) => Some(one),
        _ => None,
    }
}

fn tags(cx: &Cx<'_>) -> Vec<Tag> {
    identity::tags(cx.identity).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let request = aws.cloudwatch.list_tags_for_resource().resource_arn(arn);
    let answer = absent(request.send().await.map_err(fault("cloudwatch", "ListTagsForResource")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key()?, tag.value()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_no_statistic() {
        assert!(is_percentile("p95") && is_percentile("p99.9"));
        assert!(!is_percentile("Average") && !is_percentile("p"));
    }

    #[test]
    fn an_alarm_that_tells_somebody_else_or_not_everything_is_not_as_it_should_be() {
        let alarm = MetricAlarm::builder().alarm_actions("arn:topic").ok_actions("arn:topic").actions_enabled(true);
        assert_eq!(topic(&alarm.clone().build()), Some("arn:topic"));
        assert_eq!(topic(&alarm.clone().alarm_actions("arn:other").build()), None);
        assert_eq!(topic(&alarm.clone().actions_enabled(false).build()), None);
        assert_eq!(topic(&alarm.set_ok_actions(None).build()), None);
    }
}
