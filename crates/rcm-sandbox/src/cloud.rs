//! Where every request goes through: find the service, ask it, and save what it changed before anyone sees the answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;
use tokio::sync::{Mutex, OnceCell};

use crate::SandboxError;
use crate::registry;
use crate::route::{self, Arrival};
use crate::service::{ApiRequest, ApiResponse, Context, Service};
use crate::services::services;
use crate::store::Store;
use crate::time;
use crate::wire::{self, Fault};

/// All services of one account and region, and the directory that keeps them.
pub(crate) struct Cloud {
    context: Context,
    store: Arc<Store>,
    saves: BTreeMap<&'static str, Saves>,
    /// Where images are pushed to, once somebody has asked.
    registry: OnceCell<String>,
}

/// Saving of one service. Requests run side by side, their saves one at a time, and one save serves all that came before it.
#[derive(Default)]
struct Saves {
    /// How many mutating requests the service has answered.
    answered: AtomicU64,
    /// How many of them are in the file.
    kept: Mutex<u64>,
}

impl Cloud {
    /// The cloud as `store` has it. What has arrived since is saved, so that it has arrived once and for all.
    pub(crate) fn load(store: Store, account: &str, region: &str) -> Result<Self, SandboxError> {
        let context = Context::new(account, region, services());
        for service in context.services.iter() {
            if let Some(saved) = store.load(service.name())? {
                let unreadable = |reason| SandboxError::Unreadable { path: store.path(service.name()), reason };
                service.load(saved.clone()).map_err(unreadable)?;
                let state = service.save().map_err(unreadable)?;
                if state != saved {
                    store.save(service.name(), &state)?;
                }
            }
        }
        let saves = context.services.iter().map(|service| (service.name(), Saves::default())).collect();
        Ok(Self { context, store: Arc::new(store), saves, registry: OnceCell::new() })
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Answers one request, whichever way it came in.
    pub(crate) async fn answer(self: &Arc<Self>, request: ApiRequest) -> ApiResponse {
        let arrival = match route::arrive(request, &self.context.region) {
            Ok(arrival) => arrival,
            Err(refusal) => return refusal,
        };
        let Some(service) = self.context.services.iter().find(|service| service.name() == arrival.service) else {
            return route::refuse(&arrival.request, &not_played(&arrival.service));
        };
        if arrival.operation == "GetAuthorizationToken" {
            match self.registry.get_or_try_init(async || registry::start(self)).await {
                Ok(url) => self.context.set_registry(url),
                Err(error) => {
                    let fault = Fault::new("ServerException", format!("no port for the registry: {error}")).status(500);
                    return route::refuse(&arrival.request, &fault);
                }
            }
        }
        let mut response = self.ask(service.as_ref(), &arrival).await;
        sign_off(&mut response);
        response
    }

    /// A long time passes: everything that is on its way arrives, and is saved.
    pub(crate) fn settle(&self) -> Result<(), SandboxError> {
        for service in self.context.services.iter() {
            let unreadable = |reason| SandboxError::Unreadable { path: self.store.path(service.name()), reason };
            let held = service.save().map_err(unreadable)?;
            service.load(held).map_err(unreadable)?;
            let arrived = service.save().map_err(unreadable)?;
            self.store.save(service.name(), &arrived)?;
        }
        Ok(())
    }

    async fn ask(&self, service: &dyn Service, arrival: &Arrival) -> ApiResponse {
        let response = service.handle(&self.context, &arrival.request).await;
        tracing::debug!(service = service.name(), operation = %arrival.operation, status = response.status, "answered");
        if !arrival.mutates {
            return response;
        }
        match self.keep(service).await {
            Ok(()) => response,
            // As a failing AWS: the change may have happened, and nobody may rely on it.
            Err(error) => {
                let fault = Fault::new("InternalFailure", format!("the sandbox could not save its state: {error}"));
                route::refuse(&arrival.request, &fault.status(500))
            }
        }
    }

    /// Puts what `service` holds into its file, unless a save that began after this request's change has done so already.
    async fn keep(&self, service: &dyn Service) -> Result<(), String> {
        let Some(saves) = self.saves.get(service.name()) else { return Ok(()) };
        let mine = saves.answered.fetch_add(1, Ordering::SeqCst) + 1;
        let mut kept = saves.kept.lock().await;
        if *kept >= mine {
            return Ok(());
        }
        let upto = saves.answered.load(Ordering::SeqCst);
        let state = service.save()?;
        let (store, name) = (Arc::clone(&self.store), service.name());
        let saved = tokio::task::spawn_blocking(move || store.save(name, &state)).await;
        saved.map_err(|error| error.to_string())?.map_err(|error| explain(&error))?;
        *kept = upto;
        Ok(())
    }
}

/// An error with its causes: the operating system's reason (`No space left on device`) is what helps.
fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn not_played(service: &str) -> Fault {
    Fault::new("UnknownService", format!("the sandbox does not play the service `{service}`")).status(404)
}

/// Every answer of AWS carries a request id; the SDK reads it from the header.
fn sign_off(response: &mut ApiResponse) {
    let has_one = ["x-amzn-requestid", "x-amz-request-id"].iter().any(|name| response.headers.contains_key(*name));
    if !has_one && let Ok(id) = HeaderValue::from_str(&wire::request_id()) {
        response.headers.insert("x-amzn-requestid", id);
    }
    if let Ok(date) = HeaderValue::from_str(&time::http_date()) {
        response.headers.insert(http::header::DATE, date);
    }
}
