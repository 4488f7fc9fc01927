//! What the emulators that are wholly ours have in common: one typed, serialisable state behind one lock.

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::service::{ApiRequest, ApiResponse, Context, Hold, Service};

/// The state of one service, and what requests do to it.
///
/// A request is answered under the service's lock, so operations are atomic, and must not wait; what has to be learnt from
/// other services is learnt in [`ask_others`](Emulated::ask_others), before the lock is taken.
pub(crate) trait Emulated: Default + Serialize + DeserializeOwned + Send + 'static {
    /// See [`Service::name`].
    const NAME: &'static str;

    /// Refuses what the other services of the cloud forbid.
    fn ask_others<'a>(_cx: &'a Context, _request: &'a ApiRequest) -> BoxFuture<'a, Result<(), ApiResponse>> {
        Box::pin(async { Ok(()) })
    }

    /// Answers one request.
    fn respond(&mut self, cx: &Context, request: &ApiRequest) -> ApiResponse;

    /// See [`Service::holds`].
    fn holds(&self) -> Vec<Hold> {
        Vec::new()
    }
}

/// Makes a [`Service`] of a state.
#[derive(Default)]
pub(crate) struct Emulator<S> {
    state: Mutex<S>,
}

impl<S: Emulated> Service for Emulator<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn handle<'a>(&'a self, cx: &'a Context, request: ApiRequest) -> BoxFuture<'a, ApiResponse> {
        Box::pin(async move {
            if let Err(refusal) = S::ask_others(cx, &request).await {
                return refusal;
            }
            self.state.lock().await.respond(cx, &request)
        })
    }

    fn save<'a>(&'a self, _cx: &'a Context) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move { serde_json::to_value(&*self.state.lock().await).map_err(|error| error.to_string()) })
    }

    fn load<'a>(&'a self, _cx: &'a Context, saved: Value) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let state = serde_json::from_value(saved).map_err(|error| error.to_string())?;
            *self.state.lock().await = state;
            Ok(())
        })
    }

    fn holds<'a>(&'a self, _cx: &'a Context) -> BoxFuture<'a, Vec<Hold>> {
        Box::pin(async move { self.state.lock().await.holds() })
    }
}
