//! What services that are wholly ours, and ask their neighbours, have in common: one typed, serialisable state behind a lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::service::{ApiRequest, ApiResponse, Context, Hold, Service};
use crate::wire::Fault;

/// Tags of a resource, however the service spells them.
pub(crate) type Tags = BTreeMap<String, String>;

/// The state of one service, and how requests are answered from it.
pub(crate) trait Stateful: Default + Serialize + DeserializeOwned + Send + 'static {
    /// See [`Service::name`].
    const NAME: &'static str;

    /// See [`Service::handle`]. The neighbours are asked before `own` is locked, never while it is: they may ask back.
    fn answer<'a>(own: &'a Own<Self>, cx: &'a Context, request: ApiRequest) -> BoxFuture<'a, ApiResponse>;

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
pub(crate) struct Own<S> {
    state: Mutex<S>,
}

impl<S> Own<S> {
    /// The state, for as long as it takes to answer without waiting.
    pub(crate) fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Stateful> Service for Own<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn handle<'a>(&'a self, cx: &'a Context, request: ApiRequest) -> BoxFuture<'a, ApiResponse> {
        S::answer(self, cx, request)
    }

    fn save<'a>(&'a self, _cx: &'a Context) -> BoxFuture<'a, Result<Value, String>> {
        Box::pin(async move { serde_json::to_value(&*self.lock()).map_err(|error| error.to_string()) })
    }

    fn load<'a>(&'a self, _cx: &'a Context, saved: Value) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut state: S = serde_json::from_value(saved).map_err(|error| error.to_string())?;
            state.arrive();
            *self.lock() = state;
            Ok(())
        })
    }

    fn holds<'a>(&'a self, _cx: &'a Context) -> BoxFuture<'a, Vec<Hold>> {
        Box::pin(async move { self.lock().holds() })
    }
}

/// The input of an awsJson operation. What the sandbox does not play is refused, not dropped.
pub(crate) fn input<T: DeserializeOwned>(body: Value) -> Result<T, Fault> {
    serde_json::from_value(body)
        .map_err(|error| Fault::new("ValidationException", format!("The input is invalid: {error}.")))
}

/// Seconds since 1970, as the awsJson protocols write times.
pub(crate) fn now() -> f64 {
    jiff::Timestamp::now().as_duration().as_secs_f64()
}

/// Now, as the query protocols write times.
pub(crate) fn timestamp() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// One page of `items` and the marker of the next: `size` of them from `marker` on, as an earlier page gave it.
pub(crate) fn page<T>(items: Vec<T>, marker: Option<&str>, size: Option<usize>) -> (Vec<T>, Option<String>) {
    let start: usize = marker.and_then(|marker| marker.parse().ok()).unwrap_or_default();
    let size = size.unwrap_or(100).max(1);
    let next = (start.saturating_add(size) < items.len()).then(|| (start + size).to_string());
    (items.into_iter().skip(start).take(size).collect(), next)
}

/// An object without the members that have no value, as AWS leaves them out.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect()),
        other => other,
    }
}
