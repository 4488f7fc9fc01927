//! Settings that cannot change while the environment exists, and those that can only grow: AWS would refuse the change half-way
//! through a run, so it is refused, or left out, before anything is sent.

use rcm_aws::resources::{
    apprunner_service, ec2_vpc::Vpc, ecs_task_definition::TaskDefinition, rds_instance::Instance,
    rds_subnet_group::SubnetGroup, secrets_secret::Secret,
};
use rcm_engine::{
    model::{Address, Resource},
    store::{Record, State, Store},
};
use serde_json::Value;

use super::aside::aside;
use crate::{
    Error, PartnerConfig,
    config::{Compute, ImageRef},
};

const VPC: &str = "network/vpc";
const SUBNETS: &str = "database/subnet-group";
const DATABASE: &str = "database/instance";
const TASK_DEFINITION: &str = "compute/task-definition";
const APP_RUNNER: &str = "compute/app-runner";

/// Refuses a partner file that wants of the environment in `state` what it cannot become.
pub(super) fn check(config: &PartnerConfig, state: &State) -> Result<(), Error> {
    let fixed = |setting, before: String, after: String, why, instead| Error::Fixed {
        setting,
        environment: format!("{}/{}", config.partner, config.environment),
        before,
        after,
        why,
        instead,
    };
    if let Some(Value::String(block)) = applied(state, VPC, Vpc::KIND, "cidr")
        && *block != config.vpc_cidr.to_string()
    {
        let why = "everything stands in that network, the database too, and its first block is for life";
        let instead = "make a second environment with the new block and move there";
        return Err(fixed("vpc_cidr", format!("{block:?}"), format!("\"{}\"", config.vpc_cidr), why, instead));
    }
    if applied(state, DATABASE, Instance::KIND, "identifier").is_none() {
        return Ok(());
    }
    let subnets = applied(state, SUBNETS, SubnetGroup::KIND, "subnets").and_then(Value::as_array);
    let (zones, wanted) =
        (subnets.map_or(0, Vec::len), usize::try_from(config.availability_zones).unwrap_or(usize::MAX));
    if zones > wanted {
        let why = "RDS says where the database and its standby stand, and it may be in the zone that would go";
        return Err(fixed(
            "availability_zones",
            zones.to_string(),
            wanted.to_string(),
            why,
            "leave them: a zone by itself costs nothing",
        ));
    }
    let version = applied(state, DATABASE, Instance::KIND, "major_version").and_then(Value::as_str);
    let wanted = config.db_engine_version.major();
    if let Some(version) = version.and_then(|version| version.parse::<u8>().ok()).filter(|version| *version > wanted) {
        let why = "PostgreSQL only goes up";
        let instead = "restore a dump into a second environment";
        return Err(fixed("db_engine_version", format!("\"{version}\""), format!("\"{wanted}\""), why, instead));
    }
    Ok(())
}

/// Refuses to begin an environment beside another of the partner's in the same place: secrets are named without the environment.
pub(super) async fn check_neighbours(config: &PartnerConfig, store: &Store, own: &State) -> Result<(), Error> {
    if !own.resources.is_empty() {
        return Ok(());
    }
    let store = store.clone();
    for neighbour in aside(move || neighbours(&store)).await? {
        let (there, here) = (&neighbour.deployment, &own.deployment);
        let same = (&there.account, &there.region, &there.project) == (&here.account, &here.region, &here.project);
        let lives = neighbour.resources.values().any(|record| record.kind == Secret::KIND);
        if there.environment != here.environment && same && lives {
            return Err(Error::Fixed {
                setting: "environment",
                environment: format!("{}/{}", config.partner, there.environment),
                before: format!("{:?}", there.environment),
                after: format!("{:?}", here.environment),
                why: "it is in every name in AWS, and beside it a second environment would share its secrets",
                instead: "give the new one another aws_account_id (best), aws_region or project_prefix",
            });
        }
    }
    Ok(())
}

/// The image that the state says is deployed, by whatever means, or is on its way.
pub(super) fn deployed(config: &PartnerConfig, state: &State) -> Option<ImageRef> {
    let (address, kind) = match config.compute {
        Compute::Ecs => (TASK_DEFINITION, TaskDefinition::KIND),
        Compute::AppRunner => (APP_RUNNER, apprunner_service::Service::KIND),
    };
    let record = state.resources.get(&Address::new(address).ok()?).filter(|record| record.kind == kind)?;
    let named = |image: &Value| image.get("reference").unwrap_or(image).as_str()?.parse().ok();
    // Of a state that was made again from the cloud, what was seen there tells.
    [&record.spec, &record.inputs].into_iter().find_map(|fields| named(fields.get("image")?))
}

/// The settings as they can be, given what there is: a disk that is larger than the file says stays so, and with it a limit that
/// would leave it no room to grow. Where the file names no image, the one that is deployed stays.
pub(super) fn as_it_can_be(config: &PartnerConfig, state: Option<&State>) -> PartnerConfig {
    let gib = |field| {
        let live = state.and_then(|state| applied(state, DATABASE, Instance::KIND, field));
        live.and_then(Value::as_u64).and_then(|gib| u32::try_from(gib).ok())
    };
    let mut config = config.clone();
    if let Some(disk) = gib("allocated_storage").filter(|disk| *disk > config.db_allocated_storage) {
        config.db_allocated_storage = disk;
        // https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html
        let least = disk + disk.div_ceil(10);
        config.db_max_allocated_storage = config.db_max_allocated_storage.max(least);
    }
    if config.api_image.is_none() {
        config.api_image = state.and_then(|state| deployed(&config, state));
    }
    config
}

/// What a person should know of it.
pub(super) fn note(config: &PartnerConfig, state: &State) -> Option<String> {
    let can = as_it_can_be(config, Some(state));
    (can.db_allocated_storage != config.db_allocated_storage).then(|| {
        format!(
            "the database's disk cannot shrink: it stays at {} GiB, with a limit of {} GiB, although {} says {}",
            can.db_allocated_storage,
            can.db_max_allocated_storage,
            config.file.display(),
            config.db_allocated_storage
        )
    })
}

/// The states of the partner's other environments. One that cannot be read is told of when somebody works on it.
fn neighbours(store: &Store) -> Result<Vec<State>, Error> {
    Ok(store.neighbours()?.iter().filter_map(|neighbour| neighbour.load().ok().flatten()).collect())
}

/// A field of what was applied to the resource at that address, if it is there.
fn applied<'s>(state: &'s State, address: &str, kind: &str, field: &str) -> Option<&'s Value> {
    let record: &Record = state.resources.get(&Address::new(address).ok()?)?;
    (record.kind == kind && record.id.is_some()).then(|| record.spec.get(field)).flatten()
}
