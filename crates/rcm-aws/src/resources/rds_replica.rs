//! A read replica: a copy of a database instance in the same region, for queries that only read.
//!
//! API: [CreateDBInstanceReadReplica](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstanceReadReplica.html),
//! [read replicas of PostgreSQL](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html),
//! [what happens to them](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReadRepl.html).
//!
//! Surprises:
//! - The source has to be `available` and to take backups. Engine, version, key, subnets, users and password are the source's.
//! - So is the parameter group: a create that names one is refused for PostgreSQL. An upgrade of the source upgrades its replicas.
//! - A source that is deleted first does not take its replicas along: AWS promotes them, and nobody wants them any more. The
//!   reference to the source is what keeps that order.
//! - A promotion is for ever. Of one that somebody has promoted the source is seen as gone, which nothing but another replica
//!   can put right; it is an instance with data of its own by then, so nothing of it is replaced or deleted unasked, and what
//!   deletes it takes a final snapshot. A tag says what it was made as.
//! - Its storage begins as large as the source's, and cannot be changed in the first six hours.
//! - AWS takes no final snapshot of a replica.

use std::collections::BTreeSet;

use aws_sdk_rds::{
    operation::{
        create_db_instance_read_replica::builders::CreateDBInstanceReadReplicaFluentBuilder as Create,
        modify_db_instance::builders::ModifyDBInstanceFluentBuilder as Modify,
    },
    types::DbInstance,
};
use rcm_engine::model::{
    Actions, Deployment, Fault, FaultKind, Holds, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    batch::in_order,
    ec2_security_group::SecurityGroup,
    kms_key::Key,
    rds::{claim_with, is_replica, listed, ours, tagged_as_replica},
    rds_instance::{
        Instance, Monitoring, NAME_LIMIT, Outputs, describe,
        modify::{exports, too_small, unlike},
        observe, remove,
    },
    rds_parameter_group::ParameterGroup,
};
use crate::{
    Aws,
    classify::{fault, missing},
    identity::physical_name,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a read replica should be. What is not here is as its source has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, in lower case.
    pub identifier: String,
    /// What it is a replica of.
    pub source: Ref<Instance>,
    /// The size (`db.t3.medium`). One that is smaller than the source's falls behind.
    pub instance_class: String,
    /// How much storage it has at least, in GiB; at first as much as its source. Cannot shrink.
    pub allocated_storage: i32,
    /// How far AWS may let the storage grow by itself, in GiB; not at all if `None`.
    pub max_allocated_storage: Option<i32>,
    /// The kind of storage (`gp3`).
    pub storage_type: String,
    /// Whether it has a standby of its own.
    pub multi_az: bool,
    /// Who may connect.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    /// The settings of the engine: the source's.
    pub parameter_group: Ref<ParameterGroup>,
    /// The port it listens on.
    pub port: u16,
    /// Whether AWS refuses to delete it. rcm lifts this itself when it is to go.
    pub deletion_protection: bool,
    /// Whether it gets a public address.
    pub publicly_accessible: bool,
    /// Whether snapshots carry its tags.
    pub copy_tags_to_snapshot: bool,
    /// Whether AWS installs minor versions in the maintenance window.
    pub auto_minor_version_upgrade: bool,
    /// The logs that go to CloudWatch Logs (`postgresql`, `upgrade`).
    pub log_exports: Vec<String>,
    /// The key that encrypts Performance Insights, kept for seven days; Performance Insights is off if `None`.
    pub performance_insights_key: Option<Ref<Key>>,
    /// Whether IAM identities may log in.
    pub iam_authentication: bool,
    /// How often the server's operating system is measured; not at all if `None`.
    pub monitoring: Option<Monitoring>,
}

/// What a Describe tells that is the source's business.
const OF_THE_SOURCE: &[&str] = &[
    "engine",
    "major_version",
    "db_name",
    "master_username",
    "kms_key",
    "subnet_group",
    "backup_retention_days",
    "backup_window",
    "maintenance_window",
    "ca_certificate",
];

/// A read replica.
pub struct Replica;

