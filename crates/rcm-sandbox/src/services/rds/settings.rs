//! The settings of an instance that create and modify share: each is what the request says, over what was there before.

use serde::{Deserialize, Serialize};

use super::{catalogue, combination, invalid};
use crate::arn::arn;
use crate::service::Context;
use crate::wire::{Fault, Params};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Storage {
    pub(super) kind: String,
    /// GiB
    pub(super) allocated: u32,
    /// Until where it grows by itself, in GiB.
    pub(super) maximum: Option<u32>,
    pub(super) iops: Option<u32>,
    /// MiB/s
    pub(super) throughput: Option<u32>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ParameterGroupUse {
    pub(super) name: String,
    /// `in-sync` or `pending-reboot`
    pub(super) status: String,
}

/// What can be changed at any time without a wait.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) backup_days: u32,
    pub(super) backup_window: String,
    pub(super) maintenance_window: String,
    pub(super) minor_upgrades: bool,
    pub(super) copy_tags: bool,
    pub(super) deletion_protection: bool,
    pub(super) iam_authentication: bool,
    pub(super) logs: Vec<String>,
    pub(super) certificate_authority: String,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Insights {
    pub(super) key: String,
    /// Days
    pub(super) retention: u32,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Monitoring {
    /// Seconds; 0 is none.
    pub(super) interval: u32,
    pub(super) role: Option<String>,
}

impl Storage {
    /// The storage of a request, over what is there before it.
    pub(super) fn of(params: &Params, old: Option<&Storage>) -> Result<Storage, Fault> {
        let iops: Option<u32> = params.parsed("Iops")?;
        let default = if iops.is_some() { "io1" } else { "gp3" };
        let kind = params.get("StorageType").or(old.map(|old| old.kind.as_str())).unwrap_or(default).to_owned();
        if !["standard", "gp2", "gp3", "io1", "io2"].contains(&kind.as_str()) {
            return Err(Fault::new("StorageTypeNotSupported", format!("Invalid storage type: {kind}")));
        }
        let allocated = params.parsed("AllocatedStorage")?.or(old.map(|old| old.allocated));
        let allocated =
            allocated.ok_or_else(|| combination("Invalid storage size for engine name postgres: none given"))?;
        if !(20..=65_536).contains(&allocated) {
            let message = format!("Invalid storage size for engine name postgres and storage type {kind}: {allocated}");
            return Err(combination(message));
        }
        let maximum = params.parsed("MaxAllocatedStorage")?.or(old.and_then(|old| old.maximum));
        if maximum.is_some_and(|maximum| maximum < allocated) {
            return Err(combination("Max storage size must be greater than storage size"));
        }
        let same = old.filter(|old| old.kind == kind);
        let (baseline_iops, baseline_throughput) = baseline(&kind, allocated);
        Ok(Storage {
            iops: iops.or(same.and_then(|old| old.iops)).or(baseline_iops),
            throughput: params
                .parsed("StorageThroughput")?
                .or(same.and_then(|old| old.throughput))
                .or(baseline_throughput),
            kind,
            allocated,
            // As large as it is already is no autoscaling.
            maximum: maximum.filter(|maximum| *maximum > allocated),
        })
    }
}

/// What gp3 gives without being asked: more from 400 GiB on, where RDS stripes.
fn baseline(kind: &str, allocated: u32) -> (Option<u32>, Option<u32>) {
    match kind {
        "gp3" if allocated >= 400 => (Some(12_000), Some(500)),
        "gp3" => (Some(3000), Some(125)),
        _ => (None, None),
    }
}

impl Options {
    /// The options of a request, over what is there before it.
    pub(super) fn of(params: &Params, old: &Options) -> Result<Options, Fault> {
        let options = Options {
            backup_days: params.parsed("BackupRetentionPeriod")?.unwrap_or(old.backup_days),
            backup_window: params.get("PreferredBackupWindow").unwrap_or(&old.backup_window).to_ascii_lowercase(),
            maintenance_window: params
                .get("PreferredMaintenanceWindow")
                .unwrap_or(&old.maintenance_window)
                .to_ascii_lowercase(),
            minor_upgrades: params.parsed("AutoMinorVersionUpgrade")?.unwrap_or(old.minor_upgrades),
            copy_tags: params.parsed("CopyTagsToSnapshot")?.unwrap_or(old.copy_tags),
            deletion_protection: params.parsed("DeletionProtection")?.unwrap_or(old.deletion_protection),
            iam_authentication: params.parsed("EnableIAMDatabaseAuthentication")?.unwrap_or(old.iam_authentication),
            logs: logs(params, &old.logs)?,
            certificate_authority: params
                .get("CACertificateIdentifier")
                .unwrap_or(&old.certificate_authority)
                .to_owned(),
        };
        if options.backup_days > 35 {
            let message = format!("Invalid backup retention period: {}. Must be between 0 and 35", options.backup_days);
            return Err(invalid(message));
        }
        check_window("PreferredBackupWindow", &options.backup_window, 1)?;
        check_window("PreferredMaintenanceWindow", &options.maintenance_window, 2)?;
        Ok(options)
    }

    pub(super) fn defaults() -> Options {
        Options {
            backup_days: 1,
            backup_window: "07:13-07:43".to_owned(),
            maintenance_window: "sun:09:26-sun:09:56".to_owned(),
            minor_upgrades: true,
            copy_tags: false,
            deletion_protection: false,
            iam_authentication: false,
            logs: Vec::new(),
            certificate_authority: "rds-ca-rsa2048-g1".to_owned(),
        }
    }
}

/// `hh:mm-hh:mm`, with a day in front of each time where there are more colons.
fn check_window(name: &str, window: &str, colons: usize) -> Result<(), Fault> {
    let time = |time: &str| {
        let parts: Vec<&str> = time.split(':').collect();
        let [.., hour, minute] = parts[..] else { return false };
        let day = |day: &&str| ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(day);
        parts.len() == colons + 1
            && parts[..colons - 1].iter().all(day)
            && hour.len() == 2
            && minute.len() == 2
            && hour.parse::<u32>().is_ok_and(|hour| hour < 24)
            && minute.parse::<u32>().is_ok_and(|minute| minute < 60)
    };
    match window.split_once('-') {
        Some((from, to)) if time(from) && time(to) => Ok(()),
        _ => Err(invalid(format!("The parameter {name} is not valid: {window}"))),
    }
}

/// The logs to export after the request, which names all of them (create) or what changes (modify).
fn logs(params: &Params, old: &[String]) -> Result<Vec<String>, Fault> {
    let mut logs: Vec<String> = old.to_vec();
    let added = params.list("EnableCloudwatchLogsExports.member");
    let enabled = params.list("CloudwatchLogsExportConfiguration.EnableLogTypes.member");
    for log in added.into_iter().chain(enabled) {
        if !catalogue::LOGS.contains(&log) {
            return Err(combination(format!("You cannot use the log types '{log}' with engine postgres.")));
        }
        if !logs.iter().any(|known| known == log) {
            logs.push(log.to_owned());
        }
    }
    let disabled = params.list("CloudwatchLogsExportConfiguration.DisableLogTypes.member");
    logs.retain(|log| !disabled.contains(&log.as_str()));
    Ok(logs)
}

impl Insights {
    /// Performance Insights after the request.
    pub(super) fn of(
        cx: &Context,
        params: &Params,
        key: Option<&String>,
        old: Option<&Insights>,
    ) -> Result<Option<Insights>, Fault> {
        if !params.parsed("EnablePerformanceInsights")?.unwrap_or(old.is_some()) {
            return Ok(None);
        }
        let retention =
            params.parsed("PerformanceInsightsRetentionPeriod")?.or(old.map(|old| old.retention)).unwrap_or(7);
        if !(retention == 7 || retention == 731 || (retention % 31 == 0 && (31..=713).contains(&retention))) {
            return Err(invalid(format!("Invalid Performance Insights retention period: {retention}")));
        }
        if let (Some(new), Some(old)) = (key, old)
            && *new != old.key
        {
            return Err(combination("You can't change the KMS key of Performance Insights"));
        }
        let key = key.cloned().or(old.map(|old| old.key.clone())).unwrap_or_else(|| managed_key(cx));
        Ok(Some(Insights { key, retention }))
    }
}

impl Monitoring {
    /// Enhanced monitoring after the request.
    pub(super) fn of(params: &Params, old: &Monitoring) -> Result<Monitoring, Fault> {
        let interval = params.parsed("MonitoringInterval")?.unwrap_or(old.interval);
        let role = params.get("MonitoringRoleArn").map(str::to_owned).or(old.role.clone());
        if ![0, 1, 5, 10, 15, 30, 60].contains(&interval) {
            return Err(invalid(format!("Invalid monitoring interval: {interval}")));
        }
        if interval > 0 && role.is_none() {
            return Err(combination(
                "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
            ));
        }
        Ok(Monitoring { interval, role: role.filter(|_| interval > 0) })
    }
}

/// The key that AWS manages for RDS in every account.
pub(super) fn managed_key(cx: &Context) -> String {
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, format!("aws/rds/{}/{}", cx.account, cx.region).as_bytes());
    arn(cx, "kms", &format!("key/{id}"))
}
