//! Whether a call that changes the cloud was announced: a journal on disk says that its resource has begun and has not ended.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rcm_testkit::boto3;
use rcm_testkit::calls::{Call, Recorder};
use serde_json::{Value, json};

/// From now on, for as long as the test goes on, `recorder` objects to every mutating call that the journal in `directory` does not
/// announce.
pub(super) fn watch(recorder: &Recorder, directory: PathBuf) {
    recorder.before_mutation(move |call: &Call| {
        let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
        announced(call, &open_steps(&read("prod.journal.jsonl"), &read("prod.json")))
    });
}

/// A step that has begun and not ended.
#[derive(Debug, Clone, Default, PartialEq)]
struct Open {
    kind: String,
    /// What AWS calls its resource, once that is known.
    id: Option<String>,
}

/// Kinds with operations on something that has an id of its own: the VPC's default group, what ties subnets to a table, and a
/// subscription, which has none that lasts until it is confirmed.
const OF_PARTS: [(&str, &str); 4] = [
    ("ec2/vpc", "SecurityGroup"),
    ("ec2/network-acl", "NetworkAclAssociation"),
    ("ec2/route-table", "DisassociateRouteTable"),
    ("sns/subscription", "Unsubscribe"),
];

impl Open {
    /// Whether a call without a tag may be this step's, by what it says.
    fn may_send(&self, call: &Call, said: &str) -> bool {
        let Some(id) = &self.id else { return true };
        // Of ids that have parts some operations take the last alone. What begins with a slash is a log group's name.
        let name = if id.starts_with('/') { id } else { id.rsplit(['/', ':']).next().unwrap_or(id) };
        let by_part = |(kind, operation): &(&str, &str)| self.kind == *kind && call.operation.name.contains(operation);
        said.contains(name) || OF_PARTS.iter().any(by_part)
    }
}

/// The steps that a journal has begun and not ended, by address.
fn open_steps(journal: &str, state: &str) -> BTreeMap<String, Open> {
    let state: Value = serde_json::from_str(state).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut known: BTreeMap<String, Open> = BTreeMap::new();
    for (address, record) in state["resources"].as_object().into_iter().flatten() {
        let kind = text(&record["kind"]).unwrap_or_default();
        known.insert(address.clone(), Open { kind, id: text(&record["id"]) });
    }
    let mut open = BTreeMap::new();
    for entry in journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let address = text(&entry["address"]).or_else(|| text(&entry["intent"]["address"])).unwrap_or_default();
        match entry["entry"].as_str() {
            Some("begin") => {
                let step = known.entry(address.clone()).or_default();
                if let Some(kind) = text(&entry["intent"]["kind"]) {
                    // Of a generation of its own, which AWS has given no name yet.
                    *step = Open { kind, id: None };
                }
                open.insert(address, step.clone());
            }
            Some("minted") => {
                let id = text(&entry["id"]);
                known.entry(address.clone()).or_default().id.clone_from(&id);
                open.entry(address).or_insert_with(Open::default).id = id;
            }
            Some("done" | "failed" | "parked" | "gone" | "deleted" | "undone") => drop(open.remove(&address)),
            _ => {}
        }
    }
    open
}