impl Resource for Replica {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "rds/replica";
    const REPLACE_ON: &'static [&'static str] = &["identifier", "source"];
    const TAGGED: bool = true;
    const DISCARDS: bool = true;
    const PACE: Pace = Pace::slow(600, 4800).gone_within(3600);

    fn effect(field: &str, before: &Value, after: &Value) -> Option<&'static str> {
        Some(match field {
            "instance_class" => "restarts the replica: it is away for some minutes, and behind for some more",
            "port" => "restarts the replica: it is away for some minutes",
            "allocated_storage" if after.as_i64() > before.as_i64() => {
                "the disk grows in place and never shrinks again; no change of it in the first six hours, or in the six after another"
            }
            "parameter_group" => "takes effect at the next restart of the replica",
            _ => return None,
        })
    }

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let answer = request(cx, spec)?.send().await.map_err(fault("rds", "CreateDBInstanceReadReplica"))?;
        let name = answer.db_instance().and_then(|instance| instance.db_instance_identifier());
        name.map(Id::from).ok_or_else(|| missing("rds", "CreateDBInstanceReadReplica", "DBInstanceIdentifier"))
    }

    /// One ModifyDBInstance with nothing but what differs, applied at once; not while it is still being made.
    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = describe(cx.cloud, &[id]).await?.into_iter().next();
        if cx.creating() && live.as_ref().is_none_or(|live| live.db_instance_status() == Some("creating")) {
            return Ok(());
        }
        let live = live.ok_or_else(|| missing("rds", "DescribeDBInstances", "DBInstance"))?;
        let change = Change { cx, spec, live: &live, fields: differing(cx, spec, &live)? };
        if change.fields.is_empty() {
            return Ok(());
        }
        let request = cx.cloud.rds.modify_db_instance().db_instance_identifier(id.as_str()).apply_immediately(true);
        let request = change.upkeep(change.access(change.capacity(request))?)?;
        match request.send().await.map_err(fault("rds", "ModifyDBInstance")) {
            // It is what it should be already: "no modifications were requested".
            Err(refused) if refused.kind == FaultKind::Exists => Ok(()),
            other => other.map(drop),
        }
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let replica = describe(cx.cloud, &[id]).await?.into_iter().next();
        Ok(replica.map_or_else(|| Readiness::Pending("not visible yet".into()), |found| readiness(&found)))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.first().map(observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        let replicas = describe(first.cx.cloud, &ids).await?;
        Ok(in_order(&ids, replicas, |replica| replica.db_instance_identifier(), observe))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let id = Id::new(physical_name(cx.identity, &spec.identifier, NAME_LIMIT));
        let replica = describe(cx.cloud, &[&id]).await?.into_iter().next();
        let stays = |found: &DbInstance| !remove::leaving(found) && ours(cx.identity, found.tag_list());
        Ok(replica.filter(stays).map(|_| id))
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
        let stay = all.iter().filter(|found| !remove::leaving(found) && is_replica(found.tag_list()));
        Ok(stay.filter_map(|found| listed(deployment, found.db_instance_identifier()?, found.tag_list())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim_with(cx, "db", id, tagged_as_replica(cx.identity)).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Spec) -> bool {
        id.as_str() == physical_name(cx.identity, &spec.identifier, NAME_LIMIT)
    }

    fn holds(_: &Spec, live: &Map<String, Value>) -> Holds {
        match live.get("source") {
            Some(Value::Null) => Holds::Since("was promoted outside rcm, is a database of its own with data of its own"),
            _ => Holds::Nothing,
        }
    }

    fn actions() -> Actions {
        let Actions { delete, .. } = Instance::actions();
        Actions {
            write: &[
                "rds:CreateDBInstanceReadReplica",
                "rds:AddTagsToResource",
                "rds:ModifyDBInstance",
                // The role of its monitoring.
                "iam:PassRole",
            ],
            read: &["rds:DescribeDBInstances", "rds:ListTagsForResource"],
            delete,
        }
    }
}

fn groups(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<String>, Fault> {
    spec.security_groups.iter().map(|group| Ok(cx.id(group)?.to_string())).collect()
}

/// The create. Neither key nor parameter group: both come from the source, and AWS refuses to be told.
fn request(cx: &Cx<'_>, spec: &Spec) -> Result<Create, Fault> {
    let insights = spec.performance_insights_key.as_ref().map(|key| cx.id(key)).transpose()?;
    let request = cx.cloud.rds.create_db_instance_read_replica().set_tags(Some(tagged_as_replica(cx.identity)));
    Ok(request
        .db_instance_identifier(physical_name(cx.identity, &spec.identifier, NAME_LIMIT))
        .source_db_instance_identifier(cx.id(&spec.source)?.as_str())
        .db_instance_class(&spec.instance_class)
        .set_max_allocated_storage(spec.max_allocated_storage)
        .storage_type(&spec.storage_type)
        .multi_az(spec.multi_az)
        .set_vpc_security_group_ids(Some(groups(cx, spec)?))
        .port(spec.port.into())
        .deletion_protection(spec.deletion_protection)
        .publicly_accessible(spec.publicly_accessible)
        .copy_tags_to_snapshot(spec.copy_tags_to_snapshot)
        .auto_minor_version_upgrade(spec.auto_minor_version_upgrade)
        .set_enable_cloudwatch_logs_exports(Some(spec.log_exports.clone()))
        .enable_performance_insights(insights.is_some())
        .set_performance_insights_kms_key_id(insights.map(|key| key.to_string()))
        .enable_iam_database_authentication(spec.iam_authentication)
        .set_monitoring_interval(spec.monitoring.as_ref().map(|monitoring| monitoring.seconds))
        .set_monitoring_role_arn(monitoring_role(cx, spec)?))
}

fn monitoring_role(cx: &Cx<'_>, spec: &Spec) -> Result<Option<String>, Fault> {
    spec.monitoring.as_ref().map(|monitoring| Ok(cx.id(&monitoring.role)?.to_string())).transpose()
}

/// The fields to send: those that the plan changes and that are not yet as they should be.
fn differing(cx: &Cx<'_>, spec: &Spec, live: &DbInstance) -> Result<BTreeSet<&'static str>, Fault> {
    let mut fields = unlike(cx, spec, fields(live))?;
    fields.retain(|field| !Replica::REPLACE_ON.contains(field));
    if cx.changes("allocated_storage") && too_small(spec.allocated_storage, live) {
        fields.insert("allocated_storage");
    }
    Ok(fields)
}

/// What goes into one modification.
struct Change<'a> {
    cx: &'a Cx<'a>,
    spec: &'a Spec,
    live: &'a DbInstance,
    fields: BTreeSet<&'static str>,
}

impl Change<'_> {
    /// `value`, if this field is to be sent.
    fn of<T>(&self, field: &str, value: T) -> Option<T> {
        self.fields.contains(field).then_some(value)
    }

    fn capacity(&self, request: Modify) -> Modify {
        let Self { spec, live, .. } = self;
        let storage = self.of("allocated_storage", spec.allocated_storage);
        // AWS's way of saying "no further": a limit that is reached already.
        let reached = storage.or(live.allocated_storage()).unwrap_or(spec.allocated_storage);
        request
            .set_db_instance_class(self.of("instance_class", spec.instance_class.clone()))
            .set_multi_az(self.of("multi_az", spec.multi_az))
            .set_storage_type(self.of("storage_type", spec.storage_type.clone()))
            .set_allocated_storage(storage)
            .set_max_allocated_storage(self.of("max_allocated_storage", spec.max_allocated_storage.unwrap_or(reached)))
    }

    fn access(&self, request: Modify) -> Result<Modify, Fault> {
        let Self { cx, spec, .. } = self;
        let parameters = self.of("parameter_group", cx.id(&spec.parameter_group)?.to_string());
        Ok(request
            .set_vpc_security_group_ids(self.of("security_groups", groups(cx, spec)?))
            .set_db_parameter_group_name(parameters)
            .set_db_port_number(self.of("port", spec.port.into()))
            .set_publicly_accessible(self.of("publicly_accessible", spec.publicly_accessible))
            .set_enable_iam_database_authentication(self.of("iam_authentication", spec.iam_authentication)))
    }

    fn upkeep(&self, request: Modify) -> Result<Modify, Fault> {
        let Self { cx, spec, live, .. } = self;
        let logs = self.of("log_exports", exports(&spec.log_exports, live.enabled_cloudwatch_logs_exports()));
        let key = spec.performance_insights_key.as_ref().map(|key| cx.id(key)).transpose()?;
        let on = self.of("performance_insights_key", key.is_some());
        let key = self.of("performance_insights_key", key.map(|key| key.to_string())).flatten();
        Ok(request
            .set_deletion_protection(self.of("deletion_protection", spec.deletion_protection))
            .set_copy_tags_to_snapshot(self.of("copy_tags_to_snapshot", spec.copy_tags_to_snapshot))
            .set_auto_minor_version_upgrade(self.of("auto_minor_version_upgrade", spec.auto_minor_version_upgrade))
            .set_cloudwatch_logs_export_configuration(logs)
            .set_monitoring_interval(
                self.of("monitoring", spec.monitoring.as_ref().map_or(0, |monitoring| monitoring.seconds)),
            )
            .set_monitoring_role_arn(self.of("monitoring", monitoring_role(cx, spec)?).flatten())
            .set_enable_performance_insights(on)
            .set_performance_insights_kms_key_id(key))
    }
}

/// Whether it can be read from: AWS may show it as available while nothing comes from the source any more.
fn readiness(replica: &DbInstance) -> Readiness {
    let stopped = replica.status_infos().iter().find(|info| info.normal() == Some(false));
    match (observe::readiness(replica), stopped) {
        (Readiness::Ready, Some(info)) => {
            let (status, message) = (info.status().unwrap_or("unknown"), info.message().unwrap_or_default());
            Readiness::Pending(format!("replication is in status `{status}`: {message}"))
        }
        (readiness, _) => readiness,
    }
}

fn observe(replica: &DbInstance) -> Observed<Outputs> {
    let seen = Observed::new(observe::outputs(replica));
    fields(replica).into_iter().fold(seen, |seen, (field, value)| seen.see(field, value))
}

/// The live values of the spec's fields.
fn fields(replica: &DbInstance) -> Vec<(&'static str, Value)> {
    let source = replica.read_replica_source_db_instance_identifier().filter(|source| !source.is_empty());
    let own = observe::fields(replica).into_iter().filter(|(field, _)| !OF_THE_SOURCE.contains(field));
    own.chain([("source", json!(source))]).collect()
}

#[cfg(test)]
mod tests {
    use aws_sdk_rds::types::DbInstanceStatusInfo;
    use rcm_engine::model::{Address, references};

    use super::*;

    fn to<R>(address: &str) -> Ref<R> {
        Ref::to(Address::new(address).unwrap())
    }

    fn spec() -> Spec {
        Spec {
            identifier: "acme-rcm-prod-db-replica".into(),
            source: to("database/instance"),
            instance_class: "db.t3.medium".into(),
            allocated_storage: 100,
            max_allocated_storage: Some(500),
            storage_type: "gp3".into(),
            multi_az: false,
            security_groups: vec![to("security/database")],
            parameter_group: to("database/parameters"),
            port: 5432,
            deletion_protection: true,
            publicly_accessible: false,
            copy_tags_to_snapshot: true,
            auto_minor_version_upgrade: true,
            log_exports: vec!["postgresql".into()],
            performance_insights_key: None,
            iam_authentication: false,
            monitoring: None,
        }
    }

    fn of(source: &str) -> DbInstance {
        DbInstance::builder()
            .db_instance_status("available")
            .read_replica_source_db_instance_identifier(source)
            .build()
    }

    #[test]
    fn a_replica_stands_on_its_source_and_what_is_read_are_fields_of_its_spec() {
        let spec = serde_json::to_value(spec()).unwrap();
        assert!(references(&spec).iter().any(|reference| reference.address.as_str() == "database/instance"));
        for (field, _) in fields(&of("acme-rcm-prod-db")) {
            assert!(spec.get(field).is_some(), "{field}");
        }
    }

    #[test]
    fn one_that_was_promoted_holds_data() {
        let holds = |source: &str| Replica::holds(&spec(), &fields(&of(source)).into_iter().map(|(k, v)| (k.into(), v)).collect());
        assert_eq!(holds("acme-rcm-prod-db"), Holds::Nothing);
        assert!(matches!(holds(""), Holds::Since(_)));
        assert_eq!(Replica::holds(&spec(), &Map::new()), Holds::Nothing, "nobody has looked");
    }

    #[test]
    fn one_that_does_not_follow_its_source_is_not_ready() {
        let behind = DbInstanceStatusInfo::builder().normal(false).status("error").message("no slot").build();
        let replica = DbInstance::builder().db_instance_status("available").status_infos(behind).build();
        assert_eq!(readiness(&replica), Readiness::Pending("replication is in status `error`: no slot".into()));
        assert_eq!(readiness(&of("acme-rcm-prod-db")), Readiness::Ready);
    }
}
