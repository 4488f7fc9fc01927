//! The account baseline's own topic: where the alarms of the account are told.
//!
//! It is a topic like a partner's (see `sns_topic`) but for whom it belongs to: the tags name the account, every deployment of the
//! account finds it by its name and them, and nobody deletes it.

use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};

use super::{
    baseline,
    sns_topic::{self, Topic},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The account's topic.
pub struct AccountTopic;

impl Resource for AccountTopic {
    type Cloud = Aws;
    type Spec = sns_topic::Spec;
    type Outputs = sns_topic::Outputs;
    const KIND: &'static str = "sns/account-topic";
    // Its name is the baseline's, so there is never another one.
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Topic::create(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        Topic::configure(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Topic::read(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        Topic::find(&cx.on_behalf_of(&baseline::shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        Topic::claim(&cx.on_behalf_of(&baseline::shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        Topic::fits(&cx.on_behalf_of(&baseline::shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Topic::actions() }
    }
}
