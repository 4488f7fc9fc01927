//! Route 53: hosted zones and their records. Nobody resolves anything by them but the sandbox's Certificate Manager.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `CreateHostedZone`, `GetHostedZone`, `ListHostedZones`, `ListHostedZonesByName` | public and private zones; one per caller reference |
//! | `DeleteHostedZone` | `HostedZoneNotEmpty` while there is any record but the zone's own |
//! | `ChangeResourceRecordSets` | all of a batch or nothing; what exists, does not exist, is not what was said, or conflicts is refused |
//! | `ListResourceRecordSets` | in Route 53's order (labels from the right), from a name and type on, in pages |
//! | `GetChange` | `PENDING` for some polls, then `INSYNC`; changes of another process are forgotten |
//!
//! Records with a set identifier (weights, regions, failover) are refused: they are not played.
//!
//! API: <https://docs.aws.amazon.com/Route53/latest/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::time::timestamp;
use crate::wire::{self, Element, Fault, Params, Xml};

/// What every path begins with.
pub(crate) const API: &str = "/2013-04-01/";
const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// All zones of the account, by id.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Route53 {
    zones: BTreeMap<String, Zone>,
    /// Changes that are on their way, by id.
    #[serde(skip)]
    changes: BTreeMap<String, Countdown>,
}

