//! Where everything goes: columns by longest path, the order in each by barycentres, heights by least squares.
//!
//! After Sugiyama. What several nodes wait for passes through the columns between as one lane, so that lines bundle instead of
//! crossing boxes.

use std::collections::BTreeMap;

/// Space between boxes in a column, and around a lane.
const GAP: f64 = 14.0;
/// The height of a lane.
const LANE: f64 = 4.0;
/// How often columns are reordered, and then straightened.
const SWEEPS: usize = 24;

/// What is laid out: each node's size, and what it waits for.
pub(super) struct Input {
    /// Heights of the boxes.
    pub(super) heights: Vec<f64>,
    /// For each node, the nodes that it waits for. No cycles.
    pub(super) needs: Vec<Vec<usize>>,
}

/// A node's box, or the lane by which a node is reached from columns further right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    /// The node itself.
    Box(usize),
    /// On the way to this node.
    Lane(usize),
}

/// A laid out graph.
pub(super) struct Layout {
    /// Cells from top to bottom, column by column; what comes first is on the left.
    pub(super) columns: Vec<Vec<Cell>>,
    /// The middle of each cell, column by column.
    pub(super) middles: Vec<Vec<f64>>,
}

impl Cell {
    fn height(self, input: &Input) -> f64 {
        match self {
            Self::Box(node) => input.heights[node],
            Self::Lane(_) => LANE,
        }
    }

    /// The node that a line through here leads to.
    pub(super) fn leads_to(self) -> usize {
        match self {
            Self::Box(node) | Self::Lane(node) => node,
        }
    }
}

/// Lays it out.
pub(super) fn layout(input: &Input) -> Layout {
    let ranks = ranks(&input.needs);
    let mut columns = columns(input, &ranks);
    let links = |columns: &[Vec<Cell>]| links(input, columns);
    order(&mut columns, &links);
    let middles = straighten(input, &columns, &links(&columns));
    Layout { columns, middles }
}

/// The length of the longest chain of needs. What needs nothing moves up to what needs it.
fn ranks(needs: &[Vec<usize>]) -> Vec<usize> {
    let mut ranks = vec![0; needs.len()];
    for _ in 0..needs.len() {
        let next: Vec<usize> =
            needs.iter().map(|needs| needs.iter().map(|need| ranks[*need] + 1).max().unwrap_or(0)).collect();
        if next == ranks {
            break;
        }
        ranks = next;
    }
    let first_need = |node: usize| {
        let dependents = (0..needs.len()).filter(|other| needs[*other].contains(&node));
        dependents.map(|other| ranks[other]).min()
    };
    let moved = (0..needs.len()).map(|node| match first_need(node) {
        Some(first) if needs[node].is_empty() => first - 1,
        _ => ranks[node],
    });
    moved.collect()
}

fn columns(input: &Input, ranks: &[usize]) -> Vec<Vec<Cell>> {
    let mut columns = vec![Vec::new(); ranks.iter().max().map_or(0, |last| last + 1)];
    for (node, rank) in ranks.iter().enumerate() {
        columns[*rank].push(Cell::Box(node));
        let dependents = (0..ranks.len()).filter(|other| input.needs[*other].contains(&node));
        let last = dependents.map(|other| ranks[other]).max().unwrap_or(*rank);
        (rank + 1..last).for_each(|between| columns[between].push(Cell::Lane(node)));
    }
    columns
}

/// Lines from each column to the one on its right, as positions in either.
pub(super) fn links(input: &Input, columns: &[Vec<Cell>]) -> Vec<Vec<(usize, usize)>> {
    let joined = |left: Cell, right: Cell| match right {
        Cell::Lane(node) => left.leads_to() == node,
        Cell::Box(node) => input.needs[node].contains(&left.leads_to()),
    };
    let between = |pair: &[Vec<Cell>]| {
        let all = pair[0].iter().enumerate().flat_map(|(at, left)| {
            let right = pair[1].iter().enumerate().filter(move |(_, right)| joined(*left, **right));
            right.map(move |(to, _)| (at, to))
        });
        all.collect()
    };
    columns.windows(2).map(between).collect()
}

type Links<'a> = dyn Fn(&[Vec<Cell>]) -> Vec<Vec<(usize, usize)>> + 'a;

/// Reorders columns by the mean position of their neighbours, left and right in turn, and keeps the order with the fewest
/// crossings.
fn order(columns: &mut Vec<Vec<Cell>>, links: &Links<'_>) {
    let mut best = (crossings(&links(columns)), columns.clone());
    for sweep in 0..SWEEPS {
        let rightwards = sweep % 2 == 0;
        let count = columns.len();
        for step in 1..count {
            let at = if rightwards { step } else { count - 1 - step };
            let lines = links(columns);
            let neighbours: Vec<(usize, usize)> = if rightwards {
                lines[at - 1].iter().map(|(left, right)| (*right, *left)).collect()
            } else {
                lines[at].clone()
            };
            by_barycentre(&mut columns[at], &neighbours);
        }
        let now = crossings(&links(columns));
        if now < best.0 {
            best = (now, columns.clone());
        }
    }
    *columns = best.1;
}

