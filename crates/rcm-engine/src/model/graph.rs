//! The graph of what is wanted.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::{algo::tarjan_scc, graphmap::DiGraphMap};
use serde::Serialize;
use serde_json::Value;

use super::{Address, Ref, Resource, references};

/// One wanted resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its name for life.
    pub address: Address,
    /// The kind, a key of the [`Registry`](super::Registry).
    pub kind: &'static str,
    /// The kind's spec, serialised; references inside.
    pub spec: Value,
    /// What must be ready before it although the spec does not refer to it.
    pub after: BTreeSet<Address>,
}

impl Node {
    /// What it waits for, and whether the id alone is enough (`true`: early). A target named both ways must be ready.
    pub fn dependencies(&self) -> BTreeMap<Address, bool> {
        let mut found: BTreeMap<Address, bool> = self.after.iter().map(|address| (address.clone(), false)).collect();
        for reference in references(&self.spec) {
            found.entry(reference.address).and_modify(|early| *early &= reference.early).or_insert(reference.early);
        }
        found
    }
}

/// What is wanted: nodes by address, with every reference pointing at a node and no cycle.
///
/// Built by [`add`](Graph::add) and [`after`](Graph::after), which never fail; [`finish`](Graph::finish) reports everything
/// that is wrong with it at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Graph {
    nodes: BTreeMap<Address, Node>,
    #[serde(skip)]
    errors: Vec<GraphError>,
}

/// What is wrong with a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// An address is malformed.
    #[error("{0}")]
    Address(String),
    /// Two nodes of one name.
    #[error("{0} is in the graph twice")]
    Twice(Address),
    /// A spec does not serialise.
    #[error("the spec of {0}: {1}")]
    Spec(Address, String),
    /// A reference to nothing.
    #[error("{from} refers to {to}, which is not in the graph")]
    Dangling {
        /// The node that refers.
        from: Address,
        /// What it refers to.
        to: Address,
    },
    /// A node of a kind that nobody has registered.
    #[error("{0} is of kind {1}, which is not registered")]
    Kind(Address, &'static str),
    /// Nodes that wait for each other.
    #[error("{} wait for each other", names(.0))]
    Cycle(Vec<Address>),
}

fn names(addresses: &[Address]) -> String {
    addresses.iter().map(Address::as_str).collect::<Vec<_>>().join(", ")
}

impl Graph {
    /// An empty graph: nothing is wanted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wants an `R`, and hands out the reference by which others name it.
    pub fn add<R: Resource>(&mut self, address: &str, spec: R::Spec) -> Ref<R> {
        let address = Address::new(address).unwrap_or_else(|error| {
            self.errors.push(GraphError::Address(error.to_string()));
            malformed()
        });
        let spec = serde_json::to_value(spec).unwrap_or_else(|error| {
            self.errors.push(GraphError::Spec(address.clone(), error.to_string()));
            Value::Null
        });
        let node = Node { address: address.clone(), kind: R::KIND, spec, after: BTreeSet::new() };
        if self.nodes.insert(address.clone(), node).is_some() {
            self.errors.push(GraphError::Twice(address.clone()));
        }
        Ref::to(address)
    }

    /// Makes `later` wait for `earlier` although its spec does not name it: an ordering that the cloud's API hides.
    pub fn after<L, E>(&mut self, later: &Ref<L>, earlier: &Ref<E>) {
        if let Some(node) = self.nodes.get_mut(later.address()) {
            node.after.insert(earlier.address().clone());
        }
    }

