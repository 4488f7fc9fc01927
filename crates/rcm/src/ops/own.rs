//! What the embedding program brings of its own: kinds of resources, a blueprint, a store, the SDK's configuration.

use std::sync::Arc;

use rcm_aws::{Aws, aws::SdkConfig, resources};
use rcm_engine::{
    model::{Graph, GraphError, Registry},
    store::{Backend, Directory, Owner, Store},
};

use super::{Cloud, Environment, Settings};
use crate::{
    Error, PartnerConfig,
    blueprint::{self, Surroundings},
};

/// Makes the kinds of [`Settings::with_kinds`].
pub type OwnKinds = Arc<dyn Fn(&Arc<Aws>) -> Registry + Send + Sync>;

/// Makes the graph of [`Settings::with_blueprint`].
pub type OwnBlueprint = Arc<dyn Fn(&PartnerConfig, &Surroundings, Graph) -> Graph + Send + Sync>;

impl Settings {
    /// With kinds of resources beside rcm's own. `kinds` is called once for each environment that is opened, and may give each kind a
    /// cloud of its own: rcm's clients, which it gets, or any other.
    ///
    /// From then on the environment's state may only be worked on by programs that have these kinds: the command `rcm` has not, and says
    /// so. A kind's [`actions`](rcm_engine::model::Resource::actions) go into [`Environment::permissions`]; what it costs, nobody knows:
    /// it stands in [`Cost::unpriced`](crate::cost::Cost::unpriced).
    #[must_use]
    pub fn with_kinds(self, kinds: impl Fn(&Arc<Aws>) -> Registry + Send + Sync + 'static) -> Self {
        Self { kinds: Some(Arc::new(kinds)), ..self }
    }

    /// With what `blueprint` makes of the graph that rcm's own blueprint gives: more nodes, or another graph in its stead. Nodes refer to
    /// others by what [`Graph::add`] gave, and to rcm's by their addresses (`Ref::to`).
    ///
    /// It is called several times for one plan, with and without an image among others, and so is to give the same for the same. Mistakes
    /// in what it gives are an [`Error::Graph`] before anything is sent. What rcm knows by address (outputs, status, deploys) it knows of
    /// its own nodes alone.
    #[must_use]
    pub fn with_blueprint(
        self,
        blueprint: impl Fn(&PartnerConfig, &Surroundings, Graph) -> Graph + Send + Sync + 'static,
    ) -> Self {
        Self { blueprint: Some(Arc::new(blueprint)), ..self }
    }

    /// With a store in the place of `state_dir`, where nothing is looked for or written then: states, journals, locks, audit logs,
    /// copies and certificates are kept in `store`, which may be that of any number of environments.
    ///
    /// What one has to keep to is said at [`Backend`] and tried by [`conformance`](rcm_engine::store::conformance).
    #[must_use]
    pub fn with_store(self, store: Arc<dyn Backend>) -> Self {
        Self { store: Some(store), ..self }
    }
}

/// What is kept of the partner file's environment, in the program's store or on the disk.
pub(super) fn store(config: &PartnerConfig, settings: &Settings) -> Store {
    let backend = settings.store.clone().unwrap_or_else(|| Arc::new(Directory::new(&settings.state_dir)));
    Store::within(backend, Owner::new(&config.partner, &config.environment))
}

/// rcm's kinds and the program's.
pub(super) fn registry(aws: &Arc<Aws>, own: Option<&OwnKinds>) -> Result<Registry, Error> {
    let shipped = resources::registry(aws);
    own.map_or(Ok(shipped.clone()), |own| shipped.merged(own(aws)).map_err(Error::KindTaken))
}

/// The program's configuration, if it is of the partner file's region or of none.
pub(super) fn config(config: &PartnerConfig, cloud: &Cloud) -> Result<Option<SdkConfig>, Error> {
    let Cloud::Config(sdk) = cloud else { return Ok(None) };
    let wanted = config.aws_region.as_str();
    match sdk.region().map(ToString::to_string).filter(|found| found != wanted) {
        Some(found) => Err(Error::WrongRegion { wanted: wanted.to_owned(), found }),
        None => Ok(Some(SdkConfig::clone(sdk))),
    }
}

impl Environment {
    /// The graph of `config`: rcm's, and what the program makes of it.
    pub(super) fn designed(&self, config: &PartnerConfig, surroundings: &Surroundings) -> Result<Graph, Error> {
        let graph = blueprint::graph(config, surroundings).map_err(Error::Graph)?;
        let Some(own) = &self.settings.blueprint else { return Ok(graph) };
        let graph = own(config, surroundings, graph).finish().map_err(Error::Graph)?;
        let unknown = graph.nodes().filter(|node| self.registry.get(node.kind).is_err());
        let unknown: Vec<_> = unknown.map(|node| GraphError::Kind(node.address.clone(), node.kind)).collect();
        if unknown.is_empty() { Ok(graph) } else { Err(Error::Graph(unknown)) }
    }
}
