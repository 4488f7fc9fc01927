//! The book that calls are entered in, and the troubles that they meet: the same in front of a server and inside a process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;

use http::request::Parts;

use super::rule::Trouble;
use super::{Call, Calls, Fault, Moment, Operation, Outcome};

type Objector = Arc<dyn Fn(&Call) -> Result<(), String> + Send + Sync>;
type Witness = Arc<dyn Fn(&Call, Moment) + Send + Sync>;

pub(super) struct Book {
    started: Instant,
    pages: Mutex<Pages>,
}

#[derive(Default)]
struct Pages {
    calls: Vec<Call>,
    troubles: Vec<Box<dyn Trouble>>,
    objector: Option<Objector>,
    objections: Vec<String>,
    witness: Option<Witness>,
}

/// A body as text, that of RPC v2 as JSON.
fn readable(head: &Parts, body: &[u8]) -> String {
    let cbor = head.headers.get("content-type").is_some_and(|kind| kind == "application/cbor");
    let json = cbor.then(|| rcm_sandbox::cbor::to_json(body)).flatten();
    json.map_or_else(|| String::from_utf8_lossy(body).into_owned(), |json| json.to_string())
}

impl Book {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calls(&self) -> Calls {
        Calls(self.pages().calls.clone())
    }

    pub(super) fn clear(&self) {
        self.pages().calls.clear();
    }

    pub(super) fn objections(&self) -> Vec<String> {
        self.pages().objections.clone()
    }

    pub(super) fn trouble(&self, trouble: impl Trouble + 'static) {
        self.pages().troubles.push(Box::new(trouble));
    }

    pub(super) fn set_objector(&self, objector: Objector) {
        self.pages().objector = Some(objector);
    }

    pub(super) fn set_witness(&self, witness: Witness) {
        self.pages().witness = Some(witness);
    }

    /// Enters a request; its number, what was asked, and the fault that it shall meet. The first trouble that has one wins, but
    /// all are asked, so that each counts every call.
    pub(super) fn enter(&self, head: &Parts, body: &[u8]) -> (Call, Option<Fault>) {
        let body = readable(head, body);
        let operation = Operation::of(head, &body);
        let target = head.uri.to_string();
        let arrived = self.started.elapsed();
        let mut pages = self.pages();
        let sequence = pages.calls.len();
        let call = Call { sequence, arrived, operation, target, body, outcome: Outcome::Pending, request_id: None };
        let faults: Vec<Fault> = pages.troubles.iter_mut().filter_map(|trouble| trouble.meet(&call)).collect();
        pages.calls.push(call.clone());
        drop(pages);
        self.inspect(&call);
        self.witness(&call, Moment::Arrived);
        (call, faults.into_iter().next())
    }

    /// Shows a mutating call to who may object, with the book open to it.
    fn inspect(&self, call: &Call) {
        let objector = self.pages().objector.clone();
        if let Some(objector) = objector.filter(|_| call.operation.mutating)
            && let Err(objection) = objector(call)
        {
            self.pages().objections.push(format!("{}: {objection}", call.operation));
        }
    }

    fn witness(&self, call: &Call, moment: Moment) {
        let witness = self.pages().witness.clone();
        if let Some(witness) = witness {
            witness(call, moment);
        }
    }

    /// The endpoint has executed the call. What the caller is told in place of its answer, if anything.
    pub(super) fn executed(&self, call: &Call, accepted: bool, answer: &[u8]) -> Option<String> {
        self.witness(call, Moment::Executed);
        let answer = String::from_utf8_lossy(answer);
        let mut pages = self.pages();
        pages.troubles.iter_mut().for_each(|trouble| trouble.answered(call, accepted, &answer));
        pages.troubles.iter_mut().filter(|_| accepted).find_map(|trouble| trouble.retell(call, &answer))
    }

    pub(super) fn note(&self, call: &Call, outcome: Outcome) {
        self.enter_in(call, |entry| entry.outcome = outcome);
    }

    pub(super) fn note_id(&self, call: &Call, id: Option<&str>) {
        self.enter_in(call, |entry| entry.request_id = id.map(str::to_owned));
    }

    fn enter_in(&self, call: &Call, what: impl FnOnce(&mut Call)) {
        // Found by arrival, because `clear` may have taken it.
        let mut pages = self.pages();
        let same = |entry: &&mut Call| entry.arrived == call.arrived && entry.sequence == call.sequence;
        if let Some(entry) = pages.calls.iter_mut().find(same) {
            what(entry);
        }
    }
}
