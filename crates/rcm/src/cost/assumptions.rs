//! What usage decides: nobody knows it before, so it is assumed, said, and can be set.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Quantity;
use crate::{Error, config::nearest::nearest};

/// One thing that is assumed.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    /// `None` where the environment says what is likely: the fewest tasks that autoscaling leaves.
    pub(super) default: Option<Quantity>,
    pub(super) meaning: &'static str,
}

/// How many of a thing that is counted by the environment, such as tasks.
pub(super) const TASKS: &str = "tasks";

const fn known(name: &'static str, default: Quantity, unit: &'static str, meaning: &'static str) -> Known {
    Known { name, unit, default: Some(default), meaning }
}

const fn of(number: i64) -> Quantity {
    Quantity::of(number)
}

/// Everything that is assumed, in the order in which it is told.
pub(super) const ASSUMPTIONS: &[Known] = &[
    Known {
        name: TASKS,
        unit: "tasks",
        default: None,
        meaning: "how many tasks run on average; by itself the fewest that autoscaling leaves",
    },
    known(
        "spot-percent",
        of(40),
        "percent",
        "what Fargate Spot costs of what it costs on demand; it changes with demand",
    ),
    known("active-hours", of(200), "hours", "how long an App Runner instance answers requests in a month"),
    known("requests", of(1), "million", "requests in a month that the firewall looks at"),
    known("lcus", Quantity::part(1, 5), "LCU", "capacity units of the load balancer, on average"),
    known(
        "data-out-gb",
        of(50),
        "GB",
        "what the load balancer or App Runner sends to the internet in a month; the account's first 100 GB are free, and are counted all the same",
    ),
    known("nat-gb", of(20), "GB", "what goes through each NAT gateway in a month"),
    known("endpoint-gb", of(5), "GB", "what goes through each interface endpoint in a month"),
    known("db-growth-gb", of(0), "GB", "by how much the database's disk has grown by itself"),
    known("db-backup-gb", of(20), "GB", "what RDS's own backups take beyond the size of the disk, which is free"),
    known("recovery-gb", of(50), "GB", "what AWS Backup's recovery points take"),
    known("application-log-gb", of(5), "GB", "what the application writes to its log in a month"),
    known("flow-log-gb", of(5), "GB", "what flow logs come to in a month"),
    known("firewall-log-gb", of(1), "GB", "what the firewall writes to its log in a month"),
    known("other-log-gb", of(1), "GB", "what comes into each other log group in a month"),
    known(
        "log-months",
        of(12),
        "months",
        "for how many months logs are there; AWS counts what compression leaves of them, so this is the most",
    ),
    known(
        "monitoring-log-gb",
        of(2),
        "GB",
        "what Enhanced Monitoring writes in a month at 60 seconds; more often is more",
    ),
    known("insight-metrics", of(30), "metrics", "the metrics of Container Insights"),
    known("kms-requests", Quantity::part(1, 10), "million", "requests to each key in a month"),
    known("s3-gb", of(5), "GB", "what is in each bucket"),
    known("s3-puts", Quantity::part(1, 20), "million", "objects that are written to each bucket in a month"),
    known("image-gb", of(2), "GB", "the images in each repository"),
    known("trail-events", of(1), "million", "reads and writes of objects that the account's trail logs in a month"),
    known("config-changes", of(500), "changes", "what AWS Config records in a month"),
    known("config-checks", of(5000), "evaluations", "how often AWS Config's rules are evaluated in a month"),
    known("guardduty-events", of(1), "million", "management events that GuardDuty reads in a month"),
    known("guardduty-gb", of(5), "GB", "flow and DNS logs that GuardDuty reads in a month"),
    known("hub-checks", of(15000), "checks", "what Security Hub checks in a month"),
    known("filter-percent", of(25), "percent", "how many of the account's counts have anything to count in a month"),
    known("scanned-images", of(20), "images", "how many images Inspector scans in a month"),
];

/// One thing that was assumed for a calculation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assumption {
    /// What it is set by.
    pub name: &'static str,
    /// How much.
    pub value: Quantity,
    /// Of what.
    pub unit: &'static str,
    /// What is assumed.
    pub meaning: &'static str,
    /// Whether somebody has set it.
    pub set: bool,
}

/// What somebody has set, by name; all else is as it is assumed by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assumptions(BTreeMap<&'static str, Quantity>);

impl Assumptions {
    /// Sets one.
    ///
    /// # Errors
    /// [`Error::NoSuchAssumption`].
    pub fn set(&mut self, name: &str, value: Quantity) -> Result<(), Error> {
        match find(name) {
            Some(known) => {
                self.0.insert(known.name, value);
                Ok(())
            }
            None => Err(Error::NoSuchAssumption {
                name: name.to_owned(),
                nearest: nearest(name, ASSUMPTIONS.iter().map(|known| known.name)),
            }),
        }
    }

    /// What somebody has set.
    pub(super) fn given(&self, name: &str) -> Option<Quantity> {
        self.0.get(name).copied()
    }
}

/// What is known of an assumption.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    ASSUMPTIONS.iter().find(|known| known.name == name)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    ASSUMPTIONS.iter().map(|known| known.name)
}
