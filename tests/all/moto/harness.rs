//! The tools of the other tests do what those rely on.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rcm_testkit::calls::{Fault, Outcome, Recorder, Rule};
use rcm_testkit::{Moto, Running, boto3, inventory};
use serde_json::{Value, json};

/// The entries of every kind of an inventory, as one list.
fn entries(inventory: &Value) -> Vec<&Value> {
    let kinds = inventory.as_object().unwrap().values().flat_map(|kinds| kinds.as_object().unwrap().values());
    kinds.flat_map(|entries| entries.as_array().unwrap()).collect()
}

#[test]
fn an_empty_account_has_an_empty_inventory() {
    let moto = Moto::start();
    let seen = inventory(&moto.endpoint());
    assert_eq!(entries(&seen), Vec::<&Value>::new());
    assert_eq!(seen.as_object().unwrap().len(), 13, "services looked at");
}

#[test]
fn the_inventory_shows_what_was_made_with_its_tags_until_a_reset() {
    let moto = Moto::start();
    boto3(&moto.endpoint(), include_str!("make_one_of_each.py"));
    let seen = inventory(&moto.endpoint());
    for (service, kinds) in seen.as_object().unwrap() {
        for (kind, entries) in kinds.as_object().unwrap() {
            assert_ne!(entries, &json!([]), "{service}.{kind}");
        }
    }
    assert_eq!(seen["ec2"]["vpcs"][0]["tags"], json!({"Name": "acme"}));
    assert_eq!(seen["ec2"]["vpcs"][0]["enable_dns_hostnames"], true);
    assert_eq!(seen["s3"]["buckets"][0]["versioning"], "Enabled");
    assert_eq!(seen["kms"]["keys"][0]["rotation"]["KeyRotationEnabled"], true);
    assert_eq!(seen["iam"]["roles"][0]["inline_policies"]["inline"]["Statement"][0]["Action"], "s3:GetObject");
    assert_eq!(seen["ecs"]["services"][0]["tags"], json!({"rcm:address": "compute/service"}));

    moto.reset();
    assert_eq!(entries(&inventory(&moto.endpoint())), Vec::<&Value>::new());
}

#[test]
fn two_servers_do_not_share_an_account_and_end_with_their_test() {
    let (one, other) = (Moto::start(), Moto::start());
    boto3(&one.endpoint(), "client('s3').create_bucket(Bucket='acme'); say(None)");
    assert_eq!(boto3(&other.endpoint(), "say(len(client('s3').list_buckets()['Buckets']))"), 0);

    let address = one.endpoint().trim_start_matches("http://").to_owned();
    drop(one);
    assert!(TcpStream::connect(address).is_err(), "it still listens");
}

#[test]
fn every_call_is_recorded_by_service_operation_and_result() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    boto3(
        &recorder.endpoint(),
        "
client('ec2').describe_vpcs()
vpc = client('ec2').create_vpc(CidrBlock='10.0.0.0/16')
client('kms').create_key()
client('s3').create_bucket(Bucket='acme')
client('s3').put_object(Bucket='acme', Key='a/b', Body=b'x' * 100_000)
assert len(client('s3').get_object(Bucket='acme', Key='a/b')['Body'].read()) == 100_000
client('s3').head_bucket(Bucket='acme')
client('ecs').list_clusters()
try:
    client('iam').get_role(RoleName='nobody')
except client('iam').exceptions.NoSuchEntityException:
    say('absent')
",
    );
    let calls = recorder.calls();
    let seen = calls.iter().map(|call| (call.operation.to_string(), call.operation.mutating, call.outcome.to_string()));
    let expected = [
        ("ec2:DescribeVpcs", false, "200"),
        ("ec2:CreateVpc", true, "200"),
        ("kms:CreateKey", true, "200"),
        ("s3:CreateBucket", true, "200"),
        ("s3:PutObject", true, "200"),
        ("s3:GetObject", false, "200"),
        ("s3:HeadBucket", false, "200"),
        ("ecs:ListClusters", false, "200"),
        ("iam:GetRole", false, "404 NoSuchEntity"),
    ];
    let expected = expected.map(|(operation, mutating, result)| (operation.to_owned(), mutating, result.to_owned()));
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(calls.mutating().len(), 4);
    assert_eq!(calls.per_operation()["ec2:CreateVpc"], 1);
    assert!(calls.iter().all(|call| call.operation.region == "us-east-1"), "{calls}");

    recorder.clear();
    assert!(recorder.calls().is_empty());
}

#[test]
fn a_hook_sees_a_mutating_call_before_the_cloud_does() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let cloud = moto.endpoint();
    recorder.before_mutation(move |call| {
        let vpcs =
            boto3(&cloud, "say([v['CidrBlock'] for v in client('ec2').describe_vpcs()['Vpcs'] if not v['IsDefault']])");
        if vpcs == json!([]) { Err(format!("nothing there before {}", call.operation.name)) } else { Ok(()) }
    });
    let make = "client('ec2').describe_vpcs(); client('ec2').create_vpc(CidrBlock='10.0.0.0/16'); say(None)";
    boto3(&recorder.endpoint(), make);
    boto3(&recorder.endpoint(), make);
    assert_eq!(recorder.objections(), ["ec2:CreateVpc: nothing there before CreateVpc"]);
}

#[test]
fn a_cut_answer_leaves_the_caller_without_it_and_the_cloud_with_the_change() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    recorder.trouble(Rule::new(Fault::Cut).operation("CreateKey").nth(2));
    let heard = boto3(
        &recorder.endpoint(),
        "
from botocore.exceptions import HTTPClientError
kms, heard = client('kms'), []
for _ in range(3):
    try:
        kms.create_key()
        heard.append('created')
    except HTTPClientError as error:
        heard.append(type(error).__name__)
say(heard)
",
    );
    assert_eq!(heard, json!(["created", "ConnectionClosedError", "created"]));
    assert_eq!(recorder.calls().of("CreateKey").iter().nth(1).unwrap().outcome, Outcome::Cut);
    assert_eq!(boto3(&moto.endpoint(), "say(len(client('kms').list_keys()['Keys']))"), 3);
}

#[test]
fn a_refusal_reaches_the_caller_in_its_protocol_and_nothing_reaches_the_cloud() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    for (operation, code) in [
        ("CreateVpc", "RequestLimitExceeded"),
        ("CreateDBSubnetGroup", "Throttling"),
        ("CreateBucket", "SlowDown"),
        ("CreateKey", "ThrottlingException"),
    ] {
        recorder.trouble(Rule::new(Fault::refuse(400, code)).operation(operation).nth(1));
    }
    let heard = boto3(
        &recorder.endpoint(),
        "
from botocore.exceptions import ClientError
def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response['Error']['Code']
say([
    code(client('ec2').create_vpc, CidrBlock='10.0.0.0/16'),
    code(client('rds').create_db_subnet_group, DBSubnetGroupName='a', DBSubnetGroupDescription='a', SubnetIds=[]),
    code(client('s3').create_bucket, Bucket='acme'),
    code(client('kms').create_key),
    code(client('kms').create_key),
])
",
    );
    assert_eq!(heard, json!(["RequestLimitExceeded", "Throttling", "SlowDown", "ThrottlingException", null]));
    let seen = inventory(&moto.endpoint());
    assert_eq!(entries(&seen).len(), 1, "only the key of the second try: {seen}");
}

#[test]
#[should_panic(expected = "said before it hung")]
fn a_command_that_hangs_is_killed_and_what_it_said_is_shown() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo said before it hung; exec sleep 600"]);
    let _ = Running::start(&mut command).finish(Duration::from_millis(500));
}
