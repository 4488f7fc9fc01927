//! `RCM_ENDPOINT_PROFILE`: what an emulator does not report is not a change made outside rcm.

use rcm::engine::store::write_atomically;
use rcm_testkit::{Moto, boto3};

use crate::bench::Bench;

#[test]
fn what_the_profile_names_is_not_compared_and_real_aws_has_no_profile() {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    let _ = bench.run("provision --yes").expect_code(0);
    boto3(
        &moto.endpoint(),
        "
ec2 = client('ec2')
vpc = next(v['VpcId'] for v in ec2.describe_vpcs()['Vpcs'] if v['CidrBlock'] == '10.0.0.0/16')
ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={'Value': False})
say(vpc)
",
    );
    let look = "plan --detailed-exitcode --refresh full";
    let seen = bench.run(look).expect_code(2);
    assert!(seen.stdout.contains("dns_hostnames: false → true  changed outside rcm"), "{}", seen.transcript());

    let profile = bench.file("profile.json");
    write_atomically(profile.as_ref(), br#"[["ec2/vpc", "dns_hostnames"]]"#).unwrap();
    let bench = bench.env("RCM_ENDPOINT_PROFILE", &profile);
    let _ = bench.run(look).expect_code(0);
    let refused = bench.run("plan --sandbox").expect_code(2);
    assert!(refused.stderr.contains("RCM_ENDPOINT_PROFILE is for emulators"), "{}", refused.transcript());

    let bench = bench.env("AWS_ENDPOINT_URL", "");
    let refused = bench.run("plan").expect_code(2);
    assert!(refused.stderr.contains("set AWS_ENDPOINT_URL, or unset RCM_ENDPOINT_PROFILE"), "{}", refused.transcript());

    write_atomically(profile.as_ref(), b"{}").unwrap();
    let bench = bench.env("AWS_ENDPOINT_URL", &moto.endpoint());
    let broken = bench.run("plan").expect_code(2);
    assert!(broken.stderr.contains("profile.json"), "{}", broken.transcript());
    assert!(broken.stderr.contains("a JSON list of pairs"), "{}", broken.transcript());
}
