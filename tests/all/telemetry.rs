//! What a collector of OpenTelemetry gets of a run, and that no collector can stand in a run's way.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::bench::{Bench, behind_its_back, lines};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A request as it came.
struct Posted {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Takes one request on the loopback interface.
struct Collector {
    address: SocketAddr,
    posted: JoinHandle<Posted>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, posted: thread::spawn(move || taken(listener.accept().unwrap().0)) }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was posted. Fails the test where nothing was: nobody connects to it then but this.
    fn posted(self) -> Posted {
        if !self.posted.is_finished() {
            // An empty request ends the wait.
            drop(TcpStream::connect(self.address));
        }
        self.posted.join().unwrap()
    }
}

fn taken(mut stream: TcpStream) -> Posted {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let line = head.next().unwrap_or_else(|| panic!("nothing was posted"));
    let headers =
        head.filter_map(|line| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned())));
    let headers: BTreeMap<String, String> = headers.collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    stream
        .write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}",
        )
        .unwrap();
    Posted { line, headers, body: String::from_utf8(body).unwrap() }
}

/// The spans of a request, and the one that they are parts of.
fn spans(posted: &Posted) -> (Value, Vec<Value>) {
    let body: Value = serde_json::from_str(&posted.body).unwrap();
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    let (root, parts): (Vec<_>, Vec<_>) =
        spans.into_iter().partition(|span| span["name"].as_str().unwrap().starts_with("rcm "));
    assert_eq!(root.len(), 1);
    (root[0].clone(), parts)
}

fn attribute<'a>(span: &'a Value, name: &str) -> Option<&'a str> {
    let attribute = span["attributes"].as_array().unwrap().iter().find(|attribute| attribute["key"] == name)?;
    let value = &attribute["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str())
}

/// The names of all attributes, of a span's events too.
fn names(span: &Value) -> impl Iterator<Item = &str> {
    let events = span["events"].as_array().unwrap().iter();
    let listed = [span].into_iter().chain(events).flat_map(|it| it["attributes"].as_array().unwrap());
    listed.map(|attribute| attribute["key"].as_str().unwrap())
}

/// When an event of a step came, in nanoseconds.
fn when(events: &[Value], kind: &str, address: &str) -> String {
    let event = events.iter().find(|event| event["event"] == kind && event["address"] == address).unwrap();
    event["at"].as_str().unwrap().parse::<Timestamp>().unwrap().as_nanosecond().to_string()
}

#[test]
fn a_run_is_a_trace_and_each_step_a_span_of_it() {
    let collector = Collector::start();
    let bench = Bench::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0k3n")
        .env("OTEL_SERVICE_NAME", "partners")
        .env("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01"));
    let ran = bench.run("provision --sandbox --yes --output json").expect_code(0);
    assert_eq!(ran.stderr, "");
    let posted = collector.posted();
    assert_eq!(posted.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(posted.headers["content-type"], "application/json");
    assert_eq!(posted.headers["authorization"], "Bearer t0k3n");
    assert!(!posted.body.contains("t0k3n"));
    assert!(posted.body.contains(r#""value":{"stringValue":"partners"}"#), "{}", posted.body);

    let (root, parts) = spans(&posted);
    assert_eq!((root["name"].as_str(), root["parentSpanId"].as_str()), (Some("rcm provision"), Some(PARENT)));
    assert_eq!((attribute(&root, "rcm.partner"), attribute(&root, "process.exit.code")), (Some("acme"), Some("0")));
    let events = lines(&ran.stdout);
    let steps: Vec<&Value> = parts.iter().filter(|span| attribute(span, "rcm.address").is_some()).collect();
    assert_eq!(steps.len(), events.iter().filter(|event| event["event"] == "step-done").count());
    for step in &steps {
        let address = attribute(step, "rcm.address").unwrap();
        assert_eq!((&step["traceId"], &step["parentSpanId"]), (&Value::from(TRACE), &root["spanId"]), "{address}");
        assert_eq!(step["startTimeUnixNano"], when(&events, "step-started", address));
        assert_eq!(step["endTimeUnixNano"], when(&events, "step-done", address));
        assert_eq!((attribute(step, "rcm.action"), attribute(step, "rcm.outcome")), (Some("create"), Some("done")));
    }
    let vpc = steps.iter().find(|step| attribute(step, "rcm.address") == Some("network/vpc")).unwrap();
    assert_eq!(vpc["name"], "create ec2/vpc");
    assert!(attribute(vpc, "rcm.id").unwrap().starts_with("vpc-"));

    // Specs, answers and messages have no place among these.
    let known = [
        "cloud.account.id",
        "cloud.provider",
        "cloud.region",
        "error.type",
        "process.exit.code",
        "rcm.action",
        "rcm.address",
        "rcm.after_ms",
        "rcm.environment",
        "rcm.id",
        "rcm.kind",
        "rcm.outcome",
        "rcm.partner",
        "rcm.resources",
        "rpc.method",
        "rpc.service",
    ];
    for span in parts.iter().chain([&root]) {
        names(span).for_each(|name| assert!(known.contains(&name), "{name}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_failed_says_so() {
    let collector = Collector::start();
    let bench = Bench::new().env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &format!("{}/here", collector.endpoint()));
    // Without our tags it is somebody's.
    behind_its_back(&bench, async |aws| {
        aws.logs.create_log_group().log_group_name("/ecs/acme-rcm-prod").send().await.unwrap();
    })
    .await;
    assert_ne!(bench.run("provision --sandbox --yes --ignore-preflight name/logs/group").code, Some(0));
    let posted = collector.posted();
    assert_eq!(posted.line, "POST /here HTTP/1.1");
    let (root, parts) = spans(&posted);
    assert_eq!(root["status"]["code"], 2);
    let failed: Vec<&Value> = parts.iter().filter(|span| span["status"]["code"] == 2).collect();
    assert_eq!(attribute(failed[0], "rcm.address"), Some("storage/log-group/application"), "{failed:#?}");
    assert_eq!(attribute(failed[0], "rcm.outcome"), Some("failed"));
    assert!(attribute(failed[0], "error.type").is_some());
}

#[test]
fn no_collector_keeps_a_run_from_succeeding() {
    let nobody = Bench::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let ran = nobody.run("provision --sandbox --yes").expect_code(0);
    assert!(ran.stderr.contains("the trace was not sent: 127.0.0.1: "), "{}", ran.stderr);

    // Connections are made to it, and nobody answers.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", deaf.local_addr().unwrap());
    let begun = Instant::now();
    let ran = Bench::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint).run("validate").expect_code(0);
    assert_eq!(ran.stderr, "the trace was not sent: 127.0.0.1 did not answer within 5 seconds\n");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_is_not_spoken_is_said_and_nothing_is_sent_where_nobody_asks() {
    let grpc = Bench::new()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .run("validate")
        .expect_code(0);
    assert_eq!(
        grpc.stderr,
        "no trace is sent: OTEL_EXPORTER_OTLP_PROTOCOL is `grpc`; rcm speaks `http/json` alone, which collectors take on port 4318\n"
    );
    assert_eq!(Bench::new().env("TRACEPARENT", &format!("00-{TRACE}-{PARENT}-01")).run("validate").stderr, "");
}
