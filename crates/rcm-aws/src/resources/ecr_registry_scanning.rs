//! How a region's registry looks at images for known weaknesses: the one switch for all repositories of the account.
//!
//! API: [PutRegistryScanningConfiguration](https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutRegistryScanningConfiguration.html),
//! [scanning](https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html).
//!
//! Surprises: the configuration always exists, so nothing is ever created, and it is raised and never lowered (see `baseline`). A put
//! replaces the whole, and there is at most one rule for each frequency. It goes over what single repositories say: one that no
//! filter fits is scanned by hand alone. Enhanced scanning is Amazon Inspector's, turns Inspector on for ECR, and is paid for by the
//! image; from it there is no way back but for a person.

use aws_sdk_ecr::types::{
    RegistryScanningConfiguration, RegistryScanningRule as Rule, ScanFrequency, ScanType, ScanningRepositoryFilter,
    ScanningRepositoryFilterType,
};
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Aws,
    classify::{fault, missing, unbuilt},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// The filter that fits every repository.
const EVERY: &str = "*";

/// What scanning should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whether every image is scanned at least when it is pushed, whatever its repository.
    pub scan_on_push: bool,
    /// Whether Amazon Inspector scans, packages of programming languages too, and again whenever a new weakness is known.
    pub enhanced: bool,
}

/// What AWS gave: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {}

/// The registry's scanning.
pub struct RegistryScanning;

impl Resource for RegistryScanning {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ecr/registry-scanning";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    /// It is there; [`configure`](Resource::configure) raises it.
    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        Ok(id(cx))
    }

    async fn configure(cx: &Cx<'_>, _: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = get(cx.cloud).await?;
        let Some((scan_type, rules)) = raised(&live, *spec)? else { return Ok(()) };
        let request = cx.cloud.ecr.put_registry_scanning_configuration().scan_type(scan_type).set_rules(Some(rules));
        request.send().await.map(drop).map_err(fault("ecr", "PutRegistryScanningConfiguration"))
    }

    /// Not that it is enhanced where that was not asked for.
    async fn read(cx: &Cx<'_>, _: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = get(cx.cloud).await?;
        let seen = Observed::new(Outputs {}).see("scan_on_push", on_push(&live));
        Ok(Some(if enhanced(&live) { seen } else { seen.see("enhanced", false) }))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(Some(id(cx)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(cx)
    }

    fn effect(field: &str, _: &serde_json::Value, after: &serde_json::Value) -> Option<&'static str> {
        match field {
            "enhanced" if after == true => {
                Some("Amazon Inspector scans every image of the account in this region, and is paid for each")
            }
            _ => None,
        }
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ecr:PutRegistryScanningConfiguration",
                // Enhanced scanning turns Inspector on.
                "iam:CreateServiceLinkedRole",
                "inspector2:Enable",
                "inspector2:ListAccountPermissions",
                "inspector2:ListFindings",
            ],
            read: &["ecr:GetRegistryScanningConfiguration"],
            delete: &[],
        }
    }
}

/// `123456789012/us-east-1`
fn id(cx: &Cx<'_>) -> Id {
    Id::from(format!("{}/{}", cx.identity.deployment.account, cx.identity.deployment.region))
}

async fn get(aws: &Aws) -> Result<RegistryScanningConfiguration, Fault> {
    const OPERATION: &str = "GetRegistryScanningConfiguration";
    let answer = aws.ecr.get_registry_scanning_configuration().send().await.map_err(fault("ecr", OPERATION))?;
    answer.scanning_configuration.ok_or_else(|| missing("ecr", OPERATION, "scanningConfiguration"))
}

fn enhanced(live: &RegistryScanningConfiguration) -> bool {
    live.scan_type() == Some(&ScanType::Enhanced)
}

/// Whether some rule scans every repository's images at least when they are pushed.
fn on_push(live: &RegistryScanningConfiguration) -> bool {
    let scans = |rule: &&Rule| *rule.scan_frequency() != ScanFrequency::Manual;
    let fits_all = |rule: &Rule| rule.repository_filters().iter().any(|filter| filter.filter() == EVERY);
    live.rules().iter().filter(scans).any(fits_all)
}

