//! The verbs by which one looks at a partner.

use std::{ops::ControlFlow, sync::Mutex};

use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use jiff::Timestamp;
use rcm::aws::{Aws, Connect};
use rcm::engine::{
    model::{Events, Fault as Refusal},
    run::Cancel,
    store::{Holder, Store},
};
use rcm::{Cloud, Environment, Goal, LogQuery, PartnerConfig, Settings, Status, Verdict};
use rcm_sandbox::Sandbox;
use rcm_testkit::{
    Terminal,
    calls::{Fault, Rule, Wire},
};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::bench::{ACME, Bench, at_any_risk, behind_its_back, lines};

const GROUP: &str = "/ecs/acme-rcm-prod";
const STREAM: &str = "api/api/0123456789abcdef0123456789abcdef";

/// Acme in a sandbox of this process.
struct Place {
    dir: tempfile::TempDir,
    wire: Wire,
    aws: Aws,
    cancel: Cancel,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), "123456789012", "us-east-1").await.unwrap();
        let in_process = Some(sandbox.http_client());
        let aws = Aws::connect(&Connect { region: "us-east-1".into(), in_process, ..Connect::default() }).await;
        let place = Self { wire: Wire::new(sandbox.http_client()), dir, aws, cancel: Cancel::new() };
        place.open(ACME).await.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
        place
    }

    async fn open(&self, file: &str) -> Environment {
        let config = PartnerConfig::parse("acme.toml", file, None).unwrap();
        let cloud = Cloud::InProcess(self.wire.http_client());
        let state = self.dir.path().join("state");
        let settings = Settings { cloud, cancel: self.cancel.clone(), ..Settings::new(state) };
        Environment::open(config, settings).await.unwrap()
    }
}

/// Has a task write, so many milliseconds ago.
pub(crate) async fn write(aws: &Aws, events: impl IntoIterator<Item = (i64, &str)>) {
    let now = Timestamp::now().as_millisecond();
    let events = events
        .into_iter()
        .map(|(ago, text)| InputLogEvent::builder().timestamp(now - ago).message(text).build().unwrap());
    // It is there already but for the first time.
    let _ = aws.logs.create_log_stream().log_group_name(GROUP).log_stream_name(STREAM).send().await;
    let put = aws.logs.put_log_events().log_group_name(GROUP).log_stream_name(STREAM);
    put.set_log_events(Some(events.collect())).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_follows_the_logs_sees_each_event_once_late_ones_and_throttled_ones_too() {
    let place = Place::new().await;
    let environment = place.open(ACME).await;
    let hour = Timestamp::from_millisecond(Timestamp::now().as_millisecond() - 3_600_000).unwrap();
    write(&place.aws, [(7_200_000, "too old"), (60_000, "one"), (30_000, "two")]).await;
    place.wire.trouble(Rule::new(Fault::refuse(400, "ThrottlingException")).operation("FilterLogEvents").first(12));

    let (seen, more) = (Mutex::new(Vec::new()), Notify::new());
    let query = LogQuery { since: hour, pattern: None, follow: true };
    let before = place.wire.calls().len();
    let follow = environment.logs(&query, |event| {
        seen.lock().unwrap().push(event.message.clone());
        more.notify_one();
        ControlFlow::Continue(())
    });
    let until = async |count: usize| {
        while seen.lock().unwrap().len() < count {
            more.notified().await;
        }
    };
    let others = async {
        until(2).await;
        write(&place.aws, [(0, "three"), (0, "three")]).await;
        until(4).await;
        write(&place.aws, [(20_000, "late"), (-300_000, "of a clock that is ahead")]).await;
        until(6).await;
        write(&place.aws, [(0, "four")]).await;
        until(7).await;
        let looks = || place.wire.calls().of("FilterLogEvents").len();
        let now = looks();
        write(&place.aws, [(0, "five")]).await;
        until(8).await;
        assert!(looks() > now);
        place.cancel.cancel();
    };
    let (ended, ()) = tokio::join!(follow, others);
    ended.unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen, ["one", "two", "three", "three", "late", "of a clock that is ahead", "four", "five"]);
    let calls = place.wire.calls();
    assert!(calls.iter().skip(before).all(|call| !call.operation.mutating), "{:?}", calls.per_operation());
}

