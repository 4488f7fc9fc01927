//! The blueprint: from the partner's settings to the graph of resources. One file a layer, each layer standing on those before.

mod network;

use rcm_engine::model::{Graph, GraphError};

use crate::PartnerConfig;
pub use network::private_subnet;

/// The whole environment that `config` describes, with its subnets in `zones`.
pub fn graph(config: &PartnerConfig, zones: &[String]) -> Result<Graph, Vec<GraphError>> {
    let mut graph = Graph::new();
    network::add(&mut graph, config, zones);
    graph.finish()
}

/// What the person who provisions this should know: what is missing, and what comes next.
pub fn notes(config: &PartnerConfig) -> Vec<String> {
    let _ = config;
    Vec::new()
}
