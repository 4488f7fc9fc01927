//! What would stop a run is found before it, all of it at once, and nothing is written for it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use rcm::{
    Check, Cloud, Environment, Error, Goal, PartnerConfig, Settings, Verdict,
    aws::{
        Aws, Connect,
        questions::{Answer, Simulation},
    },
    engine::{
        model::{Event, EventKind, Events},
        run::Outcome,
    },
    permissions::Verb,
};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Calls, Fault, Rule, Wire};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{ACME, Bench, at_any_risk, behind_its_back, lines};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const PRINCIPAL: &str = "arn:aws:iam::123456789012:user/sandbox";

/// A cloud and an rcm that looks at it, in virtual time.
struct Place {
    dir: TempDir,
    sandbox: Sandbox,
    /// The calls of rcm alone.
    wire: Wire,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap().with_polls(0);
        let wire = Wire::new(sandbox.http_client());
        Self { dir, sandbox, wire, notes: Arc::default() }
    }

    /// The cloud without rcm.
    async fn aws(&self) -> Aws {
        let in_process = Some(self.sandbox.http_client());
        Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await
    }

    async fn rcm(&self, settings: &str) -> Environment {
        let given: Vec<&str> = settings.lines().filter_map(|line| line.split(" =").next()).collect();
        let kept = ACME.lines().filter(|line| !given.iter().any(|name| line.starts_with(&format!("{name} "))));
        // Without a domain, so that nobody is waited for.
        let kept: Vec<&str> = kept.filter(|line| !line.starts_with("domain_name")).collect();
        let config = PartnerConfig::parse("acme.toml", &format!("{}\n{settings}\n", kept.join("\n")), None).unwrap();
        let notes = Arc::clone(&self.notes);
        let events = Events::to(move |Event { kind, .. }| {
            if let EventKind::Noted { message } = kind {
                notes.lock().unwrap().push(message.clone());
            }
        });
        let cloud = Cloud::InProcess(self.wire.http_client());
        let settings = Settings { cloud, events, ..Settings::new(self.dir.path().join("state")) };
        Environment::open(config, settings).await.unwrap()
    }

    async fn preflight(&self, settings: &str) -> Vec<Check> {
        self.rcm(settings).await.preflight(&Goal::provision()).await.unwrap()
    }

    async fn provision(&self) -> Result<Outcome, Error> {
        let report = self.rcm("").await.run(&at_any_risk(&Goal::provision()), |_| true).await?;
        Ok(report.outcome)
    }

    /// Gives the caller these policies, in the place of an administrator's.
    async fn confined_to(&self, documents: &[String]) {
        let iam = self.aws().await.iam.clone();
        iam.create_user().user_name("sandbox").send().await.unwrap();
        for (at, document) in documents.iter().enumerate() {
            let policy = iam.create_policy().policy_name(format!("rcm-{at}")).policy_document(document);
            let arn = policy.send().await.unwrap().policy.unwrap().arn.unwrap();
            iam.attach_user_policy().user_name("sandbox").policy_arn(arn).send().await.unwrap();
        }
    }
}

/// The checks that are not well, by name.
fn findings(checks: &[Check], verdict: Verdict) -> BTreeSet<&str> {
    checks.iter().filter(|check| check.verdict == verdict).map(|check| check.check.as_str()).collect()
}

fn evidence<'c>(checks: &'c [Check], name: &str) -> &'c str {
    &checks.iter().find(|check| check.check == name).unwrap_or_else(|| panic!("no {name} in {checks:#?}")).evidence
}

fn verdict(checks: &[Check], name: &str) -> Verdict {
    checks.iter().find(|check| check.check == name).unwrap_or_else(|| panic!("no {name} in {checks:#?}")).verdict
}

/// The policies that `rcm permissions --verb provision` prints.
async fn own_policies(place: &Place) -> Vec<Value> {
    let policies = place.rcm("").await.permissions(&[Verb::Provision]).unwrap();
    policies.into_iter().map(|policy| policy.document).collect()
}