#[derive(Serialize, Deserialize)]
struct Zone {
    /// With the dot at its end.
    name: String,
    reference: String,
    comment: Option<String>,
    private: bool,
    records: Vec<Record>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Record {
    /// With the dot at its end.
    name: String,
    kind: String,
    ttl: Option<i64>,
    values: Vec<String>,
    alias: Option<Alias>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Alias {
    zone: String,
    dns_name: String,
    evaluates_health: bool,
}

/// An answer: its status, the name of its root and what is in it.
type Answer = Result<(u16, &'static str, Xml), Fault>;

impl Emulated for Route53 {
    const NAME: &'static str = "route53";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        match emulator.lock().operate(cx, request) {
            Ok((status, root, content)) => wire::rest_reply(status, NAMESPACE, Ok((root, content))),
            Err(fault) => wire::rest_reply(400, NAMESPACE, Err(fault)),
        }
    }
}

impl Route53 {
    fn operate(&mut self, cx: &Context, request: &ApiRequest) -> Answer {
        let target = request.uri.split_once(API).map_or("", |(_, target)| target);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = Params::parse(query.as_bytes());
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["hostedzone"]) => self.create(cx, &body(request)?),
            ("GET", ["hostedzone"]) => self.list(None),
            ("GET", ["hostedzonesbyname"]) => self.list(query.get("dnsname")),
            ("GET", ["hostedzone", id]) => self.get(id),
            ("DELETE", ["hostedzone", id]) => self.delete(cx, id),
            ("POST", ["hostedzone", id, "rrset"]) => self.change(cx, id, &body(request)?),
            ("GET", ["hostedzone", id, "rrset"]) => self.records(id, &query),
            ("GET", ["change", id]) => self.get_change(id),
            (method, _) => {
                let message = format!("the sandbox does not play {method} {API}{path}");
                Err(Fault::new("UnknownOperationException", message))
            }
        }
    }

    fn zone(&mut self, id: &str) -> Result<&mut Zone, Fault> {
        let missing = || Fault::new("NoSuchHostedZone", format!("No hosted zone found with ID: {id}")).status(404);
        self.zones.get_mut(id).ok_or_else(missing)
    }

    fn create(&mut self, cx: &Context, request: &Element) -> Answer {
        let reference = request.text_of("CallerReference").unwrap_or_default().to_owned();
        if self.zones.values().any(|zone| zone.reference == reference) {
            let message =
                format!("A hosted zone has already been created with the specified caller reference: {reference}");
            return Err(Fault::new("HostedZoneAlreadyExists", message).status(409));
        }
        let name = absolute(request.text_of("Name").unwrap_or_default());
        if name == "." {
            return Err(Fault::new("InvalidDomainName", "A hosted zone has a domain name."));
        }
        let config = request.child("HostedZoneConfig");
        let comment = config.and_then(|config| config.text_of("Comment")).map(str::to_owned);
        let id = zone_id();
        let zone =
            Zone { records: own_records(&name), private: request.child("VPC").is_some(), name, reference, comment };
        let mut answer = Xml::default();
        show_zone(&mut answer, &id, &zone);
        self.begin(cx, &mut answer);
        show_name_servers(&mut answer);
        self.zones.insert(id, zone);
        Ok((201, "CreateHostedZoneResponse", answer))
    }

    fn get(&mut self, id: &str) -> Answer {
        let zone = self.zone(id)?;
        let mut answer = Xml::default();
        show_zone(&mut answer, id, zone);
        if !zone.private {
            show_name_servers(&mut answer);
        }
        Ok((200, "GetHostedZoneResponse", answer))
    }

    /// All of them: an account that the sandbox plays has no hundred.
    fn list(&self, from: Option<&str>) -> Answer {
        let from = from.map(|from| order(&absolute(from)));
        let mut zones: Vec<_> = self.zones.iter().collect();
        if let Some(from) = &from {
            zones.sort_by_key(|(_, zone)| order(&zone.name));
            zones.retain(|(_, zone)| order(&zone.name) >= *from);
        }
        let mut answer = Xml::default();
        answer.node("HostedZones", |list| zones.into_iter().for_each(|(id, zone)| show_zone(list, id, zone)));
        answer.text("IsTruncated", false).text("MaxItems", 100);
        let root = if from.is_some() { "ListHostedZonesByNameResponse" } else { "ListHostedZonesResponse" };
        Ok((200, root, answer))
    }

    fn delete(&mut self, cx: &Context, id: &str) -> Answer {
        let zone = self.zone(id)?;
        if zone.records.len() > own_records(&zone.name).len() {
            let message =
                "The specified hosted zone contains non-required resource record sets and so cannot be deleted.";
            return Err(Fault::new("HostedZoneNotEmpty", message));
        }
        self.zones.remove(id);
        let mut answer = Xml::default();
        self.begin(cx, &mut answer);
        Ok((200, "DeleteHostedZoneResponse", answer))
    }

    fn change(&mut self, cx: &Context, id: &str, request: &Element) -> Answer {
        let zone = self.zone(id)?;
        let changes = request.child("ChangeBatch").and_then(|batch| batch.child("Changes"));
        let mut records = zone.records.clone();
        for change in changes.iter().flat_map(|changes| changes.all("Change")) {
            let action = change.text_of("Action").unwrap_or_default();
            let record = change.child("ResourceRecordSet").ok_or_else(|| invalid("a change has no record"))?;
            zone.apply(&mut records, action, Record::read(record)?)?;
        }
        zone.records = records;
        let mut answer = Xml::default();
        self.begin(cx, &mut answer);
        Ok((200, "ChangeResourceRecordSetsResponse", answer))
    }

    fn records(&mut self, id: &str, query: &Params) -> Answer {
        let from =
            query.get("name").map(|name| (order(&absolute(name)), query.get("type").unwrap_or_default().to_owned()));
        let most = query.parsed::<usize>("maxitems")?.unwrap_or(300).clamp(1, 300);
        let mut records: Vec<&Record> = self.zone(id)?.records.iter().collect();
        records.sort_by_key(|record| record.place());
        records.retain(|record| from.as_ref().is_none_or(|from| record.place() >= *from));
        let mut answer = Xml::default();
        answer
            .list("ResourceRecordSets", "ResourceRecordSet", records.iter().take(most), |xml, record| record.show(xml));
        answer.text("IsTruncated", records.len() > most).text("MaxItems", most);
        if let Some(next) = records.get(most) {
            answer.text("NextRecordName", &next.name).text("NextRecordType", &next.kind);
        }
        Ok((200, "ListResourceRecordSetsResponse", answer))
    }

    fn get_change(&mut self, id: &str) -> Answer {
        let missing = || Fault::new("NoSuchChange", format!("Could not find resource with ID: {id}")).status(404);
        let arrived = self.changes.get_mut(id).ok_or_else(missing)?.poll();
        let mut answer = Xml::default();
        show_change(&mut answer, id, arrived);
        Ok((200, "GetChangeResponse", answer))
    }

    /// A change is on its way to the name servers from now on.
    fn begin(&mut self, cx: &Context, answer: &mut Xml) {
        let id = format!("C{}", &zone_id()[1..]);
        show_change(answer, &id, cx.polls() == 0);
        self.changes.insert(id, Countdown::new(cx.polls()));
    }
}

impl Zone {
    /// Messages as AWS words them: clients tell by them what was wrong.
    fn apply(&self, records: &mut Vec<Record>, action: &str, record: Record) -> Result<(), Fault> {
        let Record { name, kind, .. } = &record;
        if *name != self.name && !name.ends_with(&format!(".{}", self.name)) {
            return Err(refused(format!("RRSet with DNS name {name} is not permitted in zone {}", self.name)));
        }
        let at = records.iter().position(|there| (&there.name, &there.kind) == (name, kind));
        let about = format!("resource record set [name='{name}', type='{kind}']");
        match (action, at) {
            ("CREATE", Some(_)) => return Err(refused(format!("Tried to create {about} but it already exists"))),
            ("DELETE", None) => return Err(refused(format!("Tried to delete {about} but it was not found"))),
            ("DELETE", Some(at)) if records[at] != record => {
                return Err(refused(format!(
                    "Tried to delete {about} but the values provided do not match the current values"
                )));
            }
            ("DELETE", Some(at)) => {
                records.remove(at);
                return Ok(());
            }
            ("UPSERT", Some(at)) => {
                records.remove(at);
            }
            ("CREATE" | "UPSERT", None) => {}
            (other, _) => return Err(invalid(format!("`{other}` is no action"))),
        }
        if kind == "CNAME" && *name == self.name {
            let message =
                format!("RRSet of type CNAME with DNS name {name} is not permitted at apex in zone {}", self.name);
            return Err(refused(message));
        }
        let conflicts = |there: &&Record| there.name == *name && (kind == "CNAME" || there.kind == "CNAME");
        if let Some(other) = records.iter().find(conflicts) {
            return Err(refused(format!(
                "RRSet of type {kind} with DNS name {name} is not permitted because a conflicting RRSet of type {} with the \
                 same DNS name already exists in zone {}",
                other.kind, self.name
            )));
        }
        records.push(record);
        Ok(())
    }
}

