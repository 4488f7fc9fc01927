//! The database, and whether the URL that the application has of it is right.
//!
//! No part of a URL or of a password is ever told: only whether they fit together.

use jiff::Timestamp;
use rcm_aws::{
    DatabaseHealth, Secret as Value,
    resources::{rds_instance::Instance, rds_replica::Replica, secrets_secret::Secret, secrets_versions},
};
use rcm_engine::{
    model::{Fault, Resource},
    store::Record,
};

use super::{Case, of_part, seen};
use crate::{Check, Verdict, ops::status};

/// Another password, and URLs with it and with the host that the database has.
const ROTATE: &str = "rcm secrets rotate database-password";
/// App Runner's instances are not replaced by rcm, so it does not give them another password.
const BY_HAND: &str = "put the URL right in Secrets Manager, then deploy again so that the instances read it: \
                       postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require";
/// What asks for TLS: https://www.postgresql.org/docs/current/libpq-ssl.html.
const ENCRYPTED: &[&str] = &["require", "verify-ca", "verify-full"];

pub(super) async fn look(case: Case<'_>) -> Vec<Check> {
    let (instances, replicas) = (case.ids(Instance::KIND), case.ids(Replica::KIND));
    let ids = [instances.clone(), replicas.clone()].concat();
    let urls = case.state.resources.values().filter(|record| is_url(record));
    let urls = futures::future::join_all(urls.map(|record| values(case, record)));
    let (found, urls) = tokio::join!(case.aws.database_health(&ids), urls);
    let now = Timestamp::now();
    let named = |name: &'static str, ids: Vec<String>| ids.into_iter().map(move |id| (name, id));
    let databases = named("database", instances).chain(named("replica", replicas)).map(|(name, id)| {
        let found = found.clone().map(|found| found.into_iter().find(|found| found.id == id));
        seen(name, found, |found| of_part(name, status::judge_database(name, found, now)))
    });
    let live = found.as_deref().unwrap_or_default();
    let urls = urls.into_iter().map(|(record, read)| judge(case, record, live, read));
    databases.chain(urls).collect()
}

fn is_url(record: &Record) -> bool {
    record.kind == Secret::KIND && record.id.is_some() && record.spec["value"]["database_url"].is_object()
}

/// A record of a URL, and what is in it and the password that should be.
async fn values<'r>(case: Case<'_>, record: &'r Record) -> (&'r Record, Result<(Value, Value), Fault>) {
    let password = record.spec.pointer("/value/database_url/password/$ref").and_then(|address| address.as_str());
    let password = password.and_then(|address| case.id(address));
    let read = async {
        let no_id = || Fault::invalid("state", format!("{} has no password", record.address));
        let (url, password) = (record.id.as_ref().ok_or_else(no_id)?, password.ok_or_else(no_id)?);
        tokio::try_join!(
            secrets_versions::current_value(case.aws, url.as_str()),
            secrets_versions::current_value(case.aws, &password)
        )
    };
    let read = read.await;
    (record, read)
}

fn judge(case: Case<'_>, record: &Record, live: &[DatabaseHealth], read: Result<(Value, Value), Fault>) -> Check {
    let name = record.address.as_str().rsplit('/').next().unwrap_or_default();
    let check = format!("secrets/{name}");
    let (url, password) = match read {
        Ok(read) => read,
        Err(fault) => {
            let why = "whether it asks for TLS and leads to the database is in its value, which could not be read";
            return Check::unseen(check, format!("{why}: {fault}"));
        }
    };
    let (host, port) = place(case, record, live);
    let wrong = faults(&url, &host, &port, &password);
    if wrong.is_empty() {
        return Check::good(check, "it has sslmode=require or more, the database's host and port, and its password");
    }
    let rotates = case.ids("apprunner/service").is_empty();
    Check::found(check, Verdict::Bad, wrong.join("; "), if rotates { ROTATE } else { BY_HAND })
}

