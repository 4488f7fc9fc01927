//! Which availability zones the subnets are in.
//!
//! Zone names differ between accounts and regions (`ca-central-1` has a, b and d), so AWS is asked once; afterwards the state
//! knows, and a zone that AWS adds later moves nothing.

use rcm_aws::Aws;
use rcm_engine::{
    model::{Address, Fault},
    store::State,
};

use crate::{Error, PartnerConfig, blueprint};

/// The zones that the state's subnets are in, if it has as many as are wanted.
pub(super) fn known(state: Option<&State>, config: &PartnerConfig) -> Option<Vec<String>> {
    let state = state?;
    (0..wanted(config))
        .map(|index| {
            let address = Address::new(blueprint::private_subnet(index)).ok()?;
            Some(state.resources.get(&address)?.spec.get("zone")?.as_str()?.to_owned())
        })
        .collect()
}

/// The first zones of the region in the order of their names.
pub(super) async fn asked(aws: &Aws, config: &PartnerConfig) -> Result<Vec<String>, Error> {
    let mut zones = aws.availability_zones().await?;
    let there = zones.len();
    zones.truncate(wanted(config));
    if there < wanted(config) {
        let (region, wanted) = (config.aws_region.as_str(), config.availability_zones);
        let message =
            format!("{region} has {there} availability zones for this account, and availability_zones is {wanted}");
        return Err(Fault::invalid("zones", message).into());
    }
    Ok(zones)
}

/// `us-east-1a`, `us-east-1b`, …: what they are called in most regions.
pub(super) fn guessed(config: &PartnerConfig) -> Vec<String> {
    ["a", "b", "c"]
        .iter()
        .take(wanted(config))
        .map(|letter| format!("{}{letter}", config.aws_region.as_str()))
        .collect()
}

fn wanted(config: &PartnerConfig) -> usize {
    usize::try_from(config.availability_zones).unwrap_or(usize::MAX)
}