#[tokio::test(start_paused = true)]
async fn a_long_log_is_told_whole_until_somebody_has_enough() {
    let place = Place::new().await;
    let environment = place.open(ACME).await;
    let texts: Vec<String> = (0..12_000).map(|number| format!("line {number}")).collect();
    for (part, ago) in texts.chunks(6_000).zip([20_000, 10_000]) {
        write(&place.aws, part.iter().map(|text| (ago, text.as_str()))).await;
    }
    let query = LogQuery { since: Timestamp::UNIX_EPOCH, pattern: None, follow: false };
    let told = async |enough: usize| {
        let mut told = Vec::new();
        let flow = |told: usize| if told < enough { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let tell = |event: &rcm::aws::LogEvent| {
            told.push(event.message.clone());
            flow(told.len())
        };
        environment.logs(&query, tell).await.unwrap();
        told
    };
    assert_eq!(told(usize::MAX).await, texts);
    assert_eq!(told(3).await, texts[..3]);

    // What stays refused ends it: nothing is asked for without an end.
    place.wire.trouble(Rule::new(Fault::refuse(400, "ThrottlingException")).operation("FilterLogEvents"));
    let refused = environment.logs(&query, |_| ControlFlow::Continue(())).await;
    let Err(rcm::Error::Aws(Refusal { code, .. })) = refused else { panic!("{refused:?}") };
    assert_eq!(code, "ThrottlingException");
}

/// Acme with what watches over it.
fn alarmed() -> String {
    ACME.replace("alarms = false", "alarms = true")
}

/// The verdict and the evidence of a part.
fn of<'s>(status: &'s Status, name: &str) -> (Verdict, &'s str) {
    let part = status.parts.iter().find(|part| part.part == name).unwrap_or_else(|| panic!("{name}: {status:#?}"));
    (part.verdict, &part.evidence)
}

