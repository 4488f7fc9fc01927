//! The same actions as questions to IAM's simulator: of the resources and in the circumstances that the policies confine them to.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{
    identity::{ENVIRONMENT, PARTNER},
    questions::Simulation,
};

use super::{
    policy::{GLOBAL, Scope},
    reference::{About, Action, REFERENCE, Tags},
};

/// Types of resources whose ARN has a name that a plan knows: the kind, and what AWS puts behind the name.
const NAMES: &[(&str, &str, &str)] = &[
    ("backup:backupVault", "backup/vault", ""),
    ("cloudwatch:alarm", "cloudwatch/alarm", ""),
    ("ecr:repository", "ecr/repository", ""),
    ("ecs:cluster", "ecs/cluster", ""),
    ("ecs:task-definition", "ecs/task-definition", ":1"),
    ("elasticloadbalancing:loadbalancer", "elb/load-balancer", "/0123456789abcdef"),
    ("elasticloadbalancing:targetgroup", "elb/target-group", "/0123456789abcdef"),
    ("iam:role", "iam/role", ""),
    ("rds:db", "rds/instance", ""),
    ("rds:pg", "rds/parameter-group", ""),
    ("rds:subgrp", "rds/subnet-group", ""),
    ("s3:bucket", "s3/bucket", ""),
    ("secretsmanager:Secret", "secretsmanager/secret", "-AbCdEf"),
    ("sns:topic", "sns/topic", ""),
];

/// `actions` as IAM takes them together: those of a service that are about the same types of resources. `names` has the name of a
/// resource of each kind that the plan makes.
///
/// # Errors
/// The first action that the reference does not know.
pub(super) fn simulations(
    actions: &BTreeSet<&'static str>,
    scope: &Scope<'_>,
    names: &BTreeMap<String, String>,
) -> Result<Vec<Simulation>, String> {
    let mut together: BTreeMap<(&str, &[String]), Vec<String>> = BTreeMap::new();
    for name in actions {
        let types = REFERENCE.marked(name).ok_or_else(|| (*name).to_owned())?;
        let service = name.split(':').next().unwrap_or_default();
        // What is about nothing that can be named goes together, whatever the service; the Region is asked for or it is not.
        let service = match (types.is_empty(), GLOBAL.contains(&service)) {
            (true, true) => "global",
            (true, false) => "regional",
            (false, _) => service,
        };
        together.entry((service, types)).or_default().push((*name).to_owned());
    }
    let mut simulations = Vec::new();
    for ((_, types), actions) in together {
        let action = actions.first().and_then(|name| REFERENCE.action(name));
        let action = action.ok_or_else(|| actions.first().cloned().unwrap_or_default())?;
        let resources = resources(&action, types, scope, names);
        // Else it is about what this environment has none of.
        if types.is_empty() || types == ["+*"] || !resources.is_empty() {
            simulations.push(Simulation { actions, resources, context: circumstances(&action, scope) });
        }
    }
    Ok(simulations)
}

/// One resource of each type that an action is about.
fn resources(
    action: &Action<'_>,
    types: &[String],
    scope: &Scope<'_>,
    names: &BTreeMap<String, String>,
) -> Vec<String> {
    let each = action.about.iter().zip(types).filter_map(|(about, kind)| match about {
        About::Named(arns) => arns.iter().find_map(|pattern| named(pattern, kind, scope, names)),
        About::Shared(arn) | About::Tagged(arn, _) => scope.arn(arn),
        About::Request => None,
    });
    let mut all: Vec<String> = each.collect();
    all.sort();
    all.dedup();
    all
}

/// The ARN that a pattern is for: with the plan's own name in it, or one that begins as all of this environment's do.
fn named(pattern: &str, kind: &str, scope: &Scope<'_>, names: &BTreeMap<String, String>) -> Option<String> {
    let known = NAMES.iter().find(|(named, ..)| *named == kind);
    let known = known.and_then(|(_, kind, behind)| Some(format!("{}{behind}", names.get(*kind)?)));
    let place = ["{prefix}-*", "{project}/*"].into_iter().find(|place| pattern.ends_with(place));
    match (known, place) {
        (Some(name), Some(place)) => scope.arn(&pattern.replace(place, &name)),
        _ => scope.arn(&pattern.replace('*', "rcm")),
    }
}

/// What a call of an action says: the Region, the tags that it gives, and those of what it is about.
fn circumstances(action: &Action<'_>, scope: &Scope<'_>) -> BTreeMap<String, String> {
    let mut context = BTreeMap::from([("aws:RequestedRegion".to_owned(), scope.region.to_owned())]);
    let tags = [(PARTNER, scope.partner), (ENVIRONMENT, scope.environment)];
    let mut tagged = |of: &str| {
        context.extend(tags.map(|(key, value)| (format!("aws:{of}Tag/{key}"), value.to_owned())));
    };
    for about in &action.about {
        match about {
            About::Tagged(_, Tags::New) | About::Request => tagged("Request"),
            About::Tagged(..) => tagged("Resource"),
            About::Named(_) | About::Shared(_) => {}
        }
    }
    context
}
