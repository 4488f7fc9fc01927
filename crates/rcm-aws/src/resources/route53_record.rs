//! A DNS record in a public hosted zone: the one that proves a domain to Certificate Manager, or the one that leads a domain to
//! a load balancer.
//!
//! API: [ChangeResourceRecordSets](https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html),
//! [ListResourceRecordSets](https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListResourceRecordSets.html),
//! [GetChange](https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html).
//!
//! Surprises: records carry no tags. A record is ours if the state says so, or if it says exactly what ours would say; one that
//! says something else is left alone, and named. Certificate Manager asks for the same record for every certificate of a domain
//! in an account ([DNS validation](https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html)), and wants it at each
//! renewal: it may be there already, and it is not deleted while a certificate that is not of this deployment needs it. (Only
//! certificates of this Region are looked at.) A delete has to name the record's exact content. Route 53 takes five calls a
//! second from an account, and tells how far a change is only to who has the change's id.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use rcm_engine::model::{Actions, Fault, FaultKind, Id, Known, Observed, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::acm_certificate::{self, Certificate};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// For how long, in seconds, the world may remember a record that proves a domain. Nobody waits for it to be forgotten, so it is
/// not compared either: whoever made the record first has chosen.
const PROOF_TTL: i64 = 300;
/// Where Certificate Manager's own records lead to.
const PROOFS: &str = ".acm-validations.aws";
/// The longest page that Route 53 gives.
const PAGE: i32 = 300;

/// What a record should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The id of the hosted zone (`Z0123456789ABCDEFGHIJ`). Part of the record's id.
    pub zone: String,
    /// The domain that it is about (`rcm.acme.com`). The record's name follows from it.
    pub domain: String,
    /// What it says of the domain.
    pub content: Content,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// That the domain is ours: the CNAME that a certificate is validated by. The certificate waits for the record, so the
    /// reference is an early one.
    Proof(Ref<Certificate>),
    /// Where the domain leads to.
    Alias(Alias),
}

/// A load balancer's name; both fields are outputs of it. An alias works where a CNAME does not, at the top of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// Its DNS name.
    pub dns_name: Value,
    /// The hosted zone that Elastic Load Balancing keeps that name in.
    pub zone: Value,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// Its name, with the dot at its end.
    pub name: String,
    /// Its type (`CNAME`, `A`).
    #[serde(rename = "type")]
    pub kind: String,
}

/// The changes that this process has sent, by the record's id: what has to be known to ask how far one is.
#[derive(Debug, Clone, Default)]
pub(crate) struct DnsChanges(Arc<Mutex<BTreeMap<Id, String>>>);

