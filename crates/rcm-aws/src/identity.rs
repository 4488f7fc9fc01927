//! What things are called and how they are tagged. Names, their length limits and their suffixes live here alone.

use std::collections::BTreeMap;

use rcm_engine::model::Identity;
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

/// `acme-rcm-prod`: what every name begins with.
pub fn prefix(identity: &Identity) -> String {
    format!("{}-{}", identity.deployment.project, identity.deployment.environment)
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

    use rcm_engine::model::{Address, Deployment};

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