/// Where the database answers now, or did when rcm asked last.
fn place(case: Case<'_>, record: &Record, live: &[DatabaseHealth]) -> (String, String) {
    let source = &record.inputs["value"]["database_url"];
    let known = |field: &str| match &source[field] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let address = record.spec.pointer("/value/database_url/host/$ref").and_then(|address| address.as_str());
    let id = address.and_then(|address| case.id(address));
    let host = live.iter().find(|found| Some(&found.id) == id.as_ref()).and_then(|found| found.host.clone());
    (host.unwrap_or_else(|| known("host")), known("port"))
}

/// What is wrong with a URL. Says nothing of what is in it.
fn faults(url: &Value, host: &str, port: &str, password: &Value) -> Vec<&'static str> {
    let Some(parts) = Parts::of(url.expose()) else { return vec!["it is not a URL of PostgreSQL"] };
    let wrong = [
        (!parts.is_encrypted(), "it has no sslmode=require, so that the password may go over the network in clear"),
        (!parts.host.eq_ignore_ascii_case(host), "its host is not the database's"),
        (parts.port != port, "its port is not the database's"),
        (parts.password.as_deref() != Some(password.expose()), "its password is not that of database-password"),
    ];
    wrong.into_iter().filter(|(wrong, _)| *wrong).map(|(_, what)| what).collect()
}

/// What a URL consists of. Not to be printed.
struct Parts<'u> {
    password: Option<String>,
    host: &'u str,
    port: &'u str,
    query: &'u str,
}

impl<'u> Parts<'u> {
    fn of(url: &'u str) -> Option<Self> {
        let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, place) = rest.rsplit_once('@')?;
        let place = place.split('/').next()?;
        // https://www.postgresql.org/docs/current/libpq-connect.html
        let (host, port) = place.rsplit_once(':').unwrap_or((place, "5432"));
        let password = user.split_once(':').and_then(|(_, password)| urlencoding::decode(password).ok());
        Some(Self { password: password.map(String::from), host, port, query })
    }

    /// Whether all that is said of TLS asks for it, and anything is.
    fn is_encrypted(&self) -> bool {
        let modes: Vec<&str> = self.query.split('&').filter_map(|pair| pair.strip_prefix("sslmode=")).collect();
        !modes.is_empty() && modes.iter().all(|mode| ENCRYPTED.contains(mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(url: &str) -> Vec<&'static str> {
        faults(&Value::new(url), "db.example.com", "5432", &Value::new("a/b@c"))
    }

    #[test]
    fn a_url_is_right_when_it_leads_to_the_database_with_its_password_and_tls() {
        for mode in ENCRYPTED {
            assert!(wrong(&format!("postgresql://rcm:a%2Fb%40c@DB.example.com:5432/rcm?sslmode={mode}")).is_empty());
        }
        assert!(wrong("postgres://rcm:a%2Fb%40c@db.example.com/rcm?connect_timeout=5&sslmode=require").is_empty());
    }

    #[test]
    fn each_fault_of_a_url_is_named_and_nothing_that_is_in_it() {
        let begins = |url: &str| wrong(url).iter().map(|what| what.split(' ').nth(1).unwrap()).collect::<Vec<_>>();
        assert_eq!(begins("postgresql://rcm:a%2Fb%40c@db.example.com:5432/rcm"), ["has"]);
        assert_eq!(begins("postgresql://rcm:a%2Fb%40c@db.example.com:5432/rcm?sslmode=prefer"), ["has"]);
        let twice = "postgresql://rcm:a%2Fb%40c@db.example.com:5432/rcm?sslmode=require&sslmode=disable";
        assert_eq!(begins(twice), ["has"]);
        assert_eq!(begins("postgresql://rcm:a%2Fb%40c@db.example.org:5432/rcm?sslmode=require"), ["host"]);
        assert_eq!(begins("postgresql://rcm:a%2Fb%40c@db.example.com:5433/rcm?sslmode=require"), ["port"]);
        assert_eq!(begins("postgresql://rcm:hunter2@db.example.com:5432/rcm?sslmode=require"), ["password"]);
        assert_eq!(begins("postgresql://db.example.com:5432/rcm"), ["is"]);
        assert_eq!(begins("hunter2"), ["is"]);
    }
}