/// Whether a step that is open can have sent this call: the very one that its ownership tag names, or one of its service whose id it
/// names or who has none yet.
fn announced(call: &Call, open: &BTreeMap<String, Open>) -> Result<(), String> {
    let service = match call.operation.service.as_str() {
        "elasticloadbalancing" => "elb",
        "application-autoscaling" => "autoscaling",
        "monitoring" => "cloudwatch",
        other => other,
    };
    let of_service: Vec<&Open> = open.values().filter(|step| step.kind.split('/').next() == Some(service)).collect();
    if of_service.is_empty() {
        return Err(format!("nothing of {service} had begun, only {open:?}"));
    }
    let said = format!("{} {}", call.target, call.body).replace("%2F", "/").replace("%3A", ":");
    let Some((_, tagged)) = said.split_once("rcm:address") else {
        let sent = of_service.into_iter().any(|step| step.may_send(call, &said));
        return if sent { Ok(()) } else { Err(format!("it names nothing that had begun, only {open:?} had")) };
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '/';
    let mut words = tagged.split(|c| !is_part(c)).filter(|word| word.contains('/') && !word.starts_with('/'));
    match words.next() {
        Some(address) if open.contains_key(address) => Ok(()),
        address => Err(format!("{address:?} had not begun, only {open:?}")),
    }
}

/// Calls to a cloud that is not there, which is no matter: they are looked at before it gets them.
const CALLS: &str = "
def send(call, **arguments):
    try:
        call(**arguments)
    except Exception:
        pass
def tagged(address):
    return [{'ResourceType': 'vpc', 'Tags': [{'Key': 'rcm:address', 'Value': address}]}]
ec2, kms, alarms = client('ec2'), client('kms'), client('cloudwatch')
send(ec2.create_vpc, CidrBlock='10.0.0.0/16', TagSpecifications=tagged('network/vpc'))
send(ec2.create_vpc, CidrBlock='10.0.0.0/16', TagSpecifications=tagged('network/other'))
send(ec2.delete_subnet, SubnetId='subnet-1')
send(ec2.delete_subnet, SubnetId='subnet-2')
send(ec2.describe_vpcs)
send(kms.create_key)
send(alarms.delete_alarms, AlarmNames=['acme-rcm-prod-cpu'])
say(None)
";

/// What a recorder objects to of those calls, with this in the journal, beside a state that has two subnets and an alarm.
fn objections(journal: &[Value]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        rcm::engine::store::write_atomically(&dir.path().join(name), text.as_bytes()).unwrap();
    };
    let record = |kind: &str, id: &str| json!({"kind": kind, "id": id});
    let state = json!({"resources": {
        "network/subnet/a": record("ec2/subnet", "subnet-1"),
        "network/subnet/b": record("ec2/subnet", "subnet-2"),
        "watching/alarm/cpu": record("cloudwatch/alarm", "acme-rcm-prod-cpu"),
    }});
    write("prod.json", state.to_string());
    write("prod.journal.jsonl", journal.iter().map(|entry| format!("{entry}\n")).collect());
    let recorder = Recorder::start("http://127.0.0.1:9");
    watch(&recorder, dir.path().to_owned());
    boto3(&recorder.endpoint(), CALLS);
    assert_eq!(recorder.calls().len(), 7, "{}", recorder.calls());
    let brief = |objection: String| objection.split(", only ").next().unwrap_or_default().to_owned();
    recorder.objections().into_iter().map(brief).collect()
}

fn begin(address: &str, kind: Option<&str>) -> Value {
    json!({"entry": "begin", "intent": {"address": address, "kind": kind}})
}

#[test]
fn a_call_that_no_journal_announces_is_found() {
    assert_eq!(
        objections(&[]),
        [
            "ec2:CreateVpc: nothing of ec2 had begun",
            "ec2:CreateVpc: nothing of ec2 had begun",
            "ec2:DeleteSubnet: nothing of ec2 had begun",
            "ec2:DeleteSubnet: nothing of ec2 had begun",
            "kms:CreateKey: nothing of kms had begun",
            "monitoring:DeleteAlarms: nothing of cloudwatch had begun",
        ]
    );
}

#[test]
fn a_call_for_something_else_than_what_has_begun_is_found() {
    let begun = [
        begin("network/vpc", Some("ec2/vpc")),
        json!({"entry": "minted", "address": "network/vpc", "id": "vpc-1"}),
        begin("network/subnet/a", None),
        begin("security/key", Some("kms/key")),
        begin("watching/alarm/cpu", None),
    ];
    let found =
        ["ec2:CreateVpc: Some(\"network/other\") had not begun", "ec2:DeleteSubnet: it names nothing that had begun"];
    assert_eq!(objections(&begun), found);

    let ended = |address: &str| json!({"entry": "done", "address": address});
    let over = [&begun[..], &[ended("network/vpc"), ended("security/key")]].concat();
    let more = ["ec2:CreateVpc: Some(\"network/vpc\") had not begun", found[0], found[1]];
    assert_eq!(objections(&over), [&more[..], &["kms:CreateKey: nothing of kms had begun"]].concat());
}
