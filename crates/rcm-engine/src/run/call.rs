//! Sending calls: so many at once, slower where the cloud says so, again where that helps.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, Semaphore},
    time::Instant,
};

use super::{acting::acting_for, stop::Cancel};
use crate::model::{Address, EventKind, Events, Fault, FaultKind};

/// Why a verb did not come to its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// It failed.
    Fault(Fault),
    /// It was stopped at a safe point.
    Interrupted,
    /// It waits for somebody outside.
    Parked(String),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The verb that is sent: decides which faults are worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Configure,
    Look,
    Delete,
}

/// When a fault is worth another try: for how long in all, with which delays between.
struct Patience {
    within: Duration,
    first: Duration,
    longest: Duration,
}

impl Patience {
    const fn new(within_secs: u64, first_ms: u64, longest_ms: u64) -> Self {
        Self {
            within: Duration::from_secs(within_secs),
            first: Duration::from_millis(first_ms),
            longest: Duration::from_millis(longest_ms),
        }
    }
}

/// The one table of what the engine sends again. Everything else fails at once.
///
/// A create whose outcome is unknown is not here: it is looked up before it is sent again.
fn patience(verb: Verb, kind: FaultKind) -> Option<Patience> {
    match (verb, kind) {
        (_, FaultKind::Throttled) => Some(Patience::new(300, 500, 20_000)),
        (Verb::Create, FaultKind::Transient) => None,
        (_, FaultKind::Transient) => Some(Patience::new(60, 500, 10_000)),
        (Verb::Create | Verb::Configure | Verb::Look, FaultKind::Propagating) => Some(Patience::new(300, 250, 5_000)),
        // What was made a moment ago is not visible everywhere yet: itself, or what it stands on.
        (Verb::Create | Verb::Configure, FaultKind::NotFound) => Some(Patience::new(120, 250, 5_000)),
        // Network interfaces of load balancers and tasks are released up to five minutes after their delete. What is still being
        // made or changed can neither be changed nor deleted before it is there: `Sender::busy_within` may say more.
        (Verb::Delete, FaultKind::InUse) => Some(Patience::new(900, 1_000, 10_000)),
        (Verb::Create | Verb::Configure, FaultKind::InUse) => Some(Patience::new(300, 1_000, 10_000)),
        _ => None,
    }
}

/// All calls of a run go through here.
pub(super) struct Calls {
    slots: Semaphore,
    most: usize,
    services: Mutex<BTreeMap<String, Arc<Service>>>,
}

impl Calls {
    pub(super) fn new(parallelism: usize) -> Self {
        let most = parallelism.max(1);
        Self { slots: Semaphore::new(most), most, services: Mutex::default() }
    }

    /// Sends one verb when a slot and its service have room.
    pub(super) async fn send<T>(&self, kind: &str, call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        let service = self.service(kind);
        service.enter().await;
        // The semaphore is never closed, so this cannot fail; without a permit the call would merely be one too many.
        let _slot = self.slots.acquire().await.ok();
        let result = call.await;
        let throttled = matches!(&result, Err(fault) if fault.kind == FaultKind::Throttled);
        service.leave(throttled);
        result
    }

    fn service(&self, kind: &str) -> Arc<Service> {
        let name = kind.split('/').next().unwrap_or(kind);
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(services.entry(name.to_owned()).or_insert_with(|| Arc::new(Service::new(self.most))))
    }
}

/// How many calls one service takes at once: halved when it throttles, slowly more while it does not.
struct Service {
    load: Mutex<Load>,
    room: Notify,
}

struct Load {
    under_way: usize,
    limit: f64,
    most: f64,
}

impl Service {
    #[expect(clippy::cast_precision_loss, reason = "a handful of calls")]
    fn new(most: usize) -> Self {
        let most = most as f64;
        Self { load: Mutex::new(Load { under_way: 0, limit: most, most }), room: Notify::new() }
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of calls")]
    async fn enter(&self) {
        loop {
            let room = self.room.notified();
            {
                let mut load = self.load();
                if (load.under_way as f64) < load.limit {
                    load.under_way += 1;
                    return;
                }
            }
            room.await;
        }
    }

    fn leave(&self, throttled: bool) {
        let mut load = self.load();
        load.under_way -= 1;
        load.limit =
            if throttled { (load.limit / 2.0).max(1.0) } else { (load.limit + 1.0 / load.limit).min(load.most) };
        drop(load);
        self.room.notify_waiters();
    }
}

/// Sends a verb again while its fault is worth it.
pub(super) struct Sender<'a> {
    pub(super) calls: &'a Calls,
    pub(super) events: &'a Events,
    pub(super) stop: &'a Cancel,
    pub(super) address: &'a Address,
    pub(super) kind: &'a str,
    /// How long a change or a delete is tried at least while the resource is still busy with what it was told before.
    pub(super) busy_within: Duration,
}

