//! The container of a task definition: from its spec to ECS's own type, and back.
//!
//! Surprises: ECS fills in defaults (`cpu: 0`, empty lists), so what comes back is brought into the form of the spec. Since
//! June 2025 the awslogs driver drops lines when CloudWatch is slow, unless it is told to block; an audit log with holes is
//! none, so it is told. A volume of Fargate's own disk belongs to root wherever it is mounted, so a container that does not run as
//! root cannot write to it; a `tmpfs` is everybody's, and Fargate has it since January 2026. Secrets are named by ARN and put into the environment by ECS itself: no value passes through here.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    ContainerDefinition, HealthCheck, KeyValuePair, LinuxParameters, LogConfiguration, LogDriver, PortMapping, Secret,
    Tmpfs, TransportProtocol,
};
use rcm_engine::model::{Fault, Ref};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::logs_group::LogGroup;
use crate::classify::unbuilt;

/// How a container runs. It is the only one of its task, and essential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Its name; the load balancer finds it by name and port.
    pub name: String,
    /// The TCP port that it listens on.
    pub port: u16,
    /// The user it runs as (`1000:1000`), if not the image's own.
    pub user: Option<String>,
    /// Whether it cannot write to its own image.
    pub read_only_root: bool,
    /// Where it can write for as long as it runs, if it cannot write to its image; nowhere if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<Scratch>,
    /// Whether a tiny init process reaps children and passes signals on.
    pub init_process: bool,
    /// Environment variables. Nothing secret: anybody who may describe the task sees them.
    pub environment: BTreeMap<String, String>,
    /// Environment variables whose values ECS takes from Secrets Manager: name → the secret's ARN, or a reference to it.
    pub secrets: BTreeMap<String, Value>,
    /// Where its output goes.
    pub log_group: Ref<LogGroup>,
    /// What the names of its log streams begin with.
    pub log_stream_prefix: String,
    /// The command that says whether it is healthy (`["CMD-SHELL", "…"]`); when there is none, the load balancer judges alone.
    pub health_check: Option<Vec<String>>,
}

/// A directory in memory: nothing of it is ever on a disk, and it is gone with the task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scratch {
    /// Where it is.
    pub path: String,
    /// How much it may hold, in MiB. What it holds counts as memory of the task.
    pub mib: u32,
}

/// What the references of a container stand for.
pub(super) struct Resolved {
    pub(super) image: String,
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) logs: Logs,
}

/// Where output goes.
pub(super) struct Logs {
    pub(super) group: String,
    pub(super) region: String,
}

/// The container in ECS's own type.
pub(super) fn definition(container: &Container, resolved: Resolved) -> Result<ContainerDefinition, Fault> {
    let port = PortMapping::builder().container_port(container.port.into()).protocol(TransportProtocol::Tcp).build();
    let linux = LinuxParameters::builder().init_process_enabled(container.init_process);
    let linux = linux.set_tmpfs(container.scratch.as_ref().map(tmpfs).transpose()?.map(|mount| vec![mount]));
    let pair = |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
    let definition = ContainerDefinition::builder()
        .name(&container.name)
        .image(resolved.image)
        .essential(true)
        .port_mappings(port)
        .set_user(container.user.clone())
        .readonly_root_filesystem(container.read_only_root)
        .linux_parameters(linux.build())
        .set_environment(Some(container.environment.iter().map(pair).collect()))
        .set_secrets(Some(secrets(resolved.secrets)?))
        .log_configuration(logs(resolved.logs, &container.log_stream_prefix)?)
        .set_health_check(container.health_check.as_deref().map(health_check).transpose()?);
    Ok(definition.build())
}

/// Everybody's, as `/tmp` is: so the kernel makes it. Nothing in it can be run.
fn tmpfs(scratch: &Scratch) -> Result<Tmpfs, Fault> {
    let mount = Tmpfs::builder().container_path(&scratch.path).size(i32::try_from(scratch.mib).unwrap_or(i32::MAX));
    let options = ["noexec", "nosuid", "nodev"].map(str::to_owned).to_vec();
    mount.set_mount_options(Some(options)).build().map_err(unbuilt("ecs", "RegisterTaskDefinition"))
}

fn secrets(arns: BTreeMap<String, String>) -> Result<Vec<Secret>, Fault> {
    let secret = |(name, arn)| Secret::builder().name(name).value_from(arn).build();
    arns.into_iter().map(secret).collect::<Result<_, _>>().map_err(unbuilt("ecs", "RegisterTaskDefinition"))
}

