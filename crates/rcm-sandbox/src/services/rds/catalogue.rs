//! What RDS for PostgreSQL offers: versions, instance classes and parameters, as far as the sandbox goes.

use std::ops::RangeInclusive;

use super::{combination, invalid};
use crate::page::page;
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

/// Major versions and the minor ones on offer. The highest minor version is the default of its major one.
const VERSIONS: [(u32, RangeInclusive<u32>); 6] =
    [(13, 15..=23), (14, 12..=20), (15, 7..=15), (16, 3..=11), (17, 1..=7), (18, 1..=1)];
/// What AWS takes when nobody names a version.
const DEFAULT_MAJOR: u32 = 17;

const FAMILIES: [&str; 7] = ["t3", "t4g", "m5", "m6g", "m7g", "r6g", "r7g"];
const SIZES: [&str; 8] = ["micro", "small", "medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge"];

/// The logs that can be exported to CloudWatch.
pub(super) const LOGS: [&str; 3] = ["postgresql", "upgrade", "iam-db-auth-error"];

/// A parameter with what the API says of it.
pub(super) struct KnownParameter {
    pub(super) name: &'static str,
    /// Dynamic ones apply at once, static ones at the next reboot.
    pub(super) is_dynamic: bool,
    pub(super) data_type: &'static str,
    /// Values or ranges, as the API lists them.
    pub(super) allowed: &'static str,
}

const fn known(name: &'static str, is_dynamic: bool, data_type: &'static str, allowed: &'static str) -> KnownParameter {
    KnownParameter { name, is_dynamic, data_type, allowed }
}

/// The parameters that deployments like ours set.
pub(super) const KNOWN_PARAMETERS: [KnownParameter; 14] = [
    known("idle_in_transaction_session_timeout", true, "integer", "0-2147483647"),
    known("log_connections", true, "boolean", "0,1"),
    known("log_disconnections", true, "boolean", "0,1"),
    known("log_lock_waits", true, "boolean", "0,1"),
    known("log_min_duration_statement", true, "integer", "-1-2147483647"),
    known("log_statement", true, "string", "none,ddl,mod,all"),
    known("max_connections", false, "integer", "6-262143"),
    known("password_encryption", true, "string", "md5,scram-sha-256"),
    known(
        "pgaudit.log",
        true,
        "list",
        "ddl,function,misc,read,role,write,none,all,-ddl,-function,-misc,-read,-role,-write",
    ),
    known("rds.force_ssl", true, "boolean", "0,1"),
    known("rds.log_retention_period", true, "integer", "1440-10080"),
    known("rds.logical_replication", false, "boolean", "0,1"),
    known("shared_preload_libraries", false, "list", ""),
    known("ssl_min_protocol_version", true, "string", "TLSv1,TLSv1.1,TLSv1.2,TLSv1.3"),
];

/// A known parameter by name.
pub(super) fn parameter(name: &str) -> Option<&'static KnownParameter> {
    KNOWN_PARAMETERS.iter().find(|known| known.name == name)
}

impl KnownParameter {
    pub(super) fn apply_type(&self) -> &'static str {
        if self.is_dynamic { "dynamic" } else { "static" }
    }

    /// The value that RDS itself sets. PostgreSQL 15 and later insist on TLS.
    pub(super) fn value_in(&self, family: &str) -> Option<&'static str> {
        let major: u32 = family.strip_prefix("postgres")?.parse().ok()?;
        match self.name {
            "rds.force_ssl" if major >= 15 => Some("1"),
            "rds.force_ssl" => Some("0"),
            "rds.log_retention_period" => Some("4320"),
            "shared_preload_libraries" => Some("pg_stat_statements"),
            _ => None,
        }
    }

    /// Whether the API takes that value. Lists and formulas (`LEAST({DBInstanceClassMemory/9531392},5000)`) always pass.
    pub(super) fn allows(&self, value: &str) -> bool {
        if self.data_type == "list" || value.contains('{') {
            return true;
        }
        if self.data_type != "integer" {
            return self.allowed.split(',').any(|allowed| allowed == value);
        }
        let bounds = self.allowed.rsplit_once('-').map(|(low, high)| (low.parse::<i64>(), high.parse::<i64>()));
        match (bounds, value.parse::<i64>()) {
            (Some((Ok(low), Ok(high))), Ok(value)) => (low..=high).contains(&value),
            _ => false,
        }
    }
}

/// Whether `postgres16` and its like exist.
pub(super) fn is_family(family: &str) -> bool {
    VERSIONS.iter().any(|(major, _)| family == format!("postgres{major}"))
}

/// Every version, with its major one.
fn all() -> impl Iterator<Item = (u32, String)> {
    let every = VERSIONS.iter().flat_map(|(major, minors)| minors.clone().map(move |minor| (*major, minor)));
    every.map(|(major, minor)| (major, format!("{major}.{minor}")))
}

/// The parameter group family of a version.
pub(super) fn family(version: &str) -> String {
    format!("postgres{}", major(version))
}

/// The major part of `16.4`.
pub(super) fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

/// The full version that a request for `version` (`16`, `16.4`, or nothing) gets.
pub(super) fn version(version: Option<&str>) -> Result<String, Fault> {
    let wanted = version.map_or_else(|| DEFAULT_MAJOR.to_string(), str::to_owned);
    for (major, minors) in VERSIONS {
        if wanted == major.to_string() {
            return Ok(format!("{major}.{}", minors.end()));
        }
        if let Some(minor) = wanted.strip_prefix(&format!("{major}."))
            && minor.parse().is_ok_and(|minor| minors.contains(&minor))
        {
            return Ok(wanted);
        }
    }
    Err(combination(format!("Cannot find version {wanted} for postgres")))
}

