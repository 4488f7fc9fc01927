//! The resource: the one idea everything rests on.

use std::{collections::BTreeSet, future::Future, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Address, Fault, FaultKind, Id, Lookup, Ref, Remnants, resolve};

/// A kind of resource. One file a kind, one line in the registry.
///
/// The engine, not the author, sequences the verbs: `create → record the id → configure → ready → read → record the outputs`,
/// retries them, waits between polls and writes the journal. A verb does one thing and returns.
pub trait Resource: Sized + Send + Sync + 'static {
    /// The clients that the verbs call.
    type Cloud: Send + Sync + 'static;
    /// What we want, in plain data. Every field is serialised, also when it is `None`. Never a secret in clear.
    type Spec: Serialize + DeserializeOwned + Send + Sync;
    /// What the cloud gave and others may refer to. Never a secret.
    type Outputs: Serialize + DeserializeOwned + Send;

    /// `service/kind`, as in `ec2/subnet`. What stands before the slash shares a rate limit.
    const KIND: &'static str;
    /// Fields of the spec that the cloud cannot change in place.
    const REPLACE_ON: &'static [&'static str];
    /// Whether each of them carries the ownership tags, so that [`list`](Resource::list) tells it.
    const TAGGED: bool = false;
    /// Whether its kind holds what cannot be made again. Replacing or deleting it then needs an explicit word from a person.
    const HOLDS_DATA: bool = false;
    /// What `destroy` does with it.
    const ON_DESTROY: OnDestroy = OnDestroy::Delete;
    /// Whether a purge deletes what earlier deletes have left on purpose; not where it is left because others need it.
    const DISCARDS: bool = false;
    /// How long it takes.
    const PACE: Pace = Pace::QUICK;

    /// Makes it, by exactly one mutating call, with the ownership tags and the client token inside, and returns its id.
    fn create(cx: &Cx<'_, Self::Cloud>, spec: &Self::Spec) -> impl Future<Output = Result<Id, Fault>> + Send;

    /// Brings everything else in line with the spec. The second half of a create and the whole of an update, so it may run
    /// twice; on an update, [`Cx::changes`] says which fields are worth a call.
    fn configure(
        cx: &Cx<'_, Self::Cloud>,
        id: &Id,
        spec: &Self::Spec,
    ) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (cx, id, spec);
        async { Ok(()) }
    }

    /// One look at whether it can be used. The engine asks again.
    fn ready(cx: &Cx<'_, Self::Cloud>, id: &Id) -> impl Future<Output = Result<Readiness, Fault>> + Send {
        let _ = (cx, id);
        async { Ok(Readiness::Ready) }
    }

    /// What it is now; `None` when it is gone (also when it is `deleted`, `INACTIVE` or pending deletion).
    fn read(
        cx: &Cx<'_, Self::Cloud>,
        id: &Id,
    ) -> impl Future<Output = Result<Option<Observed<Self::Outputs>>, Fault>> + Send;

    /// [`read`](Resource::read) of many at once, answers in the order of the questions. One batched call where the cloud has one.
    fn read_many(
        known: &[Known<'_, Self::Cloud>],
    ) -> impl Future<Output = Result<Vec<Option<Observed<Self::Outputs>>>, Fault>> + Send {
        let read = async |known: &Known<'_, Self::Cloud>| absent(Self::read(&known.cx, known.id).await);
        futures::future::try_join_all(known.iter().map(read))
    }

    /// Looks for one that is ours by ownership tags, client token or deterministic name: after a crash or a lost answer.
    /// One that exists but does not carry our tags is not found.
    fn find(cx: &Cx<'_, Self::Cloud>, spec: &Self::Spec) -> impl Future<Output = Result<Option<Id>, Fault>> + Send;

    /// Takes it away, lifting protections that rcm itself set. May run twice; a `NotFound` is success, said once by the engine.
    /// What it leaves on purpose, it says by [`Cx::leaves`] before it sends the call.
    fn delete(cx: &Cx<'_, Self::Cloud>, id: &Id) -> impl Future<Output = Result<(), Fault>> + Send;

    /// For how many days the cloud would give a deleted one back; not at all if 0. `purge` as for [`Cx::purges`].
    fn recoverable_days(purge: bool) -> u32 {
        let _ = purge;
        0
    }

    /// After how many days the cloud itself deletes what one of these holds, counted for each piece from when it came; never if
    /// `None`.
    fn expires_after_days(spec: &Self::Spec) -> Option<u32> {
        let _ = spec;
        None
    }

    /// Deletes what a delete of this kind has left on purpose, for a purge, if [`DISCARDS`](Resource::DISCARDS). May run twice; a
    /// `NotFound` is success.
    fn discard(cloud: &Self::Cloud, remnant: &str) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = cloud;
        let message = format!("`{}` does not delete what it has left: {remnant}", Self::KIND);
        async { Err(Fault::invalid("discard", message)) }
    }

    /// Every one that exists and belongs to `deployment` by its tags, whichever node it is: what nobody knows of is found so,
    /// and a lost state is made again. Kinds that are not [`TAGGED`](Resource::TAGGED) have none to tell.
    fn list(cloud: &Self::Cloud, deployment: &Deployment) -> impl Future<Output = Result<Vec<Owned>, Fault>> + Send {
        let _ = (cloud, deployment);
        async { Ok(Vec::new()) }
    }

    /// Puts this node's ownership tags on one that exists, for what a person imports or moves, and where somebody has taken them
    /// away. Refuses one that carries another deployment's. May run twice.
    fn claim(cx: &Cx<'_, Self::Cloud>, id: &Id) -> impl Future<Output = Result<(), Fault>> + Send {
        let _ = (cx, id);
        async { Ok(()) }
    }

    /// Whether `id` can be what `spec` says, as far as the id alone tells: where the name is part of it, no other name will do.
    fn fits(cx: &Cx<'_, Self::Cloud>, id: &Id, spec: &Self::Spec) -> bool {
        let _ = (cx, id, spec);
        true
    }

    /// What a change of `field` in place does to whoever uses it, in a few words, where one wants to know that before. Both values
    /// are as they are serialised.
    fn effect(field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        let _ = (field, before, after);
        None
    }

    /// Whether this very one holds what cannot be made again, given its spec as last applied and what was seen of it: where it is
    /// other than [`HOLDS_DATA`](Resource::HOLDS_DATA) says of its kind.
    fn holds(applied: &Self::Spec, live: &Map<String, Value>) -> Holds {
        let _ = (applied, live);
        if Self::HOLDS_DATA { Holds::Data } else { Holds::Nothing }
    }

    /// The permissions that the verbs need.
    fn actions() -> Actions;
}

/// What would be lost with a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Nothing: it is made from other things, and can be again.
    Nothing,
    /// What cannot be made again.
    Data,
    /// What cannot be made again, although its kind usually has none; how it came to that.
    Since(&'static str),
}

/// One that exists and carries the tags of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Owned {
    /// The node that its tags name, if they name one.
    pub address: Option<Address>,
    /// The generation that its tags name.
    pub generation: u32,
    /// What the cloud calls it.
    pub id: Id,
}