fn logs(logs: Logs, stream_prefix: &str) -> Result<LogConfiguration, Fault> {
    LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options(GROUP, logs.group)
        .options("awslogs-region", logs.region)
        .options(STREAM_PREFIX, stream_prefix)
        .options("mode", "blocking")
        .build()
        .map_err(unbuilt("ecs", "RegisterTaskDefinition"))
}

const GROUP: &str = "awslogs-group";
const STREAM_PREFIX: &str = "awslogs-stream-prefix";

fn health_check(command: &[String]) -> Result<HealthCheck, Fault> {
    // ECS's own defaults for interval (30 s), timeout (5 s) and retries (3); the start-up is given a minute.
    let check = HealthCheck::builder().set_command(Some(command.to_vec())).start_period(60);
    check.build().map_err(unbuilt("ecs", "RegisterTaskDefinition"))
}

/// A live container as the spec of it would say, its references as what they stand for.
pub(super) fn seen(container: &ContainerDefinition) -> Value {
    let environment: BTreeMap<_, _> = container.environment().iter().map(|pair| (pair.name(), pair.value())).collect();
    let environment: BTreeMap<_, _> =
        environment.into_iter().filter_map(|(name, value)| Some((name?, value?))).collect();
    let secrets: BTreeMap<_, _> =
        container.secrets().iter().map(|secret| (secret.name(), secret.value_from())).collect();
    let log = |option: &str| container.log_configuration()?.options()?.get(option);
    let linux = container.linux_parameters();
    let mut seen = json!({
        "name": container.name(),
        "port": container.port_mappings().first().and_then(|mapping| mapping.container_port()),
        "user": container.user(),
        "read_only_root": container.readonly_root_filesystem().unwrap_or(false),
        "init_process": linux.and_then(|linux| linux.init_process_enabled()).unwrap_or(false),
        "environment": environment,
        "secrets": secrets,
        "log_group": log(GROUP),
        "log_stream_prefix": log(STREAM_PREFIX),
        "health_check": container.health_check().map(|check| check.command()),
    });
    if let Some(mount) = linux.and_then(|linux| linux.tmpfs().first()) {
        seen["scratch"] = json!({"path": mount.container_path(), "mib": mount.size()});
    }
    seen
}

#[cfg(test)]
mod tests {
    use rcm_engine::model::Address;

    use super::*;

    fn container(health_check: Option<Vec<String>>) -> Container {
        let secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-rcm/jwt-secret-AbCdEf";
        Container {
            name: "api".into(),
            port: 8080,
            user: Some("1000:1000".into()),
            read_only_root: true,
            scratch: Some(Scratch { path: "/tmp".into(), mib: 128 }),
            init_process: true,
            environment: BTreeMap::from([
                ("BRAND_NAME".into(), "Acme".into()),
                ("NODE_ENV".into(), "production".into()),
            ]),
            secrets: BTreeMap::from([("JWT_SECRET".into(), json!(secret))]),
            log_group: Ref::to(Address::new("watching/log-group/api").unwrap()),
            log_stream_prefix: "api".into(),
            health_check,
        }
    }

    fn live(container: &Container) -> ContainerDefinition {
        let secrets = container.secrets.iter().map(|(name, arn)| (name.clone(), arn.as_str().unwrap().to_owned()));
        let logs = Logs { group: "/ecs/acme-rcm-prod".into(), region: "us-east-1".into() };
        let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:0".into();
        definition(container, Resolved { image, secrets: secrets.collect(), logs }).unwrap()
    }

    #[test]
    fn what_was_registered_reads_back_as_what_was_wanted() {
        for check in [None, Some(vec!["CMD-SHELL".to_owned(), "true".to_owned()])] {
            let container = container(check);
            let mut wanted = serde_json::to_value(&container).unwrap();
            wanted["log_group"] = json!("/ecs/acme-rcm-prod");
            assert_eq!(seen(&live(&container)), wanted);
        }
    }

    #[test]
    fn a_container_of_before_has_no_scratch_directory_and_says_nothing_of_one() {
        let container = Container { scratch: None, ..container(None) };
        assert!(serde_json::to_value(&container).unwrap().get("scratch").is_none());
        assert!(seen(&live(&container)).get("scratch").is_none());
    }

    #[test]
    fn nothing_can_be_run_from_the_scratch_directory() {
        let live = live(&container(None));
        let [mount] = live.linux_parameters().unwrap().tmpfs() else { panic!("{live:?}") };
        assert_eq!(mount.mount_options(), ["noexec", "nosuid", "nodev"]);
    }

    #[test]
    fn no_log_line_is_dropped() {
        let live = live(&container(None));
        assert_eq!(live.log_configuration().unwrap().options().unwrap()["mode"], "blocking");
    }
}
