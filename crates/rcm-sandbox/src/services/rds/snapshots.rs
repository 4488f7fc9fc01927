//! Snapshots that people take, and those taken last.

use serde::{Deserialize, Serialize};

use super::instances::Instance;
use super::{Rds, catalogue, identifier, show_tags, tags};
use crate::arn::arn;
use crate::countdown::Countdown;
use crate::page::page;
use crate::service::{Context, Tags};
use crate::time::timestamp;
use crate::wire::{Fault, Params, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct Snapshot {
    name: String,
    arn: String,
    /// The instance as it was.
    instance: Instance,
    vpc: String,
    created: String,
    taken: Countdown,
    pub(super) tags: Tags,
}

impl Snapshot {
    /// A snapshot of an instance, with its tags where the instance says so.
    pub(super) fn of(cx: &Context, name: String, instance: &Instance, vpc: String) -> Snapshot {
        Snapshot {
            arn: arn(cx, "rds", &format!("snapshot:{name}")),
            name,
            vpc,
            created: timestamp(),
            taken: Countdown::new(cx.polls()),
            tags: if instance.options.copy_tags { instance.tags.clone() } else { Tags::new() },
            instance: instance.clone(),
        }
    }

    pub(super) fn is_of(&self, instance: &str) -> bool {
        self.instance.id == instance
    }

    pub(super) fn arrive(&mut self) {
        self.taken = Countdown::default();
    }

    fn show(&self, xml: &mut Xml, taken: bool) {
        let (instance, storage) = (&self.instance, &self.instance.storage);
        xml.text("DBSnapshotIdentifier", &self.name)
            .text("DBSnapshotArn", &self.arn)
            .text("DBInstanceIdentifier", &instance.id)
            .text("DbiResourceId", &instance.resource_id)
            .text("SnapshotType", "manual")
            .text("Status", if taken { "available" } else { "creating" })
            .text("PercentProgress", if taken { 100 } else { 0 })
            .text("Engine", "postgres")
            .text("EngineVersion", &instance.engine_version)
            .text("LicenseModel", "postgresql-license")
            .text("InstanceCreateTime", &instance.created)
            .text("MasterUsername", &instance.username)
            .text("Port", instance.port)
            .text("AvailabilityZone", &instance.zone)
            .text("VpcId", &self.vpc)
            .text("AllocatedStorage", storage.allocated)
            .text("StorageType", &storage.kind)
            .opt("Iops", storage.iops)
            .opt("StorageThroughput", storage.throughput)
            .text("Encrypted", instance.key.is_some())
            .opt("KmsKeyId", instance.key.as_ref())
            .text("IAMDatabaseAuthenticationEnabled", instance.options.iam_authentication)
            .text("OptionGroupName", format!("default:postgres-{}", catalogue::major(&instance.engine_version)))
            .text("SnapshotTarget", "region")
            .text("DedicatedLogVolume", false);
        if taken {
            xml.text("SnapshotCreateTime", &self.created).text("OriginalSnapshotCreateTime", &self.created);
        }
        show_tags(xml, &self.tags);
    }

    fn shown(&self) -> Xml {
        let mut xml = Xml::default();
        xml.node("DBSnapshot", |item| self.show(item, self.taken.arrived()));
        xml
    }
}

impl Rds {
    pub(super) fn refuse_known_snapshot(&self, name: &str) -> Result<(), Fault> {
        if !self.snapshots.contains_key(name) {
            return Ok(());
        }
        let message =
            format!("Cannot create the snapshot because a snapshot with the identifier {name} already exists.");
        Err(Fault::new("DBSnapshotAlreadyExists", message))
    }

    pub(super) fn create_snapshot(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let name = identifier(params, "DBSnapshotIdentifier")?;
        let instance = self.instance(params.require("DBInstanceIdentifier")?)?.clone();
        instance.refuse_unless_available()?;
        self.refuse_known_snapshot(&name)?;
        let vpc = self.vpc_of_group(Some(&instance.subnet_group))?;
        let mut snapshot = Snapshot::of(cx, name.clone(), &instance, vpc);
        snapshot.tags.extend(tags(params)?);
        let shown = snapshot.shown();
        self.snapshots.insert(name, snapshot);
        Ok(shown)
    }

    pub(super) fn describe_snapshots(&mut self, params: &Params) -> Result<Xml, Fault> {
        let name =
            params.get("DBSnapshotIdentifier").map(|name| name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase());
        let instance = params.get("DBInstanceIdentifier").map(str::to_ascii_lowercase);
        if let Some(name) = name.as_ref().filter(|name| !self.snapshots.contains_key(*name)) {
            return Err(not_found(name));
        }
        let manual = params.get("SnapshotType").is_none_or(|kind| kind == "manual");
        let wanted = |snapshot: &&mut Snapshot| {
            manual
                && name.as_ref().is_none_or(|name| *name == snapshot.name)
                && instance.as_ref().is_none_or(|instance| snapshot.is_of(instance))
        };
        let found: Vec<&mut Snapshot> = self.snapshots.values_mut().filter(wanted).collect();
        let (shown, next) = page(found, params.get("Marker"), params.parsed("MaxRecords")?);
        let mut xml = Xml::default();
        xml.list("DBSnapshots", "DBSnapshot", shown, |item, snapshot| {
            let taken = snapshot.taken.poll();
            snapshot.show(item, taken);
        });
        xml.opt("Marker", next);
        Ok(xml)
    }

    pub(super) fn delete_snapshot(&mut self, params: &Params) -> Result<Xml, Fault> {
        let name = params.require("DBSnapshotIdentifier")?.to_ascii_lowercase();
        let snapshot = self.snapshots.get(&name).ok_or_else(|| not_found(&name))?;
        if !snapshot.taken.arrived() {
            let message = format!("The snapshot {name} is still being created.");
            return Err(Fault::new("InvalidDBSnapshotState", message));
        }
        let shown = snapshot.shown();
        self.snapshots.remove(&name);
        Ok(shown)
    }
}

fn not_found(name: &str) -> Fault {
    Fault::new("DBSnapshotNotFound", format!("DBSnapshot {name} not found.")).status(404)
}
