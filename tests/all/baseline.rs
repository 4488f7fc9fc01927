//! The account baseline in a sandbox: raised, adopted, shared by two partners, left behind.

use std::path::Path;

use aws_sdk_account::types::{AlternateContact, AlternateContactType};
use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector};
use aws_sdk_config::types::ConfigurationRecorder;
use rcm::aws::{Aws, Connect};
use rcm::engine::{
    plan::{Action, Depth, Plan},
    run::Outcome,
};
use rcm::{Cloud, Environment, Goal, PartnerConfig, Report, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::Wire;

use crate::bench::{ACME, at_any_risk};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// An account with a sandbox of its own, and partners in it.
struct Place {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    wire: Wire,
    aws: Aws,
}

/// A partner's file, with the account baseline.
fn file(partner: &str) -> String {
    let file =
        ACME.replace("acme-rcm", &format!("{partner}-rcm")).replace("rcm.acme.com", &format!("rcm.{partner}.com"));
    file.replace("account_baseline = false", "account_baseline = true")
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap();
        let in_process = Some(sandbox.http_client());
        let aws = Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await;
        Self { wire: Wire::new(sandbox.http_client()), dir, sandbox, aws }
    }

    async fn open(&self, partner: &str, depth: Depth) -> Environment {
        self.open_with(partner, "", depth).await
    }

    /// With more settings than the others have.
    async fn open_with(&self, partner: &str, settings: &str, depth: Depth) -> Environment {
        let file = format!("{}\n{settings}\n", file(partner));
        let config = PartnerConfig::parse(Path::new(&format!("{partner}.toml")), &file, None).unwrap();
        let cloud = Cloud::InProcess(self.wire.http_client());
        let settings = Settings { cloud, depth, ..Settings::new(self.dir.path().join("state")) };
        Environment::open(config, settings).await.unwrap()
    }

    async fn run(&self, partner: &str, goal: &Goal) -> Report {
        let report = self.open(partner, Depth::Quick).await.run(&at_any_risk(goal), |_| true).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        report
    }

    async fn provision(&self, partner: &str) -> Report {
        self.run(partner, &Goal::provision()).await
    }

    async fn plan(&self, partner: &str) -> Plan {
        self.open(partner, Depth::Full).await.plan(&Goal::provision()).await.unwrap()
    }

    /// Somebody logs all regions already, to a bucket of his own.
    async fn anothers_trail(&self) {
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"cloudtrail.amazonaws.com"},
            "Action":["s3:GetBucketAcl","s3:PutObject"],"Resource":["arn:aws:s3:::all-of-us","arn:aws:s3:::all-of-us/*"]}]}"#;
        self.aws.s3.create_bucket().bucket("all-of-us").send().await.unwrap();
        self.aws.s3.put_bucket_policy().bucket("all-of-us").policy(policy).send().await.unwrap();
        let request = self.aws.cloudtrail.create_trail().name("all-of-us").s3_bucket_name("all-of-us");
        let request = request.is_multi_region_trail(true).enable_log_file_validation(true);
        request.send().await.unwrap();
        self.aws.cloudtrail.start_logging().name("all-of-us").send().await.unwrap();
    }

    async fn provision_with(&self, partner: &str, settings: &str) -> Report {
        let environment = self.open_with(partner, settings, Depth::Quick).await;
        let report = environment.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        report
    }

    async fn plan_with(&self, partner: &str, settings: &str) -> Plan {
        self.open_with(partner, settings, Depth::Full).await.plan(&Goal::provision()).await.unwrap()
    }

    async fn contact(&self) -> Option<AlternateContact> {
        let request = self.aws.account.get_alternate_contact().alternate_contact_type(AlternateContactType::Security);
        request.send().await.ok().and_then(|answer| answer.alternate_contact)
    }

    async fn password_policy(&self) -> aws_sdk_iam::types::PasswordPolicy {
        self.aws.iam.get_account_password_policy().send().await.unwrap().password_policy.unwrap()
    }
}

/// What a plan does with the baseline, as (address, what).
fn steps(plan: &Plan) -> Vec<(&str, &'static str)> {
    let ours = plan.steps().filter(|step| step.address.as_str().starts_with("baseline/"));
    ours.map(|step| (step.address.as_str(), step.action.word())).collect()
}

