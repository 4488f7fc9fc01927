//! Changes to an instance: those that take effect at once, and those that wait.

use serde::{Deserialize, Serialize};

use super::instances::{Instance, Surroundings, check_password, sha256, stages};
use super::settings::{Insights, Monitoring, Options, Storage};
use super::{Rds, catalogue, combination, invalid};
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

/// `PendingModifiedValues`: what is asked for and not yet so.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Pending {
    class: Option<String>,
    engine_version: Option<String>,
    multi_az: Option<bool>,
    port: Option<u16>,
    backup_days: Option<u32>,
    storage_kind: Option<String>,
    allocated: Option<u32>,
    iops: Option<u32>,
    throughput: Option<u32>,
    certificate_authority: Option<String>,
    iam_authentication: Option<bool>,
    /// Whether there is a new password. The password itself is nowhere.
    password: bool,
}

impl Pending {
    /// What an instance shows while it is created.
    pub(super) fn of_new_password() -> Pending {
        Pending { password: true, ..Pending::default() }
    }

    pub(super) fn show(&self, xml: &mut Xml) {
        xml.opt("DBInstanceClass", self.class.as_ref())
            .opt("EngineVersion", self.engine_version.as_ref())
            .opt("MultiAZ", self.multi_az)
            .opt("Port", self.port)
            .opt("BackupRetentionPeriod", self.backup_days)
            .opt("StorageType", self.storage_kind.as_ref())
            .opt("AllocatedStorage", self.allocated)
            .opt("Iops", self.iops)
            .opt("StorageThroughput", self.throughput)
            .opt("CACertificateIdentifier", self.certificate_authority.as_ref())
            .opt("IAMDatabaseAuthenticationEnabled", self.iam_authentication)
            .opt("MasterUserPassword", self.password.then_some("****"));
    }

    /// Takes from `wanted` what differs from the instance and has to wait.
    fn note(&mut self, instance: &Instance, wanted: &Instance) {
        fn differs<T: Clone + PartialEq>(pending: &mut Option<T>, own: &T, wanted: &T) {
            if own != wanted {
                *pending = Some(wanted.clone());
            }
        }
        let (own, new) = (&instance.storage, &wanted.storage);
        differs(&mut self.class, &instance.class, &wanted.class);
        differs(&mut self.engine_version, &instance.engine_version, &wanted.engine_version);
        differs(&mut self.multi_az, &instance.multi_az, &wanted.multi_az);
        differs(&mut self.port, &instance.port, &wanted.port);
        differs(&mut self.storage_kind, &own.kind, &new.kind);
        differs(&mut self.allocated, &own.allocated, &new.allocated);
        if own.iops != new.iops {
            self.iops = new.iops;
        }
        if own.throughput != new.throughput {
            self.throughput = new.throughput;
        }
        let (own, new) = (&instance.options, &wanted.options);
        differs(&mut self.certificate_authority, &own.certificate_authority, &new.certificate_authority);
        differs(&mut self.iam_authentication, &own.iam_authentication, &new.iam_authentication);
        // From one number of days to another is no outage and does not wait; to or from none is one.
        if own.backup_days != new.backup_days && (own.backup_days == 0 || new.backup_days == 0) {
            self.backup_days = Some(new.backup_days);
        }
    }
}

impl Instance {
    /// Makes so what was pending.
    pub(super) fn apply_pending(&mut self) {
        let Pending { class, engine_version, multi_az, port, backup_days, storage_kind, .. } = self.pending.clone();
        let Pending { allocated, iops, throughput, certificate_authority, iam_authentication, .. } =
            self.pending.clone();
        fn apply<T>(own: &mut T, pending: Option<T>) {
            if let Some(value) = pending {
                *own = value;
            }
        }
        apply(&mut self.class, class);
        apply(&mut self.engine_version, engine_version);
        apply(&mut self.multi_az, multi_az);
        apply(&mut self.port, port);
        apply(&mut self.options.backup_days, backup_days);
        apply(&mut self.storage.kind, storage_kind);
        apply(&mut self.storage.allocated, allocated);
        apply(&mut self.storage.iops, iops.map(Some));
        apply(&mut self.storage.throughput, throughput.map(Some));
        apply(&mut self.options.certificate_authority, certificate_authority);
        apply(&mut self.options.iam_authentication, iam_authentication);
        self.pending = Pending::default();
    }

    /// The instance as the request wants it.
    fn wanted(&self, cx: &Context, params: &Params, surroundings: &Surroundings) -> Result<Instance, Fault> {
        let mut wanted = self.clone();
        if let Some(class) = params.get("DBInstanceClass") {
            catalogue::check_class(class)?;
            class.clone_into(&mut wanted.class);
        }
        if let Some(version) = params.get("EngineVersion") {
            wanted.engine_version = self.upgraded(version, params)?;
        }
        wanted.storage = Storage::of(params, Some(&self.storage))?;
        if wanted.storage.allocated < self.storage.allocated {
            return Err(combination("Storage cannot be made smaller"));
        }
        wanted.multi_az = params.parsed("MultiAZ")?.unwrap_or(self.multi_az);
        wanted.port = params.parsed("DBPortNumber")?.unwrap_or(self.port);
        wanted.public = params.parsed("PubliclyAccessible")?.unwrap_or(self.public);
        wanted.options = Options::of(params, &self.options)?;
        wanted.insights = Insights::of(cx, params, surroundings.insights_key.as_ref(), self.insights.as_ref())?;
        wanted.insights_mode = params.get("DatabaseInsightsMode").unwrap_or(&self.insights_mode).to_owned();
        wanted.monitoring = Monitoring::of(params, &self.monitoring)?;
        if !surroundings.security_groups.is_empty() {
            wanted.security_groups.clone_from(&surroundings.security_groups);
        }
        Ok(wanted)
    }

