//! What belongs to the account and not to a deployment: the account baseline, which all deployments of the account share.
//!
//! # What adoption means
//! | What | Which kinds | What is there already |
//! |---|---|---|
//! | settings, which always exist | `ec2/account-defaults`, `s3/account-public-access-block`, `iam/password-policy` | is raised to what is asked; what is as strict or stricter stays exactly as it is, and nothing is ever lowered |
//! | what exists once in a region, or is enough once | detector, analyzer, trail, recorder and its channel, hub | ours (it carries the tags below, or its name is ours where it takes no tags): kept as the spec says, whichever deployment made it. Somebody else's: used and **not changed**; what it lacks stands in its outputs (`lacks`), and a run says it |
//! | what those stand on | `baseline/key`, `baseline/log-bucket` | ours by the tags below, or made: never the partner's own, which a purge deletes while the trail goes on writing |
//!
//! None of them is ever deleted (`OnDestroy::Leave`), by no destroy, no purge and no rollback: other deployments, and other people,
//! work with them. A read never says how much stricter something is than the standard here, so that being stricter is no drift.

use std::{marker::PhantomData, sync::Arc};

use rcm_engine::model::{Actions, Deployment, Fault, Id, Identity, Known, Observed, OnDestroy, Resource};

use crate::{Aws, identity};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What everything of the baseline is called.
pub const NAME: &str = "rcm-account-baseline";
/// The log group of its trail.
pub const LOG_GROUP: &str = "/aws/cloudtrail/rcm-account-baseline";
/// The topic of its alarms.
pub const TOPIC: &str = "rcm-account-baseline-alarms";
/// What stands in the partner's place in the tags. No partner can be called so.
pub const NOBODYS: &str = "@account";
/// What stands in the environment's place.
pub const ENVIRONMENT: &str = "account-baseline";

/// Who the baseline belongs to: the same for every deployment of the account.
pub(super) fn shared(identity: &Identity) -> Identity {
    let own = Deployment {
        project: "rcm".to_owned(),
        partner: NOBODYS.to_owned(),
        environment: ENVIRONMENT.to_owned(),
        ..(*identity.deployment).clone()
    };
    Identity { deployment: Arc::new(own), generation: 1, ..identity.clone() }
}

/// A kind of which the account has some too.
pub trait Accounts: Resource<Cloud = Aws> {
    /// What the account's are called.
    const ACCOUNT_KIND: &'static str;
}

/// The account's, of a kind that partners have too: as theirs but for whom it belongs to. The tags name the account, every deployment of
/// the account finds it by its name and them, and nobody deletes it. Its name is the baseline's, so there is never another one.
pub struct OfAccount<R>(PhantomData<fn() -> R>);

impl<R: Accounts> Resource for OfAccount<R> {
    type Cloud = Aws;
    type Spec = R::Spec;
    type Outputs = R::Outputs;
    const KIND: &'static str = R::ACCOUNT_KIND;
    const REPLACE_ON: &'static [&'static str] = &[];
    const HOLDS_DATA: bool = R::HOLDS_DATA;
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Id, Fault> {
        R::create(&cx.on_behalf_of(&shared(cx.identity)), spec).await
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> Result<(), Fault> {
        R::configure(&cx.on_behalf_of(&shared(cx.identity)), id, spec).await
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Self::Outputs>>, Fault> {
        R::read(&cx.on_behalf_of(&shared(cx.identity)), id).await
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Self::Outputs>>>, Fault> {
        let owners: Vec<Identity> = known.iter().map(|known| shared(known.cx.identity)).collect();
        let theirs = known.iter().zip(&owners);
        let theirs = theirs.map(|(known, owner)| Known { id: known.id, cx: known.cx.on_behalf_of(owner) });
        R::read_many(&theirs.collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, spec: &Self::Spec) -> Result<Option<Id>, Fault> {
        R::find(&cx.on_behalf_of(&shared(cx.identity)), spec).await
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        R::claim(&cx.on_behalf_of(&shared(cx.identity)), id).await
    }

    fn fits(cx: &Cx<'_>, id: &Id, spec: &Self::Spec) -> bool {
        R::fits(&cx.on_behalf_of(&shared(cx.identity)), id, spec)
    }

    fn actions() -> Actions {
        Actions { delete: &[], ..R::actions() }
    }
}

/// The tags of what is the account's.
pub(super) fn tags(identity: &Identity) -> impl Iterator<Item = (String, String)> {
    identity::tags(&shared(identity)).into_iter().map(|(key, value)| (key.to_owned(), value))
}

/// Whether a resource with these tags is the baseline's, whichever deployment made it.
pub(super) fn owns<'t>(identity: &Identity, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
    identity::owns(&shared(identity), tags)
}

/// Those of `lacks` that are so, in words.
pub(super) fn lacking(lacks: impl IntoIterator<Item = (bool, &'static str)>) -> Vec<String> {
    lacks.into_iter().filter(|(lacks, _)| *lacks).map(|(_, what)| what.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use rcm_engine::model::Address;

    use super::*;

    fn identity(partner: &str, generation: u32) -> Identity {
        let deployment = Deployment {
            project: format!("{partner}-rcm"),
            partner: partner.into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let address = Address::new("baseline/trail").unwrap();
        Identity { deployment: Arc::new(deployment), address, generation, token: String::new() }
    }

    #[test]
    fn what_one_partner_has_made_is_the_others_too_and_no_partners_own() {
        let tags: Vec<_> = tags(&identity("acme", 1)).collect();
        let pairs = || tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        assert!(owns(&identity("globex", 2), pairs()));
        assert!(!identity::owns(&identity("acme", 1), pairs()));
        assert!(identity::belongs(&identity("acme", 1).deployment, "id", pairs()).is_none());
        assert!(pairs().any(|pair| pair == ("Name", "rcm-account-baseline-trail")));
        assert!(!owns(&identity("acme", 1), []));
    }
}
