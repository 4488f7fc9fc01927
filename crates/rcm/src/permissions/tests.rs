use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn scope() -> Scope<'static> {
    Scope {
        partition: "aws",
        region: "us-east-1",
        account: "123456789012",
        partner: "acme",
        environment: "prod",
        project: "acme-rcm",
        prefix: "acme-rcm-prod",
        baseline: None,
        zone: None,
    }
}

/// The documents of a scope whose account has all that the actions are about.
fn documents<'n>(actions: impl IntoIterator<Item = &'n str>, scope: &Scope<'_>) -> Result<Vec<Value>, String> {
    let actions: BTreeSet<&str> = actions.into_iter().collect();
    policy::documents(actions.iter().copied(), &actions, [], scope)
}

/// A question to IAM.
struct Asked<'a> {
    action: &'a str,
    resource: &'a str,
    context: BTreeMap<&'static str, &'a str>,
}

const OURS: [(&str, &str); 2] = [("aws:ResourceTag/rcm:partner", "acme"), ("aws:ResourceTag/rcm:environment", "prod")];
const THEIRS: [(&str, &str); 2] =
    [("aws:ResourceTag/rcm:partner", "globex"), ("aws:ResourceTag/rcm:environment", "prod")];
const GIVEN: [(&str, &str); 2] = [("aws:RequestTag/rcm:partner", "acme"), ("aws:RequestTag/rcm:environment", "prod")];

/// What IAM answers: whether one statement allows it
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>).
fn allows(documents: &[Value], asked: &Asked<'_>) -> bool {
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    documents.iter().flat_map(|document| document["Statement"].as_array().unwrap()).any(|statement| {
        let holds = |operator: &str, wanted: &Value| {
            wanted.as_object().unwrap().iter().all(|(key, wanted)| match (asked.context.get(key.as_str()), operator) {
                (Some(value), _) => {
                    wanted == value || wanted.as_array().is_some_and(|any| any.iter().any(|one| one == value))
                }
                (None, "StringEqualsIfExists") => true,
                (None, "StringEquals") => false,
                (None, other) => panic!("{other} is not played here"),
            })
        };
        let conditions = statement.get("Condition").and_then(Value::as_object).cloned().unwrap_or_default();
        texts(&statement["Action"]).iter().any(|action| action == asked.action)
            && texts(&statement["Resource"]).iter().any(|pattern| matches(pattern, asked.resource))
            && conditions.iter().all(|(operator, wanted)| holds(operator, wanted))
    })
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            rest.is_empty() || (0..=text.len()).any(|at| text.is_char_boundary(at) && matches(rest, &text[at..]))
        }),
    }
}

fn allowed(action: &str, resource: &str, tags: &[[(&'static str, &'static str); 2]]) -> bool {
    let all: Vec<&str> = reference::REFERENCE.names().collect();
    let documents = documents(all, &scope()).unwrap();
    let region = ("aws:RequestedRegion", "us-east-1");
    let context = tags.iter().flatten().copied().chain([region]).collect();
    allows(&documents, &Asked { action, resource, context })
}

#[test]
fn what_the_name_tells_is_confined_by_the_name() {
    let repository = |name: &str| format!("arn:aws:ecr:us-east-1:123456789012:repository/{name}");
    assert!(allowed("ecr:DeleteRepository", &repository("acme-rcm-prod-api"), &[]));
    assert!(!allowed("ecr:DeleteRepository", &repository("globex-prod-api"), &[OURS]), "a tag is no name");
    assert!(!allowed("ecr:DeleteRepository", &repository("acme-rcm-production"), &[]));
    let secret = |name: &str| format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf");
    assert!(allowed("secretsmanager:GetSecretValue", &secret("acme-rcm/database-url"), &[]));
    assert!(!allowed("secretsmanager:GetSecretValue", &secret("globex/database-url"), &[]));
    assert!(allowed("iam:PassRole", "arn:aws:iam::123456789012:role/acme-rcm-prod-ecs-task", &[]));
    assert!(!allowed("iam:PassRole", "arn:aws:iam::123456789012:role/Admin", &[]));
    assert!(!allowed("iam:DeleteRole", "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/A", &[]));
}

