//! What every service is made of: a typed state behind one lock, saved and loaded as JSON.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::service::{ApiRequest, ApiResponse, Context, Hold, Service};

/// The state of one service, and what requests do to it.
pub(crate) trait Emulated: Default + Serialize + DeserializeOwned + Send + 'static {
    /// See [`Service::name`].
    const NAME: &'static str;

    /// See [`Service::handle`]. Other services are asked first, then the state is locked and changed in one go. They may ask
    /// back, so nobody asks under the lock: a future that holds it while it waits is not `Send`, and does not compile here.
    fn answer(
        emulator: &Emulator<Self>,
        cx: &Context,
        request: &ApiRequest,
    ) -> impl Future<Output = ApiResponse> + Send;

    /// See [`Service::holds`].
    fn holds(&mut self) -> Vec<Hold> {
        Vec::new()
    }

    /// Everything that is on its way arrives: AWS goes on while no process looks at it. Polls are not saved, so what a
    /// Describe has already shown as arrived must not be on its way again in the next process.
    fn arrive(&mut self) {}
}

/// Makes a [`Service`] of a state.
#[derive(Default)]
pub(crate) struct Emulator<S> {
    state: Mutex<S>,
}

impl<S> Emulator<S> {
    /// The state, for as long as it takes to answer without waiting.
    pub(crate) fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Emulated> Service for Emulator<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn handle<'a>(&'a self, cx: &'a Context, request: &'a ApiRequest) -> BoxFuture<'a, ApiResponse> {
        Box::pin(S::answer(self, cx, request))
    }

    fn save(&self) -> Result<Value, String> {
        serde_json::to_value(&*self.lock()).map_err(|error| error.to_string())
    }

    fn load(&self, saved: Value) -> Result<(), String> {
        let mut state: S = serde_json::from_value(saved).map_err(|error| error.to_string())?;
        state.arrive();
        *self.lock() = state;
        Ok(())
    }

    fn holds(&self) -> Vec<Hold> {
        self.lock().holds()
    }
}
