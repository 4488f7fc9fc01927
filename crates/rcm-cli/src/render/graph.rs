//! The graph in other programs' languages.

use rcm::engine::model::{Address, Graph, Node};

use super::{layer_rank, tail};

/// Nodes by layer, layers in their order.
pub(crate) fn layers(graph: &Graph) -> Vec<(&str, Vec<&Node>)> {
    let mut layers: Vec<(&str, Vec<&Node>)> = Vec::new();
    for node in graph.nodes() {
        match layers.iter_mut().find(|(layer, _)| *layer == node.address.layer()) {
            Some((_, nodes)) => nodes.push(node),
            None => layers.push((node.address.layer(), vec![node])),
        }
    }
    layers.sort_by_key(|(layer, _)| layer_rank(layer));
    layers
}

/// Edges from what waits to what it waits for; `true` where the id is enough.
fn edges(graph: &Graph) -> impl Iterator<Item = (&Address, Address, bool)> {
    graph.nodes().flat_map(|node| node.dependencies().into_iter().map(|(to, early)| (&node.address, to, early)))
}

/// Graphviz. An arrow points at what is waited for; a dashed one waits for the id alone.
pub(crate) fn dot(graph: &Graph) -> String {
    let mut text = String::from("digraph rcm {\n  rankdir = RL\n  node [shape = box, fontname = \"sans-serif\"]\n");
    for (layer, nodes) in layers(graph) {
        text.push_str(&format!(
            "  subgraph {} {{\n    label = {}\n",
            quoted(&format!("cluster_{layer}")),
            quoted(layer)
        ));
        for node in nodes {
            let label = quoted(&format!("{}\n{}", tail(node.address.as_str()), node.kind));
            text.push_str(&format!("    {} [label = {label}]\n", quoted(node.address.as_str())));
        }
        text.push_str("  }\n");
    }
    for (from, to, early) in edges(graph) {
        let style = if early { " [style = dashed]" } else { "" };
        text.push_str(&format!("  {} -> {}{style}\n", quoted(from.as_str()), quoted(to.as_str())));
    }
    text + "}\n"
}

/// As Graphviz takes text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Mermaid. An arrow points at what is waited for; a dotted one waits for the id alone.
pub(crate) fn mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart RL\n");
    for (layer, nodes) in layers(graph) {
        text.push_str(&format!("  subgraph layer_{}[\"{layer}\"]\n", identifier(layer)));
        for node in nodes {
            let (id, name) = (identifier(node.address.as_str()), tail(node.address.as_str()));
            text.push_str(&format!("    {id}[\"{name}<br/><small>{}</small>\"]\n", node.kind));
        }
        text.push_str("  end\n");
    }
    for (from, to, early) in edges(graph) {
        let arrow = if early { "-.->" } else { "-->" };
        text.push_str(&format!("  {} {arrow} {}\n", identifier(from.as_str()), identifier(to.as_str())));
    }
    text
}

/// Mermaid takes neither slashes nor dashes in names; addresses have no underscores, so names stay apart.
fn identifier(address: &str) -> String {
    address.replace('/', "__").replace('-', "_")
}

/// The nodes with their specs, and what each waits for.
pub(crate) fn json(graph: &Graph) -> String {
    let node = |node: &Node| {
        let waits_for = node.dependencies().into_iter().map(|(to, early)| (to.to_string(), early));
        serde_json::json!({
            "address": node.address,
            "kind": node.kind,
            "spec": node.spec,
            "waits_for": waits_for
                .map(|(address, early)| serde_json::json!({ "address": address, "early": early }))
                .collect::<Vec<_>>(),
        })
    };
    let nodes: Vec<_> = graph.nodes().map(node).collect();
    format!("{:#}\n", serde_json::json!({ "nodes": nodes }))
}

#[cfg(test)]
pub(in crate::render) mod tests;