#[tokio::test(start_paused = true)]
async fn each_part_is_asked_for_once_whether_or_not_a_run_is_under_way() {
    let place = Place::new().await;
    let environment = place.open(&alarmed()).await;
    environment.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
    let before = place.wire.calls().len();
    let status = environment.status().await.unwrap();
    let parts: Vec<_> = status.parts.iter().filter(|part| part.verdict != Verdict::Ok).map(|part| part.part).collect();
    assert_eq!((status.verdict, parts), (Verdict::Warn, vec!["service"]), "{status:#?}");
    assert!(of(&status, "service").1.contains("no image is deployed"), "{status:#?}");
    assert!(of(&status, "database").1.contains("acme-rcm-prod-db available"), "{status:#?}");
    assert!(of(&status, "run").1.starts_with("provision by unknown@"), "{status:#?}");
    let calls = place.wire.calls();
    let mut asked: Vec<String> = calls.iter().skip(before).map(|call| call.operation.name.clone()).collect();
    asked.sort();
    assert_eq!(
        asked,
        [
            "DescribeAlarms",
            "DescribeCertificate",
            "DescribeDBInstances",
            "DescribeKey",
            "DescribeLoadBalancers",
            "DescribeNatGateways",
            "DescribeServices",
            "DescribeTargetHealth",
            "GetCallerIdentity",
            "ListSecrets",
        ]
    );

    let store = Store::new(&place.dir.path().join("state"), "acme", "prod");
    let holder = Holder::this_process("tester", "rcm provision");
    let lock = store.lock(&holder, std::time::Duration::ZERO, &Events::none()).await.unwrap();
    let status = environment.status().await.unwrap();
    assert_eq!(status.holder.as_ref().map(|holder| holder.user.as_str()), Some("tester"));
    assert!(of(&status, "run").1.starts_with("under way: tester@"), "{status:#?}");
    drop(lock);
    assert_eq!(environment.status().await.unwrap().holder, None);
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_or_alarms_is_bad_and_what_cannot_be_asked_is_unknown() {
    let place = Place::new().await;
    let environment = place.open(&alarmed()).await;
    environment.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap();
    let alarm = "acme-rcm-prod-database-cpu";
    let alarms = place.aws.cloudwatch.describe_alarms().send().await.unwrap().metric_alarms.unwrap();
    let alarm = alarms.iter().filter_map(|it| it.alarm_name()).find(|name| name.contains("database")).unwrap_or(alarm);
    let set = place.aws.cloudwatch.set_alarm_state().alarm_name(alarm).state_value(StateValue::Alarm);
    set.state_reason("CPU is at 99").send().await.unwrap();
    let gateways = place.aws.ec2.describe_nat_gateways().send().await.unwrap().nat_gateways.unwrap();
    let gateway = gateways[0].nat_gateway_id().unwrap();
    place.aws.ec2.delete_nat_gateway().nat_gateway_id(gateway).send().await.unwrap();
    let secrets = place.aws.secrets.list_secrets().send().await.unwrap().secret_list.unwrap();
    let jwt = secrets.iter().filter_map(|it| it.arn()).find(|arn| arn.contains("jwt")).unwrap();
    place.aws.secrets.delete_secret().secret_id(jwt).send().await.unwrap();
    let modify = place.aws.rds.modify_db_instance().db_instance_identifier("acme-rcm-prod-db");
    modify.db_instance_class("db.t3.large").apply_immediately(false).send().await.unwrap();
    place.wire.trouble(Rule::new(Fault::refuse(400, "AccessDeniedException")).operation("DescribeKey"));

    let status = environment.status().await.unwrap();
    assert_eq!(status.verdict, Verdict::Bad);
    let (verdict, evidence) = of(&status, "alarms");
    assert_eq!((verdict, evidence), (Verdict::Bad, format!("in ALARM: {alarm} (CPU is at 99)").as_str()));
    let (verdict, evidence) = of(&status, "nat-gateways");
    assert!(verdict == Verdict::Bad && evidence.contains(gateway), "{status:#?}");
    let (verdict, evidence) = of(&status, "secrets");
    assert!(verdict == Verdict::Bad && evidence.starts_with("gone: ") && evidence.contains("jwt"), "{status:#?}");
    let (verdict, evidence) = of(&status, "database");
    assert!(verdict == Verdict::Warn && evidence.ends_with("not so yet: class"), "{status:#?}");
    let (verdict, evidence) = of(&status, "key");
    assert!(verdict == Verdict::Unknown && evidence.contains("AccessDeniedException"), "{status:#?}");
}

#[test]
fn the_command_says_how_it_is_and_its_exit_code_whether_all_is_well() {
    let bench = Bench::new();
    let none = bench.run("status --sandbox").expect_code(1);
    assert!(none.stderr.contains("rcm provision --partner acme"), "{}", none.transcript());
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let shown = bench.run("status --sandbox").expect_code(2);
    assert!(shown.stdout.contains("= next: rcm deploy --image FILE|REF --partner acme"), "{}", shown.transcript());
    let digest = "0".repeat(64);
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{digest}");
    bench.partner("acme", &format!("{ACME}\napi_image = \"{image}\"\n"));
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let shown = bench.run("status --sandbox").expect_code(0);
    assert!(
        shown.stdout.contains(&format!("2 of 2 tasks run, acme-rcm-prod-api:2, sha256:{digest}")),
        "{}",
        shown.transcript()
    );
    assert!(shown.stdout.contains("2 healthy") && !shown.stdout.contains("next"), "{}", shown.transcript());
    let json = &lines(&bench.run("status --sandbox --output json").expect_code(0).stdout)[0];
    assert_eq!((&json["verdict"], &json["holder"]), (&json!("ok"), &Value::Null));
    assert_eq!(json["last_run"]["began"]["verb"], json!("provision"));
    let service = json["parts"].as_array().unwrap().iter().find(|part| part["part"] == "service").unwrap();
    assert_eq!((&service["verdict"], &service["next"]), (&json!("ok"), &Value::Null));
    let watched = bench.run("status --sandbox --watch").expect_code(2);
    assert!(watched.stderr.contains("no terminal to draw it on"), "{}", watched.transcript());
}

#[tokio::test]
async fn the_command_prints_what_the_application_has_written() {
    let bench = Bench::new();
    let none = bench.run("logs --sandbox").expect_code(1);
    assert!(none.stderr.contains("rcm provision --partner acme"), "{}", none.transcript());
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let silent = bench.run("logs --sandbox").expect_code(0);
    assert!(silent.stdout.is_empty() && silent.stderr.contains("has written nothing since"), "{}", silent.transcript());
    behind_its_back(&bench, async |aws| {
        write(&aws, [(7_200_000, "starting\n"), (2_000, "ERROR no database"), (1_000, "listening\u{1b}[2J on 8080")])
            .await;
    })
    .await;

    let shown = bench.run("logs --sandbox").expect_code(0);
    let told: Vec<&str> = shown.stdout.lines().filter_map(|line| line.split_once('Z')).map(|(_, rest)| rest).collect();
    let line = |text: &str| format!(" {STREAM} {text}");
    assert_eq!(told, [line("ERROR no database"), line("listening on 8080")], "{}", shown.transcript());
    let json = lines(&bench.run("logs --sandbox --since 3h --output json").expect_code(0).stdout);
    let messages: Vec<&Value> = json.iter().map(|event| &event["message"]).collect();
    assert_eq!(messages, ["starting\n", "ERROR no database", "listening\u{1b}[2J on 8080"]);
    assert_eq!(json[0]["stream"], json!(STREAM));
    assert!(json[0]["at"].is_string() && json[0]["id"].is_string(), "{json:?}");
    let errors = bench.run("logs --sandbox --filter ERROR").expect_code(0);
    assert_eq!(errors.stdout.lines().count(), 1, "{}", errors.transcript());
    let wrong = bench.run("logs --sandbox --filter {").expect_code(1);
    assert!(wrong.stderr.contains("logs:FilterLogEvents: InvalidParameterException"), "{}", wrong.transcript());
    let wrong = bench.run("logs --sandbox --since yesterday").expect_code(2);
    assert!(wrong.stderr.contains("10m, 2h or 2026-11-28T09:00:00Z"), "{}", wrong.transcript());

    let following = bench.start("logs --sandbox --follow");
    let shown = rcm_testkit::poll(std::time::Duration::from_secs(60), || {
        following.stdout().contains("listening").then_some(())
    });
    assert!(shown.is_some(), "what there was comes first: {}", following.stderr());
    following.signal("INT");
    let ended = following.finish(std::time::Duration::from_secs(60));
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 2), "{}", ended.transcript());
}

