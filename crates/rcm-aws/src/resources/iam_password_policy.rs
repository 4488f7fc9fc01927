//! The account's password policy: what the passwords of IAM users must be.
//!
//! API: [UpdateAccountPasswordPolicy](https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html); the
//! numbers are those of the [CIS AWS Foundations Benchmark](https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html).
//!
//! Surprises: without one, AWS's default counts, which reads as a 404. An update sets everything, and what it does not name goes back
//! to the default; so what is stricter than asked, and what is not asked about, is sent again as it is (see `baseline`). It
//! counts for new passwords; only the age counts for those that there are.

use aws_sdk_iam::types::PasswordPolicy as Described;
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What the policy should at least be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// How many characters a password has at least.
    pub minimum_length: i32,
    /// How many of the last passwords cannot be used again.
    pub reuse_prevention: i32,
    /// After how many days a password has to be changed.
    pub max_age_days: i32,
    /// Whether it has a lower-case letter.
    pub lowercase: bool,
    /// Whether it has an upper-case letter.
    pub uppercase: bool,
    /// Whether it has a digit.
    pub numbers: bool,
    /// Whether it has another character.
    pub symbols: bool,
}

/// What AWS gave: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {}

/// The password policy.
pub struct PasswordPolicy;

impl Resource for PasswordPolicy {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "iam/password-policy";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    /// AWS's default is there; [`configure`](Resource::configure) raises it.
    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        Ok(id(cx))
    }

    async fn configure(cx: &Cx<'_>, _: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = get(cx.cloud).await?;
        let now = Spec::of(live.as_ref());
        let raised = now.raised_to(spec);
        if raised == now {
            return Ok(());
        }
        let request = cx.cloud.iam.update_account_password_policy();
        let request = request
            .minimum_password_length(raised.minimum_length)
            .password_reuse_prevention(raised.reuse_prevention)
            .max_password_age(raised.max_age_days)
            .require_lowercase_characters(raised.lowercase)
            .require_uppercase_characters(raised.uppercase)
            .require_numbers(raised.numbers)
            .require_symbols(raised.symbols)
            // Whose password expires has to be able to change it.
            .allow_users_to_change_password(live.as_ref().is_none_or(|live| live.allow_users_to_change_password()))
            .set_hard_expiry(live.and_then(|live| live.hard_expiry()));
        request.send().await.map(drop).map_err(fault("iam", "UpdateAccountPasswordPolicy"))
    }

    /// Not how much stricter it is than [`Spec::cis`].
    async fn read(cx: &Cx<'_>, _: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = Spec::of(get(cx.cloud).await?.as_ref()).no_stricter_than(&Spec::cis());
        Ok(Some(
            Observed::new(Outputs {})
                .see("minimum_length", live.minimum_length)
                .see("reuse_prevention", live.reuse_prevention)
                .see("max_age_days", Some(live.max_age_days).filter(|days| *days != NEVER))
                .see("lowercase", live.lowercase)
                .see("uppercase", live.uppercase)
                .see("numbers", live.numbers)
                .see("symbols", live.symbols),
        ))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(Some(id(cx)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(cx)
    }

    fn effect(field: &str, _: &serde_json::Value, _: &serde_json::Value) -> Option<&'static str> {
        (field == "max_age_days").then_some("IAM users whose password is older have to change it at their next sign-in")
    }

    fn actions() -> Actions {
        Actions { write: &["iam:UpdateAccountPasswordPolicy"], read: &["iam:GetAccountPasswordPolicy"], delete: &[] }
    }
}

/// The age of a password that never has to be changed.
const NEVER: i32 = i32::MAX;

impl Spec {
    /// What the CIS AWS Foundations Benchmark asks for.
    pub fn cis() -> Self {
        Self {
            minimum_length: 14,
            reuse_prevention: 24,
            max_age_days: 90,
            lowercase: true,
            uppercase: true,
            numbers: true,
            symbols: true,
        }
    }

    /// What there is; without a policy, what counts for a password that AWS itself accepts.
    fn of(live: Option<&Described>) -> Self {
        let days = live.and_then(Described::max_password_age).filter(|days| *days > 0);
        Self {
            minimum_length: live.and_then(Described::minimum_password_length).unwrap_or(8),
            reuse_prevention: live.and_then(Described::password_reuse_prevention).unwrap_or(0),
            max_age_days: days.unwrap_or(NEVER),
            lowercase: live.is_some_and(Described::require_lowercase_characters),
            uppercase: live.is_some_and(Described::require_uppercase_characters),
            numbers: live.is_some_and(Described::require_numbers),
            symbols: live.is_some_and(Described::require_symbols),
        }
    }

    /// The stricter of both, each by each.
    fn raised_to(&self, wanted: &Self) -> Self {
        Self {
            minimum_length: self.minimum_length.max(wanted.minimum_length),
            reuse_prevention: self.reuse_prevention.max(wanted.reuse_prevention),
            max_age_days: self.max_age_days.min(wanted.max_age_days),
            lowercase: self.lowercase || wanted.lowercase,
            uppercase: self.uppercase || wanted.uppercase,
            numbers: self.numbers || wanted.numbers,
            symbols: self.symbols || wanted.symbols,
        }
    }

    fn no_stricter_than(self, standard: &Self) -> Self {
        Self {
            minimum_length: self.minimum_length.min(standard.minimum_length),
            reuse_prevention: self.reuse_prevention.min(standard.reuse_prevention),
            max_age_days: self.max_age_days.max(standard.max_age_days),
            ..self
        }
    }
}

/// The account.
fn id(cx: &Cx<'_>) -> Id {
    Id::from(cx.identity.deployment.account.as_str())
}

async fn get(aws: &Aws) -> Result<Option<Described>, Fault> {
    let answer = aws.iam.get_account_password_policy().send().await;
    let answer = absent(answer.map_err(fault("iam", "GetAccountPasswordPolicy")))?;
    Ok(answer.and_then(|answer| answer.password_policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stricter_stays_and_is_no_drift() {
        let strict = Spec { minimum_length: 20, max_age_days: 60, symbols: false, ..Spec::cis() };
        let raised = strict.raised_to(&Spec::cis());
        assert_eq!(raised, Spec { symbols: true, ..strict });
        assert_eq!(raised.no_stricter_than(&Spec::cis()), Spec::cis());
    }

    #[test]
    fn an_account_without_a_policy_has_the_laxest() {
        let none = Spec::of(None);
        assert_eq!(none.raised_to(&Spec::cis()), Spec::cis());
        assert_eq!(none.clone().no_stricter_than(&Spec::cis()), none);
    }
}
