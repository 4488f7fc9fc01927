//! Read replicas.

use super::instances::{Instance, Surroundings, creation_stages, stages};
use super::modify::Pending;
use super::settings::{Insights, Monitoring, Options, Storage};
use super::{Rds, catalogue, combination, tags};
use crate::arn::{arn, random_hex};
use crate::service::Context;
use crate::time::timestamp;
use crate::wire::{Fault, Params, Xml};

impl Rds {
    /// A replica is like its source in what must match, and like any new instance in the rest: no backups, no deletion
    /// protection, the VPC's default security group.
    pub(super) fn create_replica(
        &mut self,
        cx: &Context,
        params: &Params,
        surroundings: Surroundings,
    ) -> Result<Xml, Fault> {
        let id = self.new_id(params)?;
        let source = self.instance(params.require("SourceDBInstanceIdentifier")?)?.clone();
        refuse_source(&source)?;
        if params.get("DBParameterGroupName").is_some() {
            return Err(combination(
                "A parameter group can't be specified during Read Replica creation for the DB engine: postgres",
            ));
        }
        if self.replicas_of(&source.id).count() >= MOST {
            let message = format!("You can have at most {MOST} read replicas of a DB instance");
            return Err(Fault::new("InstanceQuotaExceeded", message));
        }
        if surroundings.key.as_ref().is_some_and(|key| Some(key) != source.key.as_ref()) {
            return Err(combination("A replica in the same region is encrypted with the key of its source"));
        }
        let class = params.get("DBInstanceClass").unwrap_or(&source.class).to_owned();
        catalogue::check_class(&class)?;
        let multi_az = params.parsed("MultiAZ")?.unwrap_or(false);
        let (zone, second_zone) = self.zones(&source.subnet_group, params.get("AvailabilityZone"), multi_az)?;
        let inherited = Options {
            backup_days: 0,
            deletion_protection: false,
            logs: Vec::new(),
            copy_tags: false,
            ..source.options.clone()
        };
        let replica = Instance {
            arn: arn(cx, "rds", &format!("db:{id}")),
            resource_id: format!("db-{}", random_hex(26).to_uppercase()),
            storage: Storage::of(params, Some(&source.storage))?,
            security_groups: surroundings.groups_or_default(),
            port: params.parsed("Port")?.unwrap_or(source.port),
            public: params.parsed("PubliclyAccessible")?.unwrap_or(false),
            options: Options::of(params, &inherited)?,
            insights: Insights::of(cx, params, surroundings.insights_key.as_ref(), None)?,
            insights_mode: params.get("DatabaseInsightsMode").unwrap_or("standard").to_owned(),
            monitoring: Monitoring::of(params, &Monitoring::default())?,
            replica_of: Some(source.id.clone()),
            created: timestamp(),
            has_been_available: false,
            stages: creation_stages(cx, false),
            pending: Pending::default(),
            tags: tags(params)?,
            id: id.clone(),
            class,
            zone,
            second_zone,
            multi_az,
            ..source
        };
        self.instances.insert(id.clone(), replica);
        Ok(self.shown(&id, "creating"))
    }

    /// The instances that follow this one.
    pub(super) fn replicas_of(&self, source: &str) -> impl Iterator<Item = &Instance> {
        self.instances.values().filter(move |other| other.replica_of.as_deref() == Some(source))
    }

    /// Makes an instance of its own of a replica, for ever: with backups from then on, after a restart.
    pub(super) fn promote(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let replica = self.instance(params.require("DBInstanceIdentifier")?)?;
        replica.refuse_unless_available()?;
        if replica.replica_of.take().is_none() {
            let message = format!("DB Instance {} is not a read replica", replica.id);
            return Err(Fault::new("InvalidDBInstanceState", message));
        }
        replica.options.backup_days = params.parsed("BackupRetentionPeriod")?.unwrap_or(1);
        replica.stages = stages(&[("modifying", cx.polls()), ("rebooting", cx.polls().min(1))]);
        let id = replica.id.clone();
        Ok(self.shown(&id, "modifying"))
    }
}

/// How many read replicas a PostgreSQL instance can have.
const MOST: usize = 15;

fn refuse_source(source: &Instance) -> Result<(), Fault> {
    source.refuse_unless_available()?;
    if source.options.backup_days == 0 {
        let message = "Automated backups are not enabled for this database instance. To enable automated backups, use \
                       ModifyDBInstance to set the backup retention period to a non-zero value.";
        return Err(Fault::new("InvalidDBInstanceState", message));
    }
    Ok(())
}
