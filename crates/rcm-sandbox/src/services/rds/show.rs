//! An instance as the API shows it.

use super::instances::Instance;
use super::{Rds, catalogue, show_tags};
use crate::time::timestamp;
use crate::wire::Xml;

/// The Route 53 zone of RDS endpoints in us-east-1; nobody resolves these names.
const HOSTED_ZONE: &str = "Z2R2ITUGPM61AM";

impl Rds {
    /// `<DBInstance>` with one instance.
    pub(super) fn shown(&self, id: &str, status: &str) -> Xml {
        let mut xml = Xml::default();
        xml.node("DBInstance", |item| self.show(item, id, status));
        xml
    }

    pub(super) fn show(&self, xml: &mut Xml, id: &str, status: &str) {
        let Some(instance) = self.instances.get(id) else { return };
        instance.show_identity(xml, status);
        instance.show_network(xml);
        if let Some(group) = self.subnet_groups.get(&instance.subnet_group) {
            xml.node("DBSubnetGroup", |xml| group.show(xml));
        }
        instance.show_storage(xml);
        instance.show_options(xml);
        instance.show_watching(xml);
        xml.node("PendingModifiedValues", |xml| instance.pending.show(xml));
        let replicas = self.replicas_of(id).map(|replica| &replica.id);
        xml.texts("ReadReplicaDBInstanceIdentifiers", "ReadReplicaDBInstanceIdentifier", replicas);
        instance.show_replication(xml, status);
        show_tags(xml, &instance.tags);
    }
}

impl Instance {
    fn show_identity(&self, xml: &mut Xml, status: &str) {
        xml.text("DBInstanceIdentifier", &self.id)
            .text("DBInstanceArn", &self.arn)
            .text("DbiResourceId", &self.resource_id)
            .text("DBInstanceClass", &self.class)
            .text("Engine", "postgres")
            .text("EngineVersion", &self.engine_version)
            .text("EngineLifecycleSupport", "open-source-rds-extended-support")
            .text("LicenseModel", "postgresql-license")
            .text("DBInstanceStatus", status)
            .text("MasterUsername", &self.username)
            .opt("DBName", self.database.as_ref());
        if self.has_been_available {
            xml.text("InstanceCreateTime", &self.created);
            xml.node("Endpoint", |endpoint| {
                endpoint.text("Address", self.address()).text("Port", self.port).text("HostedZoneId", HOSTED_ZONE);
            });
        }
        xml.text("DbInstancePort", 0);
    }

    /// `acme.c1a2b3c4d5e6.us-east-1.rds.amazonaws.com`
    fn address(&self) -> String {
        let region = self.arn.split(':').nth(3).unwrap_or_default();
        // One label for all instances of an account and region.
        let account = self.arn.split(':').nth(4).unwrap_or_default();
        let label = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, format!("{account}.{region}").as_bytes());
        let label: String = label.simple().to_string().chars().take(11).collect();
        format!("{}.c{label}.{region}.rds.amazonaws.com", self.id)
    }

    fn show_network(&self, xml: &mut Xml) {
        xml.text("MultiAZ", self.multi_az)
            .text("AvailabilityZone", &self.zone)
            .opt("SecondaryAvailabilityZone", self.standby_zone())
            .text("PubliclyAccessible", self.public)
            .text("NetworkType", "IPV4")
            .text("CustomerOwnedIpEnabled", false)
            .list("VpcSecurityGroups", "VpcSecurityGroupMembership", &self.security_groups, |item, group| {
                item.text("VpcSecurityGroupId", group).text("Status", "active");
            })
            .list("DBParameterGroups", "DBParameterGroup", [&self.parameter_group], |item, group| {
                item.text("DBParameterGroupName", &group.name).text("ParameterApplyStatus", &group.status);
            })
            .list(
                "OptionGroupMemberships",
                "OptionGroupMembership",
                [catalogue::major(&self.engine_version)],
                |item, major| {
                    item.text("OptionGroupName", format!("default:postgres-{major}")).text("Status", "in-sync");
                },
            );
    }

    fn show_storage(&self, xml: &mut Xml) {
        let storage = &self.storage;
        xml.text("StorageType", &storage.kind)
            .text("AllocatedStorage", storage.allocated)
            .opt("MaxAllocatedStorage", storage.maximum)
            .opt("Iops", storage.iops)
            .opt("StorageThroughput", storage.throughput)
            .text("StorageEncrypted", self.key.is_some())
            .opt("KmsKeyId", self.key.as_ref())
            .text("DedicatedLogVolume", false)
            .text("BackupTarget", "region");
    }

    fn show_options(&self, xml: &mut Xml) {
        let options = &self.options;
        xml.text("BackupRetentionPeriod", options.backup_days)
            .text("PreferredBackupWindow", &options.backup_window)
            .text("PreferredMaintenanceWindow", &options.maintenance_window)
            .text("AutoMinorVersionUpgrade", options.minor_upgrades)
            .text("CopyTagsToSnapshot", options.copy_tags)
            .text("DeletionProtection", options.deletion_protection)
            .text("IAMDatabaseAuthenticationEnabled", options.iam_authentication)
            .text("CACertificateIdentifier", &options.certificate_authority)
            .texts("EnabledCloudwatchLogsExports", "member", &options.logs);
        if self.has_been_available && options.backup_days > 0 {
            xml.text("LatestRestorableTime", timestamp());
        }
        xml.node("CertificateDetails", |details| {
            details.text("CAIdentifier", &options.certificate_authority);
        });
    }

    fn show_watching(&self, xml: &mut Xml) {
        xml.text("PerformanceInsightsEnabled", self.insights.is_some())
            .text("DatabaseInsightsMode", &self.insights_mode)
            .text("MonitoringInterval", self.monitoring.interval)
            .opt("MonitoringRoleArn", self.monitoring.role.as_ref());
        if let Some(insights) = &self.insights {
            xml.text("PerformanceInsightsKMSKeyId", &insights.key);
            xml.text("PerformanceInsightsRetentionPeriod", insights.retention);
        }
        if self.monitoring.interval > 0 {
            let region = self.arn.split(':').nth(3).unwrap_or_default();
            let account = self.arn.split(':').nth(4).unwrap_or_default();
            let stream =
                format!("arn:aws:logs:{region}:{account}:log-group:RDSOSMetrics:log-stream:{}", self.resource_id);
            xml.text("EnhancedMonitoringResourceArn", stream);
        }
    }

    fn show_replication(&self, xml: &mut Xml, status: &str) {
        let Some(source) = &self.replica_of else { return };
        xml.text("ReadReplicaSourceDBInstanceIdentifier", source);
        if status == "available" {
            xml.list("StatusInfos", "DBInstanceStatusInfo", ["replicating"], |item, status| {
                item.text("StatusType", "read replication").text("Normal", true).text("Status", status);
            });
        }
    }
}
