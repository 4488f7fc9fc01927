//! The least that whoever runs rcm has to be allowed, as IAM policies for one partner: from what each kind of resource declares, and
//! confined to this environment's names and tags as far as IAM can.
//!
//! Names and tags are told apart by their beginning and their partner: an environment whose prefix begins with the whole prefix of
//! another one in the same account is within reach of that one's policies.

mod operation;
mod policy;
mod reference;
mod simulations;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{identity, questions::Simulation};
use rcm_engine::model::{Actions, Deployment};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
pub use operation::asked_by;
pub use policy::LONGEST;
use policy::Scope;

/// What somebody is to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// `plan`, and what else only looks at resources: `preflight`, `drift`, `compliance`, `cost --live`, `dns`, and `doctor` but for
    /// what is in the database's URL.
    Plan,
    /// `provision`, `rollback`, `secrets rotate`, `import`: all that makes and changes; and `doctor` with what is in the database's URL.
    Provision,
    /// `deploy`.
    Deploy,
    /// `destroy`, with `--purge` too.
    Destroy,
    /// `status`.
    Status,
    /// `logs`: what the application writes, which may tell of patients.
    Logs,
    /// `exec`: a shell in the application's containers.
    Exec,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Plan, Self::Provision, Self::Deploy, Self::Destroy, Self::Status, Self::Logs, Self::Exec];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Provision => "provision",
            Self::Deploy => "deploy",
            Self::Destroy => "destroy",
            Self::Status => "status",
            Self::Logs => "logs",
            Self::Exec => "exec",
        }
    }
}

/// A managed policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Policy {
    /// What to call it: `acme-rcm-prod-rcm-plan-1`.
    pub name: String,
    /// How many of the 6,144 characters it has that IAM lets a managed policy have.
    pub characters: usize,
    /// Actions of the embedding program's own kinds of which rcm does not know what IAM can confine them to: they are allowed for every
    /// resource, in a statement of their own (`Unconfined`), for the program to narrow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unconfined: Vec<String>,
    /// The document.
    pub document: Value,
}

/// What a kind of resource needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What it declares.
    pub(crate) actions: Actions,
    /// Whether the environment has any, or is to have some. Others are looked for, too: whoever asks for drift learns of what carries
    /// its tags, whatever it is.
    pub(crate) here: bool,
    /// Whether a deploy changes it.
    pub(crate) deployed: bool,
    /// Whether it is the account's, and nobody deletes it.
    pub(crate) accounts: bool,
    /// Whether it is not rcm's but the embedding program's.
    pub(crate) own: bool,
}

/// Where the baseline's names begin, and the zone of the domain, if there are such.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Extent<'a> {
    pub(crate) baseline: Option<&'a str>,
    pub(crate) zone: Option<&'a str>,
}

/// Every action that one of `verbs` needs in an environment of these kinds.
pub(crate) fn actions(verbs: &[Verb], kinds: &[Kind]) -> BTreeSet<&'static str> {
    let of = |pick: fn(&Kind) -> Vec<&'static str>| kinds.iter().flat_map(pick).collect::<Vec<_>>();
    let of_verb = |verb: &Verb| {
        // Which zones there are is asked of AWS before anything is planned; prices are by `cost --live`.
        let looks = || {
            [of(|kind| kind.actions.read.to_vec()), vec!["ec2:DescribeAvailabilityZones", "pricing:GetProducts"]]
                .concat()
        };
        let checks = || [crate::PREFLIGHT_ACTIONS, crate::DOCTOR_ACTIONS].concat();
        match verb {
            Verb::Plan => [looks(), checks()].concat(),
            Verb::Provision => [looks(), of(|kind| changes(kind, kind.here)), checks()].concat(),
            Verb::Deploy => [looks(), of(|kind| changes(kind, kind.deployed)), crate::DEPLOY_ACTIONS.to_vec()].concat(),
            Verb::Destroy => {
                let deletes = of(|kind| if kind.here { kind.actions.delete.to_vec() } else { Vec::new() });
                [looks(), deletes].concat()
            }
            Verb::Status => crate::STATUS_ACTIONS.to_vec(),
            Verb::Logs => crate::LOGS_ACTIONS.to_vec(),
            Verb::Exec => crate::EXEC_ACTIONS.to_vec(),
        }
    };
    verbs.iter().flat_map(of_verb).collect()
}

/// What is done with what is the account's.
fn accounts(kinds: &[Kind]) -> BTreeSet<&'static str> {
    let theirs = kinds.iter().filter(|kind| kind.accounts);
    theirs.flat_map(|kind| [kind.actions.read, kind.actions.write].concat()).collect()
}

fn changes(kind: &Kind, wanted: bool) -> Vec<&'static str> {
    if wanted { [kind.actions.write, kind.actions.delete].concat() } else { Vec::new() }
}

/// The policies that allow what `verbs` need in `deployment`.
///
/// # Errors
/// An action of one of rcm's kinds that the reference does not have.
pub(crate) fn policies(
    verbs: &[Verb],
    kinds: &[Kind],
    deployment: &Deployment,
    extent: Extent<'_>,
) -> Result<Vec<Policy>, Error> {
    let prefix = identity::stem(deployment);
    let scope = scope(deployment, &prefix, extent);
    let own: Vec<Kind> = kinds.iter().filter(|kind| kind.own).copied().collect();
    let own = actions(verbs, &own);
    let shipped: Vec<Kind> = kinds.iter().filter(|kind| !kind.own).copied().collect();
    let shipped = actions(verbs, &shipped);
    let (known, unconfined): (Vec<&str>, Vec<&str>) = own.into_iter().partition(|action| policy::confines(action));
    let documents = policy::documents(shipped.into_iter().chain(known), &accounts(kinds), unconfined, &scope);
    let documents = documents.map_err(Error::UnknownAction)?;
    let verbs = if verbs.len() == 1 { format!("-{}", verbs[0].name()) } else { String::new() };
    let named = |(at, document): (usize, Value)| {
        let (name, characters) = (format!("{prefix}-rcm{verbs}-{}", at + 1), policy::length(&document));
        Policy { name, characters, unconfined: policy::unconfined(&document), document }
    };
    Ok(documents.into_iter().enumerate().map(named).collect())
}

/// `actions` as questions to IAM's simulator, of what `deployment` has and in the circumstances that its policies confine them to.
/// `names` has the name of one resource of each kind that is going to be made.
///
/// # Errors
/// An action that the reference does not have.
pub(crate) fn simulations(
    actions: &BTreeSet<&'static str>,
    deployment: &Deployment,
    extent: Extent<'_>,
    names: &BTreeMap<String, String>,
) -> Result<Vec<Simulation>, Error> {
    let prefix = identity::stem(deployment);
    simulations::simulations(actions, &scope(deployment, &prefix, extent), names).map_err(Error::UnknownAction)
}

fn scope<'a>(deployment: &'a Deployment, prefix: &'a str, extent: Extent<'a>) -> Scope<'a> {
    Scope {
        partition: &deployment.partition,
        region: &deployment.region,
        account: &deployment.account,
        partner: &deployment.partner,
        environment: &deployment.environment,
        project: &deployment.project,
        prefix,
        baseline: extent.baseline,
        zone: extent.zone,
    }
}
