//! AWS Backup: vaults, plans, selections, recovery points, and what is refused of them.

use aws_sdk_backup::Client;
use aws_sdk_backup::error::ProvideErrorMetadata;
use aws_sdk_backup::types::{BackupPlanInput, BackupRuleInput, BackupSelection};

use crate::support::Cloud;

const DATABASE: &str = "arn:aws:rds:us-east-1:123456789012:db:acme";
const NOBODY_DELETES: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
    "Action":["backup:DeleteRecoveryPoint","backup:PutBackupVaultAccessPolicy"],"Resource":"*"}]}"#;

fn document(vault: &str) -> BackupPlanInput {
    let rule = BackupRuleInput::builder().rule_name("daily").target_backup_vault_name(vault);
    let rule = rule.schedule_expression("cron(0 5 * * ? *)").build().unwrap();
    BackupPlanInput::builder().backup_plan_name("daily").rules(rule).build().unwrap()
}

#[tokio::test]
async fn a_vault_goes_when_it_is_empty_and_a_recovery_point_takes_its_time() {
    let cloud = Cloud::with_polls(1).await;
    let backup = Client::new(&cloud.sdk());
    let describe = backup.describe_backup_vault().backup_vault_name("acme").send().await;
    assert_eq!(describe.unwrap_err().code(), Some("AccessDeniedException"), "it does not tell whether there is one");
    let create = |token: &str| backup.create_backup_vault().backup_vault_name("acme").creator_request_id(token).send();
    create("1").await.unwrap();
    create("1").await.unwrap();
    assert_eq!(create("2").await.unwrap_err().code(), Some("AlreadyExistsException"));
    let none = backup.create_backup_vault().backup_vault_name("other").encryption_key_arn("alias/none").send().await;
    assert_eq!(none.unwrap_err().code(), Some("InvalidParameterValueException"));

    let job = backup.start_backup_job().backup_vault_name("acme").resource_arn(DATABASE).iam_role_arn("role");
    let point = job.send().await.unwrap().recovery_point_arn.unwrap();
    let delete = || backup.delete_backup_vault().backup_vault_name("acme").send();
    assert_eq!(delete().await.unwrap_err().code(), Some("InvalidRequestException"));

    let put = || backup.put_backup_vault_access_policy().backup_vault_name("acme").policy(NOBODY_DELETES).send();
    put().await.unwrap();
    assert_eq!(put().await.unwrap_err().code(), Some("AccessDeniedException"));
    let remove = || backup.delete_recovery_point().backup_vault_name("acme").recovery_point_arn(&point).send();
    assert_eq!(remove().await.unwrap_err().code(), Some("AccessDeniedException"));
    backup.delete_backup_vault_access_policy().backup_vault_name("acme").send().await.unwrap();
    remove().await.unwrap();
    assert_eq!(remove().await.unwrap_err().code(), Some("InvalidResourceStateException"));
    let points = || backup.list_recovery_points_by_backup_vault().backup_vault_name("acme").send();
    assert_eq!(points().await.unwrap().recovery_points()[0].status().unwrap().as_str(), "DELETING");
    assert!(points().await.unwrap().recovery_points().is_empty());
    delete().await.unwrap();
}

#[tokio::test]
async fn a_plan_needs_its_vault_and_goes_after_its_selections() {
    let cloud = Cloud::new().await;
    let (backup, iam) = (Client::new(&cloud.sdk()), aws_sdk_iam::Client::new(&cloud.sdk()));
    let create = || backup.create_backup_plan().backup_plan(document("acme")).creator_request_id("1").send();
    assert_eq!(create().await.unwrap_err().code(), Some("ResourceNotFoundException"));
    backup.create_backup_vault().backup_vault_name("acme").send().await.unwrap();
    let plan = create().await.unwrap().backup_plan_id.unwrap();
    assert_eq!(create().await.unwrap().backup_plan_id.as_deref(), Some(&*plan), "the same request twice");

    let select = |role: String| {
        let selection = BackupSelection::builder().selection_name("database").iam_role_arn(role).resources(DATABASE);
        backup.create_backup_selection().backup_plan_id(&plan).backup_selection(selection.build().unwrap()).send()
    };
    let role = "arn:aws:iam::123456789012:role/backup".to_owned();
    assert_eq!(select(role.clone()).await.unwrap_err().code(), Some("InvalidParameterValueException"));
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"backup.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam.create_role().role_name("backup").assume_role_policy_document(trust).send().await.unwrap();
    let selection = select(role).await.unwrap().selection_id.unwrap();

    let delete = || backup.delete_backup_plan().backup_plan_id(&plan).send();
    assert_eq!(delete().await.unwrap_err().code(), Some("InvalidRequestException"));
    let gone = backup.delete_backup_selection().backup_plan_id(&plan).selection_id(selection).send();
    gone.await.unwrap();
    delete().await.unwrap();
    let shown = backup.get_backup_plan().backup_plan_id(&plan).send().await.unwrap();
    assert!(shown.deletion_date().is_some());
    assert!(backup.list_backup_plans().send().await.unwrap().backup_plans_list().is_empty());
}
