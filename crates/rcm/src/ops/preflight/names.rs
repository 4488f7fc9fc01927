//! Whether somebody else has a name that the plan gives: a create would be told so half-way through the run.
//!
//! What carries this deployment's tags is no finding: a create takes it up.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all};
use rcm_aws::{
    questions::named,
    resources::{
        elb_load_balancer::LoadBalancer, elb_target_group::TargetGroup, iam_role::Role, rds_instance::Instance,
        rds_replica::Replica, s3_bucket::Bucket, secrets_secret::Secret,
    },
};
use rcm_engine::{
    model::{Fault, Lookup, Resource, Target},
    plan::Step,
    store::Facts,
};

use super::{
    Ahead, Check, Verdict,
    seen::{List, Seen},
    unseen,
};

/// The names in use of a kind, among those that the plan gives.
type Taken = Result<BTreeSet<String>, Fault>;

/// What was asked of kinds that no list of [`Seen`] has.
pub(super) type Asked = BTreeMap<String, Taken>;

/// Kinds whose names are told by a list of [`Seen`], or by S3.
const LISTED: [&str; 7] =
    [Bucket::KIND, Instance::KIND, LoadBalancer::KIND, Replica::KIND, Role::KIND, Secret::KIND, TargetGroup::KIND];

/// Asks for the names in use of each other kind that the plan gives names of.
pub(super) async fn ask(ahead: &Ahead<'_>) -> Asked {
    let looks = wanted(ahead).into_iter().filter(|(kind, _)| !LISTED.contains(&kind.as_str()));
    let looks = looks.map(|(kind, names)| async move {
        let names = names.into_iter().map(|(name, _)| name).collect();
        let taken = ahead.environment.aws.names_taken(&kind, &names).await;
        (kind, taken)
    });
    join_all(looks).await.into_iter().collect()
}

/// The names that the plan gives, by kind.
fn wanted<'a>(ahead: &Ahead<'a>) -> BTreeMap<String, Vec<(String, &'a Step)>> {
    let mut names: BTreeMap<String, Vec<(String, &Step)>> = BTreeMap::new();
    for step in ahead.made() {
        if let Some(name) = named(&step.kind, &ahead.identity(step), &step.spec) {
            names.entry(step.kind.clone()).or_default().push((name, step));
        }
    }
    names
}

/// A check for each kind that the plan gives names of.
pub(super) async fn check(ahead: &Ahead<'_>, seen: &Seen, mut asked: Asked) -> Vec<Check> {
    let wanted = wanted(ahead);
    let buckets = wanted.get(Bucket::KIND).map(Vec::as_slice).unwrap_or_default();
    let others = wanted.iter().filter(|(kind, _)| *kind != Bucket::KIND);
    let others: Vec<_> = others.map(|(kind, names)| (kind, names, taken(kind, names, seen, &mut asked))).collect();
    let others = others.into_iter().map(|(kind, names, taken)| judge(ahead, seen, kind, names, taken));
    let (mut checks, buckets) = join(join_all(others), self::buckets(ahead, seen, buckets)).await;
    checks.extend(buckets);
    checks
}

/// Those of the names that are in use.
fn taken(kind: &str, names: &[(String, &Step)], seen: &Seen, asked: &mut Asked) -> Taken {
    let among = |known: BTreeSet<&str>| {
        names.iter().map(|(name, _)| name).filter(|name| known.contains(name.as_str())).cloned().collect()
    };
    match kind {
        Instance::KIND | Replica::KIND => of(&seen.databases, |item| &item.name).map(among),
        LoadBalancer::KIND => of(&seen.balancers, |item| &item.name).map(among),
        TargetGroup::KIND => of(&seen.target_groups, |item| &item.name).map(among),
        Secret::KIND => of(&seen.secrets, |secret| &secret.name).map(among),
        Role::KIND => of(&seen.roles, |arn| arn.rsplit('/').next().unwrap_or(arn)).map(among),
        _ => asked.remove(kind).unwrap_or_else(|| Ok(BTreeSet::new())),
    }
}

fn of<T>(list: &List<T>, name: impl Fn(&T) -> &str) -> Result<BTreeSet<&str>, Fault> {
    match list {
        Some(Ok(found)) => Ok(found.iter().map(name).collect()),
        Some(Err(fault)) => Err(fault.clone()),
        None => Ok(BTreeSet::new()),
    }
}

