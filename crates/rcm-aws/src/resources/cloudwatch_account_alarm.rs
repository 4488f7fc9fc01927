//! An alarm of the account baseline: somebody is told when something was done that a log of the account counts.
//!
//! It is an alarm like a partner's (see `cloudwatch_alarm`) but for whom it belongs to: the tags name the account, every deployment of
//! the account finds it by its name and them, and nobody deletes it.

use super::{
    baseline::{Accounts, OfAccount},
    cloudwatch_alarm::Alarm,
};

/// An alarm of the account.
pub type AccountAlarm = OfAccount<Alarm>;

impl Accounts for Alarm {
    const ACCOUNT_KIND: &'static str = "cloudwatch/account-alarm";
}
