//! Compliance: what HIPAA's Security Rule asks of this environment, control by control, with evidence.
//!
//! The controls are those of AWS Config's
//! [operational best practices for HIPAA Security](https://docs.aws.amazon.com/config/latest/developerguide/operational-best-practices-for-hipaa_security.html)
//! that apply to what rcm makes, of AWS's
//! [Foundational Security Best Practices](https://docs.aws.amazon.com/securityhub/latest/userguide/fsbp-standard.html), and of the
//! checklist of the setup that rcm replaces. A control is a rule over the settings of resources: the same rule judges what AWS
//! says is there, and what a plan would make of it.
//!
//! No list of controls makes an environment compliant: what only people can do is listed too, and left open.

mod catalog;
mod judge;
mod subject;

use std::collections::BTreeSet;

use jiff::Timestamp;
use rcm_engine::{
    model::{Address, Deployment},
    plan::Plan,
    store::State,
};
use serde::Serialize;

pub use catalog::controls;
pub use judge::{Check, Test};
pub use subject::Subject;
pub(crate) use subject::live;

use crate::audit::Acceptance;

/// Something that is asked for.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Control {
    /// Its name: that of the AWS Config rule, where there is one.
    pub id: &'static str,
    /// What is asked for, in one sentence.
    pub title: &'static str,
    /// The paragraphs of 45 CFR 164 that it serves.
    pub cites: &'static [&'static str],
    /// Whom it depends on.
    pub scope: Scope,
    /// How it is judged.
    #[serde(skip)]
    pub check: Check,
}

/// Whom a control depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// On this environment alone.
    Stack,
    /// On the account that it is in.
    Account,
    /// On people.
    Person,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It is not as it is asked for.
    Fail,
    /// Nobody has shown it: not seen, not managed by rcm, or for people to do.
    Open,
    /// It is not as it is asked for, and by design; the evidence says why.
    Deviates,
    /// It is as it is asked for.
    Pass,
    /// There is nothing that it applies to.
    NotApplicable,
}

/// One control at one resource, or at none where it is about all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The resource.
    pub resource: Option<Address>,
    /// What was found.
    pub verdict: Verdict,
    /// What shows it.
    pub evidence: String,
}

/// A control and all its findings.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The control.
    #[serde(flatten)]
    pub control: Control,
    /// The worst of the findings.
    pub verdict: Verdict,
    /// What was found, resource by resource.
    pub findings: Vec<Finding>,
    /// Who has accepted that it fails, and why: the last of those that the audit log knows.
    pub accepted: Option<Acceptance>,
}

/// How an environment stands.
#[derive(Debug, Clone, Serialize)]
pub struct Compliance {
    /// Which one.
    pub deployment: Deployment,
    /// When it was looked at.
    pub at: Timestamp,
    /// Every control of the catalogue, in its order.
    pub controls: Vec<Judged>,
}

impl Compliance {
    /// How many controls ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.controls.iter().filter(|judged| judged.verdict == verdict).count()
    }

    /// Those that ended so.
    pub fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Judged> {
        self.controls.iter().filter(move |judged| judged.verdict == verdict)
    }
}

/// A control that a plan would break, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The control.
    pub control: &'static str,
    /// What is asked for.
    pub title: &'static str,
    /// The paragraphs of 45 CFR 164 that it serves.
    pub cites: &'static [&'static str],
    /// The resource, or none where something is missing.
    pub resource: Option<Address>,
    /// How it would be broken.
    pub evidence: String,
}

/// Judges every control.
pub(crate) fn judged(subjects: &[Subject], accepted: &[Acceptance]) -> Vec<Judged> {
    let judge = |control: &Control| {
        let findings = control.check.judge(subjects);
        let verdict = findings.iter().map(|finding| finding.verdict).min().unwrap_or(Verdict::NotApplicable);
        let fails = matches!(verdict, Verdict::Fail);
        let last = accepted.iter().rev().find(|acceptance| fails && acceptance.control == control.id);
        Judged { control: *control, verdict, findings, accepted: last.cloned() }
    };
    controls().iter().map(judge).collect()
}

/// What `plan` would break that is not broken now. Of a first provision, everything that would not be as it is asked for.
pub(crate) fn breaches(state: &State, plan: &Plan) -> Vec<Breach> {
    let known = subject::applied(state);
    let before: BTreeSet<_> = if known.is_empty() { BTreeSet::new() } else { failing(&known).map(key).collect() };
    let after = subject::planned(state, plan);
    failing(&after).filter(|breach| !before.contains(&key(breach.clone()))).collect()
}

fn key(breach: Breach) -> (&'static str, Option<Address>) {
    (breach.control, breach.resource)
}

fn failing(subjects: &[Subject]) -> impl Iterator<Item = Breach> {
    controls().iter().filter(|control| control.scope == Scope::Stack).flat_map(|control| {
        let fails = control.check.judge(subjects).into_iter().filter(|finding| finding.verdict == Verdict::Fail);
        fails.map(|finding| Breach {
            control: control.id,
            title: control.title,
            cites: control.cites,
            resource: finding.resource,
            evidence: finding.evidence,
        })
    })
}

#[cfg(test)]
mod tests;
