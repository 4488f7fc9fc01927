//! What a recorder does to a call instead of passing it on and its answer back.

/// A fault of the network or of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The cloud executes the call, and the connection ends before the answer: the caller cannot know.
    Cut,
    /// AWS refuses, and executes nothing.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The AWS error code, such as `ThrottlingException`.
        code: String,
    },
}

impl Fault {
    /// A refusal with this status and AWS error code.
    #[must_use]
    pub fn refuse(status: u16, code: &str) -> Self {
        Self::Refuse { status, code: code.to_owned() }
    }
}

/// A fault for the `nth` call of an operation, counted from 1 when the rule was made.
#[derive(Debug)]
pub(super) struct Rule {
    operation: String,
    nth: usize,
    fault: Fault,
    seen: usize,
}

impl Rule {
    pub(super) fn new(operation: &str, nth: usize, fault: Fault) -> Self {
        Self { operation: operation.to_owned(), nth, fault, seen: 0 }
    }

    /// Counts a call, and gives the fault if it is this one's turn.
    pub(super) fn apply(&mut self, operation: &str) -> Option<Fault> {
        if self.operation != operation {
            return None;
        }
        self.seen += 1;
        (self.seen == self.nth).then(|| self.fault.clone())
    }
}
