//! What would stop a run, asked of AWS before anything is changed: everything at once, and all that is found at once.
//!
//! A question that cannot be asked, or that AWS does not answer, is [`Verdict::Unknown`] with the reason, and stops nobody.

mod database;
mod identity;
mod names;
mod network;
mod offers;
mod permissions;
pub(super) mod quotas;
pub(super) mod roles;
mod seen;

use std::{collections::BTreeSet, sync::Arc};

use rcm_aws::Caller;
use rcm_engine::{
    model::{Address, EventKind, Fault, Identity, references},
    plan::{Action, Plan, Step},
    store::State,
};
use serde_json::Value;

use self::seen::Seen;
use super::{Check, Environment, Goal, Verdict};
use crate::Error;

/// The IAM actions that the checks need, beside what a plan reads.
pub const PREFLIGHT_ACTIONS: &[&str] = &[
    "account:GetRegionOptStatus",
    "acm:ListCertificates",
    "backup:ListBackupVaults",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "ecr:DescribeRepositories",
    "ecs:DescribeClusters",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "iam:GetRole",
    "iam:ListRoles",
    "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "kms:ListAliases",
    "kms:ListKeys",
    "logs:DescribeLogGroups",
    "rds:DescribeDBInstances",
    "rds:DescribeDBParameterGroups",
    "rds:DescribeDBSubnetGroups",
    "rds:DescribeOrderableDBInstanceOptions",
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "secretsmanager:ListSecrets",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListServiceQuotas",
    "sns:ListTopics",
];

impl Environment {
    /// What would stop a run to `goal`, and what somebody should know before it: plans it, and asks everything at once. Changes
    /// nothing, needs no lock, and sends only calls that read.
    ///
    /// # Errors
    /// Where no plan can be made. What a check finds, and what it cannot see, is no error.
    pub async fn preflight(&self, goal: &Goal) -> Result<Vec<Check>, Error> {
        let state = self.load_aside().await?.unwrap_or_else(|| State::new(self.deployment.clone()));
        self.check_state(&state.deployment)?;
        let caller = self.check_account().await?;
        let (plan, _) = self.make_plan(&state, goal).await?;
        Ok(self.look_ahead(&state, &plan, &caller).await)
    }

    /// Refuses a plan that the checks find something bad about, but for those that are `ignored`; what else they find is told as events.
    pub(super) async fn clear_for(
        &self,
        state: &State,
        plan: &Plan,
        caller: &Caller,
        ignored: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let checks = self.look_ahead(state, plan, caller).await;
        let checks: Vec<Check> = checks.into_iter().map(|check| if_ignored(check, ignored)).collect();
        if checks.iter().any(|check| check.verdict == Verdict::Bad) {
            return Err(Error::Preflight { plan: Box::new(plan.clone()), checks });
        }
        for message in told(&checks) {
            self.settings.events.run(EventKind::Noted { message });
        }
        Ok(())
    }

    async fn look_ahead(&self, state: &State, plan: &Plan, caller: &Caller) -> Vec<Check> {
        let ahead = Ahead::of(self, state, plan);
        let (seen, limits, offers, taken, permitted) = tokio::join!(
            Box::pin(Seen::ask(&ahead)),
            quotas::ask(&ahead),
            offers::ask(&ahead),
            names::ask(&ahead),
            permissions::ask(&ahead, caller),
        );
        let (names, roles) = tokio::join!(names::check(&ahead, &seen, taken), roles::check(&ahead, &seen, &permitted));
        let mut checks = identity::check(&ahead, caller, &seen);
        checks.extend(permitted.check(&ahead));
        checks.extend(roles);
        checks.extend(quotas::check(&ahead, &seen, &limits));
        checks.extend(names);
        checks.extend(network::check(&ahead, &seen));
        checks.extend(offers);
        checks.extend(database::check(&ahead));
        checks
    }
}

/// What is bad and ignored is worth a word, and stops nobody.
fn if_ignored(check: Check, ignored: &BTreeSet<String>) -> Check {
    match check.verdict == Verdict::Bad && ignored.contains(&check.check) {
        true => Check { verdict: Verdict::Warn, evidence: format!("ignored: {}", check.evidence), ..check },
        false => check,
    }
}

