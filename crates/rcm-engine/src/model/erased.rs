//! One erased trait over all kinds, implemented once.

use std::{
    collections::{BTreeMap, BTreeSet},
    marker::PhantomData,
    sync::Arc,
};

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Actions, Cx, Deployment, Fault, FaultKind, Holds, Id, Identity, Known, Lookup, Observed, OnDestroy, Owned, Pace,
    Readiness, Remnants, Resource, resource::absent,
};

/// What an erased verb works on.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The node and its deployment.
    pub identity: &'a Identity,
    /// What references stand for.
    pub lookup: &'a (dyn Lookup + Sync),
    /// The fields that an update changes; `None` for a create.
    pub changed: Option<&'a BTreeSet<String>>,
    /// Whether a read goes to the bottom, at a call for each resource.
    pub full: bool,
    /// Whether a delete takes content with it.
    pub purge: bool,
    /// Where a delete notes what it leaves on purpose.
    pub remnants: Option<&'a Remnants>,
}

/// What was seen of one resource, untyped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Fields of the spec with their live values.
    pub fields: Map<String, Value>,
    /// Its outputs.
    pub outputs: Value,
    /// Why its create, which has not come to its end, never will. Only looked at where that is in question.
    pub failed: Option<String>,
}

/// One question of a refresh.
pub struct Refreshed<'a> {
    /// The id to ask for.
    pub id: &'a Id,
    /// Its context.
    pub target: Target<'a>,
}

/// A [`Resource`] without its types: what the engine works with.
#[expect(missing_docs, reason = "each verb is documented at `Resource`")]
pub trait DynResource: Send + Sync {
    fn kind(&self) -> &'static str;
    fn replace_on(&self) -> &'static [&'static str];
    fn tagged(&self) -> bool;
    fn holds_data(&self) -> bool;
    fn holds(&self, applied: &Value, live: &Map<String, Value>) -> Holds;
    fn on_destroy(&self) -> OnDestroy;
    fn discards(&self) -> bool;
    fn pace(&self) -> Pace;
    fn recoverable_days(&self, purge: bool) -> u32;
    fn expires_after_days(&self, spec: &Value) -> Result<Option<u32>, Fault>;
    fn actions(&self) -> Actions;
    fn effect(&self, field: &str, before: &Value, after: &Value) -> Option<&'static str>;
    /// Whether `spec` is one of this kind, before anything is sent.
    fn check(&self, spec: &Value) -> Result<(), Fault>;
    fn create<'a>(&'a self, target: Target<'a>, spec: &'a Value) -> BoxFuture<'a, Result<Id, Fault>>;
    fn configure<'a>(&'a self, target: Target<'a>, id: &'a Id, spec: &'a Value) -> BoxFuture<'a, Result<(), Fault>>;
    fn ready<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<Readiness, Fault>>;
    fn read<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<Option<Snapshot>, Fault>>;
    fn read_many<'a>(&'a self, known: &'a [Refreshed<'a>]) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, Fault>>;
    fn find<'a>(&'a self, target: Target<'a>, spec: &'a Value) -> BoxFuture<'a, Result<Option<Id>, Fault>>;
    fn delete<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<(), Fault>>;
    fn discard<'a>(&'a self, remnant: &'a str) -> BoxFuture<'a, Result<(), Fault>>;
    fn list<'a>(&'a self, deployment: &'a Deployment) -> BoxFuture<'a, Result<Vec<Owned>, Fault>>;
    fn claim<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<(), Fault>>;
    fn fits(&self, target: Target<'_>, id: &Id, spec: &Value) -> Result<bool, Fault>;
}

/// `R` in its cloud, behind [`DynResource`].
pub struct Erased<R: Resource> {
    cloud: Arc<R::Cloud>,
    kind: PhantomData<fn() -> R>,
}

impl<R: Resource> Erased<R> {
    /// The kind `R` in `cloud`.
    pub fn new(cloud: Arc<R::Cloud>) -> Self {
        Self { cloud, kind: PhantomData }
    }

    fn cx<'a>(&'a self, target: Target<'a>) -> Cx<'a, R::Cloud> {
        let Target { identity, lookup, changed, full, purge, remnants } = target;
        Cx { cloud: &self.cloud, identity, lookup, changed, full, purge, remnants }
    }

    fn spec(value: &Value) -> Result<R::Spec, Fault> {
        serde_json::from_value(value.clone())
            .map_err(|error| Fault::invalid("spec", format!("not a spec of {}: {error}", R::KIND)))
    }
}

fn snapshot<O: Serialize>(kind: &str, observed: Observed<O>) -> Result<Snapshot, Fault> {
    let broken = |error: String| Fault::invalid("read", format!("{kind}: {error}"));
    if let Some(error) = observed.broken {
        return Err(broken(error));
    }
    let outputs = serde_json::to_value(observed.outputs).map_err(|error| broken(error.to_string()))?;
    Ok(Snapshot { fields: observed.fields, outputs, failed: None })
}

/// For a delete, a `NotFound` is success.
fn gone(result: Result<(), Fault>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(()),
        other => other,
    }
}

