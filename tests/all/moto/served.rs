//! The sandbox as `rcm sandbox serve` shows it to others: boto3 sees what rcm has made, and rcm what boto3 makes.

use std::time::Duration;

use rcm_testkit::{boto3, poll};
use serde_json::{Value, json};

use crate::bench::Bench;

#[test]
fn a_served_sandbox_is_the_one_that_rcm_uses() {
    let bench = Bench::new();
    let _ = bench.run("provision --sandbox --yes").expect_code(0);
    let serving = bench.start("sandbox serve --port 0 --output json");
    let greeting = poll(Duration::from_secs(30), || serde_json::from_str::<Value>(&serving.stdout()).ok()).unwrap();
    assert_eq!((&greeting["account"], &greeting["region"]), (&json!("123456789012"), &json!("us-east-1")));
    let endpoint = greeting["endpoint"].as_str().unwrap();

    let refused = bench.run("plan --sandbox").expect_code(4);
    assert!(refused.stderr.contains(&format!("in use by process {}", serving.id())), "{}", refused.transcript());
    let seen = boto3(
        endpoint,
        "
vpcs = [v for v in client('ec2').describe_vpcs()['Vpcs'] if not v['IsDefault']]
database = client('rds').describe_db_instances()['DBInstances'][0]
client('logs').put_retention_policy(logGroupName='/ecs/acme-rcm-prod', retentionInDays=1)
say([
    [v['CidrBlock'] for v in vpcs],
    database['DBInstanceIdentifier'],
    sorted(b['Name'] for b in client('s3').list_buckets()['Buckets']),
    client('sts').get_caller_identity()['Account'],
])
",
    );
    let buckets = ["acme-rcm-prod-alb-logs-123456789012-us-east-1", "acme-rcm-prod-logs-123456789012-us-east-1"];
    assert_eq!(seen, json!([["10.0.0.0/16"], "acme-rcm-prod-db", buckets, "123456789012"]));

    serving.signal("INT");
    let _ = serving.finish(Duration::from_secs(30)).expect_code(0);
    let drifted = bench.run("drift --sandbox").expect_code(2);
    assert!(drifted.stdout.contains("retention_days: 2557 → 1"), "{}", drifted.transcript());
}
