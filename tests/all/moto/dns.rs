//! The domain's records in a zone of moto's Route 53, made and read back by boto3.

use rcm_testkit::calls::Recorder;
use rcm_testkit::{Moto, boto3};
use serde_json::json;

use crate::bench::{ACME, Bench};

/// The zone's records but for its own, in one shape: type, name, and what they say.
const RECORDS: &str = "
zone = client('route53').list_hosted_zones()['HostedZones'][0]['Id']
sets = client('route53').list_resource_record_sets(HostedZoneId=zone)['ResourceRecordSets']
say(sorted(
    [one['Type'], one['Name'], one['AliasTarget']['DNSName'] if 'AliasTarget' in one else one['ResourceRecords'][0]['Value']]
    for one in sets if one['Type'] not in ('NS', 'SOA')
))
";

#[test]
fn the_records_are_in_the_zone_and_the_zone_is_empty_afterwards() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let bench = Bench::at(&recorder.endpoint());
    let zone = boto3(
        &moto.endpoint(),
        "say(client('route53').create_hosted_zone(Name='acme.com', CallerReference='a test')['HostedZone']['Id'])",
    );
    let zone = zone.as_str().unwrap().trim_start_matches("/hostedzone/").to_owned();
    bench.partner("acme", &format!("{ACME}\nhosted_zone_id = \"{zone}\"\n"));
    let ran = bench.run("provision --yes").expect_code(0);
    // The stack without what was added to it since.
    assert!((1..100 * 1024).contains(&ran.peak_kib), "{} KiB", ran.peak_kib);

    let records = boto3(&moto.endpoint(), RECORDS);
    let detail = boto3(
        &moto.endpoint(),
        "
arn = client('acm').list_certificates()['CertificateSummaryList'][0]['CertificateArn']
record = client('acm').describe_certificate(CertificateArn=arn)['Certificate']['DomainValidationOptions'][0]['ResourceRecord']
balancer = client('elbv2').describe_load_balancers()['LoadBalancers'][0]['DNSName']
say([record['Name'].rstrip('.') + '.', record['Value'], balancer])
",
    );
    assert_eq!(records, json!([["A", "rcm.acme.com.", detail[2]], ["CNAME", detail[0], detail[1]]]));

    // One more than the stack without records takes: they are read by one call.
    recorder.clear();
    let again = bench.run("provision --yes").expect_code(0);
    assert!(again.stdout.contains("Nothing was changed"), "{}", again.transcript());
    let calls = recorder.calls();
    assert!(calls.len() <= 31 && calls.mutating().is_empty(), "{} calls: {calls}", calls.len());

    // Somebody leads the domain elsewhere, and rcm back.
    boto3(
        &moto.endpoint(),
        "
zone = client('route53').list_hosted_zones()['HostedZones'][0]['Id']
record = {'Name': 'rcm.acme.com.', 'Type': 'A', 'TTL': 60, 'ResourceRecords': [{'Value': '192.0.2.1'}]}
changes = [{'Action': 'UPSERT', 'ResourceRecordSet': record}]
client('route53').change_resource_record_sets(HostedZoneId=zone, ChangeBatch={'Changes': changes})
say(None)
",
    );
    let planned = bench.run("plan --detailed-exitcode").expect_code(2);
    assert!(planned.stdout.contains("192.0.2.1"), "{}", planned.transcript());
    let _ = bench.run("provision --yes").expect_code(0);
    assert_eq!(boto3(&moto.endpoint(), RECORDS), records);

    let _ = bench.run("destroy --yes").expect_code(0);
    assert_eq!(boto3(&moto.endpoint(), RECORDS), json!([]));
    // moto refuses this while there is any record but the zone's own.
    let delete = format!(
        "client('route53').delete_hosted_zone(Id='{zone}'); say(client('route53').list_hosted_zones()['HostedZones'])"
    );
    assert_eq!(boto3(&moto.endpoint(), &delete), json!([]));
}
