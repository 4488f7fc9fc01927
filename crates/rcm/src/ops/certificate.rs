//! The certificate of what a `destroy` has taken away, and of what stays until when.

use std::{fmt, path::PathBuf};

use jiff::{SignedDuration, Timestamp};
use rcm_engine::{
    model::{Address, Deployment, Fault},
    store::{Document, State},
};
use serde::Serialize;

use super::Environment;
use crate::Error;

/// What was taken away of one environment, and what stays until when. Made from the state alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Certificate {
    /// Whose environment, and where it was.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// Who has asked for it.
    pub by: String,
    /// When the last of it was gone.
    pub at: Timestamp,
    /// What does not exist any more, in the order in which it went.
    pub destroyed: Vec<Destroyed>,
    /// What is kept by design.
    pub retained: Vec<Retained>,
}

/// Something that does not exist any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Destroyed {
    /// The node.
    pub address: Address,
    /// Its kind.
    pub kind: String,
    /// What AWS called it.
    pub id: String,
    /// When it was gone.
    pub at: Timestamp,
    /// Until when AWS would still give it back; then it is gone for ever.
    pub recoverable_until: Option<Timestamp>,
}

/// Something that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// The node that it is, or was made from.
    pub address: Address,
    /// What it is: its kind, or a word for what is left of a deleted one.
    pub what: String,
    /// What AWS calls it.
    pub id: String,
    /// When AWS itself will have deleted the last of what is in it now; `None` where it stays until somebody deletes it.
    pub content_until: Option<Timestamp>,
}

impl Environment {
    /// The certificate, if everything is gone but what is kept by design.
    pub fn certificate(&self) -> Result<Option<Certificate>, Error> {
        let Some(state) = self.load()? else { return Ok(None) };
        let Some(at) = state.departed.last().map(|departed| departed.at) else { return Ok(None) };
        if state.records().any(|record| !record.retained) {
            return Ok(None);
        }
        let destroyed = state.departed.iter().map(|departed| Destroyed {
            address: departed.address.clone(),
            kind: departed.kind.clone(),
            id: departed.id.clone(),
            at: departed.at,
            recoverable_until: days_after(departed.at, departed.recoverable_days).filter(|until| *until > departed.at),
        });
        Ok(Some(Certificate {
            deployment: state.deployment.clone(),
            by: self.settings.user.clone(),
            at,
            destroyed: destroyed.collect(),
            retained: self.retained(&state, at)?,
        }))
    }

    fn retained(&self, state: &State, at: Timestamp) -> Result<Vec<Retained>, Error> {
        let mut retained = Vec::new();
        for record in state.records() {
            let days = self.registry.get(&record.kind)?.expires_after_days(&record.spec)?;
            retained.push(Retained {
                address: record.address.clone(),
                what: record.kind.clone(),
                id: record.id.as_ref().map(ToString::to_string).unwrap_or_default(),
                content_until: days.and_then(|days| days_after(at, days)),
            });
        }
        retained.extend(state.remnants.iter().map(|remnant| Retained {
            address: remnant.address.clone(),
            what: remnant.what.clone(),
            id: remnant.id.clone(),
            content_until: None,
        }));
        Ok(retained)
    }

    /// Writes the certificate beside the state, as JSON and as text, unless it is there, and says what they are called. Named after the
    /// instant at which the last of it was gone, so that each `destroy` has its own.
    pub fn file(&self, certificate: &Certificate) -> Result<[PathBuf; 2], Error> {
        let name = format!("destroyed-{}", certificate.at.strftime("%Y%m%dT%H%M%S.%3fZ"));
        let document = |format| Document::Certificate { name: name.clone(), format };
        let documents = [document("json"), document("txt")];
        let json = serde_json::to_string_pretty(certificate);
        let json = json.map_err(|error| Fault::invalid("certificate", error.to_string()))? + "\n";
        for (document, text) in documents.iter().zip([json, certificate.to_string()]) {
            self.store.create(document, text.as_bytes())?;
        }
        Ok(documents.map(|document| self.store.backend().locate(self.store.owner(), &document)))
    }
}

fn days_after(at: Timestamp, days: u32) -> Option<Timestamp> {
    at.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok()
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Deployment { partner, environment, project, account, region, .. } = &self.deployment;
        writeln!(f, "Certificate of destruction\n")?;
        writeln!(f, "Environment  {environment} of {partner} ({project})")?;
        writeln!(f, "Place        AWS account {account}, {region}")?;
        writeln!(f, "Asked for by {}", self.by)?;
        writeln!(f, "Complete at  {:.0}\n", self.at)?;
        writeln!(f, "Destroyed ({})", self.destroyed.len())?;
        for Destroyed { address, kind, id, at, recoverable_until } in &self.destroyed {
            let until = recoverable_until.map(|until| format!("; recoverable until {}", until.strftime("%F")));
            writeln!(f, "  {at:.0}  {address} ({kind})  {id}{}", until.unwrap_or_default())?;
        }
        writeln!(f, "\nRetained ({})", self.retained.len())?;
        for Retained { address, what, id, content_until } in &self.retained {
            let until = match content_until {
                Some(until) => format!("AWS deletes what is in it now by {}", until.strftime("%F")),
                None => "until somebody deletes it".to_owned(),
            };
            writeln!(f, "  {address} ({what})  {id}; {until}")?;
        }
        Ok(())
    }
}
