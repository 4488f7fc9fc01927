//! Hosted zones and their records.

use aws_sdk_route53::Client;
use aws_sdk_route53::error::SdkError;
use aws_sdk_route53::operation::change_resource_record_sets::{
    ChangeResourceRecordSetsError, ChangeResourceRecordSetsOutput,
};
use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType, Vpc,
};

use crate::support::{Cloud, code, refusal};

/// The id of a new zone, as it stands in a path.
pub(crate) async fn zone(route53: &Client, name: &str, private: bool) -> String {
    let request = route53.create_hosted_zone().name(name).caller_reference(format!("{name} {private}"));
    let request = request.set_vpc(private.then(|| Vpc::builder().vpc_id("vpc-1").build()));
    let id = request.send().await.unwrap().hosted_zone.unwrap().id;
    id.trim_start_matches("/hostedzone/").to_owned()
}

pub(crate) fn cname(name: &str, value: &str) -> ResourceRecordSet {
    let value = ResourceRecord::builder().value(value).build().unwrap();
    ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(300).resource_records(value).build().unwrap()
}

fn alias(name: &str, target: &str) -> ResourceRecordSet {
    let target = AliasTarget::builder().dns_name(target).hosted_zone_id("Z35SXDOTRQ7X7K").evaluate_target_health(false);
    ResourceRecordSet::builder().name(name).r#type(RrType::A).alias_target(target.build().unwrap()).build().unwrap()
}

pub(crate) async fn change(
    route53: &Client,
    zone: &str,
    action: &str,
    record: ResourceRecordSet,
) -> Result<ChangeResourceRecordSetsOutput, SdkError<ChangeResourceRecordSetsError>> {
    let change = Change::builder().action(action.into()).resource_record_set(record).build().unwrap();
    let batch = ChangeBatch::builder().changes(change).build().unwrap();
    route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await
}

async fn names(route53: &Client, zone: &str) -> Vec<String> {
    let list = route53.list_resource_record_sets().hosted_zone_id(zone).send().await.unwrap();
    list.resource_record_sets.iter().map(|record| format!("{} {}", record.r#type(), record.name())).collect()
}

#[tokio::test]
async fn a_zone_has_its_own_records_and_goes_only_when_it_has_no_others() {
    let cloud = Cloud::new().await;
    let route53 = Client::new(&cloud.sdk());
    let id = zone(&route53, "Acme.com", false).await;
    let made = route53.get_hosted_zone().id(&id).send().await.unwrap();
    let shown = made.hosted_zone.unwrap();
    assert_eq!((shown.name(), shown.config().unwrap().private_zone()), ("acme.com.", false));
    assert_eq!(made.delegation_set.unwrap().name_servers().len(), 2);
    assert_eq!(names(&route53, &id).await, ["NS acme.com.", "SOA acme.com."]);
    let twice = route53.create_hosted_zone().name("acme.com").caller_reference("Acme.com false").send().await;
    assert_eq!(code(twice), "HostedZoneAlreadyExists");

    let record = alias("rcm.acme.com", "alb.elb.amazonaws.com");
    change(&route53, &id, "CREATE", record.clone()).await.unwrap();
    assert_eq!(code(route53.delete_hosted_zone().id(&id).send().await), "HostedZoneNotEmpty");
    change(&route53, &id, "DELETE", record).await.unwrap();
    route53.delete_hosted_zone().id(&id).send().await.unwrap();
    assert_eq!(code(route53.get_hosted_zone().id(&id).send().await), "NoSuchHostedZone");
    assert!(route53.list_hosted_zones().send().await.unwrap().hosted_zones.is_empty());
}

#[tokio::test]
async fn records_are_listed_by_their_labels_from_the_right_and_from_a_name_on() {
    let cloud = Cloud::new().await;
    let route53 = Client::new(&cloud.sdk());
    let id = zone(&route53, "acme.com", false).await;
    for record in [cname("b.acme.com", "x."), cname("_1.rcm.acme.com", "y."), alias("rcm.acme.com", "alb")] {
        change(&route53, &id, "CREATE", record).await.unwrap();
    }
    drop(route53);
    let cloud = cloud.reopen().await;
    let route53 = Client::new(&cloud.sdk());
    let all = ["NS acme.com.", "SOA acme.com.", "CNAME b.acme.com.", "A rcm.acme.com.", "CNAME _1.rcm.acme.com."];
    assert_eq!(names(&route53, &id).await, all);
    let list = route53.list_resource_record_sets().hosted_zone_id(&id).max_items(1);
    let page = list.start_record_name("RCM.acme.com.").send().await.unwrap();
    let target = page.resource_record_sets[0].alias_target().unwrap();
    assert_eq!((target.dns_name(), target.evaluate_target_health()), ("alb.", false));
    assert!(page.is_truncated());
    assert_eq!(page.next_record_name(), Some("_1.rcm.acme.com."));
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_with_its_reason_and_changes_nothing() {
    let cloud = Cloud::new().await;
    let route53 = Client::new(&cloud.sdk());
    let id = zone(&route53, "acme.com", false).await;
    change(&route53, &id, "CREATE", cname("rcm.acme.com", "old.example.")).await.unwrap();
    let before = names(&route53, &id).await;
    for (action, record, why) in [
        ("CREATE", cname("rcm.acme.com", "new.example."), "but it already exists"),
        ("DELETE", cname("rcm.acme.com", "new.example."), "do not match the current values"),
        ("DELETE", cname("other.acme.com", "new.example."), "but it was not found"),
        ("CREATE", alias("rcm.acme.com", "alb"), "a conflicting RRSet of type CNAME"),
        ("CREATE", cname("acme.com", "new.example."), "not permitted at apex"),
        ("UPSERT", cname("rcm.other.com", "new.example."), "is not permitted in zone acme.com."),
    ] {
        let (code, message) = refusal(change(&route53, &id, action, record).await);
        assert_eq!(code, "InvalidChangeBatch", "{message}");
        assert!(message.contains(why), "{message}");
    }
    assert_eq!(names(&route53, &id).await, before);
    assert_eq!(code(change(&route53, "Z0", "UPSERT", cname("a.acme.com", "b.")).await), "NoSuchHostedZone");
}

#[tokio::test]
async fn a_change_takes_a_while() {
    let cloud = Cloud::with_polls(2).await;
    let route53 = Client::new(&cloud.sdk());
    let id = zone(&route53, "acme.com", false).await;
    let change = change(&route53, &id, "UPSERT", cname("rcm.acme.com", "x.")).await.unwrap().change_info.unwrap();
    assert_eq!(change.status(), &ChangeStatus::Pending);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let info = route53.get_change().id(change.id()).send().await.unwrap().change_info.unwrap();
        seen.push(info.status().clone());
    }
    assert_eq!(seen, [ChangeStatus::Pending, ChangeStatus::Pending, ChangeStatus::Insync]);
    assert_eq!(code(route53.get_change().id("C0").send().await), "NoSuchChange");
}

#[tokio::test]
async fn it_is_served_over_http_too() {
    let cloud = Cloud::new().await;
    let served = cloud.serve().await;
    let route53 = Client::new(&served.sdk());
    let id = zone(&route53, "acme.com", false).await;
    change(&route53, &id, "UPSERT", alias("rcm.acme.com", "alb")).await.unwrap();
    assert_eq!(names(&route53, &id).await.len(), 3);
    assert_eq!(code(route53.list_health_checks().send().await), "UnknownOperationException");
    drop(route53);
    served.stop().await;
}
