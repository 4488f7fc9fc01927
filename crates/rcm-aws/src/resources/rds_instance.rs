//! A database instance, encrypted and in private subnets.
//!
//! API: [CreateDBInstance](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html),
//! [ModifyDBInstance](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html),
//! [DeleteDBInstance](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html).
//!
//! Surprises:
//! - A modification that was accepted may leave the status `available` for a while, so pending values count as not ready.
//! - Minor versions are AWS's to choose: the spec says the major one, and only that is compared.
//! - With storage autoscaling the live storage grows beyond the spec. It is then not compared with the live one; a larger
//!   number in the spec still makes it grow, if it is larger than what is there.
//! - Another parameter group only takes effect at the next reboot, which rcm leaves to people.
//! - The master password is read from Secrets Manager for the one call that needs it, and is never compared.
//!   `ManageMasterUserPassword` is not used: it rules out read replicas of PostgreSQL.
//! - See `remove` for what a delete keeps.

pub(super) mod modify;
pub(super) mod observe;
pub(super) mod remove;

use aws_sdk_rds::{operation::create_db_instance::builders::CreateDBInstanceFluentBuilder, types::DbInstance};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    batch::in_order,
    ec2_security_group::SecurityGroup,
    iam_role::Role,
    kms_key::Key,
    secrets_secret::{self, Secret},
    rds::{claim, filter, is_replica, listed, ours, tagged},
    rds_parameter_group::ParameterGroup,
    rds_subnet_group::SubnetGroup,
};
use crate::{
    Aws,
    classify::{fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The longest identifier that RDS takes.
pub(crate) const NAME_LIMIT: usize = 63;

/// What a database instance should be. Storage is always encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, in lower case.
    pub identifier: String,
    /// The engine (`postgres`).
    pub engine: String,
    /// The engine's major version (`17`); AWS chooses the minor one. A higher one upgrades in place.
    pub major_version: String,
    /// The size (`db.t3.medium`).
    pub instance_class: String,
    /// Storage to begin with, in GiB. Cannot shrink.
    pub allocated_storage: i32,
    /// How far AWS may let the storage grow by itself, in GiB; not at all if `None`.
    pub max_allocated_storage: Option<i32>,
    /// The kind of storage (`gp3`).
    pub storage_type: String,
    /// The key that encrypts storage, backups and snapshots.
    pub kms_key: Ref<Key>,
    /// The database that is made with the instance.
    pub db_name: String,
    /// The name of the master user.
    pub master_username: String,
    /// The secret whose whole text is the master user's password.
    pub master_password: Ref<Secret>,
    /// Whether a standby in another availability zone takes over when this one fails.
    pub multi_az: bool,
    /// The subnets it may stand in.
    pub subnet_group: Ref<SubnetGroup>,
    /// Who may connect.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    /// The settings of the engine, of the family of `engine` and `major_version`.
    pub parameter_group: Ref<ParameterGroup>,
    /// The port it listens on.
    pub port: u16,
    /// For how many days automated backups are kept, 0 (none) to 35.
    pub backup_retention_days: u16,
    /// When backups are taken, in UTC (`03:00-04:00`); AWS chooses if `None`.
    pub backup_window: Option<String>,
    /// When AWS may do maintenance, in UTC (`sun:05:00-sun:06:00`, in lower case); AWS chooses if `None`.
    pub maintenance_window: Option<String>,
    /// Whether AWS refuses to delete it. rcm lifts this itself when it is told to destroy.
    pub deletion_protection: bool,
    /// Whether it gets a public address.
    pub publicly_accessible: bool,
    /// Whether snapshots, the final one included, carry the instance's tags.
    pub copy_tags_to_snapshot: bool,
    /// Whether AWS installs minor versions in the maintenance window.
    pub auto_minor_version_upgrade: bool,
    /// The logs that go to CloudWatch Logs (`postgresql`, `upgrade`).
    pub log_exports: Vec<String>,
    /// The key that encrypts Performance Insights, kept for seven days; Performance Insights is off if `None`.
    pub performance_insights_key: Option<Ref<Key>>,
    /// Whether IAM identities may log in.
    pub iam_authentication: bool,
    /// How the server's operating system is measured; not at all if `None`.
    #[serde(default)]
    pub monitoring: Option<Monitoring>,
    /// The certificate authority of the server's certificate (`rds-ca-rsa2048-g1`); AWS chooses if `None`.
    pub ca_certificate: Option<String>,
}

/// [Enhanced Monitoring](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.html): RDS writes to the log group
/// `RDSOSMetrics`, which it makes itself and which all databases of the account share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Every how many seconds: 1, 5, 10, 15, 30 or 60.
    pub seconds: i32,
    /// Who RDS writes as.
    pub role: Ref<Role>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:rds:…:db:…`
    pub instance_arn: String,
    /// `db-…`: the name that log streams, metrics and snapshots go by, never used twice.
    pub resource_id: String,
    /// The host name to connect to; empty while the instance is being made.
    pub address: String,
    /// The port to connect to.
    pub port: u16,
}

/// A database instance.
pub struct Instance;

impl Resource for Instance {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "rds/instance";
    const REPLACE_ON: &'static [&'static str] =
        &["identifier", "engine", "kms_key", "db_name", "master_username", "subnet_group"];
    const TAGGED: bool = true;
    const DISCARDS: bool = true;
    const HOLDS_DATA: bool = true;
    const PACE: Pace = Pace::slow(900, 4800).gone_within(3600);

    /// [What happens at a modification](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Overview.DBInstance.Modifying.html),
    /// [storage](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.ModifyingExisting.html),
    /// [major versions](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_UpgradeDBInstance.PostgreSQL.html),
    /// [Multi-AZ](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html).
    fn effect(field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        Some(match field {
            "instance_class" => "restarts the database: it is away for some minutes, or with Multi-AZ for the minute or two of a failover",
            "allocated_storage" if after.as_i64() > before.as_i64() => {
                "the disk grows in place and never shrinks again; no second change of it for six hours"
            }
            "storage_type" => "the disk is changed in place, and is slower meanwhile; no second change of it for six hours",
            "major_version" => "upgrades the database, which is away meanwhile, and there is no way back",
            "multi_az" if after == &Value::Bool(true) => "a standby is made from a snapshot: slower meanwhile, never away",
            "multi_az" => "the standby goes: from then on a failure of the zone is a failure of the database",
            "port" => "restarts the database: it is away for some minutes",
            "parameter_group" => "takes effect at the next restart of the database",
            _ => return None,
        })
    }

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let password = password(cx, spec).await?;
        let request = kept_as_created(cx, spec)?.set_tags(Some(tagged(cx.identity)));
        let request = changed_later(cx, spec, request)?.master_user_password(password.expose());
        let answer = request.send().await.map_err(fault("rds", "CreateDBInstance"))?;
        let name = answer.db_instance().and_then(|instance| instance.db_instance_identifier());
        name.map(Id::from).ok_or_else(|| missing("rds", "CreateDBInstance", "DBInstanceIdentifier"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        modify::modify(cx, id, spec).await
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let instance = describe(cx.cloud, &[id]).await?.into_iter().next();
        Ok(instance.map_or_else(|| Readiness::Pending("not visible yet".into()), |found| observe::readiness(&found)))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.first().map(observe::observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let instances = describe(first.cx.cloud, &ids).await?;
        Ok(in_order(&ids, instances, |instance| instance.db_instance_identifier(), observe::observe))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::new(physical_name(cx.identity, &spec.identifier, NAME_LIMIT));
        let instance = describe(cx.cloud, &[&id]).await?.into_iter().next();
        let stays = |found: &DbInstance| !remove::leaving(found) && ours(cx.identity, found.tag_list());
        Ok(instance.filter(stays).map(|_| id))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        remove::remove(cx, id).await
    }

    async fn discard(aws: &Aws, snapshot: &str) -> Result<(), Fault> {
        remove::discard(aws, snapshot).await
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.rds.describe_db_instances().into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBInstances"))?;
        let stay = all.iter().filter(|found| !remove::leaving(found) && !is_replica(found.tag_list()));
        Ok(stay.filter_map(|found| listed(deployment, found.db_instance_identifier()?, found.tag_list())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, "db", id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.identifier, NAME_LIMIT)
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "rds:CreateDBInstance",
                "rds:AddTagsToResource",
                "rds:ModifyDBInstance",
                "secretsmanager:GetSecretValue",
                // The role of its monitoring.
                "iam:PassRole",
                // RDS uses the key on the caller's behalf.
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKey",
                // The first database of an account makes RDS's own role.
                "iam:CreateServiceLinkedRole",
                "ec2:DescribeAccountAttributes",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcAttribute",
                "ec2:DescribeVpcs",
            ],
            read: &["rds:DescribeDBInstances", "rds:ListTagsForResource"],
            delete: &[
                "rds:DeleteDBInstance",
                "rds:DeleteDBInstanceAutomatedBackup",
                "rds:ModifyDBInstance",
                "rds:DescribeDBSnapshots",
                "rds:CreateDBSnapshot",
                "rds:DeleteDBSnapshot",
                "rds:AddTagsToResource",
            ],
        }
    }
}

/// Gives the master user another password, at once
/// ([ModifyDBInstance](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBInstance.html)). It counts when nothing is pending
/// any more; RDS never tells which one it is.
pub async fn set_password(aws: &Aws, id: &Id, password: &crate::secret::Secret) -> Result<(), Fault> {
    let request = aws.rds.modify_db_instance().db_instance_identifier(id.as_str()).apply_immediately(true);
    let request = request.master_user_password(password.expose());
    request.send().await.map(drop).map_err(fault("rds", "ModifyDBInstance"))
}

async fn password(cx: &Cx<'_>, spec: &Spec) -> Result<crate::secret::Secret, Fault> {
    secrets_secret::value(cx.cloud, cx.id(&spec.master_password)?.as_str()).await
}

fn security_groups(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<String>, Fault> {
    spec.security_groups.iter().map(|group| Ok(cx.id(group)?.to_string())).collect()
}

/// The half of a create that stays for life.
fn kept_as_created(cx: &Cx<'_>, spec: &Spec) -> Result<CreateDBInstanceFluentBuilder, Fault> {
    let request = cx.cloud.rds.create_db_instance();
    let request = request.db_instance_identifier(physical_name(cx.identity, &spec.identifier, NAME_LIMIT));
    let request = request.engine(&spec.engine).storage_encrypted(true).kms_key_id(cx.id(&spec.kms_key)?.as_str());
    let request = request.db_name(&spec.db_name).master_username(&spec.master_username);
    Ok(request.db_subnet_group_name(cx.id(&spec.subnet_group)?.as_str()))
}

/// The half of a create that `modify` may change later.
fn changed_later(
    cx: &Cx<'_>,
    spec: &Spec,
    request: CreateDBInstanceFluentBuilder,
) -> Result<CreateDBInstanceFluentBuilder, Fault> {
    let insights = spec.performance_insights_key.as_ref().map(|key| cx.id(key)).transpose()?;
    let role = spec.monitoring.as_ref().map(|monitoring| cx.id(&monitoring.role)).transpose()?;
    Ok(request
        .set_monitoring_interval(spec.monitoring.as_ref().map(|monitoring| monitoring.seconds))
        .set_monitoring_role_arn(role.map(|role| role.to_string()))
        .engine_version(&spec.major_version)
        .db_instance_class(&spec.instance_class)
        .allocated_storage(spec.allocated_storage)
        .set_max_allocated_storage(spec.max_allocated_storage)
        .storage_type(&spec.storage_type)
        .multi_az(spec.multi_az)
        .set_vpc_security_group_ids(Some(security_groups(cx, spec)?))
        .db_parameter_group_name(cx.id(&spec.parameter_group)?.as_str())
        .port(spec.port.into())
        .backup_retention_period(spec.backup_retention_days.into())
        .set_preferred_backup_window(spec.backup_window.clone())
        .set_preferred_maintenance_window(spec.maintenance_window.clone())
        .deletion_protection(spec.deletion_protection)
        .publicly_accessible(spec.publicly_accessible)
        .copy_tags_to_snapshot(spec.copy_tags_to_snapshot)
        .auto_minor_version_upgrade(spec.auto_minor_version_upgrade)
        .set_enable_cloudwatch_logs_exports(Some(spec.log_exports.clone()))
        .enable_performance_insights(insights.is_some())
        .set_performance_insights_kms_key_id(insights.map(|key| key.to_string()))
        .enable_iam_database_authentication(spec.iam_authentication)
        .set_ca_certificate_identifier(spec.ca_certificate.clone()))
}

/// Those of `ids` that exist, in any order. By filter, so that one that is gone does not fail the others.
pub(super) async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<DbInstance>, Fault> {
    let request = aws.rds.describe_db_instances().filters(filter("db-instance-id", ids.iter().map(ToString::to_string)));
    let pages = request.into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("rds", "DescribeDBInstances"))
}

#[cfg(test)]
mod tests {
    use rcm_engine::model::{Address, references};

    use super::*;

    fn to<R>(address: &str) -> Ref<R> {
        Ref::to(Address::new(address).unwrap())
    }

    pub(super) fn spec() -> Spec {
        Spec {
            identifier: "acme-rcm-prod-db".into(),
            engine: "postgres".into(),
            major_version: "17".into(),
            instance_class: "db.t3.medium".into(),
            allocated_storage: 100,
            max_allocated_storage: Some(500),
            storage_type: "gp3".into(),
            kms_key: to("security/key"),
            db_name: "rcm".into(),
            master_username: "rcm".into(),
            master_password: to("secrets/database-password"),
            multi_az: true,
            subnet_group: to("database/subnets"),
            security_groups: vec![to("security/database")],
            parameter_group: to("database/parameters"),
            port: 5432,
            backup_retention_days: 35,
            backup_window: None,
            maintenance_window: None,
            deletion_protection: true,
            publicly_accessible: false,
            copy_tags_to_snapshot: true,
            auto_minor_version_upgrade: true,
            log_exports: vec!["postgresql".into(), "upgrade".into()],
            performance_insights_key: None,
            iam_authentication: false,
            monitoring: None,
            ca_certificate: None,
        }
    }

    #[test]
    fn a_spec_holds_no_password_but_the_address_of_one() {
        let spec = serde_json::to_value(spec()).unwrap();
        assert_eq!(spec["master_password"], serde_json::json!({"$ref": "secrets/database-password"}));
        assert_eq!(references(&spec).len(), 5);
    }
}
