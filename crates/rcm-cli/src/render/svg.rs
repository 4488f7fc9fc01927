//! stub
pub(crate) fn svg(graph: &rcm::engine::model::Graph, title: &str) -> String {
    format!("{title}{}", graph.nodes().len())
}
