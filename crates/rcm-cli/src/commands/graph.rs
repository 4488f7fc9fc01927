//! `rcm graph`: the resources and what waits for what.

use rcm::engine::model::Graph;

use super::save;
use crate::{
    args::{Drawing, Format, Globals, GraphArgs},
    error::{CommandError, Exit},
    render::{graph, svg},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &GraphArgs) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("graph"), |_| {}).await?;
    let graph = session.environment.graph().map_err(|error| session.error(&error))?;
    let default = if globals.output == Format::Json { Drawing::Json } else { Drawing::Dot };
    let text = draw(&graph, args.format.unwrap_or(default), &session.name());
    match &args.out {
        Some(path) => save(path, text.as_bytes())?,
        None => terminal::out(&text)?,
    }
    Ok(Exit::Done)
}

fn draw(graph: &Graph, format: Drawing, title: &str) -> String {
    match format {
        Drawing::Dot => graph::dot(graph),
        Drawing::Mermaid => graph::mermaid(graph),
        Drawing::Json => graph::json(graph),
        Drawing::Svg => svg::svg(graph, title),
    }
}