#[tokio::test]
async fn two_partners_share_it_and_neither_takes_it_away() {
    let place = Place::new().await;
    let made = place.provision("acme").await;
    assert!(steps(&made.plan).contains(&("baseline/detector", "create")), "{:?}", steps(&made.plan));
    place.sandbox.settle().unwrap();

    let shared = place.provision("globex").await;
    assert!(steps(&shared.plan).iter().all(|(_, action)| *action == "adopt"), "{:?}", steps(&shared.plan));
    assert!(steps(&shared.plan).len() >= 5);
    for partner in ["acme", "globex"] {
        let plan = place.plan(partner).await;
        assert!(plan.is_empty(), "{partner}: {:#?}", plan.forward);
    }
    let detectors = place.aws.guardduty.list_detectors().send().await.unwrap();
    assert_eq!(detectors.detector_ids().len(), 1);

    let gone = place.run("acme", &Goal { purge: true, ..Goal::destroy() }).await;
    assert!(steps(&gone.plan).iter().all(|(_, action)| *action == "leave"), "{:?}", steps(&gone.plan));
    assert_eq!(steps(&gone.plan).len(), steps(&shared.plan).len());
    let plan = place.plan("globex").await;
    assert!(plan.is_empty(), "what globex shares with acme still stands: {:#?}", plan.forward);
    assert_eq!(place.password_policy().await.minimum_password_length(), Some(14));
    let status = place.aws.cloudtrail.get_trail_status().name("rcm-account-baseline").send().await.unwrap();
    assert_eq!(status.is_logging(), Some(true), "and to a bucket and under a key that the purge has left");
    let trails = place.aws.cloudtrail.describe_trails().send().await.unwrap();
    let trail = &trails.trail_list()[0];
    place.aws.s3.head_bucket().bucket(trail.s3_bucket_name().unwrap()).send().await.unwrap();
    let key = place.aws.kms.describe_key().key_id(trail.kms_key_id().unwrap()).send().await.unwrap();
    assert_eq!(key.key_metadata().and_then(|key| key.deletion_date()), None);
}

#[tokio::test]
async fn what_is_stricter_stays_as_it_is_and_what_is_laxer_is_raised() {
    let place = Place::new().await;
    let request = place.aws.iam.update_account_password_policy().minimum_password_length(20).max_password_age(30);
    let request = request.require_numbers(true).allow_users_to_change_password(false).hard_expiry(true);
    request.send().await.unwrap();
    place.provision("acme").await;
    let policy = place.password_policy().await;
    assert_eq!((policy.minimum_password_length(), policy.max_password_age()), (Some(20), Some(30)));
    assert_eq!((policy.password_reuse_prevention(), policy.require_symbols()), (Some(24), true));
    assert_eq!((policy.allow_users_to_change_password(), policy.hard_expiry()), (false, Some(true)));
    let before = place.wire.calls().of("UpdateAccountPasswordPolicy").len();
    assert!(place.provision("acme").await.plan.is_empty(), "stricter is no drift");

    place.aws.ec2.disable_ebs_encryption_by_default().send().await.unwrap();
    let plan = place.plan("acme").await;
    let Action::Update { changes } = &plan.forward[0].action else { panic!("{:#?}", plan.forward) };
    assert_eq!((plan.forward.len(), &*changes[0].field), (1, "ebs_encryption"));
    place.provision("acme").await;
    let on = place.aws.ec2.get_ebs_encryption_by_default().send().await.unwrap();
    assert_eq!(on.ebs_encryption_by_default(), Some(true));
    assert_eq!(place.wire.calls().of("UpdateAccountPasswordPolicy").len(), before);
}

