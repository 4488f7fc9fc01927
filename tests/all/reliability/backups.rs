//! What AWS Backup keeps, when the partner leaves and when it is switched off.

use rcm::Goal;
use rcm::engine::plan::Depth;

use super::stage::{Stage, play, provisioned};
use super::world::{ACME, Disk, with_settings};

fn with_backups() -> String {
    with_settings(ACME, "backup_plan = true")
}

fn purge() -> Goal {
    Goal { purge: true, ..Goal::destroy() }
}

/// As many backups as there are days.
async fn backed_up(stage: &Stage, days: usize) {
    let at = stage.at().await;
    let instance = format!("arn:aws:rds:us-east-1:123456789012:db:{}", at.id("database/instance"));
    for _ in 0..days {
        let request = at.aws.backup.start_backup_job().backup_vault_name(at.id("backup/vault"));
        request.resource_arn(&instance).iam_role_arn(at.id("backup/role")).send().await.unwrap();
    }
}

fn kept(disk: &Disk) -> usize {
    let vaults = disk.cloud()["backup"]["vaults"].clone();
    vaults.as_object().unwrap().values().map(|vault| vault["points"].as_object().unwrap().len()).sum()
}

#[test]
fn what_is_selected_is_the_database_of_this_partner() {
    let disk = provisioned(&with_backups());
    let cloud = disk.cloud();
    let plan = cloud["backup"]["plans"].as_object().unwrap().values().next().unwrap().clone();
    let selection = plan["selections"].as_object().unwrap().values().next().unwrap();
    let expected = serde_json::json!(["arn:aws:rds:us-east-1:123456789012:db:acme-rcm-prod-db"]);
    assert_eq!(selection["document"]["Resources"], expected);
    let vault = &cloud["backup"]["vaults"]["acme-rcm-prod-backup"];
    assert!(vault["key"].as_str().unwrap().starts_with("arn:aws:kms:"), "{vault}");
}

#[test]
fn they_are_read_with_four_calls() {
    let calls = |file: &str| {
        let disk = provisioned(file);
        let mut count = 0;
        play(&disk, async |stage| {
            let before = stage.wire.calls().len();
            let plan = stage.rcm(file, Depth::Quick).await.plan(&Goal::provision()).await.unwrap();
            assert!(plan.is_empty(), "{:#?}", plan.forward);
            count = stage.wire.calls().len() - before;
        });
        count
    };
    let (bare, with) = (calls(ACME), calls(&with_backups()));
    assert!(bare <= 30 && with <= bare + 4, "{bare} calls, and {with} with backups");
}

#[test]
fn a_destroy_keeps_the_backups_and_the_key_and_a_purge_takes_both() {
    let disk = play(&provisioned(&with_backups()), async |stage| {
        backed_up(stage, 3).await;
        let report = stage.run(&with_backups(), &Goal::destroy()).await;
        let retained: Vec<&str> = report.plan.retained.iter().map(|address| address.as_str()).collect();
        assert!(retained.contains(&"backup/vault") && retained.contains(&"security/key"), "{retained:?}");
    });
    assert_eq!(kept(&disk), 3);
    let plans = disk.cloud()["backup"]["plans"].clone();
    assert!(plans.as_object().unwrap().values().all(|plan| !plan["deleted"].is_null()), "nothing more is taken");

    let again = play(&disk, async |stage| drop(stage.provision(&with_backups()).await));
    assert_eq!(kept(&again), 3, "who comes back finds them");

    for left in [&disk, &again] {
        let gone = play(left, async |stage| drop(stage.run(&with_backups(), &purge()).await));
        assert_eq!(gone.cloud()["backup"]["vaults"], serde_json::json!({}));
    }
}

#[test]
fn switched_off_nothing_more_is_taken_and_what_was_taken_stays() {
    let disk = play(&provisioned(&with_backups()), async |stage| {
        backed_up(stage, 2).await;
        let report = stage.provision(ACME).await;
        assert!(report.plan.blocked.is_empty(), "{:?}", report.plan.blocked);
        assert!(stage.plan(ACME).await.is_empty());
    });
    assert_eq!(kept(&disk), 2);
}
