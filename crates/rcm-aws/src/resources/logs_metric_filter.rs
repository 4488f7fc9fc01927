//! A metric filter: counts the events of the account's log group that a pattern is about, so that an alarm can watch the count.
//!
//! API: [PutMetricFilter](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html),
//! [DescribeMetricFilters](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeMetricFilters.html),
//! [patterns](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntaxForMetricFilters.html).
//!
//! Surprises: putting is an upsert. Filters have no tags: one in the account's group that has our name is ours. They go with their group. A
//! filter counts only what comes after it. Its metric exists, and costs, only in hours in which it has counted something; so it has
//! no default value, and the alarm takes silence for nothing.

use aws_sdk_cloudwatchlogs::types::{MetricFilter as Described, MetricTransformation};
use rcm_engine::model::{Actions, Fault, Id, Known, Observed, OnDestroy, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{baseline, batch::in_order, logs_account_group::AccountLogGroup};
use crate::{
    Aws,
    classify::{absent, fault, unbuilt},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a filter should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whose events are counted.
    pub log_group: Ref<AccountLogGroup>,
    /// The name. It is in the id, so it cannot drift.
    pub name: String,
    /// Which of them: at most 1024 characters.
    pub pattern: String,
    /// Where the metric is.
    pub namespace: String,
    /// What it is called.
    pub metric: String,
    /// What each event counts as.
    pub value: String,
}

/// What AWS gave: nothing that one needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The name that it has in AWS.
    pub name: String,
}

/// A metric filter.
pub struct MetricFilter;

impl Resource for MetricFilter {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "logs/metric-filter";
    const REPLACE_ON: &'static [&'static str] = &["log_group", "name"];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        put(cx, spec).await?;
        Ok(id(cx.id(&spec.log_group)?.as_str(), &spec.name))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let (group, name) = place(id)?;
        // A put is the whole create. One that was found may be an older one.
        let wanted = [spec.namespace.as_str(), &spec.metric, &spec.value];
        let right = |live: &Described| {
            live.filter_name() == Some(name) && pattern(live) == spec.pattern && metric(live) == wanted
        };
        if cx.creating() && list(cx.cloud, group).await?.iter().any(right) {
            return Ok(());
        }
        put(cx, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let (group, _) = place(id)?;
        Ok(observe(&[id], group, list(cx.cloud, group).await?).remove(0))
    }

    /// All of them are of one group.
    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(Known { cx, id }) = known.first() else { return Ok(Vec::new()) };
        let (group, _) = place(id)?;
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        Ok(observe(&ids, group, list(cx.cloud, group).await?))
    }

    /// Also where this deployment does not know the account's group yet.
    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let live = list(cx.cloud, baseline::LOG_GROUP).await?;
        let found = live.iter().any(|filter| filter.filter_name() == Some(&spec.name));
        Ok(found.then(|| id(baseline::LOG_GROUP, &spec.name)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(_: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        place(id).is_ok_and(|(_, name)| name == spec.name)
    }

    fn actions() -> Actions {
        Actions { write: &["logs:PutMetricFilter"], read: &["logs:DescribeMetricFilters"], delete: &[] }
    }
}

async fn put(cx: &Cx<'_>, spec: &Spec) -> Result<(), Fault> {
    let request = cx.cloud.logs.put_metric_filter().log_group_name(cx.id(&spec.log_group)?.as_str());
    let metric = MetricTransformation::builder().metric_namespace(&spec.namespace).metric_name(&spec.metric);
    let metric = metric.metric_value(&spec.value).build().map_err(unbuilt("logs", "PutMetricFilter"))?;
    let request = request.filter_name(&spec.name).filter_pattern(&spec.pattern).metric_transformations(metric);
    request.send().await.map(drop).map_err(fault("logs", "PutMetricFilter"))
}

/// Every filter of the group; none where the group is gone: they go with it.
async fn list(aws: &Aws, group: &str) -> Result<Vec<Described>, Fault> {
    let pages = aws.logs.describe_metric_filters().log_group_name(group).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("logs", "DescribeMetricFilters"));
    Ok(absent(all)?.unwrap_or_default())
}

fn observe(ids: &[&Id], group: &str, filters: Vec<Described>) -> Vec<Option<Observed<Outputs>>> {
    let live = filters.into_iter().map(|filter| (id(group, filter.filter_name().unwrap_or_default()), filter)).collect();
    in_order(ids, live, |(id, _)| Some(id.as_str()), |(_, filter)| {
        let name = filter.filter_name().unwrap_or_default().to_owned();
        let seen = Observed::new(Outputs { name }).see("log_group", group).see("pattern", pattern(filter));
        let [namespace, metric, value] = metric(filter);
        seen.see("namespace", namespace).see("metric", metric).see("value", value)
    })
}

fn pattern(live: &Described) -> &str {
    live.filter_pattern().unwrap_or_default()
}

/// Namespace, name and value of the one metric that a filter has.
fn metric(live: &Described) -> [&str; 3] {
    let metric = live.metric_transformations().first();
    metric.map_or([""; 3], |metric| [metric.metric_namespace(), metric.metric_name(), metric.metric_value()])
}

fn id(group: &str, name: &str) -> Id {
    Id::from(format!("{group}:{name}"))
}

/// The group and the name in an id: neither has a colon.
fn place(id: &Id) -> Result<(&str, &str), Fault> {
    let place = id.as_str().split_once(':');
    place.ok_or_else(|| Fault::invalid("id", format!("{id} is not LOG_GROUP:NAME of a metric filter")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_group_and_name() {
        let whole = id("/aws/cloudtrail/rcm-account-baseline", "root-use");
        assert_eq!(place(&whole).unwrap(), ("/aws/cloudtrail/rcm-account-baseline", "root-use"));
        assert!(place(&Id::from("root-use")).is_err());
    }
}
