//! A role of the account baseline: what its trail writes events with, and what people speak with AWS Support as.
//!
//! It is a role like a partner's (see `iam_role`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by its name and them, and nobody deletes it. IAM has no regions: what differs by region has the region in its name.

use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};

use super::{
    baseline,
    iam_role::{self, Role},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// A role of the account.
pub struct AccountRole;

impl Resource for AccountRole {
    type Cloud = Aws;
    type Spec = iam_role::Spec;
    type Outputs = iam_role::Outputs;
    const KIND: &'static str = "iam/account-role";
    // Its name is the baseline's, so there is never another one.
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Role::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        Role::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Role::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        Role::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        Role::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        Role::fits(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Role::actions() }
    }
}
