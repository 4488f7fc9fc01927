//! The domain's records: made in a hosted zone of the sandbox, left alone where they are somebody else's, looked at from outside.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType, Vpc};
use rcm::aws::{Aws, Connect};
use rcm::engine::{
    model::{Event, EventKind, Events, Id},
    run::{Aftermath, OnFailure, Outcome},
};
use rcm::{Cloud, Environment, Error, Goal, PartnerConfig, Report, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Fault, Rule, Wire};
use rcm_testkit::poll;
use serde_json::{Value, json};
use simple_dns::{CLASS, Name, Packet, ResourceRecord as Answer, rdata};

use crate::bench::{ACME, Bench, at_any_risk, lines};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const VALIDATION: &str = "edge/record/validation";
const ALIAS: &str = "edge/record/alias";

/// Acme in a sandbox that proves no domain by itself, and a zone for it.
struct Place {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    wire: Wire,
    aws: Aws,
    zone: String,
    awaited: Arc<Mutex<Vec<Value>>>,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap();
        let aws = aws(&sandbox).await;
        let zone = zone(&aws, "acme.invalid", false).await;
        Self { wire: Wire::new(sandbox.http_client()), dir, sandbox, aws, zone, awaited: Arc::default() }
    }

    fn file(&self) -> String {
        format!("{}\nhosted_zone_id = \"{}\"\n", ACME.replace("rcm.acme.com", "rcm.acme.invalid"), self.zone)
    }

    async fn open(&self, file: &str) -> Environment {
        let config = PartnerConfig::parse("acme.toml", file, None).unwrap();
        let awaited = Arc::clone(&self.awaited);
        let events = Events::to(move |event: &Event| {
            if let EventKind::Awaiting { details, .. } = &event.kind {
                awaited.lock().unwrap().push(details.clone());
            }
        });
        let cloud = Cloud::InProcess(self.wire.http_client());
        let settings = Settings { cloud, events, ..Settings::new(self.dir.path().join("state")) };
        Environment::open(config, settings).await.unwrap()
    }

    async fn run(&self, file: &str, goal: &Goal) -> Result<Report, Error> {
        self.open(file).await.run(&at_any_risk(goal), |_| true).await
    }

    async fn done(&self, file: &str, goal: &Goal) -> Report {
        let report = self.run(file, goal).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        report
    }

    /// The zone's records but for its own, as `TYPE NAME`.
    async fn records(&self) -> Vec<String> {
        let list = self.aws.route53.list_resource_record_sets().hosted_zone_id(&self.zone).send().await.unwrap();
        let own = [RrType::Ns, RrType::Soa];
        let others = list.resource_record_sets.iter().filter(|record| !own.contains(record.r#type()));
        others.map(|record| format!("{} {}", record.r#type(), record.name())).collect()
    }

    async fn put(&self, name: &str, kind: RrType, value: &str) {
        let value = ResourceRecord::builder().value(value).build().unwrap();
        let record = ResourceRecordSet::builder().name(name).r#type(kind).ttl(60).resource_records(value);
        put(&self.aws, &self.zone, record.build().unwrap()).await;
    }

    /// What Certificate Manager wants of a certificate that somebody else asks for.
    async fn certificate_of_another(&self) -> (String, String, String) {
        let acm = &self.aws.acm;
        let request = acm.request_certificate().domain_name("rcm.acme.invalid");
        let request = request.validation_method("DNS".into());
        let arn = request.send().await.unwrap().certificate_arn.unwrap();
        self.sandbox.settle().unwrap();
        let detail = acm.describe_certificate().certificate_arn(&arn).send().await.unwrap().certificate.unwrap();
        let record = detail.domain_validation_options()[0].resource_record().unwrap().clone();
        (arn, record.name, record.value)
    }
}

async fn aws(sandbox: &Sandbox) -> Aws {
    let in_process = Some(sandbox.http_client());
    Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await
}

/// The id of a new zone.
async fn zone(aws: &Aws, name: &str, private: bool) -> String {
    let request = aws.route53.create_hosted_zone().name(name).caller_reference(format!("{name} {private}"));
    let request = request.set_vpc(private.then(|| Vpc::builder().vpc_id("vpc-1").build()));
    let id = request.send().await.unwrap().hosted_zone.unwrap().id;
    id.trim_start_matches("/hostedzone/").to_owned()
}

async fn put(aws: &Aws, zone: &str, record: ResourceRecordSet) {
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(record).build().unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    aws.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_records_are_made_the_certificate_is_issued_by_them_and_nothing_of_it_stays() {
    let place = Place::new().await;
    let file = place.file();
    let made = place.done(&file, &Goal::provision()).await;
    assert_eq!(made.plan.counts()["create"], 55);
    let records = place.records().await;
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!(records[0], "A rcm.acme.invalid.");
    assert!(records[1].starts_with("CNAME _") && records[1].ends_with(".rcm.acme.invalid."), "{records:?}");
    let asked = place.awaited.lock().unwrap().clone();
    assert!(asked.iter().all(Value::is_null), "nobody is asked to make what rcm makes: {asked:?}");

    // Where nothing is to be done the stack is read with 30 calls, and the records of a zone with one.
    let before = place.wire.calls().len();
    assert!(place.done(&file, &Goal::provision()).await.plan.is_empty());
    let calls: Vec<String> = place.wire.calls().iter().skip(before).map(|call| call.operation.to_string()).collect();
    assert!(calls.len() <= 31, "{} calls: {calls:#?}", calls.len());

    let gone = place.done(&file, &Goal::destroy()).await;
    assert!(!gone.remnants.iter().any(|remnant| remnant.address.as_str().starts_with("edge/record")));
    place.aws.route53.delete_hosted_zone().id(&place.zone).send().await.expect("nothing of rcm's is in it any more");
}

#[tokio::test(start_paused = true)]
async fn another_domain_has_its_records_before_the_old_ones_go() {
    let place = Place::new().await;
    place.done(&place.file(), &Goal::provision()).await;
    let other = place.file().replace("rcm.acme.invalid", "app.acme.invalid");
    let before = place.wire.calls().len();
    let report = place.done(&other, &Goal::provision()).await;
    for address in ["edge/certificate", VALIDATION, ALIAS] {
        let step = report.plan.forward.iter().find(|step| step.address.as_str() == address).unwrap();
        assert_eq!(step.action.word(), "replace", "{address}");
    }
    let records = place.records().await;
    assert!(records.len() == 2 && records.iter().all(|record| record.ends_with("app.acme.invalid.")), "{records:?}");
    let calls = place.wire.calls();
    let changes: Vec<_> =
        calls.iter().skip(before).filter(|call| call.operation.name == "ChangeResourceRecordSets").collect();
    let actions: Vec<_> = ["CREATE", "CREATE", "DELETE", "DELETE"]
        .iter()
        .zip(&changes)
        .map(|(action, call)| call.body.contains(&format!("<Action>{action}</Action>")))
        .collect();
    assert_eq!((actions, changes.len()), (vec![true; 4], 4));
}

/// The domain gets a zone of its own: at its top an alias can be, where a CNAME cannot.
#[tokio::test(start_paused = true)]
async fn another_zone_gets_the_records_and_the_old_one_loses_them() {
    let place = Place::new().await;
    place.done(&place.file(), &Goal::provision()).await;
    let before = place.records().await;
    let own = zone(&place.aws, "rcm.acme.invalid", false).await;
    let file = place.file().replace(&place.zone, &own);
    place.done(&file, &Goal::provision()).await;
    assert_eq!(place.records().await, Vec::<String>::new());
    let place = Place { zone: own, ..place };
    assert_eq!(place.records().await, before);
    assert!(place.done(&file, &Goal::provision()).await.plan.is_empty());
}

/// The same account and the same domain: the same record.
#[tokio::test(start_paused = true)]
async fn a_validation_record_that_is_shared_is_taken_up_and_left_to_the_other_certificate() {
    let place = Place::new().await;
    let (other, name, value) = place.certificate_of_another().await;
    place.put(&name, RrType::Cname, &value).await;

    // A run that is undone does not take away what it has found.
    place.wire.trouble(Rule::new(Fault::refuse(403, "AccessDeniedException")).operation("CreateService").nth(1));
    let failed = place.run(&place.file(), &Goal::provision()).await.unwrap();
    let undone = matches!(failed.outcome, Outcome::Failed { aftermath: Aftermath::RolledBack, .. });
    assert!(undone, "{:?}", failed.outcome);
    assert_eq!(place.records().await, [format!("CNAME {name}")]);

    place.done(&place.file(), &Goal::provision()).await;
    let gone = place.done(&place.file(), &Goal::destroy()).await;
    assert_eq!(place.records().await, [format!("CNAME {name}")]);
    let left = gone.remnants.iter().find(|remnant| remnant.address.as_str() == VALIDATION).unwrap();
    assert!(left.what.contains(&other), "{left:?}");
    assert_eq!(left.id, format!("{}/{name}/CNAME", place.zone));

    place.aws.acm.delete_certificate().certificate_arn(&other).send().await.unwrap();
    place.done(&place.file(), &Goal::provision()).await;
    place.done(&place.file(), &Goal::destroy()).await;
    assert_eq!(place.records().await, Vec::<String>::new(), "nobody needs it any more");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_says_something_else_is_left_alone_until_a_person_says_otherwise() {
    let place = Place::new().await;
    place.put("rcm.acme.invalid", RrType::A, "192.0.2.1").await;
    let report = place.run(&place.file(), &Goal::provision()).await.unwrap();
    let Outcome::Failed { failures, .. } = &report.outcome else { panic!("{:?}", report.outcome) };
    let (address, fault) = &failures[0];
    let id = format!("{}/rcm.acme.invalid./A", place.zone);
    assert_eq!(address.as_str(), ALIAS);
    for text in ["192.0.2.1", "acme-rcm-prod-alb", &format!("rcm import {ALIAS} {id}")] {
        assert!(fault.message.contains(text), "does not say {text}: {}", fault.message);
    }
    assert_eq!(place.records().await, ["A rcm.acme.invalid."]);

    // The rest stays, so that there is a load balancer to compare the record with.
    let config = PartnerConfig::parse("acme.toml", &place.file(), None).unwrap();
    let cloud = Cloud::InProcess(place.wire.http_client());
    let state_dir = place.dir.path().join("state");
    let keep = Settings { cloud, on_failure: Some(OnFailure::Keep), ..Settings::new(state_dir) };
    let rcm = Environment::open(config, keep).await.unwrap();
    let report = rcm.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Failed { aftermath: Aftermath::Kept, .. }), "{:?}", report.outcome);
    let other = rcm.import(&ALIAS.parse().unwrap(), &Id::new(id.replace("/A", "/AAAA"))).await;
    assert!(matches!(other, Err(Error::Unlike { .. })), "{other:?}");
    let differs = rcm.import(&ALIAS.parse().unwrap(), &Id::new(id.as_str())).await.unwrap();
    assert_eq!(differs.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["content"]);
    place.done(&place.file(), &Goal::provision()).await;
    let list = place.aws.route53.list_resource_record_sets().hosted_zone_id(&place.zone).send().await.unwrap();
    let alias = list.resource_record_sets.iter().find(|record| *record.r#type() == RrType::A).unwrap();
    assert!(alias.alias_target().unwrap().dns_name().starts_with("acme-rcm-prod-alb-"), "{alias:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cname_in_the_way_has_to_go_first() {
    let place = Place::new().await;
    place.put("rcm.acme.invalid", RrType::Cname, "old.example.").await;
    let report = place.run(&place.file(), &Goal::provision()).await.unwrap();
    let Outcome::Failed { failures, .. } = &report.outcome else { panic!("{:?}", report.outcome) };
    let message = &failures[0].1.message;
    assert!(message.contains("old.example") && message.contains("delete it in Route 53 first"), "{message}");
    assert_eq!(place.records().await, ["CNAME rcm.acme.invalid."]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_leads_elsewhere_outlives_the_environment() {
    let place = Place::new().await;
    place.done(&place.file(), &Goal::provision()).await;
    place.put("rcm.acme.invalid", RrType::A, "192.0.2.1").await;
    let gone = place.done(&place.file(), &Goal::destroy()).await;
    assert_eq!(place.records().await, ["A rcm.acme.invalid."]);
    let left = gone.remnants.iter().find(|remnant| remnant.address.as_str() == ALIAS).unwrap();
    assert!(left.what.contains("192.0.2.1"), "{left:?}");
}

/// The certificate is renewed by its record, whoever keeps the domain from now on.
#[tokio::test(start_paused = true)]
async fn without_the_setting_the_validation_record_stays_as_long_as_the_certificate() {
    let place = Place::new().await;
    place.done(&place.file(), &Goal::provision()).await;
    let without = ACME.replace("rcm.acme.com", "rcm.acme.invalid");
    let report = place.done(&without, &Goal::provision()).await;
    let deleted: Vec<_> = report.plan.cleanup.iter().map(|step| step.address.as_str()).collect();
    assert_eq!(deleted, [ALIAS]);
    assert!(place.records().await[0].starts_with("CNAME _"));
    assert!(place.done(&without, &Goal::provision()).await.plan.is_empty());
    place.done(&without, &Goal::destroy()).await;
    assert_eq!(place.records().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_cannot_hold_the_records_is_refused_before_anything_is_made() {
    let place = Place::new().await;
    let private = zone(&place.aws, "acme.invalid", true).await;
    let other = zone(&place.aws, "notacme.invalid", false).await;
    for (zone, why) in [
        ("Z0000000000000000000", "is no hosted zone of account 123456789012"),
        (private.as_str(), "is the private zone acme.invalid"),
        (other.as_str(), "is the zone notacme.invalid, and rcm.acme.invalid is not in it"),
    ] {
        let file = place.file().replace(&place.zone, zone);
        for refused in [
            place.open(&file).await.plan(&Goal::provision()).await.err(),
            place.run(&file, &Goal::provision()).await.err(),
        ] {
            let Some(error @ Error::HostedZone { .. }) = refused else { panic!("{zone}: {refused:?}") };
            let text = error.to_string();
            assert!(text.starts_with("acme.toml: hosted_zone_id Z") && text.contains(why), "{text}");
        }
    }
    assert!(place.wire.calls().mutating().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_named_later_takes_over_what_was_made_by_hand() {
    let place = Place::new().await;
    let by_hand = ACME.replace("rcm.acme.com", "rcm.acme.invalid");
    let parked = place.run(&by_hand, &Goal::provision()).await.unwrap();
    assert!(matches!(parked.outcome, Outcome::Parked(_)), "{:?}", parked.outcome);
    let asked = place.awaited.lock().unwrap().pop().unwrap();
    let text = |field: &str| asked[0][field].as_str().unwrap().to_owned();
    place.put(&text("name"), RrType::Cname, &text("value")).await;
    place.done(&by_hand, &Goal::provision()).await;
    let report = place.done(&place.file(), &Goal::provision()).await;
    assert_eq!(report.plan.counts().into_iter().collect::<Vec<_>>(), [("create", 2)]);
    assert_eq!(place.records().await.len(), 2);
    assert!(place.open(&place.file()).await.drift().await.unwrap().is_empty());
    place.done(&place.file(), &Goal::destroy()).await;
    assert_eq!(place.records().await, Vec::<String>::new());
}

/// A DNS server on this machine: names with what their CNAME says. It answers as long as the test goes on.
#[derive(Clone, Default)]
pub(crate) struct World(Arc<Mutex<Vec<(String, String)>>>);

impl World {
    pub(crate) fn start(&self) -> SocketAddr {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let world = self.clone();
        std::thread::spawn(move || {
            let mut datagram = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                let Ok(query) = Packet::parse(&datagram[..length]) else { continue };
                let _ = socket.send_to(&world.answer(query), from);
            }
        });
        address
    }

    fn answer(&self, query: Packet<'_>) -> Vec<u8> {
        let mut reply = query.into_reply();
        let name = reply.questions[0].qname.clone();
        for (known, value) in self.0.lock().unwrap().iter() {
            if name.to_string() == known.trim_end_matches('.') {
                let target = Name::new(value.trim_end_matches('.')).unwrap().into_owned();
                reply.answers.push(Answer::new(name.clone(), CLASS::IN, 60, rdata::RData::CNAME(rdata::CNAME(target))));
            }
        }
        reply.build_bytes_vec().unwrap()
    }

    pub(crate) fn say(&self, name: &str, value: &str) {
        self.0.lock().unwrap().push((name.to_owned(), value.to_owned()));
    }
}

#[tokio::test]
async fn the_command_shows_what_is_wanted_and_seen_and_waits_for_it() {
    let bench = Bench::new();
    let none = bench.run("dns --sandbox").expect_code(1);
    assert!(none.stderr.contains("rcm provision --partner acme"), "{}", none.transcript());
    bench.partner("acme", &ACME.replace("domain_name = \"rcm.acme.com\"\n", ""));
    let none = bench.run("dns --sandbox").expect_code(3);
    assert!(none.stderr.contains("acme.toml: without domain_name"), "{}", none.transcript());

    bench.partner("acme", &ACME.replace("rcm.acme.com", "rcm.acme.invalid"));
    let parked = bench.run("provision --sandbox --yes --certificate-timeout 1s").expect_code(5);
    assert!(parked.stdout.contains("rcm dns --wait --partner acme"), "{}", parked.transcript());

    let world = World::default();
    let asked = format!("dns --sandbox --output json --resolver {}", world.start());
    let look = |code| lines(&bench.run(&asked).expect_code(code).stdout).remove(0);
    let seen = look(5);
    assert_eq!((&seen["domain"], &seen["certificate"]), (&json!("rcm.acme.invalid"), &json!("PENDING_VALIDATION")));
    let records = seen["records"].as_array().unwrap();
    assert_eq!((&records[0]["purpose"], &records[1]["purpose"]), (&json!("validation"), &json!("address")));
    assert!(records.iter().all(|record| record["type"] == "CNAME" && record["seen"]["is"] == "missing"), "{seen:#}");
    let text = |at: usize, field: &str| records[at][field].as_str().unwrap().to_owned();

    world.say(&text(0, "name"), &text(0, "value"));
    world.say(&text(1, "name"), "old.example");
    let seen = look(5);
    assert_eq!(seen["records"][0]["seen"], json!({"is": "right"}));
    assert_eq!(seen["records"][1]["seen"], json!({"is": "other", "values": ["old.example"]}));
    let shown = bench.run(&asked.replace(" --output json", "")).expect_code(5);
    assert!(shown.stdout.contains("no: it says old.example"), "{}", shown.transcript());

    // Nobody answers on a port that nothing listens on; and without a resolver the sandbox asks nobody.
    let silent = bench.run("dns --sandbox --resolver 127.0.0.1:9").expect_code(5);
    assert!(silent.stdout.contains("unknown: the resolver 127.0.0.1:9"), "{}", silent.transcript());
    let unasked = bench.run("dns --sandbox").expect_code(5);
    assert!(unasked.stdout.contains("not asked"), "{}", unasked.transcript());

    let nobody = bench.run("dns --sandbox --wait").expect_code(6);
    assert!(
        nobody.stderr.contains("to go on then without being asked: rcm dns --wait --partner acme"),
        "{}",
        nobody.transcript()
    );
    let _ = bench.run("dns --sandbox --wait --timeout 1s --yes").expect_code(5);
    let waiting = bench.start("dns --sandbox --wait --yes");
    let shown = poll(Duration::from_secs(60), || waiting.stdout().contains("to wait and go on then").then_some(()));
    assert!(shown.is_some(), "it shows what it waits for");
    waiting.signal("INT");
    let stopped = waiting.finish(Duration::from_secs(60));
    assert_eq!(stopped.code, Some(130), "{}", stopped.transcript());
    assert!(stopped.stderr.contains("to go on: rcm dns --wait --partner acme"), "{}", stopped.transcript());
    {
        let cloud = bench.rcm.state_dir().join("sandbox/cloud/123456789012-us-east-1");
        let sandbox = Sandbox::open(&cloud, ACCOUNT, REGION).await.unwrap();
        let aws = aws(&sandbox).await;
        let zone = zone(&aws, "acme.invalid", false).await;
        let value = ResourceRecord::builder().value(text(0, "value")).build().unwrap();
        let record = ResourceRecordSet::builder().name(text(0, "name")).r#type(RrType::Cname).ttl(60);
        put(&aws, &zone, record.resource_records(value).build().unwrap()).await;
    }
    let went_on = bench.run("dns --sandbox --wait --yes").expect_code(0);
    assert!(went_on.stdout.contains("Certificate: ISSUED"), "{}", went_on.transcript());
    assert!(went_on.stdout.contains("Provisioned acme/prod"), "{}", went_on.transcript());
    world.0.lock().unwrap().pop();
    world.say(&text(1, "name"), &format!("dualstack.{}", text(1, "value")));
    assert_eq!(look(0)["records"][1]["seen"], json!({"is": "right"}));
}
