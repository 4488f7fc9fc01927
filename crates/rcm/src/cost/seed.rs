//! The three cost tables of the setup that rcm replaces, beside what rcm's own tiers come to, and why the two differ.

use serde::Serialize;

use super::{Cost, Usd};
use crate::config::Tier;

/// A line of the old tables: service, and for each tier the least and the most in whole dollars; `None` where the table has none.
struct Row {
    service: &'static str,
    tiers: [Option<(i64, i64)>; 3],
    why: &'static str,
}

const ROWS: &[Row] = &[
    Row {
        service: "Compute",
        tiers: [Some((25, 50)), Some((75, 100)), Some((150, 200))],
        why: "the fewest tasks all month, without those of busy hours (--assume tasks=N); development has one small task on Fargate \
              instead of App Runner's 1 vCPU and 2 GB",
    },
    Row {
        service: "Database",
        tiers: [Some((15, 15)), Some((120, 120)), Some((240, 240))],
        why: "the server's own price, its disk, the standby's, and backups beyond what is free: the tables give one round sum",
    },
    Row {
        service: "NAT gateway",
        tiers: [None, Some((35, 35)), Some((70, 70))],
        why: "rcm's development has private subnets, and so a NAT gateway; high availability has one in each zone",
    },
    Row {
        service: "Load balancer",
        tiers: [None, Some((25, 25)), Some((25, 25))],
        why: "at little load; the tables count more capacity units (--assume lcus=N). App Runner needed none",
    },
    Row {
        service: "Secrets Manager",
        tiers: [Some((2, 2)), Some((2, 2)), Some((2, 2))],
        why: "$0.40 for each secret that there is",
    },
    Row {
        service: "KMS",
        tiers: [None, Some((1, 1)), Some((1, 1))],
        why: "with requests; development is encrypted with a key of its own too",
    },
    Row {
        service: "S3",
        tiers: [None, Some((5, 5)), Some((10, 10))],
        why: "5 GB in each bucket; seven years of logs come to more (--assume s3-gb=N)",
    },
    Row {
        service: "CloudWatch",
        tiers: [None, Some((10, 10)), Some((20, 20))],
        why: "flow logs, the firewall's and the database's logs, Container Insights, alarms and a dashboard, which the tables have not",
    },
    Row {
        service: "Data transfer",
        tiers: [Some((5, 10)), Some((20, 50)), Some((50, 100))],
        why: "50 GB to the internet in each tier (--assume data-out-gb=N)",
    },
];

/// Why the tables have nothing of what rcm counts besides.
const ONLY_OURS: &[(&str, &str)] = &[
    ("Public IPv4", "AWS asks for public addresses since February 2024: the load balancer's and the NAT gateways'"),
    ("Interface endpoints", "vpc_endpoints: the tables have none"),
    ("Firewall", "waf: the tables have none"),
    ("ECR", "the images: the tables have none"),
    ("AWS Backup", "backup_plan: the tables have RDS's own backups alone"),
    ("Account baseline", "account_baseline: once for the account; the tables leave it to people"),
];

/// What the tables' sums say, in whole dollars.
const TOTALS: [(i64, i64); 3] = [(50, 75), (300, 400), (600, 700)];

/// One line of the old tables beside rcm's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beside {
    /// The service, or `Total`.
    pub service: &'static str,
    /// What it comes to by rcm.
    pub monthly_usd: Usd,
    /// What the old table has, least and most, in whole dollars; `None` where it has nothing.
    pub table: Option<(i64, i64)>,
    /// Why they differ.
    pub why: &'static str,
}

/// The old table of that tier, line by line beside `cost`; last the sums.
pub fn beside(tier: Tier, cost: &Cost) -> Vec<Beside> {
    let index = tier as usize;
    let both = ROWS.iter().map(|row| Beside {
        service: row.service,
        monthly_usd: cost.service(row.service),
        table: row.tiers[index],
        why: row.why,
    });
    let ours =
        ONLY_OURS.iter().map(|(service, why)| Beside { service, monthly_usd: cost.service(service), table: None, why });
    let total =
        Beside { service: "Total", monthly_usd: cost.monthly_usd, table: Some(TOTALS[index]), why: "all of the above" };
    let there = |beside: &Beside| beside.table.is_some() || beside.monthly_usd > Usd::default();
    both.chain(ours).filter(there).chain([total]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cost::kinds::SERVICES;

    #[test]
    fn every_service_stands_beside_the_tables_once() {
        let here: Vec<&str> =
            ROWS.iter().map(|row| row.service).chain(ONLY_OURS.iter().map(|(service, _)| *service)).collect();
        assert_eq!(here.len(), SERVICES.len());
        assert_eq!(here.into_iter().collect::<BTreeSet<_>>(), SERVICES.iter().copied().collect());
    }
}
