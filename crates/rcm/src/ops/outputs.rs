//! What people and programs need to know of an environment once it stands.

use rcm_aws::resources::rds_replica::Replica;
use rcm_engine::{
    model::{Address, Resource},
    store::State,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// One output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Output {
    /// Its name, for programs.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Its value.
    pub value: Value,
}

/// All outputs that are known so far, in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Outputs(pub Vec<Output>);

/// Where each output comes from: name, title, node, field of its outputs.
const SOURCES: &[(&str, &str, &str, &str)] = &[
    ("alb_dns_name", "Load balancer", "edge/load-balancer", "dns_name"),
    ("alb_hosted_zone_id", "Load balancer's hosted zone", "edge/load-balancer", "hosted_zone_id"),
    ("certificate_arn", "Certificate", "edge/certificate", "certificate_arn"),
    ("certificate_validation_records", "Certificate validation records", "edge/certificate", "validation_records"),
    ("ecr_api_repository_url", "Repository for the API image", "storage/repository/api", "repository_uri"),
    ("ecr_web_repository_url", "Repository for the web image", "storage/repository/web", "repository_uri"),
    ("database_endpoint", "Database", "database/instance", "address"),
    ("database_port", "Database port", "database/instance", "port"),
    ("database_url_secret_arn", "Secret with the database URL", "secrets/database-url", "secret_arn"),
    (
        "database_reader_url_secret_arn",
        "Secret with the URL of the first read replica",
        "secrets/database-reader-url",
        "secret_arn",
    ),
    ("database_password_secret_arn", "Secret with the database password", "secrets/database-password", "secret_arn"),
    ("jwt_secret_arn", "Secret for signing tokens", "secrets/jwt-secret", "secret_arn"),
    ("ecs_cluster_arn", "Cluster", "compute/cluster", "cluster_arn"),
    ("ecs_service_arn", "Service", "compute/service", "service_arn"),
    ("app_runner_service_arn", "App Runner service", "compute/app-runner", "service_arn"),
    ("app_runner_service_url", "App Runner address, over HTTPS", "compute/app-runner", "service_url"),
    ("kms_key_arn", "Key", "security/key", "key_arn"),
    ("vpc_id", "VPC", "network/vpc", "vpc_id"),
    ("logs_bucket", "Logs bucket", "storage/bucket/logs", "name"),
];

/// The host names of the read replicas, if there are any.
fn reader_endpoints(state: &State) -> Option<Output> {
    let replicas = state.resources.values().filter(|record| record.kind == Replica::KIND && !record.retained);
    let hosts: Vec<Value> = replicas.filter_map(|record| record.outputs.get("address").cloned()).collect();
    let (name, title) = ("database_reader_endpoints", "Read replicas");
    (!hosts.is_empty()).then(|| Output { name, title, value: hosts.into() })
}

impl Outputs {
    /// What `state` knows. What `destroy` has kept is not an output any more.
    pub fn of(state: &State) -> Self {
        let known = SOURCES.iter().filter_map(|(name, title, address, field)| {
            let record = state.resources.get(&Address::new(*address).ok()?)?;
            let value = record.outputs.get(field).filter(|value| !value.is_null() && !record.retained)?.clone();
            Some(Output { name, title, value })
        });
        Self(known.chain(reader_endpoints(state)).collect())
    }

    /// The output of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|output| output.name == name).map(|output| &output.value)
    }

    /// As one JSON object, name to value.
    pub fn to_json(&self) -> Value {
        let pairs = self.0.iter().map(|output| (output.name.to_owned(), output.value.clone()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}
