//! The account baseline's own key: what its trail and its recorder write is encrypted with it.
//!
//! It is a customer managed key like a partner's (see `kms_key`) but for whom it belongs to: the tags name the account, every
//! deployment of the account finds it by them, and nobody deletes it. Under a partner's key, the account's logs could not be read any
//! more once that partner's purge has scheduled the key for deletion, and nothing more could be written.

use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};

use super::{
    baseline,
    kms_key::{self, Key},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The account's key.
pub struct AccountKey;

impl Resource for AccountKey {
    type Cloud = Aws;
    type Spec = kms_key::Spec;
    type Outputs = kms_key::Outputs;
    const KIND: &'static str = "kms/account-key";
    const REPLACE_ON: &'static [&'static str] = Key::REPLACE_ON;
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Key::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        Key::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Key::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        Key::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        Key::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Key::actions() }
    }
}
