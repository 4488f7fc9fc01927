//! What things are called and how they are tagged. Names, their length limits and their suffixes live here alone.

use std::collections::BTreeMap;

use rcm_engine::model::{Address, Deployment, Fault, FaultKind, Id, Identity, Owned};
use sha2::{Digest, Sha256};

/// The partner that a resource belongs to.
pub const PARTNER: &str = "rcm:partner";
/// The environment that a resource belongs to.
pub const ENVIRONMENT: &str = "rcm:environment";
/// The address of the node that a resource is.
pub const ADDRESS: &str = "rcm:address";
/// Which of several resources that replaced each other at one address.
pub const GENERATION: &str = "rcm:generation";
/// The revision that a service was last asked to run: a rolled back deployment does not tell otherwise.
pub const REVISION: &str = "rcm:task-definition";
/// That a service's tasks are to be replaced, although nothing of what they run on has changed.
pub const REDEPLOY: &str = "rcm:redeploy";

/// Which of two kinds a resource was made as, where AWS shows both alike.
pub const ROLE: &str = "rcm:role";

/// Every tag that a resource carries: ownership, and what cost reports and consoles show.
pub fn tags(identity: &Identity) -> BTreeMap<&'static str, String> {
    let deployment = &identity.deployment;
    BTreeMap::from([
        (PARTNER, deployment.partner.clone()),
        (ENVIRONMENT, deployment.environment.clone()),
        (ADDRESS, identity.address.to_string()),
        (GENERATION, identity.generation.to_string()),
        ("Name", display_name(identity)),
        ("Project", deployment.project.clone()),
        ("Environment", deployment.environment.clone()),
        ("Partner", deployment.partner.clone()),
        ("ManagedBy", "rcm".to_owned()),
    ])
}

/// The tags that together say "this very resource": what `find` filters by.
pub fn ownership(identity: &Identity) -> [(&'static str, String); 4] {
    [
        (PARTNER, identity.deployment.partner.clone()),
        (ENVIRONMENT, identity.deployment.environment.clone()),
        (ADDRESS, identity.address.to_string()),
        (GENERATION, identity.generation.to_string()),
    ]
}

/// Whether a resource with these tags is ours.
pub fn owns<'t>(identity: &Identity, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> bool {
    let found: BTreeMap<_, _> = tags.into_iter().collect();
    ownership(identity).iter().all(|(key, value)| found.get(key) == Some(&value.as_str()))
}

/// What a resource with these tags is, if they say that it belongs to `deployment`.
pub fn belongs<'t>(
    deployment: &Deployment,
    id: impl Into<Id>,
    tags: impl IntoIterator<Item = (&'t str, &'t str)>,
) -> Option<Owned> {
    let found: BTreeMap<_, _> = tags.into_iter().collect();
    let says = |key: &str, value: &String| found.get(key) == Some(&value.as_str());
    (says(PARTNER, &deployment.partner) && says(ENVIRONMENT, &deployment.environment)).then(|| Owned {
        address: found.get(ADDRESS).and_then(|address| Address::new(*address).ok()),
        generation: found.get(GENERATION).and_then(|generation| generation.parse().ok()).unwrap_or(1),
        id: id.into(),
    })
}

/// Refuses a resource whose tags say that it belongs to another deployment.
pub fn unclaimed<'t>(identity: &Identity, tags: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<(), Fault> {
    let found: BTreeMap<_, _> = tags.into_iter().collect();
    let deployment = &identity.deployment;
    let own = [(PARTNER, &deployment.partner), (ENVIRONMENT, &deployment.environment)];
    let other = own.iter().find_map(|(key, own)| Some((key, found.get(*key).filter(|found| *found != own)?)));
    other.map_or(Ok(()), |(key, value)| {
        let message = format!("its tag {key} says {value}: it belongs to another deployment");
        Err(Fault::ours(FaultKind::Exists, "claim", "AnothersResource", message))
    })
}

/// `acme-rcm-prod`: what every name begins with.
pub fn prefix(identity: &Identity) -> String {
    stem(&identity.deployment)
}

