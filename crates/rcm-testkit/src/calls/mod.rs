//! Every call that goes to a cloud, as the cloud sees it.
//!
//! A [`Recorder`] stands between an SDK and an endpoint, a [`Wire`] between an SDK and a cloud inside this process. Both keep a
//! [`Call`] for each request: so a test can say "the second run made no mutating call", and look at the disk at the moment a
//! call arrives. Both let calls meet [`Trouble`]: refusals, throttling, lost answers, resets, delays.

mod book;
mod fates;
mod habits;
mod operation;
mod recorder;
mod reply;
mod rule;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

pub use fates::{Breaker, Shared, Stillborn, TakenBack, shared};
pub use habits::{Aftereffect, FirstUse, NotYetVisible, Unlisted, habits};
pub use operation::Operation;
pub use recorder::Recorder;
pub use rule::{Fault, Rule, Trouble, next};
pub use wire::Wire;

/// One request, and what became of it. A retry is a call of its own.
#[derive(Debug, Clone)]
pub struct Call {
    /// Counted from 0 in the order of arrival.
    pub sequence: usize,
    /// Since the recorder started.
    pub arrived: Duration,
    /// What was asked for.
    pub operation: Operation,
    /// The path and query of the request.
    pub target: String,
    /// The body of the request. Secrets are in it: for comparisons, not for printing.
    pub body: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The id that the answer gave the request.
    pub request_id: Option<String>,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The caller has sent it, the cloud has not got it.
    Arrived,
    /// The cloud has executed it, the caller does not know.
    Executed,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint has it, or the hook looks at it.
    Pending,
    /// The endpoint answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The AWS error code, from 400 on.
        code: Option<String>,
    },
    /// A rule answered in the endpoint's place: the call was never executed.
    Refused {
        /// The AWS error code that the rule names.
        code: String,
    },
    /// The endpoint executed the call, and a rule cut the connection before the answer.
    Cut,
    /// The endpoint could not be reached.
    Unreachable {
        /// Why not.
        reason: String,
    },
}

/// Calls in the order of their arrival. Prints as a table.
#[derive(Debug, Clone, Default)]
pub struct Calls(Vec<Call>);

impl Calls {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Call> {
        self.0.iter()
    }

    /// Those that change the cloud, or would have.
    #[must_use]
    pub fn mutating(&self) -> Self {
        Self(self.iter().filter(|call| call.operation.mutating).cloned().collect())
    }

    /// Those of one operation, such as `CreateKey`.
    #[must_use]
    pub fn of(&self, operation: &str) -> Self {
        Self(self.iter().filter(|call| call.operation.name == operation).cloned().collect())
    }

    /// How often each operation was called, by `service:Operation`.
    #[must_use]
    pub fn per_operation(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.iter() {
            *counts.entry(call.operation.to_string()).or_default() += 1;
        }
        counts
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for call in self.iter() {
            let kind = if call.operation.mutating { "write" } else { "read" };
            let millis = call.arrived.as_millis();
            let operation = call.operation.to_string();
            writeln!(f, "{:>4} {millis:>7} ms  {kind:<5} {operation:<50} {}", call.sequence, call.outcome)?;
        }
        Ok(())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => write!(f, "pending"),
            Self::Answered { status, code: None } => write!(f, "{status}"),
            Self::Answered { status, code: Some(code) } => write!(f, "{status} {code}"),
            Self::Refused { code } => write!(f, "refused by rule: {code}"),
            Self::Cut => write!(f, "executed, answer cut off by rule"),
            Self::Unreachable { reason } => write!(f, "unreachable: {reason}"),
        }
    }
}
