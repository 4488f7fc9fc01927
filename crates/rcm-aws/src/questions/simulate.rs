//! What IAM would answer, without doing it.
//!
//! API: [SimulatePrincipalPolicy](https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html),
//! [SimulateCustomPolicy](https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulateCustomPolicy.html).
//!
//! Surprises: an assumed role's session cannot be simulated, only the role, whose ARN has a path that the session's does not tell. One
//! request takes only actions that are about the same types of resources: others are `InvalidInput` ("require different authorization
//! information"), and then each half is asked for itself. The answer has one result an action, and below it one a resource.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType as Verdict, ResourceSpecificResult,
};
use futures::future::BoxFuture;
use rcm_engine::model::{Fault, FaultKind};

use crate::{
    Aws, Caller,
    classify::{absent, fault},
};

/// How many actions are asked about in one request. AWS documents no limit; its answer has a hundred results a page.
const BATCH: usize = 100;

/// Whose permissions can be simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The ARN of a user or role.
    Arn(String),
    /// Nobody's, and why not.
    Nobody(String),
}

/// Actions about the same types of resources, and in what circumstances they would be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The actions (`ec2:CreateVpc`).
    pub actions: Vec<String>,
    /// The resources, each of which every action is judged on.
    pub resources: Vec<String>,
    /// Condition keys and their values (`aws:RequestedRegion`).
    pub context: BTreeMap<String, String>,
}

/// What IAM says of an action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The action.
    pub action: String,
    /// The resource, or the whole of them where IAM tells no single one.
    pub resource: String,
    /// What it says.
    pub answer: Answer,
}

/// Whether it may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Yes.
    Allowed,
    /// No: nothing allows it.
    Implicit,
    /// No: something denies it.
    Explicit,
    /// No: the organization or a permissions boundary does not let the principal be allowed it.
    Bounded,
    /// Not as it was asked: a policy looks at something that the question does not say, such as whether the caller has signed in with
    /// a second factor.
    Depends,
}

impl Aws {
    /// Whose policies tell what `caller` may do. A session has its role's
    /// ([GetRole](https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRole.html) tells its path).
    pub async fn principal(&self, caller: &Caller) -> Result<Principal, Fault> {
        let nobody = |why: &str| Ok(Principal::Nobody(format!("{} {why}", caller.arn)));
        let Some((_, resource)) = caller.arn.split_once(&format!("::{}:", caller.account)) else {
            return nobody("is of no account");
        };
        if resource.starts_with("user/") {
            return Ok(Principal::Arn(caller.arn.clone()));
        }
        if let Some(session) = resource.strip_prefix("assumed-role/") {
            let name = session.split('/').next().unwrap_or(session);
            let sent = self.iam.get_role().role_name(name).send().await.map_err(fault("iam", "GetRole"));
            return match absent(sent)?.and_then(|answer| answer.role) {
                Some(role) => Ok(Principal::Arn(role.arn)),
                None => nobody("is of a role that IAM does not know"),
            };
        }
        match resource {
            "root" => nobody("is the account's root, which no policy of its own confines"),
            _ => nobody("is neither a user nor a role, and IAM simulates no others"),
        }
    }

    /// What IAM says of `simulation` if `principal` does it.
    pub async fn simulate(&self, principal: &str, simulation: &Simulation) -> Result<Vec<Decision>, Fault> {
        self.batches(&By::Principal(principal), simulation).await
    }

    /// The same of somebody who has these policies and no others.
    pub async fn simulate_policies(
        &self,
        documents: &[String],
        simulation: &Simulation,
    ) -> Result<Vec<Decision>, Fault> {
        self.batches(&By::Policies(documents), simulation).await
    }

    async fn batches(&self, by: &By<'_>, simulation: &Simulation) -> Result<Vec<Decision>, Fault> {
        let mut decisions = Vec::new();
        for actions in simulation.actions.chunks(BATCH) {
            let part = Simulation { actions: actions.to_vec(), ..simulation.clone() };
            decisions.extend(self.halved(by, part).await?);
        }
        Ok(decisions)
    }

