//! The verbs by which one looks at a partner.

use std::{ops::ControlFlow, sync::Mutex};

use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use jiff::Timestamp;
use rcm::aws::{Aws, Connect};
use rcm::engine::{model::Fault as Refusal, run::Cancel};
use rcm::{Cloud, Environment, Goal, LogQuery, PartnerConfig, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::{Fault, Rule, Wire};
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
async fn write(aws: &Aws, events: impl IntoIterator<Item = (i64, &str)>) {
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