impl DnsChanges {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A DNS record.
pub struct DnsRecord;

impl Resource for DnsRecord {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "route53/record";
    const REPLACE_ON: &'static [&'static str] = &["zone", "domain"];

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let wanted = wanted(cx, spec).await?.ok_or_else(|| unknown(&spec.domain))?;
        let id = id_of(&spec.zone, &wanted);
        match change(cx.cloud, &id, ChangeAction::Create, wanted.clone()).await {
            Ok(()) => Ok(id),
            Err(fault) if fault.kind == FaultKind::Exists => Err(in_the_way(cx, &id, &wanted, fault).await?),
            Err(fault) => Err(fault),
        }
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.creating() || !cx.changes("content") {
            return Ok(());
        }
        let wanted = wanted(cx, spec).await?.ok_or_else(|| unknown(&spec.domain))?;
        if id_of(&spec.zone, &wanted) != *id {
            let message = format!("the certificate asks for another record than {id}: delete that one, and provision again");
            return Err(Fault::invalid("configure", message));
        }
        let live = live(cx.cloud, &place(id)?).await?;
        if live.is_some_and(|live| said(&live) == said(&wanted)) {
            return Ok(());
        }
        change(cx.cloud, id, ChangeAction::Upsert, wanted).await
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        // One that another process has sent is long since everywhere.
        let Some(change) = cx.cloud.dns_changes.lock().get(id).cloned() else { return Ok(Readiness::Ready) };
        let sent = cx.cloud.route53.get_change().id(change).send().await.map_err(fault("route53", "GetChange"));
        let info = absent(sent)?.and_then(|answer| answer.change_info);
        Ok(match info {
            Some(info) if *info.status() != ChangeStatus::Insync => {
                Readiness::Pending("on its way to Route 53's name servers".into())
            }
            _ => Readiness::Ready,
        })
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let place = place(id)?;
        Ok(live(cx.cloud, &place).await?.map(|live| observe(&place, &live)))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let places: Vec<Place<'_>> = known.iter().map(|known| place(known.id)).collect::<Result<_, _>>()?;
        let mut pages: BTreeMap<&str, Page> = BTreeMap::new();
        for at in &places {
            // Our records of a zone are neighbours in its list: the page from the first of them on has the others too.
            if !pages.contains_key(at.zone) {
                let of_zone = places.iter().filter(|other| other.zone == at.zone);
                let first = of_zone.map(|place| place.name).min_by_key(|name| order(name)).unwrap_or(at.name);
                pages.insert(at.zone, page(known[0].cx.cloud, at.zone, first).await?);
            }
        }
        let mut seen = Vec::new();
        for at in &places {
            let live = match pages.get(at.zone).map(|page| page.find(at)) {
                Some(Look::Found(record)) => Some(record.clone()),
                Some(Look::Absent) => None,
                Some(Look::Beyond) | None => live(known[0].cx.cloud, at).await?,
            };
            seen.push(live.map(|live| observe(at, &live)));
        }
        Ok(seen)
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let Some(wanted) = wanted(cx, spec).await? else { return Ok(None) };
        let id = id_of(&spec.zone, &wanted);
        let live = live(cx.cloud, &place(&id)?).await?;
        Ok(live.filter(|live| said(live) == said(&wanted)).map(|_| id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let place = place(id)?;
        let Some(live) = live(cx.cloud, &place).await? else { return Ok(()) };
        match kept_for(cx, &place, &live).await? {
            Some(why) => cx.leaves(&why, id.as_str()),
            None => change(cx.cloud, id, ChangeAction::Delete, live).await?,
        }
        Ok(())
    }

    fn fits(_: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        let (id, Spec { zone, domain, .. }) = (id.as_str(), spec);
        match spec.content {
            Content::Proof(_) => id.starts_with(&format!("{zone}/_")) && id.ends_with(&format!(".{domain}./CNAME")),
            Content::Alias(_) => id == format!("{zone}/{domain}./A"),
        }
    }

    fn actions() -> Actions {
        Actions {
            write: &["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets", "acm:DescribeCertificate"],
            read: &["route53:GetHostedZone", "route53:GetChange", "route53:ListResourceRecordSets", "acm:DescribeCertificate"],
            delete: &[
                "route53:ChangeResourceRecordSets",
                "route53:ListResourceRecordSets",
                "acm:ListCertificates",
                "acm:ListTagsForCertificate",
            ],
        }
    }
}

/// Where a record is: what its id says.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    zone: &'a str,
    name: &'a str,
    kind: RrType,
}

impl Place<'_> {
    /// The domain that it is about: records that prove one hang below it.
    fn domain(&self) -> &str {
        let name = self.name.trim_end_matches('.');
        if name.starts_with('_') { name.split_once('.').map_or(name, |(_, domain)| domain) } else { name }
    }
}