async fn judge(ahead: &Ahead<'_>, seen: &Seen, kind: &str, names: &[(String, &Step)], taken: Taken) -> Check {
    let check = format!("name/{kind}");
    let taken = match taken {
        Ok(taken) => taken,
        Err(fault) => return unseen(check, &fault),
    };
    let held = names.iter().filter(|(name, _)| taken.contains(name));
    match others(ahead, held).await {
        Err(fault) => unseen(check, &fault),
        Ok(others) if others.is_empty() => {
            let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
            Check::good(check, format!("nobody else has {}", all.join(", ")))
        }
        Ok(others) => {
            let told: Vec<String> = others.iter().map(|(name, _)| held_by(seen, kind, name)).collect();
            let first = others.first().map(|(name, step)| mend(kind, name, step)).unwrap_or_default();
            Check::found(check, Verdict::Bad, told.join("; "), first)
        }
    }
}

fn held_by(seen: &Seen, kind: &str, name: &str) -> String {
    let deleted = kind == Secret::KIND
        && matches!(&seen.secrets, Some(Ok(secrets)) if secrets.iter().any(|secret| secret.name == name && secret.deleted));
    match deleted {
        true => format!(
            "{name} is scheduled for deletion, keeps its name until then, and has none of this environment's tags"
        ),
        false => format!("{name} is there already and has none of this environment's tags"),
    }
}

fn mend(kind: &str, name: &str, step: &Step) -> String {
    match kind {
        Secret::KIND => format!(
            "aws secretsmanager delete-secret --secret-id {name} --force-delete-without-recovery, if nobody needs it; or give this \
             environment another project_prefix"
        ),
        _ => {
            format!("if it is this environment's: rcm import {} ID; else give it another project_prefix", step.address)
        }
    }
}

/// Those of these names that something has which is not ours.
async fn others<'n>(
    ahead: &Ahead<'_>,
    held: impl Iterator<Item = &'n (String, &'n Step)>,
) -> Result<Vec<&'n (String, &'n Step)>, Fault> {
    let looks = held.map(|named| async move { Ok::<_, Fault>((!is_ours(ahead, named.1).await?).then_some(named)) });
    let found: Result<Vec<_>, Fault> = join_all(looks).await.into_iter().collect();
    Ok(found?.into_iter().flatten().collect())
}

/// Whether the create of this step would take up what is there.
async fn is_ours(ahead: &Ahead<'_>, step: &Step) -> Result<bool, Fault> {
    let Ok(resource) = ahead.environment.registry.get(&step.kind) else { return Ok(false) };
    let identity = ahead.identity(step);
    let facts = Facts::current(ahead.state, step.waits_for.keys().cloned());
    let lookup: &(dyn Lookup + Sync) = &facts;
    let target = Target { identity: &identity, lookup, changed: None, full: false, purge: false, remnants: None };
    Ok(resource.find(target, &step.spec).await?.is_some())
}

/// Buckets have the names of all accounts of the world against them.
async fn buckets(ahead: &Ahead<'_>, seen: &Seen, names: &[(String, &Step)]) -> Option<Check> {
    let check = format!("name/{}", Bucket::KIND);
    names.first()?;
    let own = match of(&seen.buckets, |bucket| &bucket.name) {
        Ok(own) => own,
        Err(fault) => return Some(unseen(check, &fault)),
    };
    let (here, elsewhere): (Vec<_>, Vec<_>) = names.iter().partition(|(name, _)| own.contains(name.as_str()));
    let looks = elsewhere.iter().map(|(name, _)| async move {
        let exists = ahead.environment.aws.bucket_exists(name).await?;
        Ok::<_, Fault>(exists.then(|| format!("{name} belongs to somebody else: the name is taken in all of AWS")))
    });
    let (elsewhere, here) = join(join_all(looks), others(ahead, here.into_iter())).await;
    let elsewhere: Result<Vec<_>, Fault> = elsewhere.into_iter().collect();
    let (elsewhere, here) = match (elsewhere, here) {
        (Ok(elsewhere), Ok(here)) => (elsewhere, here),
        (Err(fault), _) | (_, Err(fault)) => return Some(unseen(check, &fault)),
    };
    let mut told: Vec<String> = elsewhere.into_iter().flatten().collect();
    told.extend(here.iter().map(|(name, _)| held_by(seen, Bucket::KIND, name)));
    if told.is_empty() {
        let all: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
        return Some(Check::good(check, format!("nobody has {}", all.join(", "))));
    }
    let mend = match here.first() {
        Some((name, step)) => mend(Bucket::KIND, name, step),
        None => "give this environment another project_prefix: bucket names begin with it".to_owned(),
    };
    Some(Check::found(check, Verdict::Bad, told.join("; "), mend))
}