#[tokio::test]
async fn what_is_somebody_elses_is_used_and_not_changed_and_what_it_lacks_is_said() {
    let place = Place::new().await;
    let made = place.aws.guardduty.create_detector().enable(false).send().await.unwrap();
    let id = made.detector_id().unwrap();
    place.anothers_trail().await;
    let recorder = ConfigurationRecorder::builder().name("default").role_arn("arn:aws:iam::123456789012:role/config");
    let request = place.aws.config.put_configuration_recorder().configuration_recorder(recorder.build());
    request.send().await.unwrap();
    let report = place.provision("acme").await;
    assert!(steps(&report.plan).contains(&("baseline/detector", "adopt")), "{:?}", steps(&report.plan));
    let said = format!("baseline/detector ({id}) is somebody else's and was not changed, although it is suspended");
    assert!(report.notes.contains(&said), "{:?}", report.notes);
    assert!(place.wire.calls().of("UpdateDetector").is_empty() && place.wire.calls().of("CreateTrail").is_empty());
    let deaf = "baseline/trail writes to nowhere and not to /aws/cloudtrail/rcm-account-baseline, where the account's alarms count";
    assert!(report.notes.iter().any(|note| note.starts_with(deaf)), "{:?}", report.notes);
    let trails = place.aws.cloudtrail.describe_trails().send().await.unwrap();
    assert_eq!(trails.trail_list().iter().filter_map(|trail| trail.name()).collect::<Vec<_>>(), ["all-of-us"]);
    let lacks = "baseline/recorder (default) is somebody else's and was not changed, although it does not record; it does not \
                 record every type of resource; it has no delivery channel";
    assert!(report.notes.iter().any(|note| note == lacks), "{:?}", report.notes);
    let recorders = place.aws.config.describe_configuration_recorders().send().await.unwrap();
    assert_eq!(recorders.configuration_recorders().len(), 1);
    assert!(place.plan("acme").await.is_empty(), "what is somebody else's is no drift");

    // Its owner turns it on: nothing is said any more.
    place.aws.guardduty.update_detector().detector_id(id).enable(true).send().await.unwrap();
    let report = place.provision("acme").await;
    assert!(!report.notes.contains(&said), "{:?}", report.notes);
}

/// What one partner asks for the other need not, and neither undoes it.
#[tokio::test]
async fn partners_who_ask_for_different_things_do_not_fight() {
    const ACME: &str = "security_hub = true\nsecurity_phone = \"+1 555 0100\"\nsecurity_email = \"security@acme.com\"";
    const GLOBEX: &str = "baseline_s3_data_events = false\nsecurity_hub = true\nsecurity_hub_cis = false\n\
        security_phone = \"+1 555 0199\"\nsecurity_email = \"security@globex.com\"\nsecurity_contact = \"Globex\"";
    let place = Place::new().await;
    let made = place.provision_with("acme", ACME).await;
    let asked = "baseline/subscription: nobody at security@acme.com has confirmed";
    assert!(made.notes.iter().any(|note| note.starts_with(asked)), "{:?}", made.notes);
    place.sandbox.settle().unwrap();
    let shared = place.provision_with("globex", GLOBEX).await;
    let other: Vec<_> = steps(&shared.plan).into_iter().filter(|(_, action)| *action != "adopt").collect();
    assert_eq!(other, [("baseline/subscription", "create")], "each has an address of its own");
    for (partner, settings) in [("acme", ACME), ("globex", GLOBEX)] {
        let plan = place.plan_with(partner, settings).await;
        assert!(plan.is_empty(), "{partner}: {:#?}", plan.forward);
    }
    let contact = place.contact().await.unwrap();
    assert_eq!((contact.name(), contact.phone_number()), (Some("Security team"), Some("+1 555 0100")));
    let standards = place.aws.securityhub.get_enabled_standards().send().await.unwrap();
    assert_eq!(standards.standards_subscriptions().len(), 2, "CIS stays, though globex does not ask for it");

    // Who asks no more turns nothing off, and who changes a contact of rcm's changes it.
    let changed =
        ACME.replace("0100", "0101").replace("security_hub = true", "security_hub = true\nsecurity_hub_cis = false");
    let report = place.provision_with("acme", &format!("{changed}\nbaseline_s3_data_events = false")).await;
    let updated: Vec<_> = report.plan.forward.iter().map(|step| step.address.as_str()).collect();
    assert_eq!(updated, ["baseline/security-contact", "baseline/security-hub", "baseline/trail"]);
    assert_eq!(place.contact().await.unwrap().phone_number(), Some("+1 555 0101"));
    let standards = place.aws.securityhub.get_enabled_standards().send().await.unwrap();
    assert_eq!(standards.standards_subscriptions().len(), 2);
    let selectors = place.aws.cloudtrail.get_event_selectors().trail_name("rcm-account-baseline").send().await.unwrap();
    assert_eq!(selectors.advanced_event_selectors().len(), 2, "management and data");
    let plan = place.plan_with("globex", GLOBEX).await;
    assert!(plan.is_empty(), "{:#?}", plan.forward);
}

