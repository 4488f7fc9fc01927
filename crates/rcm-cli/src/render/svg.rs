//! The graph as a picture, without any other program.
//!
//! What comes first is on the left. A line leads from a resource to what it waits for; it is dashed where the id is enough, and
//! faint where another line says so already.

mod layout;

use std::collections::{BTreeMap, BTreeSet};

use rcm::engine::model::{Address, Graph, Node};

use self::layout::{Cell, Input, Layout, layout};
use super::graph::layers;

/// Pixels.
const MARGIN: f64 = 28.0;
const BETWEEN: f64 = 84.0;
const HEIGHT: f64 = 42.0;
const PADDING: f64 = 12.0;
const NAME: f64 = 7.5;
const KIND: f64 = 6.1;
const HEADER: f64 = 84.0;

/// Fill and line of each layer, in their order; layers beyond these begin again.
const COLORS: [(&str, &str); 9] = [
    ("#fde7e6", "#b83227"),
    ("#e1edfa", "#2166a5"),
    ("#f3e7f7", "#7d3c98"),
    ("#fdf3d0", "#9a7b08"),
    ("#e6f4e1", "#2e7d32"),
    ("#dcf1ef", "#00736a"),
    ("#ffead8", "#b35c11"),
    ("#e7e9f8", "#3949ab"),
    ("#ebeff1", "#4b636e"),
];

/// The picture.
pub(crate) fn svg(graph: &Graph, title: &str) -> String {
    let layers = layers(graph);
    let nodes: Vec<&Node> = layers.iter().flat_map(|(_, nodes)| nodes.iter().copied()).collect();
    let picture = Picture::new(&nodes, &layers);
    let mut body = picture.header(title, &layers);
    body.push_str(&picture.lines());
    (0..nodes.len()).for_each(|node| body.push_str(&picture.node(node)));
    let (width, height) = picture.size(&layers);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"ui-sans-serif, system-ui, 'Helvetica Neue', Arial, sans-serif\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

struct Picture<'g> {
    nodes: &'g [&'g Node],
    input: Input,
    /// For each node, what it waits for: whether the id is enough, and whether other lines imply it.
    edges: Vec<BTreeMap<usize, Edge>>,
    layout: Layout,
    colors: Vec<(&'static str, &'static str)>,
    /// The left edge and the width of each column.
    columns: Vec<(f64, f64)>,
    /// What is added to every height.
    top: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    early: bool,
    implied: bool,
}