    /// Checks the whole graph and gives it back, or everything that is wrong with it.
    pub fn finish(mut self) -> Result<Self, Vec<GraphError>> {
        let mut errors = std::mem::take(&mut self.errors);
        for node in self.nodes.values() {
            let missing = node.dependencies().into_keys().filter(|to| !self.nodes.contains_key(to));
            errors.extend(missing.map(|to| GraphError::Dangling { from: node.address.clone(), to }));
        }
        errors.extend(self.cycles());
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn cycles(&self) -> Vec<GraphError> {
        let mut edges = DiGraphMap::<&Address, ()>::new();
        let dependencies: Vec<_> = self.nodes.values().map(|node| (&node.address, node.dependencies())).collect();
        for (from, targets) in &dependencies {
            edges.add_node(from);
            for to in targets.keys() {
                edges.add_edge(from, to, ());
            }
        }
        let circular = |group: &Vec<&Address>| group.len() > 1 || edges.contains_edge(group[0], group[0]);
        let named = |group: Vec<&Address>| {
            let mut group: Vec<_> = group.into_iter().cloned().collect();
            group.sort();
            GraphError::Cycle(group)
        };
        tarjan_scc(&edges).into_iter().filter(circular).map(named).collect()
    }

    /// The node of that name.
    pub fn get(&self, address: &Address) -> Option<&Node> {
        self.nodes.get(address)
    }

    /// All nodes, in the order of their addresses.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.nodes.values()
    }

    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

/// Stands in for an address that could not be made; `finish` fails, so nobody ever sees it.
#[expect(clippy::expect_used, reason = "a constant that is an address")]
fn malformed() -> Address {
    Address::new("malformed").expect("a word is an address")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::model::{Actions, Cx, Fault, Id, Observed};

    #[derive(Serialize, Deserialize)]
    struct Spec {
        needs: Vec<Ref<Thing>>,
    }
    struct Thing;

    impl Resource for Thing {
        type Cloud = ();
        type Spec = Spec;
        type Outputs = ();
        const KIND: &'static str = "test/thing";
        const REPLACE_ON: &'static [&'static str] = &[];
        async fn create(_: &Cx<'_, ()>, _: &Spec) -> Result<Id, Fault> {
            Ok(Id::from("id"))
        }
        async fn read(_: &Cx<'_, ()>, _: &Id) -> Result<Option<Observed<()>>, Fault> {
            Ok(None)
        }
        async fn find(_: &Cx<'_, ()>, _: &Spec) -> Result<Option<Id>, Fault> {
            Ok(None)
        }
        async fn delete(_: &Cx<'_, ()>, _: &Id) -> Result<(), Fault> {
            Ok(())
        }
        fn actions() -> Actions {
            Actions::default()
        }
    }

    fn reference(address: &str) -> Ref<Thing> {
        Ref::to(Address::new(address).unwrap())
    }

    #[test]
    fn a_cycle_is_rejected_by_name() {
        let mut graph = Graph::new();
        graph.add::<Thing>("a", Spec { needs: vec![reference("b")] });
        graph.add::<Thing>("b", Spec { needs: vec![reference("a")] });
        let errors = graph.finish().unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].to_string(), "a, b wait for each other");
    }

    #[test]
    fn a_node_that_waits_for_itself_is_a_cycle() {
        let mut graph = Graph::new();
        graph.add::<Thing>("a", Spec { needs: vec![reference("a")] });
        assert_eq!(graph.finish().unwrap_err()[0].to_string(), "a wait for each other");
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let mut graph = Graph::new();
        graph.add::<Thing>("a", Spec { needs: vec![reference("nowhere")] });
        graph.add::<Thing>("a", Spec { needs: vec![reference("nowhere")] });
        graph.add::<Thing>("Bad Name", Spec { needs: vec![] });
        let errors: Vec<_> = graph.finish().unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(errors.len(), 3, "{errors:?}");
        assert!(errors.contains(&"a refers to nowhere, which is not in the graph".to_owned()));
        assert!(errors.contains(&"a is in the graph twice".to_owned()));
    }

    #[test]
    fn an_edge_is_early_only_if_every_mention_is() {
        let mut graph = Graph::new();
        let a = graph.add::<Thing>("a", Spec { needs: vec![] });
        let b = graph.add::<Thing>("b", Spec { needs: vec![a.early()] });
        let c = graph.add::<Thing>("c", Spec { needs: vec![a.early(), a.clone()] });
        graph.after(&b, &c);
        let graph = graph.finish().unwrap();
        let edges = |at: &Ref<Thing>| graph.get(at.address()).unwrap().dependencies();
        assert!(edges(&b)[a.address()]);
        assert!(!edges(&b)[c.address()]);
        assert!(!edges(&c)[a.address()]);
    }
}