#[test]
fn what_only_tags_tell_is_confined_by_them() {
    let vpc = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1";
    assert!(allowed("ec2:DeleteVpc", vpc, &[OURS]));
    assert!(!allowed("ec2:DeleteVpc", vpc, &[THEIRS]));
    assert!(!allowed("ec2:DeleteVpc", vpc, &[]), "nobody's is not ours");
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    assert!(allowed("kms:ScheduleKeyDeletion", key, &[OURS]) && !allowed("kms:ScheduleKeyDeletion", key, &[THEIRS]));
    assert!(allowed("kms:CreateKey", "*", &[GIVEN]) && !allowed("kms:CreateKey", "*", &[]));
}

#[test]
fn what_is_made_gets_the_tags_and_what_it_is_made_in_has_them() {
    let vpc = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1";
    let subnet = "arn:aws:ec2:us-east-1:123456789012:subnet/*";
    assert!(allowed("ec2:CreateSubnet", subnet, &[GIVEN]) && !allowed("ec2:CreateSubnet", subnet, &[]));
    assert!(allowed("ec2:CreateSubnet", vpc, &[OURS, GIVEN]));
    for others in [&[THEIRS, GIVEN][..], &[GIVEN], &[]] {
        assert!(!allowed("ec2:CreateSubnet", vpc, others), "a subnet of ours in a VPC that is not: {others:?}");
    }
    let group = "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1";
    assert!(allowed("ec2:AuthorizeSecurityGroupIngress", group, &[OURS, GIVEN]));
    assert!(!allowed("ec2:AuthorizeSecurityGroupIngress", group, &[THEIRS, GIVEN]));
}

#[test]
fn nothing_of_others_is_taken_over_by_tagging_it() {
    let vpc = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1";
    assert!(allowed("ec2:CreateTags", vpc, &[GIVEN]), "an import tags what has no owner");
    assert!(allowed("ec2:CreateTags", vpc, &[GIVEN, OURS]));
    assert!(!allowed("ec2:CreateTags", vpc, &[GIVEN, THEIRS]));
    assert!(!allowed("ec2:CreateTags", vpc, &[OURS]), "another owner's tags are not given");
}

#[test]
fn a_default_of_the_vpc_has_no_tags_and_is_emptied_all_the_same() {
    let group = "arn:aws:ec2:us-east-1:123456789012:security-group/sg-1";
    assert!(allowed("ec2:RevokeSecurityGroupIngress", group, &[]));
    assert!(!allowed("ec2:RevokeSecurityGroupIngress", group, &[THEIRS]));
}

#[test]
fn another_region_is_out_of_reach() {
    let documents = documents(["ec2:DescribeVpcs", "iam:ListRoles"], &scope()).unwrap();
    let asked = |action, region| Asked { action, resource: "*", context: [("aws:RequestedRegion", region)].into() };
    assert!(allows(&documents, &asked("ec2:DescribeVpcs", "us-east-1")));
    assert!(!allows(&documents, &asked("ec2:DescribeVpcs", "eu-west-1")));
    assert!(allows(&documents, &asked("iam:ListRoles", "us-east-1")), "IAM is in one Region for all");
}

#[test]
fn without_a_baseline_or_a_zone_nothing_of_them_is_allowed() {
    let with = Scope { baseline: Some("rcm-account-baseline"), zone: Some("Z1"), ..scope() };
    let text = |scope: &Scope<'_>| {
        json!(documents(["cloudtrail:CreateTrail", "route53:ChangeResourceRecordSets"], scope).unwrap()).to_string()
    };
    assert_eq!(text(&scope()), "[]");
    assert!(text(&with).contains(":trail/rcm-account-baseline") && text(&with).contains("hostedzone/Z1"));
}

#[test]
fn the_accounts_key_is_made_and_kept_where_there_is_a_baseline() {
    let accounts = [("aws:RequestTag/rcm:partner", "@account"), ("aws:RequestTag/rcm:environment", "account-baseline")];
    let made = |scope: &Scope<'_>| {
        let documents = documents(["kms:CreateKey"], scope).unwrap();
        allows(&documents, &Asked { action: "kms:CreateKey", resource: "*", context: accounts.into() })
    };
    assert!(!made(&scope()));
    assert!(made(&Scope { baseline: Some("rcm-account-baseline"), ..scope() }));
}

