//! What somebody may change about the account baseline behind rcm's back: rows of the table of `tampering`.

use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use rcm::engine::plan::Depth::Quick;

use super::stage::everything;
use super::tampering::{Row, row};

pub(super) fn rows() -> Vec<Row> {
    let rows = [switches(), public_access_block(), password_policy(), watching()];
    rows.into_iter().flatten().map(|row| row.of(everything)).collect()
}

fn switches() -> Vec<Row> {
    const SWITCHES: &str = "baseline/ec2-defaults";
    vec![
        row(Quick, "ec2/account-defaults", "ebs_encryption", SWITCHES, |at| async move {
            at.aws.ec2.disable_ebs_encryption_by_default().send().await.unwrap();
        }),
        row(Quick, "ec2/account-defaults", "snapshots_private", SWITCHES, |at| async move {
            at.aws.ec2.disable_snapshot_block_public_access().send().await.unwrap();
        }),
        row(Quick, "ec2/account-defaults", "images_private", SWITCHES, |at| async move {
            at.aws.ec2.disable_image_block_public_access().send().await.unwrap();
        }),
    ]
}

fn public_access_block() -> Vec<Row> {
    let off = |field, off: usize| {
        row(Quick, "s3/account-public-access-block", field, "baseline/public-access-block", move |at| async move {
            let switches = PublicAccessBlockConfiguration::builder();
            let switches = switches.block_public_acls(off != 0).ignore_public_acls(off != 1);
            let switches = switches.block_public_policy(off != 2).restrict_public_buckets(off != 3);
            let request = at.aws.s3control.put_public_access_block().account_id(at.id("baseline/public-access-block"));
            request.public_access_block_configuration(switches.build()).send().await.unwrap();
        })
    };
    let fields = ["block_public_acls", "ignore_public_acls", "block_public_policy", "restrict_public_buckets"];
    (0..).zip(fields).map(|(place, field)| off(field, place)).collect()
}

fn password_policy() -> Vec<Row> {
    // Each of them with one value that is laxer, and the others as they are or stricter.
    let laxer = |field: &'static str| {
        row(Quick, "iam/password-policy", field, "baseline/password-policy", move |at| async move {
            let or = |name: &str, lax: i32, strict: i32| if field == name { lax } else { strict };
            let request = at.aws.iam.update_account_password_policy();
            let request = request.minimum_password_length(or("minimum_length", 8, 20));
            let request = request.password_reuse_prevention(or("reuse_prevention", 5, 24));
            let request = request.max_password_age(or("max_age_days", 365, 60));
            let request = request.require_lowercase_characters(field != "lowercase");
            let request = request.require_uppercase_characters(field != "uppercase");
            let request = request.require_numbers(field != "numbers").require_symbols(field != "symbols");
            request.send().await.unwrap();
        })
    };
    ["minimum_length", "reuse_prevention", "max_age_days", "lowercase", "uppercase", "numbers", "symbols"].map(laxer).into()
}

fn watching() -> Vec<Row> {
    vec![row(Quick, "guardduty/detector", "enabled", "baseline/detector", |at| async move {
        let request = at.aws.guardduty.update_detector().detector_id(at.id("baseline/detector"));
        request.enable(false).send().await.unwrap();
    })]
}
