//! A role of the account baseline: what its trail writes events with, and what people speak with AWS Support as.
//!
//! It is a role like a partner's (see `iam_role`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by its name and them, and nobody deletes it. IAM has no regions: what differs by region has the region in its name.

use super::{
    baseline::{Accounts, OfAccount},
    iam_role::Role,
};

/// A role of the account.
pub type AccountRole = OfAccount<Role>;

impl Accounts for Role {
    const ACCOUNT_KIND: &'static str = "iam/account-role";
}
