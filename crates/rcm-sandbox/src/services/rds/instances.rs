//! DB instances: what they are, their way through their states, and their creation.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::modify::Pending;
use super::settings::{Insights, Monitoring, Options, ParameterGroupUse, Storage, managed_key};
use super::subnet_groups::SubnetGroup;
use super::{Rds, catalogue, combination, identifier, invalid, tags};
use crate::arn::{arn, random_hex};
use crate::countdown::Countdown;
use crate::neighbours;
use crate::page::page;
use crate::service::{Context, Hold, Tags};
use crate::time::timestamp;
use crate::wire::{Fault, Params, Xml};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) arn: String,
    /// `db-…`
    pub(super) resource_id: String,
    pub(super) class: String,
    pub(super) engine_version: String,
    pub(super) username: String,
    /// Of the master password, in hexadecimal digits: whoever has a password can tell whether it is the one.
    #[serde(default)]
    pub(super) password_sha256: String,
    pub(super) database: Option<String>,
    pub(super) storage: Storage,
    /// The ARN of the key that encrypts it.
    pub(super) key: Option<String>,
    pub(super) subnet_group: String,
    pub(super) security_groups: Vec<String>,
    pub(super) port: u16,
    pub(super) public: bool,
    pub(super) zone: String,
    /// Where the standby is, if there is one.
    pub(super) second_zone: Option<String>,
    pub(super) multi_az: bool,
    pub(super) parameter_group: ParameterGroupUse,
    pub(super) options: Options,
    pub(super) insights: Option<Insights>,
    pub(super) insights_mode: String,
    pub(super) monitoring: Monitoring,
    pub(super) replica_of: Option<String>,
    pub(super) created: String,
    /// Whether it has been available once, and so has an address.
    pub(super) has_been_available: bool,
    pub(super) stages: Vec<Stage>,
    pub(super) pending: Pending,
    pub(super) tags: Tags,
}

/// A state on the way to `available`, or `deleting` on the way to nothing.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Stage {
    pub(super) status: String,
    pub(super) countdown: Countdown,
}

/// One stage after the other, each with the polls it takes.
pub(super) fn stages(stages: &[(&str, u32)]) -> Vec<Stage> {
    let stage =
        |(status, polls): &(&str, u32)| Stage { status: (*status).to_owned(), countdown: Countdown::new(*polls) };
    stages.iter().map(stage).collect()
}

/// What the neighbours know of a request's security groups and keys.
pub(super) struct Surroundings {
    pub(super) security_groups: Vec<String>,
    pub(super) default_group: Option<String>,
    /// The ARNs of the keys that the request names.
    pub(super) key: Option<String>,
    pub(super) insights_key: Option<String>,
}

impl Surroundings {
    /// Looks them up, and refuses those that do not exist or belong to another VPC.
    pub(super) async fn of(cx: &Context, params: &Params, vpc: String) -> Result<Surroundings, Fault> {
        let mut security_groups = Vec::new();
        for group in params.list("VpcSecurityGroupIds.VpcSecurityGroupId") {
            match neighbours::security_group_vpc(cx, group).await {
                Some(own) if own == vpc => security_groups.push(group.to_owned()),
                Some(own) => {
                    return Err(combination(format!(
                        "The DB instance and EC2 security group are in different VPCs. The DB instance is in {vpc} and the \
                         EC2 security group is in {own}"
                    )));
                }
                None => return Err(invalid(format!("Invalid security group , groupId= {group}, groupName=."))),
            }
        }
        Ok(Surroundings {
            security_groups,
            default_group: neighbours::default_security_group(cx, &vpc).await,
            key: key_arn(cx, params.get("KmsKeyId")).await?,
            insights_key: key_arn(cx, params.get("PerformanceInsightsKMSKeyId")).await?,
        })
    }

    pub(super) fn groups_or_default(&self) -> Vec<String> {
        if self.security_groups.is_empty() {
            return self.default_group.iter().cloned().collect();
        }
        self.security_groups.clone()
    }
}

