//! The account baseline's own topic: where the alarms of the account are told.
//!
//! It is a topic like a partner's (see `sns_topic`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by its name and them, and nobody deletes it.

use super::{
    baseline::{Accounts, OfAccount},
    sns_topic::Topic,
};

/// The account's topic.
pub type AccountTopic = OfAccount<Topic>;

impl Accounts for Topic {
    const ACCOUNT_KIND: &'static str = "sns/account-topic";
}
