//! Of every policy of the whole graph: no service works for another account, and no other account is let in.

use rcm_engine::model::Graph;
use serde_json::Value;

use super::{Surroundings, graph};
use crate::PartnerConfig;

const ACCOUNT: &str = "123456789012";

/// Statements for a service without `aws:SourceAccount` or `aws:SourceArn`, each with the reason.
const UNBOUND: &[(&str, &str, &str)] = &[
    (
        "security/key",
        "LogsOfThisAccount",
        "CloudWatch Logs sends neither; the log group that it encrypts is in the encryption context, with its account",
    ),
    (
        "baseline/key",
        "LogGroupEncrypts",
        "CloudWatch Logs sends neither; the log group that it encrypts is in the encryption context, with its account",
    ),
    ("baseline/trail-role", "", "CloudTrail does not document that it sends them when it takes on a role"),
    ("identity/app-runner-access-role", "", "App Runner does not document that it sends them"),
    ("identity/app-runner-instance-role", "", "App Runner does not document that it sends them"),
];

/// All that there can be, on ECS and on App Runner.
fn graphs() -> [Graph; 2] {
    let acme = include_str!("../../../../partners/acme.toml");
    let everything = format!("{acme}\naccount_baseline = true\ndb_read_replicas = 1\n");
    let digest = "0".repeat(64);
    let image = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{digest}");
    let on_app_runner = everything.replace("domain_name", "# domain_name");
    let on_app_runner = format!("{on_app_runner}compute = \"apprunner\"\napi_image = \"{image}\"\n");
    [everything, on_app_runner].map(|file| {
        let config = PartnerConfig::parse("acme.toml", &file, None).unwrap();
        let zones = ["us-east-1a", "us-east-1b"].map(str::to_owned).into();
        graph(&config, &Surroundings { zones, proven_in: None }).unwrap()
    })
}

/// The statements of every policy in `spec`, wherever it stands.
fn statements(spec: &Value) -> Vec<&Value> {
    match spec {
        Value::Object(members) => {
            let own = members.get("Statement").and_then(Value::as_array).into_iter().flatten();
            own.chain(members.values().flat_map(statements)).collect()
        }
        Value::Array(items) => items.iter().flat_map(statements).collect(),
        _ => Vec::new(),
    }
}

/// Who a statement is about: all texts in its principal.
fn principals(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(principals).collect(),
        Value::Object(members) => members.values().flat_map(principals).collect(),
        _ => Vec::new(),
    }
}

fn allows(statement: &Value) -> bool {
    statement["Effect"] == "Allow" && !statement["Principal"].is_null()
}

#[test]
fn no_service_is_the_deputy_of_another_account() {
    let mut looked_at = 0;
    let mut excused = std::collections::BTreeSet::new();
    for graph in graphs() {
        for node in graph.nodes() {
            let of_services = |statement: &&Value| allows(statement) && statement["Principal"].get("Service").is_some();
            for statement in statements(&node.spec).into_iter().filter(of_services) {
                looked_at += 1;
                let condition = statement["Condition"].to_string();
                let named = condition.contains(ACCOUNT);
                if named && (condition.contains("aws:SourceAccount") || condition.contains("aws:SourceArn")) {
                    continue;
                }
                let sid = statement["Sid"].as_str().unwrap_or_default();
                let reason =
                    UNBOUND.iter().position(|(address, its, _)| *address == node.address.as_str() && *its == sid);
                excused.insert(reason.unwrap_or_else(|| panic!("{}: {statement:#}", node.address)));
            }
        }
    }
    assert!(looked_at > 20, "{looked_at}");
    assert_eq!(excused.len(), UNBOUND.len(), "an exception that nothing needs");
}

#[test]
fn no_policy_lets_another_account_in() {
    let mut looked_at = 0;
    for graph in graphs() {
        for node in graph.nodes() {
            for statement in statements(&node.spec).into_iter().filter(|statement| allows(statement)) {
                looked_at += 1;
                for principal in principals(&statement["Principal"]) {
                    let service = principal.ends_with(".amazonaws.com") && !principal.contains(':');
                    let ours = principal.contains(&format!("::{ACCOUNT}:"));
                    // Whoever it is, for this account alone.
                    let bound =
                        principal == "*" && statement["Condition"]["StringEquals"]["kms:CallerAccount"] == ACCOUNT;
                    assert!(service || ours || bound, "{}: {statement:#}", node.address);
                }
            }
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}

#[test]
fn no_bucket_has_lists_of_access() {
    for graph in graphs() {
        let buckets = graph.nodes().filter(|node| ["s3/bucket", "s3/account-log-bucket"].contains(&node.kind));
        let enforced: Vec<bool> = buckets.map(|node| node.spec["owner_enforced"] == true).collect();
        assert!(enforced.len() >= 3 && enforced.iter().all(|enforced| *enforced), "{enforced:?}");
    }
}
