//! What RDS sells.
//!
//! API: [DescribeOrderableDBInstanceOptions](https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeOrderableDBInstanceOptions.html).

use std::collections::BTreeSet;

use aws_sdk_rds::types::OrderableDbInstanceOption;
use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

/// One way in which a class of instance can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseOffer {
    /// The version of the engine (`17.6`).
    pub version: String,
    /// The kind of storage (`gp3`).
    pub storage_type: String,
    /// The availability zones that have it.
    pub zones: BTreeSet<String>,
    /// Whether a standby in another zone goes with it.
    pub multi_az: bool,
    /// Whether its storage can be encrypted.
    pub encrypted: bool,
    /// Whether it can be a read replica.
    pub replica: bool,
    /// The least storage, in GiB.
    pub least_storage: Option<i32>,
    /// The most storage, in GiB.
    pub most_storage: Option<i32>,
}

impl Aws {
    /// Every way in which `class` can be had of `engine` in a VPC.
    pub async fn database_offers(&self, engine: &str, class: &str) -> Result<Vec<DatabaseOffer>, Fault> {
        let request =
            self.rds.describe_orderable_db_instance_options().engine(engine).db_instance_class(class).vpc(true);
        let pages = request.max_records(1000).into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let found = pages.map_err(fault("rds", "DescribeOrderableDBInstanceOptions"))?;
        Ok(found.into_iter().map(offer).collect())
    }

    /// Whether AWS says of any class that it can be had of `engine`.
    pub async fn sells(&self, engine: &str) -> Result<bool, Fault> {
        let request = self.rds.describe_orderable_db_instance_options().engine(engine).vpc(true).max_records(20);
        let answer = request.send().await.map_err(fault("rds", "DescribeOrderableDBInstanceOptions"))?;
        Ok(!answer.orderable_db_instance_options().is_empty())
    }
}

fn offer(option: OrderableDbInstanceOption) -> DatabaseOffer {
    let zones = option.availability_zones().iter().filter_map(|zone| zone.name()).map(str::to_owned).collect();
    DatabaseOffer {
        zones,
        multi_az: option.multi_az_capable.unwrap_or(false),
        encrypted: option.supports_storage_encryption.unwrap_or(false),
        replica: option.read_replica_capable.unwrap_or(false),
        least_storage: option.min_storage_size,
        most_storage: option.max_storage_size,
        version: option.engine_version.unwrap_or_default(),
        storage_type: option.storage_type.unwrap_or_default(),
    }
}