fn texts(documents: &[Value]) -> Vec<String> {
    documents.iter().map(Value::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn a_new_account_passes_and_what_may_not_grow_enough_is_noted() {
    let place = Place::new().await;
    let checks = place.preflight("").await;
    assert_eq!(findings(&checks, Verdict::Bad), BTreeSet::new());
    assert_eq!(findings(&checks, Verdict::Unknown), BTreeSet::new());
    // AWS lets a new account run six vCPUs.
    assert_eq!(findings(&checks, Verdict::Warn), ["quota/fargate-vcpus"].into());
    assert!(evidence(&checks, "identity").contains(PRINCIPAL), "{checks:#?}");
    assert!(place.wire.calls().mutating().is_empty(), "{}", place.wire.calls());
    assert!(!place.dir.path().join("state/acme").exists(), "no lock and no state");
    assert!(matches!(place.provision().await.unwrap(), Outcome::Done));
    let notes = place.notes.lock().unwrap().clone();
    assert!(notes.len() == 1 && notes[0].starts_with("quota/fargate-vcpus: 6 vCPUs"), "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn everything_that_is_wrong_is_found_in_one_run_and_nothing_is_written() {
    let place = Place::new().await;
    let aws = place.aws().await;
    for block in 0..5 {
        aws.ec2.create_vpc().cidr_block(format!("10.{block}.0.0/16")).send().await.unwrap();
    }
    aws.ecr.create_repository().repository_name("acme-rcm-prod-api").send().await.unwrap();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role = aws.iam.create_role().role_name("acme-rcm-prod-ecs-task").assume_role_policy_document(trust);
    role.send().await.unwrap();
    aws.secrets.create_secret().name("acme-rcm/jwt-secret").secret_string("x").send().await.unwrap();
    aws.secrets.delete_secret().secret_id("acme-rcm/jwt-secret").send().await.unwrap();
    // What S3 says of somebody else's bucket in another Region.
    place.wire.trouble(Rule::new(Fault::refuse(301, "PermanentRedirect")).operation("HeadBucket"));
    let mut policies = own_policies(&place).await;
    without(&mut policies, &["ecs:CreateCluster", "iam:CreateServiceLinkedRole"]);
    place.confined_to(&texts(&policies)).await;

    let mut asked = false;
    let rcm = place.rcm("db_instance_class = \"db.m6i.large\"").await;
    let approve = |_: &_| {
        asked = true;
        true
    };
    let refused = rcm.run(&at_any_risk(&Goal::provision()), approve).await.unwrap_err();
    let Error::Preflight { checks, .. } = &refused else { panic!("{refused}") };
    let bad = [
        "database/class/db.m6i.large",
        "name/ecr/repository",
        "name/iam/role",
        "name/s3/bucket",
        "name/secretsmanager/secret",
        "permissions",
        "quota/vpcs",
        "service-linked-roles",
    ];
    assert_eq!(findings(checks, Verdict::Bad), bad.into(), "{checks:#?}");
    assert!(findings(checks, Verdict::Warn).contains("network/cidr"), "{checks:#?}");
    assert!(checks.iter().filter(|check| check.verdict == Verdict::Bad).all(|check| check.mend.is_some()));
    assert_eq!(evidence(checks, "quota/vpcs"), "5 of 5 VPCs are in use, and the plan adds 1");
    assert!(evidence(checks, "name/secretsmanager/secret").contains("scheduled for deletion"), "{checks:#?}");
    assert!(evidence(checks, "name/s3/bucket").contains("belongs to somebody else"), "{checks:#?}");
    assert!(!asked, "nobody is asked to approve what would fail");
    assert!(place.wire.calls().mutating().is_empty(), "{}", place.wire.calls());
    for bad in bad {
        assert!(refused.to_string().contains(bad), "{refused}");
    }
}

/// Takes actions out of policies.
fn without(policies: &mut [Value], actions: &[&str]) {
    for statement in policies.iter_mut().flat_map(|policy| policy["Statement"].as_array_mut().unwrap()) {
        let named = statement["Action"].as_array_mut().unwrap();
        named.retain(|action| !actions.contains(&action.as_str().unwrap()));
        if named.is_empty() {
            named.push(json!("sts:GetCallerIdentity"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_policy_that_rcm_prints_passes_and_without_an_action_that_is_found_by_name() {
    let whole = Place::new().await;
    let policies = own_policies(&whole).await;
    whole.confined_to(&texts(&policies)).await;
    let checks = whole.preflight("").await;
    let told: Vec<&Check> = checks.iter().filter(|check| check.check.starts_with("permissions")).collect();
    assert!(told.len() == 1 && told[0].verdict == Verdict::Ok, "{told:#?}");
    assert_eq!(verdict(&checks, "service-linked-roles"), Verdict::Ok);
    // One that is told apart by tags, by a name, and by nothing; and one that a rollback alone needs.
    for action in ["ec2:CreateSubnet", "ecr:CreateRepository", "kms:CreateKey", "logs:CreateLogGroup", "iam:PassRole"] {
        let mut less = policies.clone();
        without(&mut less, &[action]);
        let place = Place::new().await;
        place.confined_to(&texts(&less)).await;
        let checks = place.preflight("").await;
        assert_eq!(verdict(&checks, "permissions"), Verdict::Bad, "{action}: {checks:#?}");
        assert_eq!(evidence(&checks, "permissions"), format!("{PRINCIPAL}: nothing allows {action}"));
    }
    let mut less = policies.clone();
    without(&mut less, &["ec2:DeleteVpc"]);
    let place = Place::new().await;
    place.confined_to(&texts(&less)).await;
    let checks = place.preflight("").await;
    assert_eq!(verdict(&checks, "permissions"), Verdict::Ok, "{checks:#?}");
    assert_eq!(verdict(&checks, "permissions/undo"), Verdict::Warn, "{checks:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_denies_is_told_from_what_none_allows() {
    let place = Place::new().await;
    let everything = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "rds:*", "Resource": "arn:aws:rds:*:*:db:acme-*"},
    ]});
    place.confined_to(&texts(&[everything])).await;
    let checks = place.preflight("").await;
    let told = evidence(&checks, "permissions");
    assert!(told.contains("a policy denies rds:") && told.contains("rds:CreateDBInstance"), "{told}");
    assert!(!told.contains("nothing allows"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_told_and_stops_nobody() {
    let place = Place::new().await;
    let unasked = [
        "GetRegionOptStatus",
        "SimulatePrincipalPolicy",
        "ListServiceQuotas",
        "DescribeOrderableDBInstanceOptions",
    ];
    for operation in unasked {
        place.wire.trouble(Rule::new(Fault::refuse(501, "NotImplemented")).operation(operation));
    }
    // What S3 says to whoever may not list, of any name.
    place.wire.trouble(Rule::new(Fault::refuse(403, "AccessDenied")).operation("HeadBucket"));
    let checks = place.preflight("").await;
    assert_eq!(findings(&checks, Verdict::Bad), BTreeSet::new(), "{checks:#?}");
    let unknown = findings(&checks, Verdict::Unknown);
    for name in ["region", "permissions", "quota/vpcs", "database/class/db.t3.medium", "name/s3/bucket"] {
        assert!(unknown.contains(name), "{name}: {checks:#?}");
    }
    assert!(evidence(&checks, "permissions").contains("iam:SimulatePrincipalPolicy: NotImplemented"), "{checks:#?}");
    assert!(matches!(place.provision().await.unwrap(), Outcome::Done));
    let notes = place.notes.lock().unwrap().clone();
    let all_unknown = notes.iter().filter(|note| note.starts_with("could not be checked before the run: ")).count();
    assert_eq!(all_unknown, 1, "{notes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_was_raised_is_in_the_way_no_more() {
    let place = Place::new().await;
    let aws = place.aws().await;
    for _ in 0..5 {
        aws.ec2.allocate_address().send().await.unwrap();
    }
    let checks = place.preflight("").await;
    assert_eq!(verdict(&checks, "quota/elastic-ips"), Verdict::Bad, "{checks:#?}");
    let mend = checks.iter().find(|check| check.check == "quota/elastic-ips").unwrap().mend.clone().unwrap();
    let wanted: f64 = mend.split("--desired-value ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    let more = aws.quotas.request_service_quota_increase().service_code("ec2").quota_code("L-0263D0A3");
    more.desired_value(wanted).send().await.unwrap();
    assert_eq!(verdict(&place.preflight("").await, "quota/elastic-ips"), Verdict::Warn, "all of it is used then");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_makes_nothing_asks_nothing_of_this() {
    let place = Place::new().await;
    let before = place.wire.calls().len();
    assert!(matches!(place.provision().await.unwrap(), Outcome::Done));
    let asked: usize = asked(&place.wire.calls(), before).values().sum();
    assert!(asked > 40, "the first run asks: {asked}");
    let before = place.wire.calls().len();
    assert!(matches!(place.provision().await.unwrap(), Outcome::Done));
    assert!(place.wire.calls().len() - before <= 30, "{}", place.wire.calls());
    assert_eq!(self::asked(&place.wire.calls(), before), BTreeMap::new());
}

/// How often each operation was sent since, among those that only the checks send.
fn asked(calls: &Calls, before: usize) -> BTreeMap<String, usize> {
    let own = ["SimulatePrincipalPolicy", "ListServiceQuotas", "HeadBucket", "GetRegionOptStatus"];
    let mut asked = BTreeMap::new();
    for call in calls.iter().skip(before).filter(|call| own.contains(&call.operation.name.as_str())) {
        *asked.entry(call.operation.name.clone()).or_default() += 1;
    }
    asked
}

#[tokio::test]
async fn actions_that_iam_does_not_take_together_are_asked_about_apart() {
    let place = Place::new().await;
    let actions = ["ec2:CreateVpc", "iam:CreateRole", "iam:PassRole", "s3:CreateBucket"].map(str::to_owned).to_vec();
    let simulation =
        Simulation { actions: actions.clone(), resources: vec!["arn:aws:s3:::a".into()], context: BTreeMap::new() };
    let aws = place.aws().await;
    let decisions = aws.simulate(PRINCIPAL, &simulation).await.unwrap();
    let asked: Vec<String> = decisions.iter().map(|decision| decision.action.clone()).collect();
    assert_eq!(asked, actions);
    assert!(
        decisions.iter().all(|decision| decision.answer == Answer::Allowed && decision.resource == "arn:aws:s3:::a")
    );
}

#[tokio::test]
async fn the_command_tells_it_and_provision_is_refused_by_the_same() {
    let bench = Bench::new();
    let ran = bench.run("preflight --sandbox").expect_code(0);
    assert!(ran.stdout.contains("Nothing stands in the way of: rcm provision --partner acme"), "{}", ran.transcript());
    behind_its_back(&bench, async |aws| {
        for block in 30..35 {
            aws.ec2.create_vpc().cidr_block(format!("10.{block}.0.0/16")).send().await.unwrap();
        }
    })
    .await;
    let ran = bench.run("preflight --sandbox").expect_code(7);
    assert!(ran.stdout.contains("bad      quota/vpcs"), "{}", ran.transcript());
    let told = &lines(&bench.run("preflight --sandbox --output json").stdout)[0];
    assert_eq!(told["verdict"], "bad");
    let ran = bench.run("provision --sandbox --yes").expect_code(7);
    let told = ran.stderr.contains("quota/vpcs: 5 of 5 VPCs are in use") && ran.stderr.contains("--desired-value 6");
    assert!(told, "{}", ran.transcript());
    // Whoever knows better goes on, and AWS has the last word: the sandbox has no quota.
    let ran = bench.run("provision --sandbox --yes --ignore-preflight quota/vpcs").expect_code(0);
    assert!(ran.stderr.contains("quota/vpcs: ignored: 5 of 5 VPCs are in use"), "{}", ran.transcript());
}