fn by_barycentre(column: &mut Vec<Cell>, neighbours: &[(usize, usize)]) {
    let mut places: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    neighbours.iter().for_each(|(own, other)| places.entry(*own).or_default().push(*other));
    let centre = |own: usize| match places.get(&own) {
        Some(others) => others.iter().sum::<usize>() as f64 / others.len() as f64,
        None => own as f64,
    };
    let mut keyed: Vec<(f64, Cell)> = column.iter().enumerate().map(|(own, cell)| (centre(own), *cell)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    *column = keyed.into_iter().map(|(_, cell)| cell).collect();
}

fn crossings(links: &[Vec<(usize, usize)>]) -> usize {
    let between = |lines: &Vec<(usize, usize)>| {
        let crosses = |a: &(usize, usize), b: &(usize, usize)| (a.0 < b.0 && a.1 > b.1) || (a.0 > b.0 && a.1 < b.1);
        let later = |at: usize| lines[at + 1..].iter().filter(|other| crosses(&lines[at], other)).count();
        (0..lines.len()).map(later).sum::<usize>()
    };
    links.iter().map(between).sum()
}

/// Heights at which lines are as level as the order and the gaps allow.
fn straighten(input: &Input, columns: &[Vec<Cell>], links: &[Vec<(usize, usize)>]) -> Vec<Vec<f64>> {
    let heights: Vec<Vec<f64>> =
        columns.iter().map(|column| column.iter().map(|cell| cell.height(input)).collect()).collect();
    let mut middles: Vec<Vec<f64>> = heights.iter().map(|heights| place(heights, &vec![0.0; heights.len()])).collect();
    for sweep in 0..SWEEPS {
        for step in 0..columns.len() {
            let at = if sweep % 2 == 0 { step } else { columns.len() - 1 - step };
            let wanted: Vec<f64> = (0..columns[at].len()).map(|own| level(&middles, links, at, own)).collect();
            middles[at] = place(&heights[at], &wanted);
        }
    }
    middles
}

/// The mean height of what a cell is joined to.
fn level(middles: &[Vec<f64>], links: &[Vec<(usize, usize)>], at: usize, own: usize) -> f64 {
    let left = at.checked_sub(1).into_iter().flat_map(|before| {
        links[before].iter().filter(move |line| line.1 == own).map(move |line| middles[before][line.0])
    });
    let right = links.get(at).into_iter().flatten().filter(|line| line.0 == own).map(|line| middles[at + 1][line.1]);
    let others: Vec<f64> = left.chain(right).collect();
    if others.is_empty() { middles[at][own] } else { others.iter().sum::<f64>() / others.len() as f64 }
}

/// Middles as near to `wanted` as order and gaps allow: isotonic regression by pooling neighbours that would overlap.
fn place(heights: &[f64], wanted: &[f64]) -> Vec<f64> {
    let mut offset = 0.0;
    let offsets: Vec<f64> = heights
        .iter()
        .enumerate()
        .map(|(at, height)| {
            if at > 0 {
                offset += heights[at - 1] / 2.0 + GAP + height / 2.0;
            }
            offset
        })
        .collect();
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for (wanted, offset) in wanted.iter().zip(&offsets) {
        let mut pool = (wanted - offset, 1);
        while let Some(last) = pools.pop_if(|last| last.0 > pool.0) {
            let members = last.1 + pool.1;
            pool = ((last.0 * last.1 as f64 + pool.0 * pool.1 as f64) / members as f64, members);
        }
        pools.push(pool);
    }
    let bases = pools.into_iter().flat_map(|(base, members)| std::iter::repeat_n(base, members));
    bases.zip(offsets).map(|(base, offset)| base + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(needs: &[&[usize]]) -> Input {
        Input { heights: vec![40.0; needs.len()], needs: needs.iter().map(|needs| needs.to_vec()).collect() }
    }

    #[test]
    fn whatever_is_waited_for_stands_further_left() {
        let laid_out = layout(&input(&[&[], &[0], &[0, 1]]));
        assert_eq!(laid_out.columns[0], [Cell::Box(0)]);
        assert_eq!(laid_out.columns[2], [Cell::Box(2)]);
        assert!(laid_out.columns[1].contains(&Cell::Box(1)) && laid_out.columns[1].contains(&Cell::Lane(0)));
    }

    #[test]
    fn boxes_do_not_overlap() {
        let laid_out = layout(&input(&[&[], &[0], &[0], &[0], &[1, 2], &[3]]));
        for (column, middles) in laid_out.columns.iter().zip(&laid_out.middles) {
            for at in 1..column.len() {
                let boxes = matches!((column[at - 1], column[at]), (Cell::Box(_), Cell::Box(_)));
                assert!(!boxes || middles[at] - middles[at - 1] >= 40.0 + GAP - 0.001);
            }
        }
    }

    #[test]
    fn crossings_that_need_not_be_are_not() {
        let input = input(&[&[], &[], &[1], &[0]]);
        let laid_out = layout(&input);
        assert_eq!(crossings(&links(&input, &laid_out.columns)), 0);
    }
}
