//! RDS for PostgreSQL: instances, replicas, snapshots and groups without any database behind them.
//!
//! | Operations | As on AWS |
//! |---|---|
//! | `Create-`, `Describe-`, `ModifyDBInstance(s)` | `creating`, `backing-up`, `available`; an address only then; changes that AWS defers are pending, and after a modification the status is `available` once more before it is `modifying` |
//! | `DeleteDBInstance` | refused under deletion protection and without a decision on the final snapshot, which is really taken |
//! | `CreateDBInstanceReadReplica` | the source must be available and have backups, whose key and parameter group it has; linked both ways; upgraded with its source; a source that is deleted leaves it promoted |
//! | `PromoteReadReplica` | yes; there is no way back |
//! | `RebootDBInstance` | applies a pending parameter group |
//! | `Create-`, `Describe-`, `DeleteDBSnapshot(s)` | yes |
//! | `Create-`, `Describe-`, `Modify-`, `DeleteDBSubnetGroup(s)` | subnets of one VPC in two zones at least; no delete while used |
//! | `Create-`, `Describe-`, `Modify-`, `DeleteDBParameterGroup(s)`, `DescribeDBParameters` | any parameter can be set; a few are known with defaults and apply types |
//! | `Create-`, `Describe-`, `Modify-`, `DeleteEventSubscription(s)` | `creating`, then `active`; the topic has to be there and to let RDS publish, and sources and categories have to be known; no event is ever told |
//! | `Add-`, `RemoveSourceIdentifierTo-`, `-FromSubscription` | yes |
//! | `Add-`, `RemoveTagsToResource`, `ListTagsForResource` | yes |
//! | `DescribeDBEngineVersions`, `DescribeOrderableDBInstanceOptions` | PostgreSQL, common instance classes |
//!
//! Not there: other engines, clusters, restores, managed master passwords, maintenance windows that come round (what waits
//! for one waits until a modification with `ApplyImmediately`).
//!
//! A master password is checked and forgotten; its digest is kept, so that a secret can be compared with it.
//!
//! API: <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/Welcome.html>.

mod catalogue;
mod delete;
mod events;
mod instances;
mod modify;
mod parameter_groups;
mod replicas;
mod settings;
mod show;
mod snapshots;
mod subnet_groups;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::events::Subscription;
use self::instances::{Instance, Surroundings};
use self::parameter_groups::ParameterGroup;
use self::snapshots::Snapshot;
use self::subnet_groups::SubnetGroup;
use crate::emulator::{Emulated, Emulator};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Hold, Tags};
use crate::wire::{self, Fault, Params, Xml};

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// Everything of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Rds {
    instances: BTreeMap<String, Instance>,
    snapshots: BTreeMap<String, Snapshot>,
    subnet_groups: BTreeMap<String, SubnetGroup>,
    parameter_groups: BTreeMap<String, ParameterGroup>,
    #[serde(default)]
    subscriptions: BTreeMap<String, Subscription>,
}

impl Emulated for Rds {
    const NAME: &'static str = "rds";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        wire::query_reply(params.action(), NAMESPACE, operation(emulator, cx, &params).await)
    }

    fn holds(&mut self) -> Vec<Hold> {
        self.settle();
        let of_instance = |instance: &Instance| instance.holds(self.subnet_groups.get(&instance.subnet_group));
        self.instances.values().flat_map(of_instance).collect()
    }

    fn arrive(&mut self) {
        self.instances.values_mut().for_each(Instance::arrive);
        self.snapshots.values_mut().for_each(Snapshot::arrive);
        self.subscriptions.values_mut().for_each(Subscription::arrive);
        self.settle();
    }
}