/// `Z0123456789ABCDEFGHIJ/rcm.acme.com./A`
fn id_of(zone: &str, record: &ResourceRecordSet) -> Id {
    Id::new(format!("{zone}/{}./{}", plain(record.name()), record.r#type()))
}

fn place(id: &Id) -> Result<Place<'_>, Fault> {
    let parts = id.as_str().split_once('/').and_then(|(zone, rest)| Some((zone, rest.rsplit_once('/')?)));
    let (zone, (name, kind)) =
        parts.ok_or_else(|| Fault::invalid("id", format!("{id} is not a record: ZONE/NAME./TYPE")))?;
    Ok(Place { zone, name, kind: kind.into() })
}

/// A name as records are compared by it.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

/// The record that `spec` describes; `None` while Certificate Manager has not said which one it wants.
async fn wanted(cx: &Cx<'_>, spec: &Spec) -> Result<Option<ResourceRecordSet>, Fault> {
    let record = ResourceRecordSet::builder();
    let record = match &spec.content {
        Content::Proof(certificate) => {
            let proof = acm_certificate::proof(cx.cloud, &cx.id(certificate)?, &spec.domain).await?;
            let Some(proof) = proof else { return Ok(None) };
            let value = ResourceRecord::builder().value(proof.value).build().map_err(unsendable())?;
            record.name(format!("{}.", plain(&proof.name))).r#type(proof.kind.as_str().into()).ttl(PROOF_TTL).resource_records(value)
        }
        Content::Alias(Alias { dns_name, zone }) => {
            let text = |value: &Value| {
                let value = cx.resolve(value)?;
                value.as_str().map(str::to_owned).ok_or_else(|| Fault::invalid("alias", format!("{value} is no name")))
            };
            let target = AliasTarget::builder().dns_name(text(dns_name)?).hosted_zone_id(text(zone)?);
            let target = target.evaluate_target_health(false).build().map_err(unsendable())?;
            record.name(format!("{}.", spec.domain)).r#type(RrType::A).alias_target(target)
        }
    };
    record.build().map(Some).map_err(unsendable())
}

fn unsendable() -> impl FnOnce(aws_smithy_types::error::operation::BuildError) -> Fault {
    unbuilt("route53", "ChangeResourceRecordSets")
}

fn unknown(domain: &str) -> Fault {
    let message = format!("Certificate Manager has not said yet which record proves {domain}");
    Fault::ours(FaultKind::Propagating, "record", "NoValidationRecord", message)
}

async fn change(aws: &Aws, id: &Id, action: ChangeAction, record: ResourceRecordSet) -> Result<(), Fault> {
    let change = Change::builder().action(action).resource_record_set(record).build().map_err(unsendable())?;
    let batch = ChangeBatch::builder().comment("rcm").changes(change).build().map_err(unsendable())?;
    let request = aws.route53.change_resource_record_sets().hosted_zone_id(place(id)?.zone).change_batch(batch);
    let answer = request.send().await.map_err(fault("route53", "ChangeResourceRecordSets"))?;
    let info = answer.change_info.ok_or_else(|| missing("route53", "ChangeResourceRecordSets", "ChangeInfo"))?;
    aws.dns_changes.lock().insert(id.clone(), info.id);
    Ok(())
}

/// A page of a zone's list.
struct Page {
    records: Vec<ResourceRecordSet>,
    /// Where the next page begins.
    next: Option<String>,
}

/// What a page tells of a record.
enum Look<'p> {
    Found(&'p ResourceRecordSet),
    Absent,
    /// It would be on a later page.
    Beyond,
}

impl Page {
    fn find(&self, place: &Place<'_>) -> Look<'_> {
        match self.named(place.name).find(|record| *record.r#type() == place.kind) {
            Some(record) => Look::Found(record),
            None if self.next.as_ref().is_some_and(|next| order(next) <= order(place.name)) => Look::Beyond,
            None => Look::Absent,
        }
    }

    /// The records of that name.
    fn named(&self, name: &str) -> impl Iterator<Item = &ResourceRecordSet> {
        let name = plain(name);
        self.records.iter().filter(move |record| plain(record.name()) == name)
    }
}

/// Route 53 lists names by their labels from the right.
fn order(name: &str) -> Vec<String> {
    plain(name).rsplit('.').map(str::to_owned).collect()
}

/// The page that begins with `name`; an empty one where there is no such zone any more.
async fn page(aws: &Aws, zone: &str, name: &str) -> Result<Page, Fault> {
    let request = aws.route53.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name);
    let sent = request.max_items(PAGE).send().await.map_err(fault("route53", "ListResourceRecordSets"));
    Ok(absent(sent)?.map_or(Page { records: Vec::new(), next: None }, |answer| Page {
        records: answer.resource_record_sets,
        next: answer.next_record_name.filter(|_| answer.is_truncated),
    }))
}

/// The record at its place; `None` also where there is no such zone any more. No name has more records than a page.
async fn live(aws: &Aws, place: &Place<'_>) -> Result<Option<ResourceRecordSet>, Fault> {
    let page = page(aws, place.zone, place.name).await?;
    Ok(page.named(place.name).find(|record| *record.r#type() == place.kind).cloned())
}

/// What a record says, in a form to compare and to show.
fn said(record: &ResourceRecordSet) -> Value {
    let mut said = match record.alias_target() {
        Some(target) => json!({"alias": {"dns_name": plain(target.dns_name()), "zone": target.hosted_zone_id()}}),
        None => {
            let values = record.resource_records().iter().map(|record| plain(record.value()));
            json!({"values": values.collect::<Vec<_>>()})
        }
    };
    if record.alias_target().is_some_and(|target| target.evaluate_target_health()) {
        said["alias"]["evaluate_target_health"] = true.into();
    }
    // One of several for a name, of which Route 53 chooses: never rcm's.
    if let Some(set) = record.set_identifier() {
        said["set"] = set.into();
    }
    said
}

/// Whether a record leads to where Certificate Manager's do. Which of them it has to be follows from its name, which is the
/// account's and the domain's own.
fn proves(record: &ResourceRecordSet) -> bool {
    let [value] = record.resource_records() else { return false };
    *record.r#type() == RrType::Cname && record.set_identifier().is_none() && plain(value.value()).ends_with(PROOFS)
}

fn observe(place: &Place<'_>, live: &ResourceRecordSet) -> Observed<Outputs> {
    let outputs = Outputs { name: place.name.to_owned(), kind: place.kind.as_str().to_owned() };
    let seen = Observed::new(outputs).see("zone", place.zone).see("domain", place.domain());
    // The right proof shows no certificate that it could be compared with.
    if proves(live) { seen } else { seen.see("content", said(live)) }
}

/// Something has the record's name already. The same record is taken up by the engine; of anything else a person decides.
async fn in_the_way(cx: &Cx<'_>, id: &Id, wanted: &ResourceRecordSet, fault: Fault) -> Result<Fault, Fault> {
    let place = place(id)?;
    let page = page(cx.cloud, place.zone, place.name).await?;
    let mut there: Vec<&ResourceRecordSet> = page.named(place.name).collect();
    let same_type = there.iter().copied().find(|record| record.r#type() == wanted.r#type());
    if same_type.is_some_and(|record| said(record) == said(wanted)) {
        return Ok(fault);
    }
    let advice = match same_type {
        Some(record) => {
            there = vec![record];
            format!("to let rcm change it: rcm import {} {id}", cx.identity.address)
        }
        None => "delete it in Route 53 first, and provision again".to_owned(),
    };
    let shown = |record: &ResourceRecordSet| format!("{} {}", record.r#type(), said(record));
    let found: Vec<String> = there.into_iter().map(shown).collect();
    let message = format!(
        "{} (rcm has not made it and leaves it alone: it says {}, and rcm's would say {}; {advice})",
        fault.message,
        found.join(", "),
        shown(wanted),
    );
    Ok(Fault { kind: FaultKind::Invalid, message, ..fault })
}

/// Why a record stays although rcm would delete it, if it does.
async fn kept_for(cx: &Cx<'_>, place: &Place<'_>, live: &ResourceRecordSet) -> Result<Option<String>, Fault> {
    let ours = format!("{}-", identity::prefix(cx.identity));
    let is_ours = |target: &AliasTarget| plain(target.dns_name()).starts_with(&ours);
    if live.set_identifier().is_none() && live.alias_target().is_some_and(is_ours) {
        return Ok(None);
    }
    if !proves(live) {
        return Ok(Some(format!("record that somebody has changed, now {},", said(live))));
    }
    let other = acm_certificate::also_proven(cx.cloud, &cx.identity.deployment, place.domain()).await?;
    Ok(other.map(|certificate| format!("record that {certificate} is renewed by,")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cname(value: &str) -> ResourceRecordSet {
        let value = ResourceRecord::builder().value(value).build().unwrap();
        let record = ResourceRecordSet::builder().name("_1.Rcm.acme.com.").r#type(RrType::Cname);
        record.ttl(60).resource_records(value).build().unwrap()
    }

    fn alias(dns_name: &str) -> ResourceRecordSet {
        let target = AliasTarget::builder().dns_name(dns_name).hosted_zone_id("Z35SXDOTRQ7X7K");
        let target = target.evaluate_target_health(false).build().unwrap();
        ResourceRecordSet::builder().name("rcm.acme.com").r#type(RrType::A).alias_target(target).build().unwrap()
    }

    #[test]
    fn an_id_tells_where_the_record_is_and_what_it_is_about() {
        let id = id_of("Z1", &cname("_2.a.acm-validations.aws."));
        assert_eq!(id.as_str(), "Z1/_1.rcm.acme.com./CNAME");
        let here = place(&id).unwrap();
        assert_eq!((here.zone, here.name, here.domain()), ("Z1", "_1.rcm.acme.com.", "rcm.acme.com"));
        assert_eq!(place(&id_of("Z1", &alias("a"))).unwrap().domain(), "rcm.acme.com");
        assert!(place(&Id::from("rcm.acme.com")).is_err());
    }

    #[test]
    fn what_a_page_does_not_show_is_absent_or_on_a_later_one() {
        let page = |next: Option<&str>| Page { records: vec![alias("a")], next: next.map(str::to_owned) };
        let look = |page: &Page, id: &str| match page.find(&place(&Id::from(id)).unwrap()) {
            Look::Found(_) => "found",
            Look::Absent => "absent",
            Look::Beyond => "beyond",
        };
        let (whole, cut) = (page(None), page(Some("_1.rcm.acme.com.")));
        assert_eq!(look(&whole, "Z1/rcm.acme.com./A"), "found");
        assert_eq!(look(&whole, "Z1/rcm.acme.com./CNAME"), "absent");
        assert_eq!((look(&cut, "Z1/_1.rcm.acme.com./CNAME"), look(&cut, "Z1/b.acme.com./A")), ("beyond", "absent"));
    }

    #[test]
    fn names_are_compared_without_case_and_without_the_last_dot() {
        assert_eq!(said(&alias("Acme-ALB-1.elb.amazonaws.com")), said(&alias("acme-alb-1.elb.amazonaws.com.")));
        assert_ne!(said(&alias("a.elb.amazonaws.com")), said(&alias("b.elb.amazonaws.com")));
    }

    #[test]
    fn a_right_proof_is_not_compared_and_a_wrong_one_is_shown() {
        let id = Id::from("Z1/_1.rcm.acme.com./CNAME");
        let seen = |record: &ResourceRecordSet| format!("{:?}", observe(&place(&id).unwrap(), record));
        assert!(!seen(&cname("_2.a.acm-validations.aws.")).contains("content"));
        assert!(seen(&cname("elsewhere.example.com.")).contains("elsewhere.example.com"));
    }
}