/// What `live` becomes where it is less than what is wanted. A rule that scans all the time stays, whatever it fits.
fn raised(live: &RegistryScanningConfiguration, wanted: Spec) -> Result<Option<(ScanType, Vec<Rule>)>, Fault> {
    let upgrade = wanted.enhanced && !enhanced(live);
    if !upgrade && (on_push(live) || !wanted.scan_on_push) {
        return Ok(None);
    }
    if upgrade {
        return Ok(Some((ScanType::Enhanced, vec![all(ScanFrequency::ContinuousScan)?])));
    }
    let continuous = |rule: &&Rule| *rule.scan_frequency() == ScanFrequency::ContinuousScan;
    let kept = live.rules().iter().filter(continuous).cloned();
    let rules = kept.chain([all(ScanFrequency::ScanOnPush)?]).collect();
    Ok(Some((live.scan_type().cloned().unwrap_or(ScanType::Basic), rules)))
}

fn all(frequency: ScanFrequency) -> Result<Rule, Fault> {
    let unbuilt = || unbuilt("ecr", "PutRegistryScanningConfiguration");
    let filter = ScanningRepositoryFilter::builder().filter(EVERY).filter_type(ScanningRepositoryFilterType::Wildcard);
    let rule = Rule::builder().scan_frequency(frequency).repository_filters(filter.build().map_err(unbuilt())?);
    rule.build().map_err(unbuilt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(scan_type: ScanType, rules: &[(ScanFrequency, &str)]) -> RegistryScanningConfiguration {
        let rule = |(frequency, filter): &(ScanFrequency, &str)| {
            let wildcard = ScanningRepositoryFilterType::Wildcard;
            let filter = ScanningRepositoryFilter::builder().filter(*filter).filter_type(wildcard).build().unwrap();
            Rule::builder().scan_frequency(frequency.clone()).repository_filters(filter).build().unwrap()
        };
        let rules = rules.iter().map(rule).collect();
        RegistryScanningConfiguration::builder().scan_type(scan_type).set_rules(Some(rules)).build()
    }

    const BASIC: Spec = Spec { scan_on_push: true, enhanced: false };
    const ENHANCED: Spec = Spec { scan_on_push: true, enhanced: true };

    #[test]
    fn what_scans_as_much_or_more_stays_as_it_is() {
        use ScanFrequency::{ContinuousScan, ScanOnPush};
        for enough in [
            live(ScanType::Basic, &[(ScanOnPush, "*")]),
            live(ScanType::Enhanced, &[(ContinuousScan, "*")]),
            live(ScanType::Enhanced, &[(ContinuousScan, "prod*"), (ScanOnPush, "*")]),
        ] {
            assert_eq!(raised(&enough, BASIC).unwrap(), None, "{enough:?}");
        }
        assert_eq!(raised(&live(ScanType::Enhanced, &[(ScanOnPush, "*")]), ENHANCED).unwrap(), None);
    }

    #[test]
    fn what_scans_less_is_raised_and_nothing_that_it_does_is_lost() {
        use ScanFrequency::{ContinuousScan, Manual, ScanOnPush};
        let on_push = vec![all(ScanOnPush).unwrap()];
        for little in [&[][..], &[(Manual, "*")], &[(ScanOnPush, "prod*")]] {
            let raised = raised(&live(ScanType::Basic, little), BASIC).unwrap();
            assert_eq!(raised, Some((ScanType::Basic, on_push.clone())));
        }
        let partly = live(ScanType::Enhanced, &[(ContinuousScan, "prod*")]);
        let both = [partly.rules(), &on_push[..]].concat();
        assert_eq!(raised(&partly, BASIC).unwrap(), Some((ScanType::Enhanced, both)));
        let everything = vec![all(ContinuousScan).unwrap()];
        let basic = live(ScanType::Basic, &[(ScanOnPush, "*")]);
        assert_eq!(raised(&basic, ENHANCED).unwrap(), Some((ScanType::Enhanced, everything)));
    }
}
