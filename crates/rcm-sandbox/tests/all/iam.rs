//! Roles and policies.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::Tag;

use crate::support::{Cloud, code, refusal};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const GRANT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["logs:PutLogEvents"],"Resource":"*"}]}"#;
const EXECUTION: &str = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

fn decoded(text: &str) -> String {
    urlencoding::decode(text).unwrap().into_owned()
}

#[tokio::test]
async fn a_role_keeps_what_it_was_created_with() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    let create = || {
        iam.create_role()
            .role_name("acme-execution")
            .assume_role_policy_document(TRUST)
            .description("pulls images & secrets")
            .max_session_duration(7200)
            .tags(tag("rcm:partner", "acme"))
            .send()
    };
    let created = create().await.unwrap().role.unwrap();
    assert_eq!(created.arn(), "arn:aws:iam::123456789012:role/acme-execution");
    assert_eq!(code(create().await), "EntityAlreadyExists");
    iam.put_role_policy().role_name("acme-execution").policy_name("logs").policy_document(GRANT).send().await.unwrap();
    iam.attach_role_policy().role_name("acme-execution").policy_arn(EXECUTION).send().await.unwrap();
    iam.tag_role().role_name("acme-execution").tags(tag("Environment", "prod")).send().await.unwrap();
    drop(iam);

    let cloud = cloud.reopen().await;

    let iam = Client::new(&cloud.sdk());
    let role = iam.get_role().role_name("acme-execution").send().await.unwrap().role.unwrap();
    assert_eq!((role.role_id(), role.description()), (created.role_id(), Some("pulls images & secrets")));
    assert_eq!(role.max_session_duration(), Some(7200));
    assert_eq!(role.tags(), [tag("Environment", "prod"), tag("rcm:partner", "acme")]);
    let encoded = role.assume_role_policy_document().unwrap();
    assert!(encoded.starts_with("%7B%22Version%22"), "{encoded}");
    assert_eq!(decoded(encoded), TRUST);
    let inline = iam.get_role_policy().role_name("acme-execution").policy_name("logs").send().await.unwrap();
    assert_eq!(decoded(inline.policy_document()), GRANT);
    let attached = iam.list_attached_role_policies().role_name("acme-execution").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_name(), Some("AmazonECSTaskExecutionRolePolicy"));
    let tags = iam.list_role_tags().role_name("acme-execution").send().await.unwrap();
    assert_eq!(tags.tags().len(), 2);
}

#[tokio::test]
async fn a_role_goes_only_when_nothing_hangs_on_it() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    iam.create_role().role_name("acme").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.put_role_policy().role_name("acme").policy_name("logs").policy_document(GRANT).send().await.unwrap();
    iam.attach_role_policy().role_name("acme").policy_arn(EXECUTION).send().await.unwrap();
    let delete = || iam.delete_role().role_name("acme").send();
    assert_eq!(code(delete().await), "DeleteConflict");
    iam.detach_role_policy().role_name("acme").policy_arn(EXECUTION).send().await.unwrap();
    assert_eq!(code(delete().await), "DeleteConflict");
    iam.delete_role_policy().role_name("acme").policy_name("logs").send().await.unwrap();
    delete().await.unwrap();
    assert_eq!(code(iam.get_role().role_name("acme").send().await), "NoSuchEntity");
}

#[tokio::test]
async fn what_is_no_policy_or_names_nobody_is_refused() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    let create = |document: &str| iam.create_role().role_name("acme").assume_role_policy_document(document).send();
    assert_eq!(code(create("{").await), "MalformedPolicyDocument");
    assert_eq!(code(create(GRANT).await), "MalformedPolicyDocument");
    let stranger = TRUST
        .replace(r#"{"Service":"ecs-tasks.amazonaws.com"}"#, r#"{"AWS":"arn:aws:iam::123456789012:role/not-yet"}"#);
    let (refused, message) = refusal(create(&stranger).await);
    assert_eq!(refused, "MalformedPolicyDocument");
    assert!(message.contains("Invalid principal in policy"), "{message}");
    create(TRUST).await.unwrap();
    let attach = iam.attach_role_policy().role_name("acme").policy_arn("arn:aws:iam::aws:policy/NoSuchThing");
    assert_eq!(code(attach.send().await), "NoSuchEntity");
}

#[tokio::test]
async fn the_roles_of_services_are_made_once_and_belong_to_aws() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    let create = || iam.create_service_linked_role().aws_service_name("ecs.amazonaws.com").send();
    let role = create().await.unwrap().role.unwrap();
    assert_eq!(role.arn(), "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS");
    assert_eq!(code(create().await), "InvalidInput");
    assert_eq!(code(iam.delete_role().role_name(role.role_name()).send().await), "UnmodifiableEntity");
}