impl<R: Resource> DynResource for Erased<R> {
    fn kind(&self) -> &'static str {
        R::KIND
    }
    fn replace_on(&self) -> &'static [&'static str] {
        R::REPLACE_ON
    }
    fn tagged(&self) -> bool {
        R::TAGGED
    }
    fn holds_data(&self) -> bool {
        R::HOLDS_DATA
    }
    fn holds(&self, applied: &Value, live: &Map<String, Value>) -> Holds {
        match Self::spec(applied) {
            Ok(applied) => R::holds(&applied, live),
            // Written by another rcm: its kind decides.
            Err(_) if R::HOLDS_DATA => Holds::Data,
            Err(_) => Holds::Nothing,
        }
    }
    fn on_destroy(&self) -> OnDestroy {
        R::ON_DESTROY
    }
    fn discards(&self) -> bool {
        R::DISCARDS
    }
    fn pace(&self) -> Pace {
        R::PACE
    }
    fn recoverable_days(&self, purge: bool) -> u32 {
        R::recoverable_days(purge)
    }
    fn expires_after_days(&self, spec: &Value) -> Result<Option<u32>, Fault> {
        Ok(R::expires_after_days(&Self::spec(spec)?))
    }
    fn actions(&self) -> Actions {
        R::actions()
    }
    fn effect(&self, field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        R::effect(field, before, after)
    }

    fn check(&self, spec: &Value) -> Result<(), Fault> {
        Self::spec(spec).map(drop)
    }

    fn create<'a>(&'a self, target: Target<'a>, spec: &'a Value) -> BoxFuture<'a, Result<Id, Fault>> {
        Box::pin(async move { R::create(&self.cx(target), &Self::spec(spec)?).await })
    }

    fn configure<'a>(&'a self, target: Target<'a>, id: &'a Id, spec: &'a Value) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { R::configure(&self.cx(target), id, &Self::spec(spec)?).await })
    }

    fn ready<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<Readiness, Fault>> {
        Box::pin(async move { R::ready(&self.cx(target), id).await })
    }

    fn read<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<Option<Snapshot>, Fault>> {
        Box::pin(async move {
            let observed = absent(R::read(&self.cx(target), id).await)?;
            observed.map(|observed| snapshot(R::KIND, observed)).transpose()
        })
    }

    fn read_many<'a>(&'a self, known: &'a [Refreshed<'a>]) -> BoxFuture<'a, Result<Vec<Option<Snapshot>>, Fault>> {
        Box::pin(async move {
            let known: Vec<_> = known.iter().map(|known| Known { id: known.id, cx: self.cx(known.target) }).collect();
            let observed = R::read_many(&known).await?;
            if observed.len() != known.len() {
                let message = format!("{}: asked for {}, got {} answers", R::KIND, known.len(), observed.len());
                return Err(Fault::invalid("read_many", message));
            }
            observed.into_iter().map(|seen| seen.map(|seen| snapshot(R::KIND, seen)).transpose()).collect()
        })
    }

    fn find<'a>(&'a self, target: Target<'a>, spec: &'a Value) -> BoxFuture<'a, Result<Option<Id>, Fault>> {
        Box::pin(async move { absent(R::find(&self.cx(target), &Self::spec(spec)?).await) })
    }

    fn delete<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { gone(R::delete(&self.cx(target), id).await) })
    }

    fn discard<'a>(&'a self, remnant: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { gone(R::discard(&self.cloud, remnant).await) })
    }

    fn list<'a>(&'a self, deployment: &'a Deployment) -> BoxFuture<'a, Result<Vec<Owned>, Fault>> {
        Box::pin(R::list(&self.cloud, deployment))
    }

    fn claim<'a>(&'a self, target: Target<'a>, id: &'a Id) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { R::claim(&self.cx(target), id).await })
    }

    fn fits(&self, target: Target<'_>, id: &Id, spec: &Value) -> Result<bool, Fault> {
        Ok(R::fits(&self.cx(target), id, &Self::spec(spec)?))
    }
}

/// The kinds that a run can make, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn DynResource>>);

impl Registry {
    /// No kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the kind `R` in `cloud`.
    #[must_use]
    pub fn with<R: Resource>(mut self, cloud: &Arc<R::Cloud>) -> Self {
        self.0.insert(R::KIND, Arc::new(Erased::<R>::new(Arc::clone(cloud))));
        self
    }

    /// The kinds of both; the name of the first that both have is an error.
    pub fn merged(mut self, others: Self) -> Result<Self, &'static str> {
        for (name, kind) in others.0 {
            if self.0.insert(name, kind).is_some() {
                return Err(name);
            }
        }
        Ok(self)
    }

    /// The kind of that name. An unknown one comes from a state of a newer rcm, or of a program with kinds of its own.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn DynResource>, Fault> {
        self.0.get(kind).ok_or_else(|| {
            let message = format!(
                "this rcm knows no resource kind `{kind}`: was the state written by a newer one, or by a program with kinds of its own?"
            );
            Fault::ours(FaultKind::Invalid, "registry", "UnknownKind", message)
        })
    }

    /// All kinds in order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn DynResource>> {
        self.0.values()
    }
}