/// `acme-rcm-prod`: what every name of a deployment begins with.
pub fn stem(deployment: &Deployment) -> String {
    format!("{}-{}", deployment.project, deployment.environment)
}

/// The `Name` tag: the prefix and the address without its layer.
fn display_name(identity: &Identity) -> String {
    let address = identity.address.as_str();
    let tail = address.split_once('/').map_or(address, |(_, tail)| tail);
    format!("{}-{}", prefix(identity), tail.replace('/', "-"))
}

/// The name in the cloud of a resource whose spec says `base`: the same for the first generation, with `-g2`, `-g3`, … for
/// those that had to live beside a predecessor. Cut to `limit` characters, with a hash that keeps different names different.
pub fn physical_name(identity: &Identity, base: &str, limit: usize) -> String {
    let name = match identity.generation {
        0 | 1 => base.to_owned(),
        generation => format!("{base}-g{generation}"),
    };
    if name.len() <= limit {
        return name;
    }
    let hash: String = Sha256::digest(&name).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    // RDS takes no name with two hyphens in a row.
    format!("{}-{hash}", name[..limit.saturating_sub(9)].trim_end_matches('-'))
}

/// The name that a spec would have to say for the resource to be called `live`: the inverse of [`physical_name`], given
/// what the spec says now.
pub fn logical_name(identity: &Identity, live: &str, base: &str, limit: usize) -> String {
    if live == physical_name(identity, base, limit) { base.to_owned() } else { live.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn identity(generation: u32) -> Identity {
        let deployment = Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        };
        let address = Address::new("network/subnet/private-a").unwrap();
        Identity { deployment: Arc::new(deployment), address, generation, token: "0".repeat(32) }
    }

    #[test]
    fn a_resource_is_ours_only_if_all_ownership_tags_say_so() {
        let identity = identity(1);
        let tags = tags(&identity);
        let all = || tags.iter().map(|(key, value)| (*key, value.as_str()));
        assert!(owns(&identity, all()));
        assert!(!owns(&identity, all().filter(|(key, _)| *key != ENVIRONMENT)));
        assert!(!owns(&self::identity(2), all()));
    }

    #[test]
    fn what_carries_the_deployments_tags_belongs_to_it_and_what_carries_anothers_is_not_claimed() {
        let identity = identity(2);
        let tags = tags(&identity);
        let with = |key: &'static str, value: &'static str| {
            let mut tags: BTreeMap<&str, &str> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
            tags.insert(key, value);
            tags
        };
        let known = belongs(&identity.deployment, "vpc-1", with("a", "b")).unwrap();
        assert_eq!((known.address.as_ref(), known.generation), (Some(&identity.address), 2));
        assert_eq!(belongs(&identity.deployment, "vpc-1", with(ADDRESS, "No address")).unwrap().address, None);
        assert_eq!(belongs(&identity.deployment, "vpc-1", with(PARTNER, "other")), None);
        assert!(unclaimed(&identity, with(ADDRESS, "network/vpc")).is_ok(), "it may be another node of ours");
        assert!(unclaimed(&identity, []).is_ok());
        let error = unclaimed(&identity, with(PARTNER, "other")).unwrap_err();
        assert!(error.message.contains("rcm:partner says other"), "{error}");
    }

    #[test]
    fn names_carry_the_generation_and_keep_the_limit() {
        assert_eq!(physical_name(&identity(1), "acme-rcm-prod-api", 32), "acme-rcm-prod-api");
        assert_eq!(physical_name(&identity(3), "acme-rcm-prod-api", 32), "acme-rcm-prod-api-g3");
        let long = "a".repeat(40);
        let cut = physical_name(&identity(1), &long, 32);
        assert_eq!(cut.len(), 32);
        assert_ne!(cut, physical_name(&identity(2), &long, 32));
        assert_eq!(logical_name(&identity(2), "x-g2", "x", 32), "x");
        assert_eq!(logical_name(&identity(2), "y", "x", 32), "y");
    }

    #[test]
    fn consoles_show_the_prefix_and_the_node() {
        assert_eq!(tags(&identity(1))["Name"], "acme-rcm-prod-subnet-private-a");
    }
}