#[tokio::test]
async fn a_managed_policy_cannot_go_while_it_is_attached() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    iam.create_role().role_name("acme").assume_role_policy_document(TRUST).send().await.unwrap();
    let policy = iam.create_policy().policy_name("acme-logs").policy_document(GRANT).tags(tag("a", "b"));
    let arn = policy.send().await.unwrap().policy.unwrap().arn.unwrap();
    iam.attach_role_policy().role_name("acme").policy_arn(&arn).send().await.unwrap();
    let read = iam.get_policy().policy_arn(&arn).send().await.unwrap().policy.unwrap();
    assert_eq!((read.attachment_count(), read.tags()), (Some(1), &[tag("a", "b")][..]));
    assert_eq!(code(iam.delete_policy().policy_arn(&arn).send().await), "DeleteConflict");
    iam.detach_role_policy().role_name("acme").policy_arn(&arn).send().await.unwrap();
    iam.delete_policy().policy_arn(&arn).send().await.unwrap();
    assert_eq!(code(iam.get_policy().policy_arn(&arn).send().await), "NoSuchEntity");
}

/// What the simulator says of these actions on these resources, each action's word and then each resource's.
async fn simulated(iam: &Client, principal: &str, actions: &[&str], resources: &[&str]) -> Vec<(String, Vec<String>)> {
    let request = iam.simulate_principal_policy().policy_source_arn(principal);
    let request = request.set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect()));
    let request = request.set_resource_arns(Some(resources.iter().map(|resource| (*resource).to_owned()).collect()));
    let answer = request.send().await.unwrap();
    let each = answer.evaluation_results().iter().map(|result| {
        let of = result.resource_specific_results().iter();
        let of = of.map(|result| result.eval_resource_decision().as_str().to_owned()).collect();
        (result.eval_decision().as_str().to_owned(), of)
    });
    each.collect()
}

#[tokio::test]
async fn the_simulator_reads_the_policies_of_whoever_is_asked_about() {
    let cloud = Cloud::new().await;
    let iam = Client::new(&cloud.sdk());
    let caller = "arn:aws:iam::123456789012:user/sandbox";
    let two = ["arn:aws:logs:us-east-1:123456789012:log-group:a", "arn:aws:logs:us-east-1:123456789012:log-group:b"];
    let allowed = ("allowed".to_owned(), vec!["allowed".to_owned(), "allowed".to_owned()]);
    assert_eq!(simulated(&iam, caller, &["logs:CreateLogGroup"], &two).await, [allowed]);

    iam.create_user().user_name("sandbox").send().await.unwrap();
    let confined =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:Create*","Resource":"*:a"}]}"#;
    let policy = iam.create_policy().policy_name("confined").policy_document(confined).send().await.unwrap();
    let arn = policy.policy.unwrap().arn.unwrap();
    iam.attach_user_policy().user_name("sandbox").policy_arn(&arn).send().await.unwrap();
    // The strictest word of all resources is the action's.
    let some = ("implicitDeny".to_owned(), vec!["allowed".to_owned(), "implicitDeny".to_owned()]);
    assert_eq!(simulated(&iam, caller, &["logs:CreateLogGroup"], &two).await, [some]);

    iam.create_role().role_name("acme").path("/ci/").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.put_role_policy().role_name("acme").policy_name("logs").policy_document(GRANT).send().await.unwrap();
    let role = "arn:aws:iam::123456789012:role/ci/acme";
    let answers = simulated(&iam, role, &["logs:PutLogEvents", "logs:CreateLogGroup"], &["*"]).await;
    let words: Vec<&str> = answers.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, ["allowed", "implicitDeny"]);

    let ask = |principal: &str, actions: &[&str]| {
        let request = iam.simulate_principal_policy().policy_source_arn(principal).resource_arns(two[0]);
        request.set_action_names(Some(actions.iter().map(|action| (*action).to_owned()).collect())).send()
    };
    assert_eq!(
        code(ask("arn:aws:iam::123456789012:role/acme", &["ec2:RunInstances"]).await),
        "NoSuchEntity",
        "no path"
    );
    let session = "arn:aws:sts::123456789012:assumed-role/acme/me";
    assert_eq!(code(ask(session, &["ec2:RunInstances"]).await), "InvalidInput");
    let (kind, message) = refusal(ask(caller, &["iam:PassRole", "ec2:RunInstances"]).await);
    assert!(kind == "InvalidInput" && message.contains("require different authorization information"), "{message}");
    let custom = iam.simulate_custom_policy().policy_input_list(GRANT).action_names("logs:PutLogEvents").send().await;
    assert_eq!(custom.unwrap().evaluation_results()[0].eval_decision().as_str(), "allowed");
}
