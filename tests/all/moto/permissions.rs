//! Each verb as somebody who has the policies of `rcm permissions --verb` and no others, before moto's IAM.

use rcm_testkit::{Moto, Registry, boto3, inventory};
use serde_json::json;

use crate::{bench::Bench, registry::Sample};

/// Makes a user with exactly the policies of `verb`, and gives its access key.
fn user(moto: &Moto, bench: &Bench, verb: &str) -> [String; 2] {
    let policies = bench.run(&format!("permissions --verb {verb} --output json")).expect_code(0).stdout;
    let made = boto3(
        &moto.endpoint(),
        &format!(
            "
import json
iam = client('iam')
iam.create_user(UserName='{verb}')
for policy in json.loads(r'''{policies}'''):
    made = iam.create_policy(PolicyName=policy['name'], PolicyDocument=json.dumps(policy['document']))
    iam.attach_user_policy(UserName='{verb}', PolicyArn=made['Policy']['Arn'])
key = iam.create_access_key(UserName='{verb}')['AccessKey']
say([key['AccessKeyId'], key['SecretAccessKey']])
"
        ),
    );
    serde_json::from_value(made).unwrap()
}

/// From the next call on, moto asks who may do what, or does not ask any more.
fn enforce(moto: &Moto, on: bool) {
    let free = if on { "0" } else { "inf" };
    let said = boto3(
        &moto.endpoint(),
        &format!(
            "
import urllib.request
request = urllib.request.Request('{}/moto-api/reset-auth', b'{free}', {{'Content-Type': 'text/plain'}})
say(urllib.request.urlopen(request).status)
",
            moto.endpoint()
        ),
    );
    assert_eq!(said, json!(200));
}

/// The same bench with somebody else's credentials.
fn as_user(bench: Bench, [id, secret]: &[String; 2]) -> Bench {
    bench.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret)
}

#[test]
fn every_verb_does_its_work_under_its_own_policies_alone() {
    let registry = Registry::open();
    let moto = Moto::start_with_registry(&registry);
    let bench = Bench::at(&moto.endpoint());
    let [plan, provision, deploy, destroy] =
        ["plan", "provision", "deploy", "destroy"].map(|verb| user(&moto, &bench, verb));
    enforce(&moto, true);

    let bench = as_user(bench, &plan);
    let refused = bench.run("provision --yes").expect_code(1);
    assert!(refused.stdout.contains("is not authorized"), "{}", refused.transcript());
    let bench = as_user(bench, &provision);
    let _ = bench.run("provision --yes").expect_code(0);
    let _ = bench.run("provision --yes --refresh full").expect_code(0);
    let image = Sample::new(1, &[1000]);
    let deploying = format!("deploy --yes --image {}", image.path().display());
    let bench = as_user(bench, &plan);
    let refused = bench.run(&deploying).expect_code(1);
    // moto's refusal of ECR is a 403 that does not say why.
    assert!(refused.stderr.contains("ecr:GetAuthorizationToken"), "{}", refused.transcript());
    assert!(refused.stderr.contains("403"), "{}", refused.transcript());
    let bench = as_user(bench, &deploy);
    let _ = bench.run(&deploying).expect_code(0);
    let bench = as_user(bench, &plan);
    let _ = bench.run("plan --detailed-exitcode --refresh full").expect_code(0);
    let _ = bench.run("destroy --yes").expect_code(1);
    let bench = as_user(bench, &destroy);
    let _ = bench.run("destroy --yes").expect_code(0);
    let _ = bench.run("destroy --yes --purge").expect_code(0);

    enforce(&moto, false);
    let left = inventory(&moto.endpoint());
    assert_eq!(left.pointer("/rds/instances"), Some(&json!([])), "{left:#}");
}