    fn upgraded(&self, version: &str, params: &Params) -> Result<String, Fault> {
        // The major version alone is what the instance has already, whatever its minor one.
        if version == catalogue::major(&self.engine_version) {
            return Ok(self.engine_version.clone());
        }
        let new = catalogue::version(Some(version))?;
        if !catalogue::is_upgrade(&self.engine_version, &new) {
            return Err(combination(format!("Cannot upgrade postgres from {} to {new}", self.engine_version)));
        }
        let major = catalogue::major(&new) != catalogue::major(&self.engine_version);
        if major && !params.parsed("AllowMajorVersionUpgrade")?.unwrap_or(false) {
            return Err(combination(
                "The AllowMajorVersionUpgrade flag must be present when upgrading to a new major version.",
            ));
        }
        Ok(new)
    }

    /// Takes over what need not wait.
    fn change_now(&mut self, wanted: Instance) {
        let waiting = self.options.clone();
        self.options = wanted.options;
        self.options.certificate_authority = waiting.certificate_authority;
        self.options.iam_authentication = waiting.iam_authentication;
        if waiting.backup_days == 0 || self.options.backup_days == 0 {
            self.options.backup_days = waiting.backup_days;
        }
        self.storage.maximum = wanted.storage.maximum;
        self.public = wanted.public;
        self.insights = wanted.insights;
        self.insights_mode = wanted.insights_mode;
        self.monitoring = wanted.monitoring;
        self.security_groups = wanted.security_groups;
    }
}

/// Parameters that name the instance or say how, not what.
const NO_CHANGE: [&str; 5] =
    ["Action", "Version", "DBInstanceIdentifier", "ApplyImmediately", "AllowMajorVersionUpgrade"];

impl Rds {
    /// Replicas are upgraded along with their source, and then have the default parameter group of their new family.
    fn upgrade_replicas(&mut self, cx: &Context, source: &str, version: &str) {
        for replica in self.instances.values_mut().filter(|other| other.replica_of.as_deref() == Some(source)) {
            replica.pending.engine_version = Some(version.to_owned());
            if catalogue::major(version) != catalogue::major(&replica.engine_version) {
                replica.parameter_group.name = format!("default.{}", catalogue::family(version));
            }
            replica.stages = stages(&[("upgrading", cx.polls())]);
        }
    }

    pub(super) fn modify_instance(
        &mut self,
        cx: &Context,
        params: &Params,
        surroundings: Surroundings,
    ) -> Result<Xml, Fault> {
        if params.names().all(|name| NO_CHANGE.contains(&name)) {
            return Err(combination("No modifications were requested"));
        }
        if params.get("NewDBInstanceIdentifier").is_some() || params.get("DBSubnetGroupName").is_some() {
            return Err(invalid("the sandbox does not play renaming an instance or moving it to another subnet group"));
        }
        let instance = self.instance(params.require("DBInstanceIdentifier")?)?;
        instance.refuse_unless_available()?;
        if instance.replica_of.is_some() && params.get("MasterUserPassword").is_some() {
            return Err(combination("The master user password of a read replica cannot be modified"));
        }
        let wanted = instance.wanted(cx, params, &surroundings)?;
        let (id, version) = (instance.id.clone(), wanted.engine_version.clone());
        let group = match params.get("DBParameterGroupName") {
            Some(_) => Some(self.parameter_group_use(params, &version)?),
            None => None,
        };
        if let Some(password) = params.get("MasterUserPassword") {
            check_password(password)?;
        }
        let instance = self.instance(&id)?;
        if let Some(group) = group.filter(|group| group.name != instance.parameter_group.name) {
            instance.parameter_group.name = group.name;
            "pending-reboot".clone_into(&mut instance.parameter_group.status);
        }
        let mut pending = instance.pending.clone();
        pending.note(instance, &wanted);
        let now = params.parsed("ApplyImmediately")?.unwrap_or(false);
        // A new password never waits for the maintenance window.
        pending.password = now && params.get("MasterUserPassword").is_some();
        instance.pending = pending;
        instance.change_now(wanted);
        if let Some(password) = params.get("MasterUserPassword") {
            instance.password_sha256 = sha256(password);
        }
        if now && instance.pending != Pending::default() {
            instance.stages = stages(&[("available", cx.polls().min(1)), ("modifying", cx.polls())]);
        }
        if let Some(version) = instance.pending.engine_version.clone().filter(|_| now) {
            self.upgrade_replicas(cx, &id, &version);
        }
        Ok(self.shown(&id, "available"))
    }
}