/// For a read, a `NotFound` is an answer.
pub(super) fn absent<T>(result: Result<Option<T>, Fault>) -> Result<Option<T>, Fault> {
    match result {
        Err(fault) if fault.kind == FaultKind::NotFound => Ok(None),
        other => other,
    }
}

/// What `destroy` does with a resource unless it is told to purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDestroy {
    /// Deletes it.
    Delete,
    /// Keeps it, listed in the state, for a later `provision` to take up again or a `--purge` to delete.
    Retain,
    /// Leaves it and forgets it: it is the account's, and others work with it. Its `delete` does nothing.
    Leave,
}

/// How long a kind takes: decides what starts first, how often is asked and when the engine gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How long a create usually takes; the weight of the longest path.
    pub typical: Duration,
    /// When a create that is not ready has failed.
    pub ready_within: Duration,
    /// When a delete that is not gone has failed; `None` where a delete is done when its call returns.
    pub gone_within: Option<Duration>,
}

impl Pace {
    /// There as soon as the call returns.
    pub const QUICK: Self =
        Self { typical: Duration::from_secs(1), ready_within: Duration::from_mins(5), gone_within: None };

    /// There after a while, and deleted as soon as the call returns. In seconds.
    pub const fn slow(typical: u64, ready_within: u64) -> Self {
        Self {
            typical: Duration::from_secs(typical),
            ready_within: Duration::from_secs(ready_within),
            gone_within: None,
        }
    }

    /// The same, but gone only within so many seconds after the delete.
    pub const fn gone_within(self, seconds: u64) -> Self {
        Self { gone_within: Some(Duration::from_secs(seconds)), ..self }
    }
}

/// One answer of [`Resource::ready`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Not yet; what it is doing, for people who watch.
    Pending(String),
    /// Not before somebody outside does something (a DNS record). At its deadline the run parks instead of failing.
    Awaiting {
        /// What is awaited, in a few words.
        what: String,
        /// What to do, as data (the records to make).
        details: Value,
    },
    /// It is as it was before the change, which is said in a few words: the answer is older than the change, or the cloud has
    /// taken the change back. Believed, and a failure, once it has been said for two minutes.
    Reverted(String),
    /// It can be used.
    Ready,
    /// It never will be; why. Said of one that was never ready, it makes the next run take it away and make another.
    Failed(String),
}

/// What a resource is in the live cloud: those fields of the spec that were seen, and the outputs.
///
/// A field that was not seen is unknown, not drifted. A reference is seen as the id that it stands for.
#[derive(Debug, Clone)]
pub struct Observed<O> {
    pub(crate) outputs: O,
    pub(crate) fields: Map<String, Value>,
    pub(crate) broken: Option<String>,
}

impl<O> Observed<O> {
    /// The outputs, and no field seen yet.
    pub fn new(outputs: O) -> Self {
        Self { outputs, fields: Map::new(), broken: None }
    }

