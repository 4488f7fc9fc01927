//! The blueprint: from the partner's settings to the graph of resources.
//!
//! One file a layer. Each layer's `add` gives out the references that the layers after it need, so what a layer stands on is
//! in its signature. Names are those of the setup that rcm replaces, and binding.

mod apprunner;
mod backup;
mod baseline;
mod compute;
mod database;
#[cfg(test)]
mod deputies;
mod edge;
mod endpoints;
mod firewall;
mod hipaa_rules;
mod identity;
mod network;
mod network_acl;
mod secrets;
mod security;
mod storage;
mod watching;

use rcm_engine::model::{Graph, GraphError};

use crate::{
    PartnerConfig,
    config::{AccountId, Compute},
};
pub use edge::PROOF;
pub use network::private_subnet;
pub use watching::SUBSCRIPTION;

/// What the partner file does not say and the cloud or the state does.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The availability zones that the subnets are in.
    pub zones: Vec<String>,
    /// The hosted zone of a record that proves the domain and that is still needed, although the partner file names no zone any
    /// more: the certificate is renewed by it.
    pub proven_in: Option<String>,
}

/// The whole environment that `config` describes.
pub fn graph(config: &PartnerConfig, surroundings: &Surroundings) -> Result<Graph, Vec<GraphError>> {
    let mut graph = Graph::new();
    let plan = Blueprint { config, prefix: config.prefix(), proven_in: surroundings.proven_in.as_deref() };
    if config.account_baseline {
        baseline::add(&mut graph, &plan);
    }
    let network = network::add(&mut graph, &plan, &surroundings.zones);
    let security = security::add(&mut graph, &plan, &network);
    endpoints::add(&mut graph, &plan, &network, &security);
    let storage = storage::add(&mut graph, &plan, &security);
    let secrets = secrets::add(&mut graph, &plan, &security);
    let database = database::add(&mut graph, &plan, &network, &security, &storage, &secrets);
    if config.backup_plan {
        backup::add(&mut graph, &plan, &security, &database);
    }
    match config.compute {
        Compute::Ecs => {
            let logs = storage::of_tasks(&mut graph, &plan, &security);
            let identity = identity::add(&mut graph, &plan, &security);
            let edge = edge::add(&mut graph, &plan, &network, &security, &storage);
            let below = compute::Below { network, security, storage, logs, secrets, database, identity, edge };
            let compute = compute::add(&mut graph, &plan, &below);
            let compute::Below { network, security, storage, database, edge, .. } = &below;
            let tasks = Some(watching::Tasks { edge, compute: &compute });
            watching::add(&mut graph, &plan, &watching::Below { network, security, storage, database, tasks });
        }
        Compute::AppRunner => {
            let roles = identity::of_app_runner(&mut graph, &plan, &security);
            let (network, security, storage, database) = (&network, &security, &storage, &database);
            let below = apprunner::Below { network, security, secrets: &secrets, database, roles };
            apprunner::add(&mut graph, &plan, &below);
            watching::add(&mut graph, &plan, &watching::Below { network, security, storage, database, tasks: None });
        }
    }
    graph.finish()
}

/// What the person who provisions this should know: what is missing, and what comes next.
pub fn notes(config: &PartnerConfig) -> Vec<String> {
    let mut notes = Vec::new();
    if config.compute == Compute::AppRunner {
        notes.extend(notes_on_app_runner(config));
        return notes;
    }
    if config.domain_name.is_none() {
        notes.push(
            "no domain_name: the load balancer speaks plain HTTP. HIPAA wants patients' data encrypted in transit, so set \
             domain_name before any of it is sent here"
                .to_owned(),
        );
    }
    if config.ecs_exec {
        notes.push(
            "ecs_exec: whoever may send ecs:ExecuteCommand gets a shell in the application's container as root, secrets and patients' \
             data in reach; what is typed and shown there is logged to /ecs-exec/, under the partner's key"
                .to_owned(),
        );
    }
    if config.api_image.is_none() {
        notes.push(format!(
            "no image has been deployed: the service {}-api runs 0 tasks. Deploy one with `rcm deploy --image FILE|REF`",
            config.prefix()
        ));
    }
    notes
}

fn notes_on_app_runner(config: &PartnerConfig) -> Vec<String> {
    let logs = "App Runner writes to log groups of its own (/aws/apprunner/…), which are neither under the partner's key nor deleted \
                after seven years; compute = \"ecs\" has both";
    let missing = config.api_image.is_none().then(|| {
        "no image has been deployed, and App Runner has no service without one: there is none yet. Deploy one with `rcm deploy \
         --image FILE|REF`"
            .to_owned()
    });
    let firewall = "no web application firewall stands before App Runner; compute = \"ecs\" has one";
    missing.into_iter().chain([logs.to_owned(), firewall.to_owned()]).collect()
}

/// What the person who provisions this should know once an address has been asked whether it wants the alarms.
pub fn unconfirmed(config: &PartnerConfig) -> String {
    format!(
        "AWS has written to {}: alarms are sent there only once somebody has confirmed by the link in that mail, within 48 hours. \
         After that, provision again for another mail",
        config.support_email
    )
}

/// For how many days HIPAA has logs kept: seven years.
const SEVEN_YEARS: i32 = 2557;

/// What every layer works from.
struct Blueprint<'a> {
    config: &'a PartnerConfig,
    /// `{project_prefix}-{environment}`
    prefix: String,
    /// As in [`Surroundings`].
    proven_in: Option<&'a str>,
}

impl Blueprint<'_> {
    fn account(&self) -> &str {
        AccountId::as_str(&self.config.aws_account_id)
    }

    fn region(&self) -> &str {
        self.config.aws_region.as_str()
    }

    fn partition(&self) -> &'static str {
        self.config.aws_region.partition()
    }

    /// `{prefix}-{suffix}`
    fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.prefix)
    }

    /// The ARN of something of this account and region.
    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{}:{resource}", self.partition(), self.region(), self.account())
    }

    /// `{project_prefix}/{name}`: what a secret is called.
    fn secret(&self, name: &str) -> String {
        format!("{}/{name}", self.config.project_prefix)
    }
}