/// Whether `new` can be reached from `old` by an upgrade.
pub(super) fn is_upgrade(old: &str, new: &str) -> bool {
    let parts = |version: &str| -> Vec<u32> { version.split('.').filter_map(|part| part.parse().ok()).collect() };
    parts(new) >= parts(old)
}

/// Refuses instance classes that do not exist.
pub(super) fn check_class(class: &str) -> Result<(), Fault> {
    let exists = class.strip_prefix("db.").and_then(|class| class.split_once('.')).is_some_and(|(family, size)| {
        let plausible = family.len() >= 2 && family.chars().all(|character| character.is_ascii_alphanumeric());
        plausible && (SIZES.contains(&size) || ["12xlarge", "16xlarge", "24xlarge"].contains(&size))
    });
    if exists { Ok(()) } else { Err(invalid(format!("Invalid DB Instance class: {class}"))) }
}

pub(super) fn describe_versions(params: &Params) -> Result<Xml, Fault> {
    let engine = params.get("Engine").unwrap_or("postgres");
    let only_default = params.parsed("DefaultOnly")?.unwrap_or(false);
    let (wanted, family) = (params.get("EngineVersion"), params.get("DBParameterGroupFamily"));
    let mut versions = Vec::new();
    for (major, minors) in VERSIONS.iter().filter(|_| engine == "postgres") {
        for minor in minors.clone() {
            let default = minor == *minors.end() && (wanted.is_some() || *major == DEFAULT_MAJOR);
            let version = format!("{major}.{minor}");
            let fits = wanted.is_none_or(|wanted| wanted == version || wanted == major.to_string())
                && family.is_none_or(|family| family == format!("postgres{major}"));
            if fits && (default || !only_default) {
                versions.push((*major, version));
            }
        }
    }
    let (shown, next) = page(versions, params.get("Marker"), params.parsed("MaxRecords")?);
    let mut xml = Xml::default();
    xml.list("DBEngineVersions", "DBEngineVersion", shown, |xml, (major, version)| show_version(xml, major, &version));
    xml.opt("Marker", next);
    Ok(xml)
}

fn show_version(xml: &mut Xml, major: u32, version: &str) {
    let targets = all().filter(|(_, target)| target != version && is_upgrade(version, target));
    xml.text("Engine", "postgres")
        .text("MajorEngineVersion", major)
        .text("EngineVersion", version)
        .text("DBParameterGroupFamily", format!("postgres{major}"))
        .text("DBEngineDescription", "PostgreSQL")
        .text("DBEngineVersionDescription", format!("PostgreSQL {version}-R1"))
        .text("Status", "available")
        .text("SupportsLogExportsToCloudwatchLogs", true)
        .text("SupportsReadReplica", true)
        .texts("ExportableLogTypes", "member", LOGS)
        .list("ValidUpgradeTarget", "UpgradeTarget", targets, |xml, (target, version)| {
            xml.text("Engine", "postgres").text("EngineVersion", version).text("AutoUpgrade", false);
            xml.text("IsMajorVersionUpgrade", target != major);
        });
}

pub(super) fn describe_options(cx: &Context, params: &Params) -> Result<Xml, Fault> {
    params.require("Engine")?;
    // Who names no version is told of all.
    let versions = match params.get("EngineVersion") {
        Some(wanted) => vec![version(Some(wanted))?],
        None => all().map(|(_, version)| version).collect(),
    };
    let wanted = params.get("DBInstanceClass");
    let classes = FAMILIES.iter().flat_map(|family| SIZES.iter().map(move |size| format!("db.{family}.{size}")));
    let burstable = |class: &str| class.starts_with("db.t");
    let sold = |class: &String| {
        let small = SIZES[..3].iter().any(|size| class.ends_with(&format!(".{size}")));
        let large = class.ends_with(".4xlarge") || class.ends_with(".8xlarge");
        if burstable(class) { !large } else { !small }
    };
    let classes = classes.filter(sold).filter(|class| wanted.is_none_or(|wanted| wanted == *class));
    let found = classes.flat_map(|class| versions.iter().map(move |version| (class.clone(), version))).collect();
    let (shown, next) = page(found, params.get("Marker"), params.parsed("MaxRecords")?);
    let zones = ["a", "b", "c"].map(|letter| format!("{}{letter}", cx.region));
    let mut xml = Xml::default();
    xml.list("OrderableDBInstanceOptions", "OrderableDBInstanceOption", shown, |xml, (class, version)| {
        xml.text("Engine", "postgres").text("EngineVersion", version).text("DBInstanceClass", class);
        xml.text("LicenseModel", "postgresql-license").text("StorageType", "gp3").text("Vpc", true);
        xml.list("AvailabilityZones", "AvailabilityZone", &zones, |xml, zone| {
            xml.text("Name", zone);
        });
        for capability in [
            "MultiAZCapable",
            "ReadReplicaCapable",
            "SupportsStorageEncryption",
            "SupportsEnhancedMonitoring",
            "SupportsIAMDatabaseAuthentication",
            "SupportsPerformanceInsights",
            "SupportsStorageAutoscaling",
            "SupportsIops",
            "SupportsStorageThroughput",
        ] {
            xml.text(capability, true);
        }
        xml.text("MinStorageSize", 20).text("MaxStorageSize", 65536);
    });
    xml.opt("Marker", next);
    Ok(xml)
}
