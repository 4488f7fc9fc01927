//! The least that whoever runs rcm has to be allowed, as IAM policies for one partner: from what each kind of resource declares, and
//! confined to this environment's names and tags as far as IAM can.
//!
//! Names and tags are told apart by their beginning and their partner: an environment whose prefix begins with the whole prefix of
//! another one in the same account is within reach of that one's policies.

mod operation;
mod policy;
mod reference;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use rcm_aws::identity;
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
    /// `plan`, and what else only looks at resources: `drift`, `compliance`, `cost --live`, `dns`.
    Plan,
    /// `provision`, `rollback`, `secrets rotate`, `import`: all that makes and changes.
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
pub struct Policy {
    /// What to call it: `acme-rcm-prod-rcm-plan-1`.
    pub name: String,
    /// How many of the 6,144 characters it has that IAM lets a managed policy have.
    pub characters: usize,
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
        match verb {
            Verb::Plan => looks(),
            Verb::Provision => [looks(), of(|kind| changes(kind, kind.here))].concat(),
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

fn changes(kind: &Kind, wanted: bool) -> Vec<&'static str> {
    if wanted { [kind.actions.write, kind.actions.delete].concat() } else { Vec::new() }
}

/// The policies that allow what `verbs` need in `deployment`.
///
/// # Errors
/// An action of a kind that the reference does not have.
pub(crate) fn policies(
    verbs: &[Verb],
    kinds: &[Kind],
    deployment: &Deployment,
    extent: Extent<'_>,
) -> Result<Vec<Policy>, Error> {
    let prefix = identity::stem(deployment);
    let scope = Scope {
        partition: &deployment.partition,
        region: &deployment.region,
        account: &deployment.account,
        partner: &deployment.partner,
        environment: &deployment.environment,
        project: &deployment.project,
        prefix: &prefix,
        baseline: extent.baseline,
        zone: extent.zone,
    };
    let documents = policy::documents(actions(verbs, kinds), &scope).map_err(Error::UnknownAction)?;
    let verbs = if verbs.len() == 1 { format!("-{}", verbs[0].name()) } else { String::new() };
    let named = |(at, document): (usize, Value)| {
        let (name, characters) = (format!("{prefix}-rcm{verbs}-{}", at + 1), policy::length(&document));
        Policy { name, characters, document }
    };
    Ok(documents.into_iter().enumerate().map(named).collect())
}
