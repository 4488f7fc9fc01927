//! The seam between the sandbox and the services behind it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::Value;

/// Tags of a resource, however the service spells them.
pub(crate) type Tags = BTreeMap<String, String>;

/// One request as a service sees it, whichever way it came in.
#[derive(Debug, Clone)]
pub(crate) struct ApiRequest {
    /// The HTTP method.
    pub(crate) method: String,
    /// `https://{service}.{region}.amazonaws.com/…`, for S3 path-style; escapes are left in.
    pub(crate) uri: String,
    /// As they were sent, the signature included.
    pub(crate) headers: HeaderMap,
    /// The content, free of transfer encodings.
    pub(crate) body: Bytes,
}

/// One answer, in the service's wire format.
#[derive(Debug, Clone)]
pub(crate) struct ApiResponse {
    /// The HTTP status.
    pub(crate) status: u16,
    /// A request id is added where a service gives none.
    pub(crate) headers: HeaderMap,
    /// The content.
    pub(crate) body: Bytes,
}

/// One AWS service of the embedded cloud.
///
/// AWS's documentation decides how a service behaves, never what is convenient for rcm.
pub(crate) trait Service: Send + Sync + 'static {
    /// The name in the SigV4 credential scope (`ec2`, `elasticloadbalancing`, `application-autoscaling`, …). Requests are
    /// routed by it, and the service's saved state is filed under it.
    fn name(&self) -> &'static str;

    /// Answers one request in the service's own wire format, errors included.
    fn handle<'a>(&'a self, cx: &'a Context, request: &'a ApiRequest) -> BoxFuture<'a, ApiResponse>;

    /// Everything the service has, as JSON. `load` of it in a new process gives the same service.
    fn save(&self) -> Result<Value, String>;

    /// Replaces what the service has with what [`save`](Service::save) gave, after everything on its way has arrived.
    fn load(&self, saved: Value) -> Result<(), String>;

    /// What this service's resources hold on to in other services, for the refusals that real AWS makes: deleting a security
    /// group that a database uses is a `DependencyViolation`. The question is a poll for what is about to let go.
    fn holds(&self) -> Vec<Hold>;
}

/// `holder` (an ARN or id a person can recognise) uses `resource` (`sg-…`, `subnet-…`, an ARN, a name).
///
/// Whatever has public addresses (an internet-facing load balancer, a task with a public address) also holds its VPC
/// (`vpc-…`): the internet gateway cannot be detached while it lives. Nothing else holds a VPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// Who uses it.
    pub(crate) holder: String,
    /// What is used: the id or ARN as the API of the resource itself names it.
    pub(crate) resource: String,
}

/// Where a request plays, and the other services of the same cloud.
#[derive(Clone)]
pub(crate) struct Context {
    /// Twelve digits.
    pub(crate) account: String,
    /// The one region of this sandbox.
    pub(crate) region: String,
    /// All services of the cloud, the asking one included.
    pub(crate) services: Arc<Vec<Arc<dyn Service>>>,
    polls: Arc<AtomicU32>,
    registry: Arc<OnceLock<String>>,
}

/// How many Describe calls see a resource on its way, unless the sandbox is told otherwise.
const DEFAULT_POLLS: u32 = 2;

impl Context {
    pub(crate) fn new(account: &str, region: &str, services: Vec<Arc<dyn Service>>) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            services: Arc::new(services),
            polls: Arc::new(AtomicU32::new(DEFAULT_POLLS)),
            registry: Arc::default(),
        }
    }

    /// How many polls a change of state takes: what a new [`Countdown`](crate::countdown::Countdown) starts at.
    pub(crate) fn polls(&self) -> u32 {
        self.polls.load(Ordering::Relaxed)
    }

    /// Where images are pushed to: known once it has begun to listen.
    pub(crate) fn registry(&self) -> Option<&str> {
        self.registry.get().map(String::as_str)
    }

    pub(crate) fn set_registry(&self, url: &str) {
        self.registry.get_or_init(|| url.to_owned());
    }

    pub(crate) fn set_polls(&self, polls: u32) {
        self.polls.store(polls, Ordering::Relaxed);
    }

    /// What all services of the cloud hold. It locks one after the other, the asking one included; it is `async`, though it
    /// never waits, so that it cannot be asked under a lock.
    pub(crate) async fn holds(&self) -> Vec<Hold> {
        self.services.iter().flat_map(|service| service.holds()).collect()
    }

    /// Everything in the cloud that uses `resource`.
    pub(crate) async fn holders_of(&self, resource: &str) -> Vec<String> {
        let holds = self.holds().await.into_iter();
        holds.filter(|hold| hold.resource == resource).map(|hold| hold.holder).collect()
    }
}
