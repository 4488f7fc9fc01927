//! The account baseline's own log group: where its trail tells what is done, for the alarms to be counted from.
//!
//! It is a log group like a partner's (see `logs_group`) but for whom it belongs to: the tags name the account, every deployment of
//! the account finds it by them, and nobody deletes it.

use super::{
    baseline::{Accounts, OfAccount},
    logs_group::LogGroup,
};

/// The account's log group.
pub type AccountLogGroup = OfAccount<LogGroup>;

impl Accounts for LogGroup {
    const ACCOUNT_KIND: &'static str = "logs/account-group";
}
