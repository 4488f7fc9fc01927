//! Deletion of an instance, and the last snapshot of it.

use super::instances::{Instance, stages};
use super::snapshots::Snapshot;
use super::{Rds, combination, identifier};
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

impl Rds {
    pub(super) fn delete_instance(&mut self, cx: &Context, params: &Params) -> Result<Xml, Fault> {
        let instance = self.instance(params.require("DBInstanceIdentifier")?)?.clone();
        if instance.options.deletion_protection {
            return Err(combination(
                "Cannot delete protected DB Instance, please disable deletion protection and try again.",
            ));
        }
        if instance.status() == "deleting" {
            let message = format!("Instance {} is already being deleted.", instance.id);
            return Err(Fault::new("InvalidDBInstanceState", message));
        }
        if let Some(name) = final_snapshot(params, &instance)? {
            self.refuse_known_snapshot(&name)?;
            let vpc = self.vpc_of_group(Some(&instance.subnet_group))?;
            let snapshot = Snapshot::of(cx, name.clone(), &instance, vpc);
            self.snapshots.insert(name, snapshot);
        }
        let id = instance.id.clone();
        // A replica without its source becomes an instance of its own.
        for replica in self.instances.values_mut().filter(|other| other.replica_of.as_ref() == Some(&id)) {
            replica.replica_of = None;
        }
        let instance = self.instance(&id)?;
        instance.stages = stages(&[("deleting", cx.polls())]);
        let shown = self.shown(&id, "deleting");
        self.settle();
        Ok(shown)
    }
}

/// The name of the snapshot that the request decides to take, if it decides so.
fn final_snapshot(params: &Params, instance: &Instance) -> Result<Option<String>, Fault> {
    let skip = params.parsed("SkipFinalSnapshot")?.unwrap_or(false);
    let named = params.get("FinalDBSnapshotIdentifier").is_some();
    match (skip, named) {
        (true, true) => {
            Err(combination("FinalDBSnapshotIdentifier cannot be specified when SkipFinalSnapshot is specified"))
        }
        (true, false) => Ok(None),
        (false, false) => {
            Err(combination("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."))
        }
        (false, true) if instance.replica_of.is_some() => {
            Err(combination("FinalDBSnapshotIdentifier cannot be specified when deleting a replica"))
        }
        (false, true) if !instance.has_been_available => {
            let message = format!(
                "Instance {} is currently {} - a final snapshot cannot be taken.",
                instance.id,
                instance.status()
            );
            Err(Fault::new("InvalidDBInstanceState", message))
        }
        (false, true) => identifier(params, "FinalDBSnapshotIdentifier").map(Some),
    }
}
