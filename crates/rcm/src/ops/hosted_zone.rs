//! The Route 53 zone that the domain's records are made in.

use rcm_aws::resources::route53_record::DnsRecord;
use rcm_engine::{
    model::{Address, Event, EventKind, Events, Graph, Node, Resource},
    store::State,
};
use serde_json::Value;

use super::Environment;
use crate::{Error, PartnerConfig, blueprint};

/// The zone of the record that proves the domain, where the state has one. The certificate is renewed by it, so it outlives the
/// setting, and goes with the certificate.
pub(super) fn proven_in(state: Option<&State>, config: &PartnerConfig) -> Option<String> {
    let record = state?.resources.get(&Address::new(blueprint::PROOF).ok()?)?;
    let says = |field: &str| record.spec.get(field).and_then(Value::as_str);
    let same_domain = config.domain_name.is_some() && says("domain") == config.domain_name.as_deref();
    says("zone").filter(|_| same_domain).map(str::to_owned)
}

/// Where rcm makes the records, nobody is asked to.
pub(super) fn asking_nobody(config: &PartnerConfig, events: Events) -> Events {
    if config.hosted_zone_id.is_none() {
        return events;
    }
    events.through(|Event { kind, .. }| {
        if let EventKind::Awaiting { details, .. } = kind {
            *details = Value::Null;
        }
    })
}

impl Environment {
    /// Refuses a zone that is not there, that the world does not see, or that the domain is not in, before anything is made. Where
    /// the state has all records already, nothing is asked.
    pub(super) async fn check_hosted_zone(&self, state: &State, graph: &Graph) -> Result<(), Error> {
        let (Some(id), Some(domain)) = (&self.config.hosted_zone_id, &self.config.domain_name) else { return Ok(()) };
        let known = |node: &Node| {
            let record = state.resources.get(&node.address);
            record.is_some_and(|record| ["zone", "domain"].iter().all(|field| record.spec[field] == node.spec[field]))
        };
        if graph.nodes().filter(|node| node.kind == DnsRecord::KIND).all(known) {
            return Ok(());
        }
        let refused = |why: String| {
            let (file, zone) = (self.config.file.clone(), id.as_str().to_owned());
            Err(Error::HostedZone { file, zone, why })
        };
        match self.aws.hosted_zone(id.as_str()).await? {
            None => refused(format!("is no hosted zone of account {}", self.deployment.account)),
            Some(zone) if zone.private => {
                refused(format!("is the private zone {}: neither the world nor Certificate Manager sees it", zone.name))
            }
            Some(zone) if !zone.holds(domain) => {
                refused(format!("is the zone {}, and {domain} is not in it", zone.name))
            }
            Some(_) => Ok(()),
        }
    }
}
