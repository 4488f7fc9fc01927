//! A kind of resource that rcm does not have: an entry of the company's directory, where other programs look up a partner's address.
//!
//! It has the parts that each of rcm's kinds has, in the same order (docs/adding-a-resource.md); that its cloud is not AWS makes no
//! difference.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rcm::engine::model::{
    Actions, Cx, Deployment, Fault, FaultKind, Id, Identity, Observed, OnDestroy, Owned, Resource,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The client of the directory. This one keeps it in memory; a real one would send requests.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<BTreeMap<String, Row>>);

/// What the directory knows under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Where the partner answers.
    pub(crate) host: String,
    /// Partner, environment, node and generation: what rcm tells its own by.
    pub(crate) owner: (String, String, String, u32),
}

impl Directory {
    /// Everything that is in it, by name.
    pub(crate) fn rows(&self) -> MutexGuard<'_, BTreeMap<String, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is wanted of an entry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The name that others look for.
    pub(crate) name: String,
    /// Where the partner answers: a reference to some other node's output (`Ref::output`).
    pub(crate) host: Value,
}

/// What others may refer to.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outputs {
    /// Where the partner answers.
    pub(crate) host: String,
}

/// An entry of the directory. Its id is its name.
pub(crate) struct Entry;

impl Resource for Entry {
    type Cloud = Directory;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "directory/entry";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const TAGGED: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Delete;

    async fn create(cx: &Cx<'_, Directory>, spec: &Spec) -> Result<Id, Fault> {
        let host = host(cx, spec)?;
        let mut rows = cx.cloud.rows();
        if rows.contains_key(&spec.name) {
            return Err(fault(FaultKind::Exists, "Add", format!("there is an entry {} already", spec.name)));
        }
        rows.insert(spec.name.clone(), Row { host, owner: owner(cx.identity) });
        Ok(Id::from(spec.name.as_str()))
    }

    async fn configure(cx: &Cx<'_, Directory>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if !cx.changes("host") || cx.creating() {
            return Ok(());
        }
        let host = host(cx, spec)?;
        let mut rows = cx.cloud.rows();
        rows.get_mut(id.as_str()).ok_or_else(|| missing("Change", id))?.host = host;
        Ok(())
    }

    async fn read(cx: &Cx<'_, Directory>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let row = cx.cloud.rows().get(id.as_str()).cloned();
        Ok(row.map(|row| {
            Observed::new(Outputs { host: row.host.clone() }).see("name", id.as_str()).see("host", row.host)
        }))
    }

    async fn find(cx: &Cx<'_, Directory>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let ours = cx.cloud.rows().get(&spec.name).is_some_and(|row| row.owner == owner(cx.identity));
        Ok(ours.then(|| Id::from(spec.name.as_str())))
    }

    async fn delete(cx: &Cx<'_, Directory>, id: &Id) -> Result<(), Fault> {
        cx.cloud.rows().remove(id.as_str()).map(drop).ok_or_else(|| missing("Remove", id))
    }

    async fn list(cloud: &Directory, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let rows = cloud.rows();
        let ours = rows.iter().filter(|(_, row)| {
            (row.owner.0.as_str(), row.owner.1.as_str()) == (&*deployment.partner, &*deployment.environment)
        });
        let owned = ours.map(|(name, row)| Owned {
            address: row.owner.2.parse().ok(),
            generation: row.owner.3,
            id: Id::from(name.as_str()),
        });
        Ok(owned.collect())
    }

    async fn claim(cx: &Cx<'_, Directory>, id: &Id) -> Result<(), Fault> {
        let mut rows = cx.cloud.rows();
        let row = rows.get_mut(id.as_str()).ok_or_else(|| missing("Claim", id))?;
        let owner = owner(cx.identity);
        if (&row.owner.0, &row.owner.1) != (&owner.0, &owner.1) {
            return Err(fault(FaultKind::Exists, "Claim", format!("{id} is {}'s, {}", row.owner.0, row.owner.1)));
        }
        row.owner = owner;
        Ok(())
    }

    /// None: the directory is not AWS. What is named here goes into the policies of `Environment::permissions`.
    fn actions() -> Actions {
        Actions::default()
    }
}

fn owner(identity: &Identity) -> (String, String, String, u32) {
    let Identity { deployment, address, generation, .. } = identity;
    (deployment.partner.clone(), deployment.environment.clone(), address.to_string(), *generation)
}

/// What the spec's host stands for by now.
fn host(cx: &Cx<'_, Directory>, spec: &Spec) -> Result<String, Fault> {
    let host = cx.resolve(&spec.host)?;
    host.as_str().map(str::to_owned).ok_or_else(|| Fault::invalid("host", format!("{host} is no host name")))
}

fn missing(operation: &str, id: &Id) -> Fault {
    fault(FaultKind::NotFound, operation, format!("there is no entry {id}"))
}

fn fault(kind: FaultKind, operation: &str, message: String) -> Fault {
    Fault { service: "directory".into(), ..Fault::ours(kind, operation, &format!("{kind:?}"), message) }
}
