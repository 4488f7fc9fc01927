//! The dashboard: what the alarms watch, a picture each.

use rcm_aws::resources::cloudwatch_dashboard::{self, Dashboard, Line, Widget};
use rcm_engine::model::Graph;

use super::{super::Blueprint, alarms::Watch};

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, watches: &[Watch]) {
    let spec = cloudwatch_dashboard::Spec { name: plan.prefix.clone(), widgets: watches.iter().map(widget).collect() };
    graph.add::<Dashboard>("watching/dashboard", spec);
}

fn widget(watch: &Watch) -> Widget {
    let line = Line {
        namespace: watch.namespace.into(),
        metric: watch.metric.into(),
        statistic: watch.statistic.into(),
        dimensions: watch.dimensions.clone(),
    };
    Widget { title: watch.what.replace('-', " "), lines: vec![line] }
}