impl<'g> Picture<'g> {
    fn new(nodes: &'g [&'g Node], layers: &[(&str, Vec<&Node>)]) -> Self {
        let edges = edges(nodes);
        let needs = edges.iter().map(|edges| edges.keys().copied().collect()).collect();
        let input = Input { heights: vec![HEIGHT; nodes.len()], needs };
        let layout = layout(&input);
        let colors = layers.iter().enumerate();
        let colors = colors.flat_map(|(at, (_, nodes))| nodes.iter().map(move |_| COLORS[at % COLORS.len()])).collect();
        let columns = columns(nodes, &layout);
        let highest = layout.middles.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let top = if highest.is_finite() { HEADER + HEIGHT / 2.0 - highest } else { HEADER };
        Self { nodes, input, edges, layout, colors, columns, top }
    }

    fn size(&self, layers: &[(&str, Vec<&Node>)]) -> (f64, f64) {
        let right = self.columns.last().map_or(0.0, |(left, width)| left + width);
        let legend = layers.iter().map(|(layer, _)| legend_width(layer)).sum::<f64>();
        let lowest = self.layout.middles.iter().flatten().copied().fold(0.0, f64::max);
        ((right.max(legend + MARGIN) + MARGIN).max(420.0), lowest + self.top + HEIGHT / 2.0 + MARGIN)
    }

    fn header(&self, title: &str, layers: &[(&str, Vec<&Node>)]) -> String {
        let count = super::count(self.nodes.len(), "resource");
        let mut text = format!(
            "<text x=\"{MARGIN}\" y=\"34\" font-size=\"17\" font-weight=\"600\" fill=\"#1c2733\">{}</text>\n\
             <text x=\"{:.0}\" y=\"34\" font-size=\"12\" fill=\"#5b6770\">{count}; lines lead to what is waited for, \
             dashed where its id is enough</text>\n",
            escaped(title),
            MARGIN + 10.0 * title.chars().count() as f64 + 14.0,
        );
        let mut x = MARGIN;
        for (at, (layer, _)) in layers.iter().enumerate() {
            let (fill, line) = COLORS[at % COLORS.len()];
            text.push_str(&format!(
                "<rect x=\"{x:.1}\" y=\"48\" width=\"12\" height=\"12\" rx=\"3\" fill=\"{fill}\" stroke=\"{line}\"/>\
                 <text x=\"{:.1}\" y=\"58\" font-size=\"12\" fill=\"#33414c\">{}</text>\n",
                x + 18.0,
                escaped(layer)
            ));
            x += legend_width(layer);
        }
        text
    }

    fn node(&self, node: usize) -> String {
        let Some((column, at)) = self.find(Cell::Box(node)) else { return String::new() };
        let ((left, width), middle) = (self.columns[column], self.layout.middles[column][at] + self.top);
        let ((fill, line), Node { address, kind, .. }) = (self.colors[node], self.nodes[node]);
        let (address, kind) = (escaped(address.as_str()), escaped(kind));
        format!(
            "<g><title>{address} ({kind})</title>\
             <rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\" rx=\"7\" \
             fill=\"{fill}\" stroke=\"{line}\" stroke-width=\"1.2\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"12\" font-weight=\"600\" fill=\"#1c2733\">{address}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" font-size=\"10.5\" fill=\"{line}\">{kind}</text></g>\n",
            middle - HEIGHT / 2.0,
            left + PADDING,
            middle - 2.5,
            left + PADDING,
            middle + 12.5,
        )
    }

    fn find(&self, cell: Cell) -> Option<(usize, usize)> {
        let columns = self.layout.columns.iter().enumerate();
        columns.filter_map(|(column, cells)| Some((column, cells.iter().position(|other| *other == cell)?))).next()
    }

    /// Every line, column by column, then the lanes through columns. Faint ones first, so that the others lie above them.
    fn lines(&self) -> String {
        let mut pieces: Vec<(Edge, String)> = Vec::new();
        for (left, links) in layout::links(&self.input, &self.layout.columns).iter().enumerate() {
            for (at, to) in links {
                let (from, onto) = (self.layout.columns[left][*at], self.layout.columns[left + 1][*to]);
                let edge = self.edge(from.leads_to(), left + 1, onto);
                let start = (self.columns[left].0 + self.columns[left].1, self.layout.middles[left][*at] + self.top);
                let end = (self.columns[left + 1].0, self.port(left + 1, *to, links, *at));
                pieces.push((edge, self.curve(from.leads_to(), edge, start, end)));
                if let Cell::Lane(node) = onto {
                    let far = (self.columns[left + 1].0 + self.columns[left + 1].1, end.1);
                    pieces.push((edge, self.curve(node, edge, end, far)));
                }
            }
        }
        pieces.sort_by_key(|(edge, _)| !edge.implied);
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    /// How the line to `target` is drawn where it reaches `cell`: a lane is as strong as the strongest line that it carries.
    fn edge(&self, target: usize, column: usize, cell: Cell) -> Edge {
        match cell {
            Cell::Box(node) => self.edges[node].get(&target).copied().unwrap_or(Edge { early: false, implied: true }),
            Cell::Lane(_) => {
                let beyond = self.layout.columns[column + 1..].iter().flatten();
                let carried = beyond.filter_map(|cell| match cell {
                    Cell::Box(node) => self.edges[*node].get(&target),
                    Cell::Lane(_) => None,
                });
                let none = Edge { early: true, implied: true };
                carried.fold(none, |all, edge| Edge {
                    early: all.early && edge.early,
                    implied: all.implied && edge.implied,
                })
            }
        }
    }

    /// Where a line ends at a cell's left side: several end side by side, in the order of where they come from.
    fn port(&self, column: usize, cell: usize, links: &[(usize, usize)], from: usize) -> f64 {
        let middle = self.layout.middles[column][cell] + self.top;
        let mut others: Vec<usize> = links.iter().filter(|(_, to)| *to == cell).map(|(at, _)| *at).collect();
        others.sort_unstable();
        let place = others.iter().position(|other| *other == from).unwrap_or(0);
        let room = (HEIGHT - 14.0).min(7.0 * others.len() as f64);
        middle - room / 2.0 + room * (place as f64 + 0.5) / others.len().max(1) as f64
    }

    fn curve(&self, target: usize, edge: Edge, start: (f64, f64), end: (f64, f64)) -> String {
        let middle = (start.0 + end.0) / 2.0;
        let dashes = if edge.early { " stroke-dasharray=\"5 4\"" } else { "" };
        let (width, opacity) = if edge.implied { (1.0, 0.22) } else { (1.4, 0.75) };
        format!(
            "<path d=\"M{:.1},{:.1} C{middle:.1},{:.1} {middle:.1},{:.1} {:.1},{:.1}\" fill=\"none\" stroke=\"{}\" \
             stroke-width=\"{width}\" stroke-opacity=\"{opacity}\"{dashes}/>\n",
            start.0, start.1, start.1, end.1, end.0, end.1, self.colors[target].1
        )
    }
}

