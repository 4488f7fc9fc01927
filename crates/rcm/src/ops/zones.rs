//! Which availability zones the subnets are in.
//!
//! Zone names differ between accounts and regions (`ca-central-1` has a, b and d), so AWS is asked once; afterwards the state
//! knows, and a zone that AWS adds later moves nothing.

use std::sync::Arc;

use rcm_aws::{Aws, resources::ec2_subnet::Subnet};
use rcm_engine::{
    model::{Address, Deployment, Fault, Identity, Lookup, Owned, Registry, Resource, Target},
    store::{Facts, State},
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

/// The zones that the deployment's subnets in the cloud are in, if there are as many as are wanted.
pub(super) async fn lived_in(
    registry: &Registry,
    deployment: &Deployment,
    config: &PartnerConfig,
) -> Result<Option<Vec<String>>, Error> {
    let subnets = registry.get(Subnet::KIND)?;
    let owned = subnets.list(deployment).await?;
    let mut zones = Vec::new();
    for index in 0..wanted(config) {
        let address = Address::new(blueprint::private_subnet(index)).ok();
        let newest = owned.iter().filter(|owned| owned.address == address).max_by_key(|owned| owned.generation);
        let (Some(address), Some(Owned { id, generation, .. })) = (address, newest) else { return Ok(None) };
        let deployment = Arc::new(deployment.clone());
        let identity = Identity { deployment, address, generation: *generation, token: String::new() };
        let facts = Facts::default();
        let lookup: &(dyn Lookup + Sync) = &facts;
        let target = Target { identity: &identity, lookup, changed: None, full: false, purge: false, remnants: None };
        let zone = subnets.read(target, id).await?.and_then(|seen| Some(seen.fields.get("zone")?.as_str()?.to_owned()));
        let Some(zone) = zone else { return Ok(None) };
        zones.push(zone);
    }
    Ok(Some(zones))
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