/// Whether a plan makes anything new: only then does a run ask all this.
pub(super) fn makes(plan: &Plan) -> bool {
    plan.forward.iter().any(is_made)
}

fn is_made(step: &Step) -> bool {
    matches!(step.action, Action::Create { .. } | Action::Remake { .. } | Action::Replace { .. })
}

/// What somebody should know although it stops nothing: a line for each warning, and one for all that could not be seen.
fn told(checks: &[Check]) -> Vec<String> {
    let of = |verdict| checks.iter().filter(move |check| check.verdict == verdict);
    let warning = |check: &Check| match &check.mend {
        Some(mend) => format!("{}: {}; {mend}", check.check, check.evidence),
        None => format!("{}: {}", check.check, check.evidence),
    };
    let mut lines: Vec<String> = of(Verdict::Warn).map(warning).collect();
    let unknown: Vec<&str> = of(Verdict::Unknown).map(|check| check.check.as_str()).collect();
    if !unknown.is_empty() {
        lines.push(format!("could not be checked before the run: {}", unknown.join(", ")));
    }
    lines
}

/// A run that is about to begin.
struct Ahead<'a> {
    environment: &'a Environment,
    state: &'a State,
    plan: &'a Plan,
}

impl<'a> Ahead<'a> {
    fn of(environment: &'a Environment, state: &'a State, plan: &'a Plan) -> Self {
        Self { environment, state, plan }
    }

    /// What it makes.
    fn made(&self) -> impl Iterator<Item = &'a Step> {
        self.plan.forward.iter().filter(|step| is_made(step))
    }

    /// What it makes of a kind.
    fn made_of(&self, kind: &'static str) -> impl Iterator<Item = &'a Step> {
        self.made().filter(move |step| step.kind == kind)
    }

    /// How many it makes of a kind.
    fn count(&self, kind: &'static str) -> i64 {
        i64::try_from(self.made_of(kind).count()).unwrap_or(i64::MAX)
    }

    /// Whether it makes any of these kinds.
    fn makes(&self, kinds: &[&str]) -> bool {
        self.made().any(|step| kinds.contains(&step.kind.as_str()))
    }

    /// The spec of a resource after the run.
    fn spec(&self, address: &Address) -> Option<&'a Value> {
        let planned = self.plan.forward.iter().find(|step| step.address == *address).map(|step| &step.spec);
        planned.or_else(|| self.state.resources.get(address).map(|record| &record.spec))
    }

    /// The spec of the first resource that a field refers to.
    fn referred(&self, spec: &Value, field: &str) -> Option<&'a Value> {
        let reference = references(spec.get(field)?).into_iter().next()?;
        self.spec(&reference.address)
    }

    /// The specs of all resources of a kind after the run.
    fn specs(&self, kind: &str) -> Vec<&'a Value> {
        let planned = self.plan.forward.iter().filter(|step| step.kind == kind);
        let planned: BTreeSet<&Address> = planned.map(|step| &step.address).collect();
        let known = self.state.resources.values().filter(|record| record.kind == kind).map(|record| &record.address);
        let all: BTreeSet<&Address> = known.chain(planned).collect();
        all.into_iter().filter_map(|address| self.spec(address)).collect()
    }

    /// The id that the state has of a kind of which there is one.
    fn id(&self, kind: &str) -> Option<&'a str> {
        let record = self.state.resources.values().find(|record| record.kind == kind)?;
        record.id.as_ref().map(|id| id.as_str())
    }

    fn region(&self) -> &'a str {
        &self.environment.deployment.region
    }

    fn identity(&self, step: &Step) -> Identity {
        Identity {
            deployment: Arc::new(self.environment.deployment.clone()),
            address: step.address.clone(),
            generation: step.generation,
            token: String::new(),
        }
    }
}

/// A question that AWS has not answered.
fn unseen(check: impl Into<String>, fault: &Fault) -> Check {
    Check::unseen(check, fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_each_warning_and_all_it_could_not_see_on_one_line() {
        let checks = [
            Check::good("identity", "me"),
            Check::found("quota/vpcs", Verdict::Warn, "4 of 5", "ask for more"),
            Check::unseen("permissions", "denied"),
            Check::unseen("region", "denied"),
        ];
        let lines = ["quota/vpcs: 4 of 5; ask for more", "could not be checked before the run: permissions, region"];
        assert_eq!(told(&checks), lines);
    }
}
