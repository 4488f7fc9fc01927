//! The example `onboarding`, as a process that is talked to over HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::Duration,
};

use rcm_testkit::{Running, poll};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// The service in `dir`, and where it listens.
struct Service {
    process: Running,
    address: String,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Service {
    fn start(dir: &Path) -> Self {
        let mut command = Command::new(rcm_testkit::example("onboarding"));
        command.env_clear().args(["--listen", "127.0.0.1:0", "--sandbox", "--dir"]).arg(dir);
        let process = Running::start(&mut command);
        let said =
            || process.stdout().lines().find_map(|line| line.strip_prefix("listening on http://").map(str::to_owned));
        let silent = || panic!("it does not say where it listens: {}", process.stderr());
        let address = poll(PATIENCE, said).unwrap_or_else(silent);
        Self { process, address }
    }

    /// HTTP/1.0: the answer ends with the connection, and comes in one piece or as it comes.
    fn ask(&self, request: &str, body: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{request} HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        BufReader::new(stream)
    }

    fn answer(&self, request: &str, body: &str) -> Answer {
        let mut text = String::new();
        self.ask(request, body).read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    fn post(&self, partner: &Value) -> Answer {
        self.answer("POST /partners", &partner.to_string())
    }

    /// All that the partner's stream says until it ends.
    fn watched(&self) -> (Vec<Value>, Value) {
        told(&self.answer("GET /partners/acme/events", "").body)
    }

    fn interrupt(self) -> String {
        self.process.signal("INT");
        self.process.finish(PATIENCE).expect_code(0).stdout
    }
}

/// The events of a stream, and its last message.
fn told(stream: &str) -> (Vec<Value>, Value) {
    let (events, end) = stream.split_once("event: end\n").unwrap_or_else(|| panic!("the stream has no end: {stream}"));
    let read = |text: &str| serde_json::from_str(text.strip_prefix("data: ").unwrap()).unwrap();
    (events.split("\n\n").filter(|text| !text.is_empty()).map(read).collect(), read(end.trim_end()))
}

fn acme() -> Value {
    json!({
        "name": "acme", "project_prefix": "acme-rcm", "brand_name": "Acme Healthcare RCM", "environment": "dev",
        "support_email": "support@acme.com", "primary_color": "#FF5722", "aws_account_id": "123456789012",
        "aws_region": "us-east-1", "tier": "development",
    })
}

#[test]
fn a_partner_is_posted_and_watched_until_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path());
    assert_eq!(service.answer("GET /partners/acme", "").status, 404);

    let posted = service.post(&acme());
    assert_eq!(posted.status, 202, "{}", posted.body);
    assert!(posted.head.contains("location: /partners/acme"), "{}", posted.head);
    let (events, end) = service.watched();
    assert_eq!(end["outcome"], "done", "{end}");
    assert!(end["notes"].to_string().contains("no image has been deployed"), "{end}");
    let count = |word: &str| events.iter().filter(|event| event["event"] == word).count();
    assert!(count("step-done") > 50 && count("step-done") == count("step-started"), "{}", count("step-done"));
    assert_eq!(events.last().unwrap()["event"], "run-finished");
    assert_eq!(service.watched().0.len(), events.len(), "whoever comes later is told the same");

    let shown = service.answer("GET /partners/acme", "").json();
    assert_eq!(shown["run"]["outcome"], "done", "{shown}");
    assert!(shown["outputs"]["alb_dns_name"].as_str().unwrap().contains("acme-rcm-dev"), "{shown}");

    let again = service.post(&acme());
    assert_eq!((again.status, service.watched().1["outcome"].as_str().unwrap()), (202, "done"));

    // What would change something that is there is for a person.
    let mut other = acme();
    other["db_instance_class"] = json!("db.t3.large");
    assert_eq!(service.post(&other).status, 202);
    let (_, end) = service.watched();
    assert_eq!((&end["outcome"], &end["notes"][0]), (&json!("refused"), &json!("not approved; nothing was changed")));
    assert!(service.interrupt().contains("stopping"));

    let service = Service::start(dir.path());
    let kept = service.answer("GET /partners/acme", "").json();
    assert_eq!(
        (&kept["outputs"], &kept["run"]),
        (&shown["outputs"], &Value::Null),
        "what there is outlives the service"
    );
}

#[test]
fn what_is_posted_is_checked_as_a_partner_file_is() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path());
    let mut wrong = acme();
    wrong["aws_account_id"] = json!("12345");
    wrong["teir"] = json!("production");
    let refused = service.post(&wrong);
    assert_eq!(refused.status, 422);
    let refused = refused.json();
    let settings: Vec<&str> =
        refused["problems"].as_array().unwrap().iter().map(|problem| problem["setting"].as_str().unwrap()).collect();
    assert!(settings.contains(&"aws_account_id") && settings.contains(&"teir"), "{refused}");
    assert!(refused.to_string().contains("did you mean `tier`?"), "{refused}");

    let mut outside = acme();
    outside["name"] = json!("../acme");
    assert_eq!(service.post(&outside).status, 422);
    assert_eq!(service.answer("POST /partners", "acme").status, 400);
    assert!(!dir.path().join("partners").exists() && !dir.path().join("acme.toml").exists());
}

#[test]
fn a_partner_has_one_run_at_a_time_and_a_service_that_is_stopped_stops_it_cleanly() {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::start(dir.path());
    assert_eq!(service.post(&acme()).status, 202);
    let mut stream = service.ask("GET /partners/acme/events", "");
    let mut said = String::new();
    while !said.contains(r#""event":"step-done""#) {
        assert_ne!(stream.read_line(&mut said).unwrap(), 0, "{said}");
    }
    assert_eq!(service.post(&acme()).status, 409);
    service.process.signal("INT");
    stream.read_to_string(&mut said).unwrap();
    let (_, end) = told(said.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(end["outcome"], "cancelled", "{end}");
    drop(service.process.finish(PATIENCE).expect_code(0));

    let service = Service::start(dir.path());
    assert_eq!(service.post(&acme()).status, 202);
    assert_eq!(service.watched().1["outcome"], "done");
}

#[test]
fn it_listens_to_nobody_but_this_machine() {
    let mut command = Command::new(rcm_testkit::example("onboarding"));
    let ran = Running::start(command.env_clear().args(["--listen", "0.0.0.0:0"])).finish(PATIENCE).expect_code(1);
    assert!(ran.stderr.contains("nobody is asked who they are"), "{}", ran.stderr);
}
