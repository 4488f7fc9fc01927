//! What DNS has to say for an environment, and whether the world sees it.

use std::{sync::Arc, time::Duration};

use rcm_aws::resources::{acm_certificate, elb_load_balancer};
use rcm_engine::{
    model::{Address, Identity, Target},
    store::{Facts, State},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::Environment;
use crate::{
    Error,
    resolver::{Kind, Resolver},
};

/// Between two looks: quick at first, then calm.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);

/// The DNS records of an environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dns {
    /// The domain.
    pub domain: String,
    /// The zone that rcm makes the records in; without one somebody else makes them.
    pub hosted_zone_id: Option<String>,
    /// How far the certificate is, as Certificate Manager says it (`PENDING_VALIDATION`, `ISSUED`); `None` where there is none.
    pub certificate: Option<String>,
    /// The records, as far as AWS has said which.
    pub records: Vec<Wanted>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wanted {
    /// What it is for.
    pub purpose: Purpose,
    /// Its name.
    pub name: String,
    /// Its type: `CNAME`, or `ALIAS` for a Route 53 alias of type A.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value.
    pub value: String,
    /// What the world sees; `None` where it was not asked.
    pub seen: Option<Seen>,
}

/// What a record is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// It proves the domain to Certificate Manager, now and at each renewal.
    Validation,
    /// It leads the domain to the load balancer.
    Address,
}

/// What the world sees of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Seen {
    /// It says what it should.
    Right,
    /// There is none.
    Missing,
    /// It says something else.
    Other {
        /// What.
        values: Vec<String>,
    },
    /// Nobody could be asked.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Dns {
    /// Whether the certificate still waits for its records to be seen.
    pub fn is_pending(&self) -> bool {
        self.certificate.as_deref().is_none_or(|status| status == "PENDING_VALIDATION")
    }

    /// Whether the certificate is issued, and no record was seen to be anything but right.
    pub fn is_settled(&self) -> bool {
        let right = |wanted: &Wanted| matches!(wanted.seen, None | Some(Seen::Right));
        self.certificate.as_deref() == Some("ISSUED") && self.records.iter().all(right)
    }
}

impl Environment {
    /// The records that the environment wants, and what `resolver` says of them. Sends only calls that read.
    pub async fn dns(&self, resolver: Option<&Resolver>) -> Result<Dns, Error> {
        if self.config.domain_name.is_none() {
            return Err(Error::NoDomain(self.config.file.clone()));
        }
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        self.check_account().await?;
        self.dns_of(&state, resolver).await
    }

    /// The same by a state that was looked at already.
    pub(super) async fn dns_of(&self, state: &State, resolver: Option<&Resolver>) -> Result<Dns, Error> {
        let Some(domain) = self.config.domain_name.clone() else {
            return Err(Error::NoDomain(self.config.file.clone()));
        };
        let hosted_zone_id = self.config.hosted_zone_id.as_ref().map(|zone| zone.as_str().to_owned());
        let (certificate, balancer): (Option<acm_certificate::Outputs>, Option<elb_load_balancer::Outputs>) =
            tokio::try_join!(self.outputs_of(state, "edge/certificate"), self.outputs_of(state, "edge/load-balancer"))?;
        let proofs = certificate.iter().flat_map(|certificate| &certificate.validation_records).map(|record| Wanted {
            purpose: Purpose::Validation,
            name: record.name.clone(),
            kind: record.kind.clone(),
            value: record.value.clone(),
            seen: None,
        });
        let address = balancer.map(|balancer| Wanted {
            purpose: Purpose::Address,
            name: format!("{domain}."),
            kind: if hosted_zone_id.is_some() { "ALIAS" } else { "CNAME" }.to_owned(),
            value: balancer.dns_name,
            seen: None,
        });
        let mut records: Vec<Wanted> = proofs.chain(address).collect();
        if let Some(resolver) = resolver {
            let seen = futures::future::join_all(records.iter().map(|wanted| look(resolver, wanted))).await;
            records.iter_mut().zip(seen).for_each(|(wanted, seen)| wanted.seen = Some(seen));
        }
        Ok(Dns { domain, hosted_zone_id, certificate: certificate.map(|certificate| certificate.status), records })
    }

    /// Looks again and again, `tell`ing what there is whenever it has changed, until the certificate waits no more, `within` is
    /// over, or somebody cancels. Gives what was there at the last look.
    pub async fn wait_for_dns(
        &self,
        resolver: Option<&Resolver>,
        within: Duration,
        mut tell: impl FnMut(&Dns),
    ) -> Result<Dns, Error> {
        let begun = Instant::now();
        let mut delay = FIRST;
        let mut last = None;
        loop {
            let dns = self.dns(resolver).await?;
            if last.as_ref() != Some(&dns) {
                tell(&dns);
            }
            if !dns.is_pending() || begun.elapsed() >= within {
                return Ok(dns);
            }
            let pause = tokio::time::timeout(delay, self.settings.cancel.cancelled());
            if pause.await.is_ok() {
                return Ok(dns);
            }
            last = Some(dns);
            delay = (delay * 2).min(LONGEST);
        }
    }

    /// What AWS gives of a resource now: the state has the outputs only of what is ready.
    async fn outputs_of<O: DeserializeOwned>(&self, state: &State, address: &str) -> Result<Option<O>, Error> {
        let record = Address::new(address).ok().and_then(|address| state.resources.get(&address));
        let Some((record, id)) = record.and_then(|record| Some((record, record.id.as_ref()?))) else { return Ok(None) };
        let identity = Identity {
            deployment: Arc::new(self.deployment.clone()),
            address: record.address.clone(),
            generation: record.generation,
            token: String::new(),
        };
        let facts = Facts::current(state, record.needs());
        let target =
            Target { identity: &identity, lookup: &facts, changed: None, full: false, purge: false, remnants: None };
        let seen = self.registry.get(&record.kind)?.read(target, id).await?;
        Ok(seen.and_then(|seen| serde_json::from_value(seen.outputs).ok()))
    }
}

async fn look(resolver: &Resolver, wanted: &Wanted) -> Seen {
    let seen = match wanted.purpose {
        Purpose::Validation => named(resolver, wanted).await,
        Purpose::Address => led(resolver, wanted).await,
    };
    seen.unwrap_or_else(|why| Seen::Unknown { why: why.to_string() })
}

async fn named(resolver: &Resolver, wanted: &Wanted) -> Result<Seen, crate::resolver::Unanswered> {
    let found = resolver.look_up(&wanted.name, Kind::Cname).await?;
    Ok(judged(found, |value| value == plain(&wanted.value)))
}

/// An alias shows no name, only addresses; so does what others call ANAME or flattening.
async fn led(resolver: &Resolver, wanted: &Wanted) -> Result<Seen, crate::resolver::Unanswered> {
    let named = resolver.look_up(&wanted.name, Kind::Cname).await?;
    let balancer = plain(&wanted.value);
    if !named.is_empty() {
        return Ok(judged(named, |value| value.strip_prefix("dualstack.").unwrap_or(value) == balancer));
    }
    let (found, its) =
        tokio::try_join!(resolver.look_up(&wanted.name, Kind::A), resolver.look_up(&wanted.value, Kind::A))?;
    Ok(judged(found, |value| its.iter().any(|its| its == value)))
}

fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

fn judged(found: Vec<String>, right: impl Fn(&str) -> bool) -> Seen {
    match found.iter().any(|value| right(value)) {
        true => Seen::Right,
        false if found.is_empty() => Seen::Missing,
        false => Seen::Other { values: found },
    }
}
