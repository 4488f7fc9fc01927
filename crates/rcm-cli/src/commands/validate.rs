//! `rcm validate`: checks the partner file, without AWS.

use std::collections::BTreeMap;

use rcm::engine::model::Graph;
use serde_json::json;

use crate::{
    args::{Format, Globals},
    error::{CommandError, Exit},
    render::{GREEN, count, json as lines, layer_rank, paint},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("validate"), |_| {}).await?;
    let graph = session.environment.graph().map_err(|error| session.error(&error))?;
    let config = session.environment.config();
    let (file, name) = (config.file.display().to_string(), session.name());
    let layers = layers(&graph);
    let text = match globals.output {
        Format::Json => lines::line(&json!({
            "file": file, "partner": config.partner, "environment": config.environment,
            "resources": graph.nodes().len(),
            "layers": layers.iter().map(|((_, layer), nodes)| (layer.to_string(), nodes)).collect::<BTreeMap<_, _>>(),
        })),
        Format::Human => {
            let parts: Vec<String> = layers.iter().map(|((_, layer), nodes)| format!("{layer} {nodes}")).collect();
            let all = count(graph.nodes().len(), "resource");
            format!("{} {file}: {name} is {all} ({})\n", paint(GREEN, "OK"), parts.join(", "))
        }
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

fn layers(graph: &Graph) -> BTreeMap<(usize, &str), usize> {
    let mut layers = BTreeMap::new();
    graph.nodes().for_each(|node| *layers.entry(layer_rank(node.address.layer())).or_default() += 1);
    layers
}