async fn key_arn(cx: &Context, key: Option<&str>) -> Result<Option<String>, Fault> {
    let Some(key) = key else { return Ok(None) };
    let message = format!(
        "The specified KMS key [{key}] does not exist, is not enabled or you do not have permissions to access it."
    );
    let found = neighbours::key_arn(cx, key).await;
    found.map(Some).ok_or_else(|| Fault::new("KMSKeyNotAccessibleFault", message))
}

impl Instance {
    /// The state it is in, without a poll.
    pub(super) fn status(&self) -> &str {
        self.stages.first().map_or("available", |stage| &stage.status)
    }

    /// The state that a Describe sees.
    pub(super) fn polled(&mut self) -> String {
        while let Some(stage) = self.stages.first_mut() {
            if !stage.countdown.poll() {
                return stage.status.clone();
            }
            self.pass();
            if self.is_gone() {
                return "deleting".to_owned();
            }
        }
        "available".to_owned()
    }

    /// Leaves behind the stages that are over.
    pub(super) fn settle(&mut self) {
        while !self.is_gone() && self.stages.first().is_some_and(|stage| stage.countdown.arrived()) {
            self.pass();
        }
    }

    /// Ends the first stage. `deleting` has no next one: it stays, with nothing to count.
    fn pass(&mut self) {
        if self.status() == "deleting" {
            return;
        }
        self.stages.remove(0);
        if self.stages.is_empty() {
            self.has_been_available = true;
            self.apply_pending();
        }
    }

    /// Whether nothing of it is left.
    pub(super) fn is_gone(&self) -> bool {
        self.stages.first().is_some_and(|stage| stage.status == "deleting" && stage.countdown.arrived())
    }

    pub(super) fn arrive(&mut self) {
        self.stages.iter_mut().for_each(|stage| stage.countdown = Countdown::default());
    }

    pub(super) fn standby_zone(&self) -> Option<&String> {
        self.second_zone.as_ref().filter(|_| self.multi_az)
    }

    /// Its network interfaces are in the zones it runs in.
    pub(super) fn holds(&self, group: Option<&SubnetGroup>) -> Vec<Hold> {
        let zones = [Some(&self.zone), self.standby_zone()];
        let lives = |zone: &String| zones.contains(&Some(zone));
        let subnets = group.into_iter().flat_map(|group| &group.subnets).filter(|subnet| lives(&subnet.zone));
        let vpc = group.map(|group| group.vpc().to_owned()).filter(|_| self.public);
        let mut resources: Vec<String> = subnets.map(|subnet| subnet.id.clone()).collect();
        resources.extend(self.security_groups.iter().cloned().chain(vpc));
        resources.into_iter().map(|resource| Hold { holder: self.arn.clone(), resource }).collect()
    }
}

