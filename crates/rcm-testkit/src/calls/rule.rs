//! What is done to a call instead of passing it on and its answer back, and to which calls.

use std::time::Duration;

use super::Call;

/// A fault of the network or of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The cloud executes the call, and the connection ends before the answer: the caller cannot know.
    Cut,
    /// The connection ends before the cloud has the call: the caller cannot know either.
    Reset,
    /// The cloud never gets the call, and nobody says so.
    Timeout,
    /// The cloud gets the call this much later.
    Delay(Duration),
    /// AWS refuses, and executes nothing.
    Refuse {
        /// The HTTP status.
        status: u16,
        /// The AWS error code, such as `ThrottlingException`.
        code: String,
        /// The message beside it.
        message: String,
    },
}

impl Fault {
    /// A refusal with this status and AWS error code.
    #[must_use]
    pub fn refuse(status: u16, code: &str) -> Self {
        Self::refuse_saying(status, code, "refused by a rule of the test")
    }

    /// A refusal with this status, AWS error code and message.
    #[must_use]
    pub fn refuse_saying(status: u16, code: &str, message: &str) -> Self {
        Self::Refuse { status, code: code.to_owned(), message: message.to_owned() }
    }
}

/// Something that looks at every call and may have a fault for it. A [`Rule`] looks at one call at a time; what depends on
/// earlier calls (a role is not assumable for a while after its create) implements this itself.
pub trait Trouble: Send {
    /// The fault that `call` shall meet, if any. Asked once for each call, in the order of arrival.
    fn meet(&mut self, call: &Call) -> Option<Fault>;

    /// `call` was executed and `answer` is the body of the endpoint's answer; `accepted` when that is not an error.
    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        let _ = (call, accepted, answer);
    }

    /// What the caller is told of `call`, which was accepted, instead of `answer`; `None` for `answer` itself.
    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        let _ = (call, answer);
        None
    }
}

impl Trouble for Box<dyn Trouble> {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        (**self).meet(call)
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        (**self).answered(call, accepted, answer);
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        (**self).retell(call, answer)
    }
}

/// A fault for some calls, told by what they ask for.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    service: Option<String>,
    operation: Option<String>,
    mutating: Option<bool>,
    turn: Turn,
    seen: usize,
}

/// Which of the calls that a rule is for.
#[derive(Debug, Clone)]
enum Turn {
    Always,
    Nth(usize),
    First(usize),
    Chance { per_mille: u64, random: u64 },
}

impl Rule {
    /// `fault` for every call, until something narrower is said.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, service: None, operation: None, mutating: None, turn: Turn::Always, seen: 0 }
    }

    /// Only for this service, as signatures name it.
    #[must_use]
    pub fn service(mut self, service: &str) -> Self {
        self.service = Some(service.to_owned());
        self
    }

    /// Only for this operation, such as `CreateKey`.
    #[must_use]
    pub fn operation(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only for calls that change something (`true`), or only for those that read.
    #[must_use]
    pub fn mutating(mut self, mutating: bool) -> Self {
        self.mutating = Some(mutating);
        self
    }

    /// Only for the `nth` of them, counted from 1 when the rule is made.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.turn = Turn::Nth(nth);
        self
    }

    /// Only for the first `count` of them.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.turn = Turn::First(count);
        self
    }

    /// For so many of a thousand of them, chosen by `seed` alone.
    #[must_use]
    pub fn chance(mut self, per_mille: u64, seed: u64) -> Self {
        self.turn = Turn::Chance { per_mille, random: seed };
        self
    }

    fn is_for(&self, call: &Call) -> bool {
        let same = |wanted: &Option<String>, given: &str| wanted.as_ref().is_none_or(|wanted| wanted == given);
        same(&self.service, &call.operation.service)
            && same(&self.operation, &call.operation.name)
            && self.mutating.is_none_or(|mutating| mutating == call.operation.mutating)
    }
}

impl Trouble for Rule {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        if !self.is_for(call) {
            return None;
        }
        self.seen += 1;
        let its_turn = match &mut self.turn {
            Turn::Always => true,
            Turn::Nth(nth) => self.seen == *nth,
            Turn::First(count) => self.seen <= *count,
            Turn::Chance { per_mille, random } => next(random) % 1000 < *per_mille,
        };
        its_turn.then(|| self.fault.clone())
    }
}

/// The next number of SplitMix64 (Steele, Lea and Flood, 2014): small, and the same everywhere.
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;

    use super::*;
    use crate::calls::{Operation, Outcome};

    fn call(service: &str, action: &str) -> Call {
        let scope = format!("AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/{service}/aws4_request, Signature=0");
        let body = format!("Action={action}&Version=2016-11-15");
        let (head, ()) = Request::post("/").header("authorization", scope).body(()).unwrap().into_parts();
        let operation = Operation::of(&head, &body);
        let target = "/".to_owned();
        Call {
            sequence: 0,
            arrived: Duration::ZERO,
            operation,
            target,
            body,
            outcome: Outcome::Pending,
            request_id: None,
        }
    }

    /// Which of `calls` meet the rule's fault.
    fn met(mut rule: Rule, calls: &[Call]) -> Vec<usize> {
        calls.iter().enumerate().filter(|(_, call)| rule.meet(call).is_some()).map(|(at, _)| at).collect()
    }

    #[test]
    fn a_rule_is_for_the_calls_that_it_names_and_counts_only_those() {
        let calls = [
            call("ec2", "CreateVpc"),
            call("rds", "CreateDBInstance"),
            call("ec2", "DescribeVpcs"),
            call("ec2", "CreateVpc"),
            call("ec2", "CreateSubnet"),
        ];
        let rule = || Rule::new(Fault::Reset);
        assert_eq!(met(rule(), &calls), [0, 1, 2, 3, 4]);
        assert_eq!(met(rule().service("rds"), &calls), [1]);
        assert_eq!(met(rule().operation("CreateVpc").nth(2), &calls), [3]);
        assert_eq!(met(rule().mutating(true).first(3), &calls), [0, 1, 3]);
        assert_eq!(met(rule().mutating(false), &calls), [2]);
    }

    #[test]
    fn chance_is_the_seeds_alone_and_as_frequent_as_it_says() {
        let calls = vec![call("ec2", "DescribeVpcs"); 2_000];
        let chosen = |seed| met(Rule::new(Fault::Reset).chance(50, seed), &calls);
        assert_eq!(chosen(1), chosen(1));
        assert_ne!(chosen(1), chosen(2));
        for seed in 1..=5 {
            assert!((60..140).contains(&chosen(seed).len()), "{} of 2000", chosen(seed).len());
        }
        assert!(met(Rule::new(Fault::Reset).chance(0, 1), &calls).is_empty());
    }
}