async fn operation(emulator: &Emulator<Rds>, cx: &Context, params: &Params) -> Result<Xml, Fault> {
    emulator.lock().settle();
    match params.action() {
        "CreateDBSubnetGroup" | "ModifyDBSubnetGroup" => {
            let ids: Vec<String> = params.list("SubnetIds.SubnetIdentifier").into_iter().map(str::to_owned).collect();
            let subnets = subnet_groups::checked(&ids, neighbours::subnets(cx, &ids).await)?;
            emulator.lock().put_subnet_group(cx, params, subnets)
        }
        "CreateDBInstance" => {
            let vpc = emulator.lock().vpc_of_group(params.get("DBSubnetGroupName"))?;
            let surroundings = Surroundings::of(cx, params, vpc).await?;
            emulator.lock().create_instance(cx, params, surroundings)
        }
        "CreateDBInstanceReadReplica" => {
            let vpc = emulator.lock().vpc_of_instance(params.require("SourceDBInstanceIdentifier")?)?;
            let surroundings = Surroundings::of(cx, params, vpc).await?;
            emulator.lock().create_replica(cx, params, surroundings)
        }
        "ModifyDBInstance" => {
            let vpc = emulator.lock().vpc_of_instance(params.require("DBInstanceIdentifier")?)?;
            let surroundings = Surroundings::of(cx, params, vpc).await?;
            emulator.lock().modify_instance(cx, params, surroundings)
        }
        "CreateEventSubscription" | "ModifyEventSubscription" => {
            if let Some(topic) = params.get("SnsTopicArn") {
                events::check_topic(neighbours::topic_policy(cx, topic).await)?;
            }
            emulator.lock().immediate(cx, params)
        }
        _ => emulator.lock().immediate(cx, params),
    }
}

impl Rds {
    /// The operations that ask no other service.
    fn immediate(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        match params.action() {
            "DescribeDBInstances" => self.describe_instances(params),
            "DeleteDBInstance" => self.delete_instance(cx, params),
            "PromoteReadReplica" => self.promote(cx, params),
            "RebootDBInstance" => self.reboot_instance(cx, params),
            "CreateDBSnapshot" => self.create_snapshot(cx, params),
            "DescribeDBSnapshots" => self.describe_snapshots(params),
            "DeleteDBSnapshot" => self.delete_snapshot(params),
            "DescribeDBSubnetGroups" => self.describe_subnet_groups(params),
            "DeleteDBSubnetGroup" => self.delete_subnet_group(params),
            "CreateDBParameterGroup" => self.create_parameter_group(cx, params),
            "DescribeDBParameterGroups" => self.describe_parameter_groups(cx, params),
            "ModifyDBParameterGroup" => self.modify_parameter_group(params),
            "DeleteDBParameterGroup" => self.delete_parameter_group(params),
            "DescribeDBParameters" => self.describe_parameters(params),
            "CreateEventSubscription" => self.create_subscription(cx, params),
            "DescribeEventSubscriptions" => self.describe_subscriptions(params),
            "ModifyEventSubscription" => self.modify_subscription(cx, params),
            "AddSourceIdentifierToSubscription" => self.add_source(params),
            "RemoveSourceIdentifierFromSubscription" => self.remove_source(params),
            "DeleteEventSubscription" => self.delete_subscription(params),
            "AddTagsToResource" => self.add_tags(params),
            "RemoveTagsFromResource" => self.remove_tags(params),
            "ListTagsForResource" => self.list_tags(params),
            "DescribeDBEngineVersions" => catalogue::describe_versions(params),
            "DescribeOrderableDBInstanceOptions" => catalogue::describe_options(cx, params),
            other => Err(Fault::new("InvalidAction", format!("the sandbox does not play rds:{other}"))),
        }
    }

    /// Lets everything that has arrived be what it has become.
    fn settle(&mut self) {
        self.instances.values_mut().for_each(Instance::settle);
        let gone: Vec<String> =
            self.instances.values().filter(|instance| instance.is_gone()).map(|instance| instance.id.clone()).collect();
        for id in gone {
            self.instances.remove(&id);
            self.snapshots.values_mut().filter(|snapshot| snapshot.is_of(&id)).for_each(Snapshot::arrive);
        }
    }