/// The digest of a master password: the password itself is not kept.
pub(super) fn sha256(password: &str) -> String {
    Sha256::digest(password).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Refuses a master password that AWS refuses.
pub(super) fn check_password(password: &str) -> Result<(), Fault> {
    let refused = |why: &str| Err(invalid(format!("The parameter MasterUserPassword is not a valid password {why}")));
    if password.len() < 8 {
        return refused("because it is shorter than 8 characters.");
    }
    if password.len() > 128 {
        return refused("because it is longer than 128 characters.");
    }
    let allowed = |character: char| character.is_ascii_graphic() && !"/@\"".contains(character);
    if !password.chars().all(allowed) {
        return refused("because only printable ASCII characters besides '/', '@', '\"', ' ' may be used.");
    }
    Ok(())
}

fn master_username(params: &Params) -> Result<String, Fault> {
    if params.get("ManageMasterUserPassword") == Some("true") {
        return Err(combination("the sandbox does not play ManageMasterUserPassword"));
    }
    let username = params.require("MasterUsername")?;
    check_password(params.require("MasterUserPassword")?)?;
    if ["admin", "rdsadmin", "postgresadmin", "user"].contains(&username) || username.starts_with("pg_") {
        let message = format!("MasterUsername {username} cannot be used as it is a reserved word used by the engine");
        return Err(invalid(message));
    }
    Ok(username.to_owned())
}

impl Rds {
    pub(super) fn create_instance(
        &mut self,
        cx: &Context,
        params: &Params,
        surroundings: Surroundings,
    ) -> Result<Xml, Fault> {
        let id = self.new_id(params)?;
        if params.require("Engine")? != "postgres" {
            return Err(invalid("Invalid DB engine: the sandbox plays postgres only"));
        }
        let engine_version = catalogue::version(params.get("EngineVersion"))?;
        let username = master_username(params)?;
        let class = params.require("DBInstanceClass")?.to_owned();
        catalogue::check_class(&class)?;
        let encrypted = params.parsed("StorageEncrypted")?.unwrap_or(false);
        if !encrypted && surroundings.key.is_some() {
            return Err(combination("KmsKeyId can only be specified if StorageEncrypted is true"));
        }
        let subnet_group = params.require("DBSubnetGroupName")?.to_ascii_lowercase();
        let multi_az = params.parsed("MultiAZ")?.unwrap_or(false);
        let (zone, second_zone) = self.zones(&subnet_group, params.get("AvailabilityZone"), multi_az)?;
        let options = Options::of(params, &Options::defaults())?;
        let instance = Instance {
            arn: arn(cx, "rds", &format!("db:{id}")),
            resource_id: format!("db-{}", random_hex(26).to_uppercase()),
            database: params.get("DBName").map(str::to_owned),
            storage: Storage::of(params, None)?,
            key: encrypted.then(|| surroundings.key.clone().unwrap_or_else(|| managed_key(cx))),
            security_groups: surroundings.groups_or_default(),
            port: params.parsed("Port")?.unwrap_or(5432),
            public: params.parsed("PubliclyAccessible")?.unwrap_or(false),
            parameter_group: self.parameter_group_use(params, &engine_version)?,
            insights: Insights::of(cx, params, surroundings.insights_key.as_ref(), None)?,
            insights_mode: params.get("DatabaseInsightsMode").unwrap_or("standard").to_owned(),
            monitoring: Monitoring::of(params, &Monitoring::default())?,
            replica_of: None,
            created: timestamp(),
            has_been_available: false,
            stages: creation_stages(cx, options.backup_days > 0),
            pending: Pending::of_new_password(),
            tags: tags(params)?,
            id: id.clone(),
            class,
            engine_version,
            username,
            password_sha256: sha256(params.require("MasterUserPassword")?),
            subnet_group,
            zone,
            second_zone,
            multi_az,
            options,
        };
        self.instances.insert(id.clone(), instance);
        Ok(self.shown(&id, "creating"))
    }

    /// The identifier of a new instance.
    pub(super) fn new_id(&self, params: &Params) -> Result<String, Fault> {
        let id = identifier(params, "DBInstanceIdentifier")?;
        if id.len() > 63 {
            return Err(invalid("The parameter DBInstanceIdentifier is longer than 63 characters."));
        }
        if self.instances.contains_key(&id) {
            return Err(Fault::new("DBInstanceAlreadyExists", "DB instance already exists"));
        }
        Ok(id)
    }

    /// The zone of an instance, and the one its standby would be in.
    pub(super) fn zones(
        &self,
        group: &str,
        wanted: Option<&str>,
        multi_az: bool,
    ) -> Result<(String, Option<String>), Fault> {
        if multi_az && wanted.is_some() {
            return Err(combination("Requesting a specific availability zone is not valid for Multi-AZ instances."));
        }
        let zones = self.subnet_groups.get(group).map(SubnetGroup::zones).unwrap_or_default();
        let first = wanted.map(str::to_owned).or_else(|| zones.first().cloned()).unwrap_or_default();
        if !zones.contains(&first) {
            let message = format!("The DB subnet group has no subnet in the Availability Zone {first}");
            return Err(Fault::new("InvalidVPCNetworkStateFault", message));
        }
        let second = zones.into_iter().find(|zone| *zone != first);
        Ok((first, second))
    }

    pub(super) fn parameter_group_use(&self, params: &Params, version: &str) -> Result<ParameterGroupUse, Fault> {
        let family = catalogue::family(version);
        let name = params.get("DBParameterGroupName").map(str::to_ascii_lowercase);
        let name = name.unwrap_or_else(|| format!("default.{family}"));
        let own = self.family_of(&name)?;
        if own != family {
            return Err(combination(format!(
                "The Parameter Group {name} with DBParameterGroupFamily {own} can't be used for this instance. Please use a \
                 Parameter Group with DBParameterGroupFamily {family}"
            )));
        }
        Ok(ParameterGroupUse { name, status: "in-sync".to_owned() })
    }

    pub(super) fn describe_instances(&mut self, params: &Params) -> Result<Xml, Fault> {
        if let Some(id) = params.get("DBInstanceIdentifier") {
            self.instance(id)?;
        }
        let filters = filters(params)?;
        let id = params.get("DBInstanceIdentifier").map(|id| id.rsplit(':').next().unwrap_or(id).to_ascii_lowercase());
        let wanted = |instance: &&Instance| {
            id.as_ref().is_none_or(|id| *id == instance.id)
                && filters.iter().all(|(name, values)| values.contains(&instance.filtered_by(name)))
        };
        let found: Vec<String> = self.instances.values().filter(wanted).map(|instance| instance.id.clone()).collect();
        let (found, next) = page(found, params.get("Marker"), params.parsed("MaxRecords")?);
        let mut shown = Vec::new();
        for id in found {
            let status = self.instances.get_mut(&id).map(Instance::polled).unwrap_or_default();
            shown.push((id, status));
        }
        let mut xml = Xml::default();
        xml.list("DBInstances", "DBInstance", shown, |item, (id, status)| self.show(item, &id, &status));
        xml.opt("Marker", next);
        Ok(xml)
    }

    pub(super) fn reboot_instance(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let instance = self.instance(params.require("DBInstanceIdentifier")?)?;
        instance.refuse_unless_available()?;
        instance.stages = stages(&[("rebooting", cx.polls())]);
        "in-sync".clone_into(&mut instance.parameter_group.status);
        let id = instance.id.clone();
        Ok(self.shown(&id, "rebooting"))
    }
}

/// The stages of a new instance; one with backups takes its first one before it is available.
pub(super) fn creation_stages(cx: &Context, backups: bool) -> Vec<Stage> {
    let backing_up = if backups { cx.polls().min(1) } else { 0 };
    stages(&[("creating", cx.polls()), ("backing-up", backing_up)])
}

type Filters = BTreeMap<String, Vec<String>>;

fn filters(params: &Params) -> Result<Filters, Fault> {
    let mut filters = Filters::new();
    for filter in params.structs("Filters.Filter") {
        let name = filter.require("Name")?;
        if !["db-instance-id", "dbi-resource-id", "engine"].contains(&name) {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        let values = filter.list("Values.Value").into_iter().map(str::to_owned).collect();
        filters.insert(name.to_owned(), values);
    }
    Ok(filters)
}

impl Instance {
    fn filtered_by(&self, name: &str) -> String {
        match name {
            "db-instance-id" => self.id.clone(),
            "dbi-resource-id" => self.resource_id.clone(),
            _ => "postgres".to_owned(),
        }
    }

    /// Most changes need an instance that is `available`.
    pub(super) fn refuse_unless_available(&self) -> Result<(), Fault> {
        let status = self.status();
        if status == "available" || status == "storage-optimization" {
            return Ok(());
        }
        let message = format!("Database instance is not in available state. Current state: {status}");
        Err(Fault::new("InvalidDBInstanceState", message))
    }
}
