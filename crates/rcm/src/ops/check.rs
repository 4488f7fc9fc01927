//! One thing that was looked at before a run or after trouble, and what was found.

use serde::Serialize;

use super::Verdict;

/// What was looked at, what was found, and what mends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a stable word of its own: `quota/vpcs`, `service/tasks`.
    pub check: String,
    /// What it means.
    pub verdict: Verdict,
    /// What was seen, by which that was judged.
    pub evidence: String,
    /// What mends it, where it is not well: a command, or a sentence where no command does.
    pub mend: Option<String>,
}

impl Check {
    /// It is as it should be.
    pub fn good(check: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Ok, evidence: evidence.into(), mend: None }
    }

    /// It is not, and this mends it.
    pub fn found(
        check: impl Into<String>,
        verdict: Verdict,
        evidence: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { check: check.into(), verdict, evidence: evidence.into(), mend: Some(mend.into()) }
    }

    /// It could not be seen, and why not.
    pub fn unseen(check: impl Into<String>, why: impl Into<String>) -> Self {
        Self { check: check.into(), verdict: Verdict::Unknown, evidence: why.into(), mend: None }
    }
}