impl Sender<'_> {
    pub(super) async fn send<T, F>(&self, verb: Verb, call: impl Fn() -> F) -> Result<T, Halt>
    where
        F: Future<Output = Result<T, Fault>>,
    {
        let begun = Instant::now();
        let mut delay: Option<Duration> = None;
        loop {
            let fault = match self.calls.send(self.kind, acting_for(self.address, call())).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            let Some(mut patience) = patience(verb, fault.kind) else { return Err(Halt::Fault(fault)) };
            if verb != Verb::Create && fault.kind == FaultKind::InUse {
                patience.within = patience.within.max(self.busy_within);
            }
            let next = delay.map_or(patience.first, |last| (last * 2).min(patience.longest));
            if begun.elapsed() + next > patience.within {
                return Err(Halt::Fault(fault));
            }
            self.pause(fault, next).await?;
            delay = Some(next);
        }
    }

    /// Tells that `fault` is tried again after `delay`, and waits for it.
    pub(super) async fn pause(&self, fault: Fault, delay: Duration) -> Result<(), Halt> {
        let after_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.events.step(self.address, EventKind::Retry { fault, after_ms });
        if self.stop.pause(delay).await { Ok(()) } else { Err(Halt::Interrupted) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn fault(kind: FaultKind) -> Fault {
        Fault::ours(kind, "test", "Test", "")
    }

    async fn attempts(verb: Verb, kind: FaultKind) -> usize {
        let (calls, events, stop) = (Calls::new(4), Events::none(), Cancel::new());
        let address = Address::new("a").unwrap();
        let sender = Sender {
            calls: &calls,
            events: &events,
            stop: &stop,
            address: &address,
            kind: "ec2/vpc",
            busy_within: Duration::ZERO,
        };
        let count = AtomicUsize::new(0);
        let result: Result<(), Halt> = sender
            .send(verb, || {
                count.fetch_add(1, Ordering::SeqCst);
                async { Err(fault(kind)) }
            })
            .await;
        assert!(matches!(result, Err(Halt::Fault(last)) if last.kind == kind));
        count.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_helps_is_sent_again_and_never_for_ever() {
        assert_eq!(attempts(Verb::Create, FaultKind::Transient).await, 1, "an unknown outcome is looked up first");
        assert_eq!(attempts(Verb::Create, FaultKind::Denied).await, 1);
        assert_eq!(attempts(Verb::Delete, FaultKind::Invalid).await, 1);
        assert!(attempts(Verb::Create, FaultKind::Throttled).await > 5);
        assert!(attempts(Verb::Delete, FaultKind::InUse).await > 20);
        assert!(attempts(Verb::Create, FaultKind::Propagating).await > 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_throttles_gets_fewer_calls_at_once_and_recovers() {
        let service = Service::new(8);
        service.enter().await;
        service.leave(true);
        assert!(service.load().limit < 4.5);
        for _ in 0..200 {
            service.enter().await;
            service.leave(false);
        }
        assert!(service.load().limit > 7.9);
    }

    #[tokio::test(start_paused = true)]
    async fn stopping_ends_the_wait_between_attempts() {
        let (calls, events, stop) = (Calls::new(4), Events::none(), Cancel::new());
        let address = Address::new("a").unwrap();
        let sender = Sender {
            calls: &calls,
            events: &events,
            stop: &stop,
            address: &address,
            kind: "ec2/vpc",
            busy_within: Duration::ZERO,
        };
        stop.cancel();
        let result: Result<(), Halt> = sender.send(Verb::Delete, || async { Err(fault(FaultKind::InUse)) }).await;
        assert!(matches!(result, Err(Halt::Interrupted)));
    }
}
