//! Reading the live cloud: one batched question a kind, all kinds at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::{
    model::{Address, DynResource, Fault, FaultKind, Identity, Readiness, Refreshed, Registry, Snapshot, Target},
    store::{Facts, Phase, Record, State},
};

/// How closely the cloud is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Depth {
    /// One batched call a kind. Settings that would take a call for each resource are left unseen.
    #[default]
    Quick,
    /// Everything that a kind can see.
    Full,
}

/// What was seen: by address and generation, `None` for what is gone. What has no id yet is not asked for.
pub type Live = BTreeMap<(Address, u32), Option<Snapshot>>;

/// Reads every resource that `state` has an id for. `unreported` names fields (kind, field) that this endpoint is known not to
/// report; they count as unseen.
pub async fn refresh(
    registry: &Registry,
    state: &State,
    depth: Depth,
    unreported: &BTreeSet<(String, String)>,
) -> Result<Live, Fault> {
    let mut by_kind: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in state.records().filter(|record| record.id.is_some()) {
        by_kind.entry(&record.kind).or_default().push(record);
    }
    let reads = by_kind.into_iter().map(|(kind, records)| read(registry, state, depth, kind, records));
    let mut live: Live = try_join_all(reads).await?.into_iter().flatten().collect();
    for (key, snapshot) in &mut live {
        let kind = state.record(&key.0, key.1).map(|record| record.kind.clone()).unwrap_or_default();
        if let Some(snapshot) = snapshot {
            hide(&kind, snapshot, unreported);
        }
    }
    Ok(live)
}

/// Counts what the endpoint is known not to report as unseen.
pub(super) fn hide(kind: &str, snapshot: &mut Snapshot, unreported: &BTreeSet<(String, String)>) {
    snapshot.fields.retain(|field, _| !unreported.contains(&(kind.to_owned(), field.clone())));
}

async fn read(
    registry: &Registry,
    state: &State,
    depth: Depth,
    kind: &str,
    records: Vec<&Record>,
) -> Result<Vec<((Address, u32), Option<Snapshot>)>, Fault> {
    let resource = registry.get(kind)?;
    let contexts: Vec<(Identity, Facts)> =
        records.iter().map(|record| (state.identity(record), Facts::current(state, record.needs()))).collect();
    let questions: Vec<_> = records
        .iter()
        .zip(&contexts)
        .filter_map(|(record, (identity, facts))| {
            let full = depth == Depth::Full;
            let target = Target { identity, lookup: facts, changed: None, full, purge: false, remnants: None };
            Some(Refreshed { id: record.id.as_ref()?, target })
        })
        .collect();
    let mut answers = resource.read_many(&questions).await?;
    let unfinished = records.iter().zip(&questions).zip(&mut answers).filter_map(|((record, question), answer)| {
        answer.as_mut().filter(|_| record.phase == Phase::Creating).map(|seen| (question, seen))
    });
    try_join_all(unfinished.map(|(question, seen)| async move {
        seen.failed = failure(&**resource, question).await?;
        Ok::<_, Fault>(())
    }))
    .await?;
    Ok(records.iter().map(|record| (record.address.clone(), record.generation)).zip(answers).collect())
}

/// Why what an earlier run began to make will never be there, if that is certain.
async fn failure(resource: &dyn DynResource, question: &Refreshed<'_>) -> Result<Option<String>, Fault> {
    match resource.ready(question.target, question.id).await {
        Ok(Readiness::Failed(why)) => Ok(Some(why)),
        Ok(_) => Ok(None),
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        Err(fault) => Err(fault),
    }
}
