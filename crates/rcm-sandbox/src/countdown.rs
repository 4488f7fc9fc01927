//! Asynchrony without a clock: what AWS does in minutes, the sandbox does in polls.

use serde::{Deserialize, Serialize};

/// How many more times a resource is seen on its way before it arrives.
///
/// ```text
/// create:  countdown = Countdown::new(cx.polls());          // 2 by default
/// describe 1, 2:  countdown.poll() == false   →  "pending"
/// describe 3, …:  countdown.poll() == true    →  "available"
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Countdown(u32);

impl Countdown {
    /// One that has `polls` polls to go. With 0 it has arrived already.
    pub(crate) fn new(polls: u32) -> Self {
        Self(polls)
    }

    /// Whether the resource has arrived, without a poll.
    pub(crate) fn arrived(self) -> bool {
        self.0 == 0
    }

    /// One poll: `true` when the resource had arrived before it.
    ///
    /// A Describe of the resource is a poll, and so is a request that AWS refuses because of it (releasing the address of a
    /// NAT gateway that is still `deleting`): whoever only repeats that request gets through, too.
    pub(crate) fn poll(&mut self) -> bool {
        let arrived = self.arrived();
        self.0 = self.0.saturating_sub(1);
        arrived
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrives_after_as_many_polls_as_it_was_given() {
        let mut two = Countdown::new(2);
        assert_eq!([two.poll(), two.poll(), two.poll(), two.poll()], [false, false, true, true]);
        assert!(Countdown::new(0).poll());
    }
}
