//! The account baseline's own bucket: where its trail and its recorder write.
//!
//! It is a bucket like a partner's (see `s3_bucket`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by them, and nobody deletes it. A partner's own bucket goes with that partner's purge, and a trail that has
//! lost its bucket says nothing and keeps nothing.

use rcm_engine::model::{Actions, Fault, Id, Known, Observed, OnDestroy, Resource};

use super::{
    baseline,
    s3_bucket::{self, Bucket},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The account's log bucket.
pub struct AccountLogBucket;

impl Resource for AccountLogBucket {
    type Cloud = Aws;
    type Spec = s3_bucket::Spec;
    type Outputs = s3_bucket::Outputs;
    const KIND: &'static str = "s3/account-log-bucket";
    // Account and region are in its name, so there is never another one.
    const REPLACE_ON: &'static [&'static str] = &[];
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Bucket::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        Bucket::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Bucket::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Self::Outputs>>>, Fault> {
        let owner = known.first().map(|known| baseline::shared(known.cx.identity));
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let shared = known.iter().map(|known| Known { id: known.id, cx: known.cx.on_behalf_of(&owner) });
        Bucket::read_many(&shared.collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        Bucket::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        Bucket::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        Bucket::fits(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Bucket::actions() }
    }
}