    fn instance(&mut self, id: &str) -> Result<&mut Instance, Fault> {
        let missing = || Fault::new("DBInstanceNotFound", format!("DBInstance {id} not found.")).status(404);
        let name = id.rsplit(':').next().unwrap_or(id).to_ascii_lowercase();
        self.instances.get_mut(&name).ok_or_else(missing)
    }

    /// The tags of the resource that an ARN names.
    fn tags_of(&mut self, arn: &str) -> Result<&mut Tags, Fault> {
        let parts: Vec<&str> = arn.splitn(7, ':').collect();
        let [_, _, "rds", _, _, kind, name] = parts[..] else {
            return Err(invalid(format!("Invalid resource name: {arn}")));
        };
        let missing =
            |code: &'static str, what: &str| Fault::new(code, format!("{what} {name} not found.")).status(404);
        match kind {
            "db" => Ok(&mut self.instance(name)?.tags),
            "snapshot" => self
                .snapshots
                .get_mut(name)
                .map(|snapshot| &mut snapshot.tags)
                .ok_or_else(|| missing("DBSnapshotNotFound", "DBSnapshot")),
            "es" => self
                .subscriptions
                .get_mut(name)
                .map(|subscription| &mut subscription.tags)
                .ok_or_else(|| missing("SubscriptionNotFound", "Subscription")),
            "subgrp" => self
                .subnet_groups
                .get_mut(name)
                .map(|group| &mut group.tags)
                .ok_or_else(|| missing("DBSubnetGroupNotFoundFault", "DB subnet group")),
            "pg" => self
                .parameter_groups
                .get_mut(name)
                .map(|group| &mut group.tags)
                .ok_or_else(|| missing("DBParameterGroupNotFound", "DBParameterGroup")),
            _ => Err(invalid(format!("Invalid resource name: {arn}"))),
        }
    }

    fn add_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let added = tags(params)?;
        self.tags_of(params.require("ResourceName")?)?.extend(added);
        Ok(Xml::default())
    }

    fn remove_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let keys = params.list("TagKeys.member");
        self.tags_of(params.require("ResourceName")?)?.retain(|key, _| !keys.contains(&key.as_str()));
        Ok(Xml::default())
    }

    fn list_tags(&mut self, params: &Params) -> Result<Xml, Fault> {
        let mut xml = Xml::default();
        show_tags(&mut xml, self.tags_of(params.require("ResourceName")?)?);
        Ok(xml)
    }
}

fn show_tags(xml: &mut Xml, tags: &Tags) {
    xml.list("TagList", "Tag", tags, |item, (key, value)| {
        item.text("Key", key).text("Value", value);
    });
}

/// The tags of a create or tag operation.
fn tags(params: &Params) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for tag in params.structs("Tags.Tag") {
        tags.insert(tag.require("Key")?.to_owned(), tag.get("Value").unwrap_or_default().to_owned());
    }
    if tags.len() > 50 {
        return Err(invalid("A resource has at most 50 tags"));
    }
    Ok(tags)
}

/// Identifiers of RDS: letters, digits and single hyphens, a letter first. They are kept in lower case.
fn identifier(params: &Params, name: &str) -> Result<String, Fault> {
    let given = params.require(name)?;
    let allowed = given.chars().all(|character| character.is_ascii_alphanumeric() || character == '-');
    let starts = given.starts_with(|first: char| first.is_ascii_alphabetic());
    if allowed && starts && !given.ends_with('-') && !given.contains("--") && given.len() <= 255 {
        return Ok(given.to_ascii_lowercase());
    }
    Err(invalid(format!(
        "The parameter {name} is not a valid identifier. Identifiers must begin with a letter; must contain only ASCII \
         letters, digits, and hyphens; and must not end with a hyphen or contain two consecutive hyphens."
    )))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message.into())
}

fn combination(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterCombination", message.into())
}
