//! The account baseline's own bucket: where its trail and its recorder write.
//!
//! It is a bucket like a partner's (see `s3_bucket`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by them, and nobody deletes it. A partner's own bucket goes with that partner's purge, and a trail that has
//! lost its bucket says nothing and keeps nothing.

use super::{
    baseline::{Accounts, OfAccount},
    s3_bucket::Bucket,
};

/// The account's log bucket.
pub type AccountLogBucket = OfAccount<Bucket>;

impl Accounts for Bucket {
    const ACCOUNT_KIND: &'static str = "s3/account-log-bucket";
}
