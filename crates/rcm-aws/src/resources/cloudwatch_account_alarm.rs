//! An alarm of the account baseline: somebody is told when something was done that a log of the account counts.
//!
//! It is an alarm like a partner's (see `cloudwatch_alarm`) but for whom it belongs to: the tags name the account, every deployment of
//! the account finds it by its name and them, and nobody deletes it.

use rcm_engine::model::{Actions, Fault, Id, Known, Observed, OnDestroy, Resource};

use super::{
    baseline,
    cloudwatch_alarm::{self, Alarm},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// An alarm of the account.
pub struct AccountAlarm;

impl Resource for AccountAlarm {
    type Cloud = Aws;
    type Spec = cloudwatch_alarm::Spec;
    type Outputs = cloudwatch_alarm::Outputs;
    const KIND: &'static str = "cloudwatch/account-alarm";
    // Its name is the baseline's, so there is never another one.
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Alarm::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        Alarm::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Alarm::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Self::Outputs>>>, Fault> {
        let owner = known.first().map(|known| baseline::shared(known.cx.identity));
        let Some(owner) = owner else { return Ok(Vec::new()) };
        let shared = known.iter().map(|known| Known { id: known.id, cx: known.cx.on_behalf_of(&owner) });
        Alarm::read_many(&shared.collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        Alarm::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        Alarm::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        Alarm::fits(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Alarm::actions() }
    }
}