#[test]
fn who_may_delete_what_is_the_partners_may_not_delete_what_is_the_accounts() {
    let own = Actions { write: &[], read: &[], delete: &["kms:ScheduleKeyDeletion", "s3:DeleteObjectVersion"] };
    let accounts = Actions { write: &["kms:TagResource", "s3:PutBucketPolicy"], read: &[], delete: &[] };
    let kind = |actions, accounts| Kind { actions, here: true, deployed: false, accounts, own: false };
    let kinds = [kind(own, false), kind(accounts, true)];
    let deployment = Deployment {
        project: "acme-rcm".into(),
        partner: "acme".into(),
        environment: "prod".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let extent = Extent { baseline: Some("rcm-account-baseline"), zone: None };
    let policies = policies(&Verb::ALL, &kinds, &deployment, extent).unwrap();
    let documents: Vec<Value> = policies.into_iter().map(|policy| policy.document).collect();
    let may = |action, resource, [partner, environment]: [&'static str; 2]| {
        let tags = [("aws:ResourceTag/rcm:partner", partner), ("aws:ResourceTag/rcm:environment", environment)];
        let given = [("aws:RequestTag/rcm:partner", partner), ("aws:RequestTag/rcm:environment", environment)];
        allows(&documents, &Asked { action, resource, context: tags.into_iter().chain(given).collect() })
    };
    let (partners, accounts) = (["acme", "prod"], ["@account", "account-baseline"]);
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    assert!(may("kms:ScheduleKeyDeletion", key, partners) && !may("kms:ScheduleKeyDeletion", key, accounts));
    assert!(may("kms:TagResource", key, accounts));
    assert!(may("s3:DeleteObjectVersion", "arn:aws:s3:::acme-rcm-prod-logs-123456789012-us-east-1/1", partners));
    assert!(!may(
        "s3:DeleteObjectVersion",
        "arn:aws:s3:::rcm-account-baseline-logs-123456789012-us-east-1/1",
        accounts
    ));
    assert!(may("s3:PutBucketPolicy", "arn:aws:s3:::rcm-account-baseline-logs-123456789012-us-east-1", accounts));
}

#[test]
fn an_action_that_is_not_in_the_reference_is_an_error_by_name() {
    assert_eq!(documents(["ec2:RunInstances"], &scope()), Err("ec2:RunInstances".to_owned()));
}

#[test]
fn an_action_of_a_programs_own_kind_that_is_not_in_the_reference_is_allowed_for_all_and_said_to_be() {
    let kind = |own, write: &'static [&'static str]| Kind {
        actions: Actions { write, ..Actions::default() },
        here: true,
        deployed: false,
        accounts: false,
        own,
    };
    let deployment = Deployment {
        project: "acme-rcm".into(),
        partner: "acme".into(),
        environment: "prod".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        partition: "aws".into(),
    };
    let of = |kinds: &[Kind]| policies(&[Verb::Provision], kinds, &deployment, Extent::default());
    let found =
        of(&[kind(false, &["kms:CreateKey"]), kind(true, &["sqs:CreateQueue", "ecr:CreateRepository"])]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].unconfined, ["sqs:CreateQueue"]);
    let documents: Vec<Value> = found.into_iter().map(|policy| policy.document).collect();
    fn asked<'a>(action: &'a str, resource: &'a str) -> Asked<'a> {
        Asked { action, resource, context: BTreeMap::new() }
    }
    assert!(allows(&documents, &asked("sqs:CreateQueue", "arn:aws:sqs:us-east-1:123456789012:any")));
    let repository = |name: &str| format!("arn:aws:ecr:us-east-1:123456789012:repository/{name}");
    assert!(allows(&documents, &asked("ecr:CreateRepository", &repository("acme-rcm-prod-x"))));
    assert!(
        !allows(&documents, &asked("ecr:CreateRepository", &repository("globex-prod-x"))),
        "what is known is confined"
    );
    let error = of(&[kind(false, &["sqs:CreateQueue"])]).unwrap_err();
    assert!(matches!(&error, Error::UnknownAction(name) if name == "sqs:CreateQueue"), "{error}");
}

#[test]
fn no_document_is_longer_than_iam_takes_and_sids_are_told_apart() {
    let all: Vec<&str> = reference::REFERENCE.names().collect();
    let documents = documents(all.clone(), &scope()).unwrap();
    let mut said = BTreeSet::new();
    for document in &documents {
        assert!(policy::length(document) <= LONGEST, "{}", policy::length(document));
        for statement in document["Statement"].as_array().unwrap() {
            let sid = statement["Sid"].as_str().unwrap();
            assert!(sid.chars().all(|char| char.is_ascii_alphanumeric()) && said.insert(sid.to_owned()), "{sid}");
        }
    }
    // A role takes ten managed policies.
    assert!((2..10).contains(&documents.len()), "{}", documents.len());
}