#[tokio::test]
async fn a_contact_and_a_hub_that_somebody_has_set_up_stay_as_they_are() {
    const ACME: &str = "security_hub = true\nsecurity_phone = \"+1 555 0100\"";
    let place = Place::new().await;
    let request = place.aws.account.put_alternate_contact().alternate_contact_type(AlternateContactType::Security);
    let request = request.name("Ada").title("CISO").email_address("ada@acme.com").phone_number("+1 555 0142");
    request.send().await.unwrap();
    place.aws.securityhub.enable_security_hub().enable_default_standards(false).send().await.unwrap();
    let report = place.provision_with("acme", ACME).await;
    for address in ["baseline/security-contact", "baseline/security-hub"] {
        assert!(steps(&report.plan).contains(&(address, "adopt")), "{:?}", steps(&report.plan));
    }
    assert_eq!(place.contact().await.unwrap().name(), Some("Ada"));
    let lacks =
        "is somebody else's and was not changed, although it does not hold the account against AWS's Foundational";
    assert!(report.notes.iter().any(|note| note.contains(lacks)), "{:?}", report.notes);
    let _ = place.provision_with("acme", &ACME.replace("0100", "0101")).await;
    assert_eq!(place.contact().await.unwrap().phone_number(), Some("+1 555 0142"), "not even when the setting changes");
    let calls = place.wire.calls();
    assert!(calls.of("PutAlternateContact").is_empty() && calls.of("BatchEnableStandards").is_empty(), "{calls}");
}

/// A trail that rcm made before is told to write to the log group too, and what others have selected stays.
#[tokio::test]
async fn what_somebody_has_selected_besides_stays_selected() {
    let place = Place::new().await;
    place.provision_with("acme", "baseline_s3_data_events = false").await;
    let field = |name: &str, value: &str| AdvancedFieldSelector::builder().field(name).equals(value).build().unwrap();
    let selector = |fields| AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().unwrap();
    let functions = selector(vec![field("eventCategory", "Data"), field("resources.type", "AWS::Lambda::Function")]);
    let request = place.aws.cloudtrail.put_event_selectors().trail_name("rcm-account-baseline");
    request.advanced_event_selectors(functions.clone()).send().await.unwrap();
    let plan = place.provision_with("acme", "").await.plan;
    let Action::Update { changes } = &plan.forward[0].action else { panic!("{:#?}", plan.forward) };
    let fields: Vec<_> = changes.iter().map(|change| &*change.field).collect();
    assert_eq!((plan.forward.len(), fields.as_slice()), (1, ["management_events", "s3_data_events"].as_slice()));
    let selectors = place.aws.cloudtrail.get_event_selectors().trail_name("rcm-account-baseline").send().await.unwrap();
    let selectors = selectors.advanced_event_selectors();
    assert!(selectors.len() == 3 && selectors.contains(&functions), "{selectors:#?}");
    assert!(place.plan("acme").await.is_empty());
}

#[tokio::test]
async fn it_is_read_with_few_calls() {
    let place = Place::new().await;
    place.provision("acme").await;
    let (all, mutating) = (place.wire.calls().len(), place.wire.calls().mutating().len());
    let again = place.provision("acme").await;
    assert!(again.plan.is_empty(), "{:#?}", again.plan.forward);
    let calls = place.wire.calls();
    assert_eq!(calls.mutating().len(), mutating);
    assert!(calls.len() - all <= 30 + READS, "{} calls: {calls}", calls.len() - all);
}

/// How many calls more than the stack's own.
const READS: usize = 24;