#[test]
fn urls_are_printed_and_a_browser_is_started_only_on_a_terminal_and_when_asked() {
    let bench = Bench::new();
    let (browser, opened) = (bench.file("browser"), bench.file("opened"));
    rcm::engine::store::write_atomically(browser.as_ref(), format!("#!/bin/sh\necho \"$@\" > {opened}\n").as_bytes())
        .unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let bench = bench.env("BROWSER", &browser);
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let links = &lines(&bench.run("open --sandbox --output json").expect_code(0).stdout)[0];
    let console = "https://us-east-1.console.aws.amazon.com";
    let group = "logsV2:log-groups/log-group/$252Fecs$252Facme-rcm-prod";
    let logs = format!("{console}/cloudwatch/home?region=us-east-1#{group}");
    assert_eq!(
        *links,
        json!([
            { "name": "application", "url": "https://rcm.acme.com" },
            {
                "name": "service",
                "url": format!("{console}/ecs/v2/clusters/acme-rcm-prod-cluster/services/acme-rcm-prod-api/health?region=us-east-1"),
            },
            { "name": "logs", "url": logs },
            { "name": "database", "url": format!("{console}/rds/home?region=us-east-1#database:id=acme-rcm-prod-db;is-cluster=false") },
        ])
    );
    assert_eq!(bench.run("open logs --sandbox").expect_code(0).stdout, format!("{logs}\n"));
    let none = bench.run("open dashboard --sandbox").expect_code(1);
    assert!(none.stderr.contains("has nothing of that to open"), "{}", none.transcript());
    let blind = bench.run("open --browser --sandbox").expect_code(2);
    assert!(blind.stdout.is_empty() && blind.stderr.contains("there is no terminal"), "{}", blind.transcript());
    let _ = Terminal::start(&bench.command("open --sandbox")).finish().expect_code(0);
    assert!(!std::path::Path::new(&opened).exists(), "nobody has asked for a browser");
    let _ = Terminal::start(&bench.command("open logs --browser --sandbox")).finish().expect_code(0);
    assert_eq!(std::fs::read_to_string(&opened).unwrap(), format!("{logs}\n"));
}

#[test]
fn a_watched_status_is_drawn_again_until_ctrl_c() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let mut terminal = Terminal::start(&bench.command("status --sandbox --watch"));
    terminal.wait_until_it_shows("again every 5s, until Ctrl-C");
    terminal.type_line("\u{3}");
    let ended = terminal.finish().expect_code(0);
    assert!(ended.stdout.contains("\u{1b}[2J") && ended.stdout.contains("load-balancer"), "{}", ended.transcript());
}