impl Record {
    fn read(element: &Element) -> Result<Self, Fault> {
        let text = |name: &str| element.text_of(name).map(str::to_owned);
        if element.child("SetIdentifier").is_some() {
            return Err(invalid("the sandbox plays simple records only, none with a set identifier"));
        }
        let alias = element.child("AliasTarget").map(|target| Alias {
            zone: target.text_of("HostedZoneId").unwrap_or_default().to_owned(),
            dns_name: absolute(target.text_of("DNSName").unwrap_or_default()),
            evaluates_health: target.text_of("EvaluateTargetHealth") == Some("true"),
        });
        let values = element.child("ResourceRecords").into_iter().flat_map(|records| records.all("ResourceRecord"));
        let values: Vec<String> = values.filter_map(|record| record.text_of("Value")).map(str::to_owned).collect();
        let ttl = text("TTL").and_then(|ttl| ttl.parse().ok());
        if alias.is_some() == (ttl.is_some() && !values.is_empty()) {
            return Err(invalid("Invalid XML: a record is either an alias or has a TTL and values"));
        }
        let name = absolute(&text("Name").unwrap_or_default());
        Ok(Self { name, kind: text("Type").unwrap_or_default(), ttl, values, alias })
    }

    fn show(&self, xml: &mut Xml) {
        xml.text("Name", &self.name).text("Type", &self.kind);
        match &self.alias {
            Some(alias) => xml.node("AliasTarget", |target| {
                target.text("HostedZoneId", &alias.zone).text("DNSName", &alias.dns_name);
                target.text("EvaluateTargetHealth", alias.evaluates_health);
            }),
            None => {
                xml.opt("TTL", self.ttl).list("ResourceRecords", "ResourceRecord", &self.values, |record, value| {
                    record.text("Value", value);
                })
            }
        };
    }

    fn place(&self) -> (Vec<String>, String) {
        (order(&self.name), self.kind.clone())
    }
}

/// The root of a request's document.
fn body(request: &ApiRequest) -> Result<Element, Fault> {
    let text = std::str::from_utf8(&request.body).ok();
    text.and_then(Element::parse).ok_or_else(|| invalid("The request is not well-formed XML."))
}

/// In lower case and with the dot at its end, as Route 53 keeps names.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_lowercase().replace('*', "\\052"))
}

/// Names are sorted by their labels from the right.
fn order(name: &str) -> Vec<String> {
    name.trim_end_matches('.').rsplit('.').map(str::to_owned).collect()
}

const NAME_SERVERS: [&str; 2] = ["ns-2048.awsdns-64.com", "ns-2049.awsdns-65.net"];

/// What every zone has of its own.
fn own_records(zone: &str) -> Vec<Record> {
    let record =
        |kind: &str, ttl, values| Record { name: zone.to_owned(), kind: kind.to_owned(), ttl, values, alias: None };
    let servers = NAME_SERVERS.iter().map(|server| format!("{server}.")).collect();
    let soa = format!("{}. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", NAME_SERVERS[0]);
    vec![record("NS", Some(172_800), servers), record("SOA", Some(900), vec![soa])]
}

fn show_zone(xml: &mut Xml, id: &str, zone: &Zone) {
    xml.node("HostedZone", |shown| {
        shown.text("Id", format!("/hostedzone/{id}")).text("Name", &zone.name).text("CallerReference", &zone.reference);
        shown.node("Config", |config| {
            config.opt("Comment", zone.comment.as_ref()).text("PrivateZone", zone.private);
        });
        shown.text("ResourceRecordSetCount", zone.records.len());
    });
}

fn show_name_servers(xml: &mut Xml) {
    xml.node("DelegationSet", |set| {
        set.texts("NameServers", "NameServer", NAME_SERVERS);
    });
}

fn show_change(xml: &mut Xml, id: &str, arrived: bool) {
    let status = if arrived { "INSYNC" } else { "PENDING" };
    xml.node("ChangeInfo", |info| {
        info.text("Id", format!("/change/{id}")).text("Status", status).text("SubmittedAt", timestamp());
    });
}

/// `Z` and twenty letters and digits.
fn zone_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
    format!("Z{}", &random[..20])
}

fn refused(message: String) -> Fault {
    Fault::new("InvalidChangeBatch", format!("[{message}]"))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidInput", message)
}
