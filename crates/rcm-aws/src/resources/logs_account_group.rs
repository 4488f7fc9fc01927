//! The account baseline's own log group: where its trail tells what is done, for the alarms to be counted from.
//!
//! It is a log group like a partner's (see `logs_group`) but for whom it belongs to: the tags name the account, every deployment of
//! the account finds it by them, and nobody deletes it.

use rcm_engine::model::{Actions, Fault, Id, Known, Observed, OnDestroy, Resource};

use super::{
    baseline,
    logs_group::{self, LogGroup},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The account's log group.
pub struct AccountLogGroup;

impl Resource for AccountLogGroup {
    type Cloud = Aws;
    type Spec = logs_group::Spec;
    type Outputs = logs_group::Outputs;
    const KIND: &'static str = "logs/account-group";
    // Its name is the baseline's, so there is never another one.
    const REPLACE_ON: &'static [&'static str] = &[];
    const HOLDS_DATA: bool = true;
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        LogGroup::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        LogGroup::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        LogGroup::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Self::Outputs>>>, Fault> {
        let owner = known.first().map(|known| baseline::shared(known.cx.identity));
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let shared = known.iter().map(|known| Known { id: known.id, cx: known.cx.on_behalf_of(&owner) });
        LogGroup::read_many(&shared.collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        LogGroup::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        LogGroup::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        LogGroup::fits(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..LogGroup::actions() }
    }
}
