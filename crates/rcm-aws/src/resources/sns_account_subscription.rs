//! Who gets what the account baseline's topic is told, by e-mail.
//!
//! It is a subscription like a partner's (see `sns_subscription`), of the account's topic. Each deployment may name an address of its
//! own, and none takes one away: another deployment, or somebody else, may have named it too. Whoever does not want the mails any more
//! follows the link in one of them.

use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, OnDestroy, Resource};

use super::{
    baseline,
    sns_subscription::{self, Subscription},
};
use crate::Aws;

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// A subscription of the account's topic.
pub struct AccountSubscription;

impl Resource for AccountSubscription {
    type Cloud = Aws;
    type Spec = sns_subscription::Spec;
    type Outputs = sns_subscription::Outputs;
    const KIND: &'static str = "sns/account-subscription";
    const REPLACE_ON: &'static [&'static str] = Subscription::REPLACE_ON;
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        Subscription::create(cx, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        Subscription::read(cx, id).await
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Self::Outputs>>>, Fault> {
        Subscription::read_many(known).await
    }

    /// Also where this deployment does not know the account's topic yet.
    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
        let topic = format!("arn:{partition}:sns:{region}:{account}:{}", baseline::TOPIC);
        sns_subscription::find(cx.cloud, &topic, &spec.email).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        Subscription::fits(cx, id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..Subscription::actions() }
    }
}
