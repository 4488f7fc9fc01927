//! Whether what starts tasks may read the secrets that they are started with, and use the key that those are encrypted with.

use std::collections::{BTreeMap, BTreeSet};

use rcm_aws::{
    questions::{Answer, Decision, Simulation},
    resources::kms_key::Key,
};
use rcm_engine::model::{Fault, Resource};
use serde_json::Value;

use super::{Case, PUT_BACK, seen, told};
use crate::{Check, Verdict, ops::status::secret_name};

/// Who reads the secrets: of ECS, and of App Runner; and where it stands which.
const READERS: &[(&str, &str, &str)] = &[
    ("identity/execution-role", "compute/task-definition", "/container/secrets"),
    ("identity/app-runner-instance-role", "compute/app-runner", "/secrets"),
];

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let key = case.id("security/key");
    let reads = async {
        let (role, secrets) = READERS.iter().find_map(|(role, of, at)| {
            let secrets = case.record(of)?.inputs.pointer(at)?.as_object()?;
            let secrets: BTreeSet<String> = secrets.values().filter_map(Value::as_str).map(str::to_owned).collect();
            Some((case.id(role)?, secrets))
        })?;
        let key = key.as_ref().and_then(|_| case.record("security/key")?.outputs["key_arn"].as_str());
        let (secrets, key) = tokio::join!(
            allowed(case, &role, "secretsmanager:GetSecretValue", secrets),
            allowed(case, &role, "kms:Decrypt", key.map(str::to_owned).into_iter().collect()),
        );
        Some([
            told("secrets/readable", secrets, |found| judge("secrets/readable", &role, &found)),
            told("key/usable", key, |found| judge("key/usable", &role, &found)),
        ])
    };
    let standing = async {
        let id = case.ids(Key::KIND).into_iter().next()?;
        Some(seen("key", case.aws.key_standing(&id).await, |found| match found.state.as_str() {
            "Enabled" => Check::good("key", "Enabled"),
            state => Check::found("key", Verdict::Bad, format!("{state}: nothing can be decrypted"), "rcm drift"),
        }))
    };
    let (reads, standing) = tokio::join!(reads, standing);
    reads.into_iter().flatten().chain(standing).collect()
}

async fn allowed(
    case: Case<'_>,
    role: &str,
    action: &str,
    resources: BTreeSet<String>,
) -> Result<Vec<Decision>, Fault> {
    let (actions, resources) = (vec![action.to_owned()], resources.into_iter().collect());
    let simulation = Simulation { actions, resources, context: BTreeMap::new() };
    case.aws.simulate(role, &simulation).await
}

/// What IAM says of a role's own policies. What a simulation leaves out is said too: it cannot be asked of roles.
fn judge(check: &str, role: &str, found: &[Decision]) -> Check {
    let role = role.rsplit('/').next().unwrap_or(role);
    let is_denied = |it: &&Decision| !matches!(it.answer, Answer::Allowed | Answer::Depends);
    let denied: Vec<String> = found.iter().filter(is_denied).map(denial).collect();
    if !denied.is_empty() {
        return Check::found(check, Verdict::Bad, format!("{role}: {}", denied.join("; ")), PUT_BACK);
    }
    if let Some(depends) = found.iter().find(|it| it.answer == Answer::Depends) {
        return Check::unseen(check, format!("{role}: {}", denial(depends)));
    }
    let Some(first) = found.first() else { return Check::unseen(check, format!("IAM has said nothing of {role}")) };
    let names: Vec<&str> = found.iter().map(|it| secret_name(&it.resource)).collect();
    let rest = "by its own policies; what the policies of key and secrets say is not in a simulation";
    Check::good(check, format!("{role} is allowed {} of {}, {rest}", first.action, names.join(", ")))
}

fn denial(decision: &Decision) -> String {
    let Decision { action, resource, answer } = decision;
    let why = match answer {
        Answer::Allowed => "is allowed",
        Answer::Implicit => "is allowed by no policy",
        Answer::Explicit => "is denied by a policy",
        Answer::Bounded => "is denied by the organization or a permissions boundary",
        Answer::Depends => "depends on something that a simulation cannot say",
    };
    format!("{action} of {} {why}", secret_name(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_denied_one_secret_is_told_which() {
        let decision = |name: &str, answer| Decision {
            action: "secretsmanager:GetSecretValue".into(),
            resource: format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-rcm/{name}-AbCdEf"),
            answer,
        };
        let role = "arn:aws:iam::123456789012:role/acme-rcm-prod-ecs-execution";
        let both = [decision("jwt-secret", Answer::Allowed), decision("database-url", Answer::Explicit)];
        let check = judge("secrets/readable", role, &both);
        assert_eq!((check.verdict, check.mend.as_deref()), (Verdict::Bad, Some(PUT_BACK)));
        assert_eq!(
            check.evidence,
            "acme-rcm-prod-ecs-execution: secretsmanager:GetSecretValue of acme-rcm/database-url is denied by a policy"
        );
        assert_eq!(judge("secrets/readable", role, &both[..1]).verdict, Verdict::Ok);
        assert_eq!(judge("secrets/readable", role, &[]).verdict, Verdict::Unknown);
    }
}