fn edges(nodes: &[&Node]) -> Vec<BTreeMap<usize, Edge>> {
    let at: BTreeMap<&Address, usize> = nodes.iter().enumerate().map(|(at, node)| (&node.address, at)).collect();
    let named = nodes.iter().map(|node| {
        let needs = node.dependencies().into_iter();
        needs.filter_map(|(to, early)| Some((*at.get(&to)?, early))).collect::<BTreeMap<_, _>>()
    });
    let named: Vec<BTreeMap<usize, bool>> = named.collect();
    let implied = |needs: &BTreeMap<usize, bool>, to: usize| {
        needs.keys().filter(|other| **other != to).any(|other| reaches(&named, *other, to, &mut BTreeSet::new()))
    };
    let described = |needs: &BTreeMap<usize, bool>| {
        needs.iter().map(|(to, early)| (*to, Edge { early: *early, implied: implied(needs, *to) })).collect()
    };
    named.iter().map(described).collect()
}

fn reaches(needs: &[BTreeMap<usize, bool>], from: usize, to: usize, seen: &mut BTreeSet<usize>) -> bool {
    seen.insert(from) && needs[from].keys().any(|next| *next == to || reaches(needs, *next, to, seen))
}

fn columns(nodes: &[&Node], layout: &Layout) -> Vec<(f64, f64)> {
    let mut left = MARGIN;
    let column = |cells: &Vec<Cell>| {
        let widths = cells.iter().filter_map(|cell| match cell {
            Cell::Box(node) => Some(box_width(nodes[*node])),
            Cell::Lane(_) => None,
        });
        let width = widths.fold(0.0, f64::max);
        let column = (left, width);
        left += width + BETWEEN;
        column
    };
    layout.columns.iter().map(column).collect()
}

/// Wide enough for its text in any usual font.
fn box_width(node: &Node) -> f64 {
    let name = node.address.as_str().chars().count() as f64 * NAME;
    name.max(node.kind.chars().count() as f64 * KIND) + 2.0 * PADDING
}

fn legend_width(layer: &str) -> f64 {
    layer.chars().count() as f64 * 6.6 + 40.0
}

fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests;
