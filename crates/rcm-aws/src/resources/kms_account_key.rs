//! The account baseline's own key: what its trail and its recorder write is encrypted with it.
//!
//! It is a customer managed key like a partner's (see `kms_key`) but for whom it belongs to: the tags name the account, every
//! deployment of the account finds it by them, and nobody deletes it. Under a partner's key, the account's logs could not be read any
//! more once that partner's purge has scheduled the key for deletion, and nothing more could be written.

use super::{
    baseline::{Accounts, OfAccount},
    kms_key::Key,
};

/// The account's key.
pub type AccountKey = OfAccount<Key>;

impl Accounts for Key {
    const ACCOUNT_KIND: &'static str = "kms/account-key";
}