    /// The answers to all actions at once, or, where IAM does not take them together, to each half.
    fn halved<'a>(&'a self, by: &'a By<'a>, simulation: Simulation) -> BoxFuture<'a, Result<Vec<Decision>, Fault>> {
        Box::pin(async move {
            match self.sent(by, &simulation).await {
                Err(fault) if fault.kind == FaultKind::Invalid && simulation.actions.len() > 1 => {
                    let mut first = simulation.clone();
                    let second = first.actions.split_off(first.actions.len() / 2);
                    let second = Simulation { actions: second, ..simulation };
                    let (mut first, second) = (self.halved(by, first).await?, self.halved(by, second).await?);
                    first.extend(second);
                    Ok(first)
                }
                other => other,
            }
        })
    }

    async fn sent(&self, by: &By<'_>, simulation: &Simulation) -> Result<Vec<Decision>, Fault> {
        let (actions, resources) = (simulation.actions.clone(), simulation.resources.clone());
        let context = simulation.context.iter().map(|(key, value)| entry(key, value)).collect();
        let results: Vec<EvaluationResult> = match by {
            By::Principal(principal) => {
                let request = self.iam.simulate_principal_policy().policy_source_arn(*principal);
                let request = request.set_action_names(Some(actions)).set_resource_arns(Some(resources));
                let pages = request.set_context_entries(Some(context)).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(fault("iam", "SimulatePrincipalPolicy"))?
            }
            By::Policies(documents) => {
                let request = self.iam.simulate_custom_policy().set_policy_input_list(Some(documents.to_vec()));
                let request = request.set_action_names(Some(actions)).set_resource_arns(Some(resources));
                let pages = request.set_context_entries(Some(context)).into_paginator().items().send();
                pages.collect::<Result<_, _>>().await.map_err(fault("iam", "SimulateCustomPolicy"))?
            }
        };
        Ok(results.iter().flat_map(decisions).collect())
    }
}

/// Whose policies are asked.
enum By<'a> {
    Principal(&'a str),
    Policies(&'a [String]),
}

fn entry(key: &str, value: &str) -> ContextEntry {
    let entry = ContextEntry::builder().context_key_name(key).context_key_type(ContextKeyTypeEnum::String);
    entry.context_key_values(value).build()
}

/// Whether a condition looks at tags: where an action has any, the question says them.
fn is_of_tags(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["aws:resourcetag/", "aws:requesttag/", "aws:tagkeys"].iter().any(|tags| key.starts_with(tags))
}

fn decisions(result: &EvaluationResult) -> Vec<Decision> {
    let bounded = result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations())
        || result
            .permissions_boundary_decision_detail()
            .is_some_and(|detail| !detail.allowed_by_permissions_boundary());
    let decision = |resource: &str, verdict: &Verdict, missing: &[String]| Decision {
        action: result.eval_action_name().to_owned(),
        resource: resource.to_owned(),
        answer: match verdict {
            Verdict::Allowed => Answer::Allowed,
            _ if missing.iter().any(|key| !is_of_tags(key)) => Answer::Depends,
            _ if bounded => Answer::Bounded,
            Verdict::ExplicitDeny => Answer::Explicit,
            _ => Answer::Implicit,
        },
    };
    let each = result.resource_specific_results();
    if each.is_empty() {
        let (resource, missing) = (result.eval_resource_name().unwrap_or("*"), result.missing_context_values());
        return vec![decision(resource, result.eval_decision(), missing)];
    }
    let of = |result: &ResourceSpecificResult| {
        decision(result.eval_resource_name(), result.eval_resource_decision(), result.missing_context_values())
    };
    each.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(verdict: Verdict, missing: &[&str]) -> Answer {
        let result = EvaluationResult::builder().eval_action_name("ec2:CreateVpc").eval_decision(verdict);
        let missing = missing.iter().map(|key| (*key).to_owned()).collect();
        decisions(&result.set_missing_context_values(Some(missing)).build().unwrap())[0].answer
    }

    #[test]
    fn a_refusal_that_depends_on_what_was_not_said_is_none() {
        let factor = ["aws:MultiFactorAuthPresent"];
        assert_eq!(answer(Verdict::ExplicitDeny, &factor), Answer::Depends);
        assert_eq!(answer(Verdict::ImplicitDeny, &factor), Answer::Depends);
        assert_eq!(answer(Verdict::Allowed, &factor), Answer::Allowed);
        assert_eq!(answer(Verdict::ImplicitDeny, &["aws:ResourceTag/rcm:partner"]), Answer::Implicit);
        assert_eq!(answer(Verdict::ExplicitDeny, &[]), Answer::Explicit);
    }
}
