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

use std::sync::Arc;

use rcm_engine::model::{Deployment, Identity};

use crate::identity;

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
