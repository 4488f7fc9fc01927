//! Read replicas at moto: there once, left alone, and gone before their source.

use rcm_testkit::calls::Recorder;
use rcm_testkit::{Moto, boto3};
use serde_json::json;

use crate::bench::{ACME, Bench};

const SEEN: &str = "
instances = client('rds').describe_db_instances()['DBInstances']
say(sorted([
    [i['DBInstanceIdentifier'], i.get('ReadReplicaSourceDBInstanceIdentifier'), i['DeletionProtection'], i['MultiAZ']]
    for i in instances
], key=lambda one: one[0]))
";

#[test]
fn replicas_come_after_their_source_and_go_before_it() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let bench = Bench::at(&recorder.endpoint());
    bench.partner("acme", &ACME.replace("db_read_replicas = 0", "db_read_replicas = 2"));
    let _ = bench.run("provision --yes").expect_code(0);
    let (source, first, second) = ("acme-rcm-prod-db", "acme-rcm-prod-db-replica", "acme-rcm-prod-db-replica-2");
    let both = json!([[source, null, true, true], [first, source, true, false], [second, source, true, false]]);
    assert_eq!(boto3(&moto.endpoint(), SEEN), both);

    // One more than the stack without replicas takes: they are read by one call.
    recorder.clear();
    let again = bench.run("provision --yes").expect_code(0);
    assert!(again.stdout.contains("Nothing was changed"), "{}", again.transcript());
    let calls = recorder.calls();
    assert!(calls.len() <= 31 && calls.mutating().is_empty(), "{} calls: {calls}", calls.len());

    bench.partner("acme", &ACME.replace("db_read_replicas = 0", "db_read_replicas = 1"));
    let _ = bench.run("provision --yes").expect_code(0);
    assert_eq!(boto3(&moto.endpoint(), SEEN), json!([[source, null, true, true], [first, source, true, false]]));

    recorder.clear();
    let _ = bench.run("destroy --yes").expect_code(0);
    assert_eq!(boto3(&moto.endpoint(), SEEN), json!([]));
    let deleted = recorder.calls().of("DeleteDBInstance");
    let first = deleted.iter().next().unwrap();
    assert!(first.body.contains("DBInstanceIdentifier=acme-rcm-prod-db-replica&"), "{deleted}");
}