    /// A field of the spec by its serialised name, and its live value.
    #[must_use]
    pub fn see(mut self, field: &'static str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(value) => {
                self.fields.insert(field.to_owned(), value);
            }
            Err(error) => self.broken = Some(format!("{field}: {error}")),
        }
        self
    }

    /// The outputs.
    pub fn outputs(&self) -> &O {
        &self.outputs
    }
}

/// The deployment that a run works on: one partner, one environment, one account, one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// What names begin with (`acme-rcm`).
    pub project: String,
    /// The partner's name (`acme`).
    pub partner: String,
    /// The environment (`prod`).
    pub environment: String,
    /// The account that everything lives in.
    pub account: String,
    /// The region that everything lives in.
    pub region: String,
    /// The partition of that region (`aws`, `aws-us-gov`, `aws-cn`).
    pub partition: String,
}

/// Which node of which deployment a verb works on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The deployment.
    pub deployment: std::sync::Arc<Deployment>,
    /// The node.
    pub address: Address,
    /// 1, and one more for each replacement that had to live beside its predecessor.
    pub generation: u32,
    /// 32 hexadecimal digits that stay the same for one create, across processes: the client token.
    pub token: String,
}

/// What a verb works with: the cloud, who it works for, and what its references stand for.
pub struct Cx<'a, C> {
    /// The clients.
    pub cloud: &'a C,
    /// The node and its deployment.
    pub identity: &'a Identity,
    pub(crate) lookup: &'a (dyn Lookup + Sync),
    pub(crate) changed: Option<&'a BTreeSet<String>>,
    pub(crate) full: bool,
    pub(crate) purge: bool,
    pub(crate) remnants: Option<&'a Remnants>,
}

impl<C> Cx<'_, C> {
    /// The id of what `target` names.
    pub fn id<R>(&self, target: &Ref<R>) -> Result<Id, Fault> {
        self.lookup.id(target.address()).ok_or_else(|| self.unknown(target.address()))
    }

    /// The outputs of what `target` names. Not for early references: outputs are recorded when the target is ready.
    pub fn outputs<R: Resource>(&self, target: &Ref<R>) -> Result<R::Outputs, Fault> {
        let value = self.lookup.outputs(target.address()).ok_or_else(|| self.unknown(target.address()))?;
        serde_json::from_value(value)
            .map_err(|error| Fault::invalid("outputs", format!("the outputs of {}: {error}", target.address())))
    }

    /// Whether the state knows a resource of that id, of whichever node: what it does not know may be somebody else's.
    pub fn knows(&self, id: &Id) -> bool {
        self.lookup.knows(id)
    }

    /// Free-form JSON with every reference in it replaced.
    pub fn resolve(&self, value: &Value) -> Result<Value, Fault> {
        let resolved = resolve(value, self.lookup);
        if resolved.complete {
            return Ok(resolved.value);
        }
        let missing = super::references(&resolved.value).into_iter().next();
        Err(missing.map_or_else(|| Fault::invalid("resolve", "unresolved"), |missing| self.unknown(&missing.address)))
    }

    /// Whether this field may differ from what the cloud has: always on a create, and on an update if the plan says so.
    pub fn changes(&self, field: &str) -> bool {
        self.changed.is_none_or(|changed| changed.contains(field))
    }

    /// Whether this configure is the second half of a create.
    pub fn creating(&self) -> bool {
        self.changed.is_none()
    }

    /// Whether to read also what takes a call for each resource. When not, leave those fields unseen.
    pub fn reads_everything(&self) -> bool {
        self.full
    }

    /// Whether content (images, objects, the right to a final snapshot) goes too.
    pub fn purges(&self) -> bool {
        self.purge
    }

    /// Notes what the delete call that is about to be sent leaves in the cloud on purpose: `what` in a few words for people,
    /// `id` as the cloud calls it. Counts once the delete has succeeded; outside a delete it says nothing.
    pub fn leaves(&self, what: &str, id: &str) {
        if let Some(remnants) = self.remnants {
            remnants.note((what.to_owned(), id.to_owned()));
        }
    }

    /// The same work for somebody else: for a resource that several deployments share, and that belongs to none of them.
    pub fn on_behalf_of<'i>(&'i self, identity: &'i Identity) -> Cx<'i, C> {
        let Self { cloud, lookup, changed, full, purge, remnants, .. } = *self;
        Cx { cloud, identity, lookup, changed, full, purge, remnants }
    }

    fn unknown(&self, target: &Address) -> Fault {
        let message = format!("{} needs {target}, which is not there", self.identity.address);
        Fault::ours(FaultKind::Invalid, "reference", "UnknownReference", message)
    }
}

/// A resource that the state knows: the question of [`Resource::read_many`].
pub struct Known<'a, C> {
    /// Its id.
    pub id: &'a Id,
    /// Its context.
    pub cx: Cx<'a, C>,
}

/// The permissions that each verb of a kind needs, as the cloud spells them (`ec2:CreateVpc`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions {
    /// For `create` and `configure`.
    pub write: &'static [&'static str],
    /// For `ready`, `read`, `read_many` and `find`.
    pub read: &'static [&'static str],
    /// For `delete`.
    pub delete: &'static [&'static str],
}
