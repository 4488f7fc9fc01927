//! What keeps an environment from working, looked for where it usually is, each with its evidence and what mends it.
//!
//! A family of checks has a file of its own, which asks AWS and judges. Nothing is changed; what cannot be asked is a check that was
//! not seen.

mod access;
mod account;
mod acls;
mod database;
mod domain;
mod here;
mod image;
mod network;
mod reasons;
mod tasks;

use rcm_aws::Aws;
use rcm_engine::{
    model::{Address, Fault},
    store::{Record, State},
};

use super::{Check, Environment, Part, Verdict, status};
use crate::{Error, PartnerConfig, resolver::Resolver};

/// The IAM actions that the checks need, but for two that tell contents and that nobody needs who only plans: without
/// `secretsmanager:GetSecretValue`, which `provision` needs too, nobody looks into the database's URL; without `logs:GetLogEvents`, which
/// `deploy` needs too, nobody is told what a task that stopped had written.
pub const DOCTOR_ACTIONS: &[&str] = &[
    "acm:DescribeCertificate",
    "apprunner:DescribeService",
    "ec2:DescribeAddresses",
    "ec2:DescribeInternetGateways",
    "ec2:DescribeNatGateways",
    "ec2:DescribeNetworkAcls",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroupRules",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeVpcs",
    "ecr:BatchGetImage",
    "ecs:DescribeServices",
    "ecs:DescribeTaskDefinition",
    "ecs:DescribeTasks",
    "ecs:ListTasks",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTargetGroups",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:ListRoles",
    "iam:SimulatePrincipalPolicy",
    "kms:DescribeKey",
    "rds:DescribeDBInstances",
    "servicequotas:ListAWSDefaultServiceQuotas",
    "servicequotas:ListServiceQuotas",
];

/// What puts back whatever others have changed.
const PUT_BACK: &str = "rcm provision --refresh full";

/// Where it is looked.
#[derive(Clone, Copy)]
struct Case<'c> {
    aws: &'c Aws,
    config: &'c PartnerConfig,
    state: &'c State,
}

impl<'c> Case<'c> {
    /// What rcm knows of a node that is there.
    fn record(&self, address: &str) -> Option<&'c Record> {
        let record = self.state.resources.get(&Address::new(address).ok()?)?;
        (record.id.is_some() && !record.retained).then_some(record)
    }

    /// What AWS calls it.
    fn id(&self, address: &str) -> Option<String> {
        Some(self.record(address)?.id.as_ref()?.to_string())
    }

    /// What AWS calls those of a kind.
    fn ids(&self, kind: &str) -> Vec<String> {
        status::ids(self.state, kind)
    }
}

impl Environment {
    /// Looks for what keeps the environment from working. Sends only calls that read, all at once; takes no lock, and so works while a
    /// run is under way. What the world sees of the domain is asked of `resolver`, and of nobody where there is none.
    ///
    /// Credentials that AWS does not take end it: whatever else was asked would be refused as well.
    ///
    /// # Errors
    /// Where there is no state, or it is another account's. What cannot be read is no error but [`Verdict::Unknown`].
    pub async fn doctor(&self, resolver: Option<&Resolver>) -> Result<Vec<Check>, Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let (caller, mut checks) = here::look(&self.aws).await;
        let Ok(caller) = caller else { return Ok(checks) };
        self.check_caller(caller)?;
        let case = Case { aws: &self.aws, config: &self.config, state: &state };
        let (tasks, image, access, database, network, domain, account) = tokio::join!(
            tasks::look(case),
            image::look(case),
            access::look(case),
            database::look(case),
            network::look(case),
            domain::look(case, self.dns_of(&state, resolver)),
            account::look(case),
        );
        checks.extend([tasks, image, access, database, network, domain, account].into_iter().flatten());
        Ok(checks)
    }
}

/// A part of the status as a check of that name.
fn of_part(check: &str, part: Part) -> Check {
    let Part { verdict, evidence, next, .. } = part;
    let mend = next.map(|verb| format!("rcm {verb}"));
    Check { check: check.to_owned(), verdict, evidence, mend }
}

/// The check of what AWS has said, if it could be asked.
fn told<T>(check: &str, found: Result<T, Fault>, judge: impl FnOnce(T) -> Check) -> Check {
    found.map_or_else(|fault| Check::unseen(check, fault.to_string()), judge)
}

/// The same of one that may be gone.
fn seen<T>(check: &str, found: Result<Option<T>, Fault>, judge: impl FnOnce(&T) -> Check) -> Check {
    told(check, found, |found| match found {
        Some(found) => judge(&found),
        None => Check::found(check, Verdict::Bad, "AWS does not know it any more", "rcm drift"),
    })
}
