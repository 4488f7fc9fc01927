//! Security Hub: gathers what GuardDuty, Access Analyzer and AWS Config find, and holds the account against standards.
//!
//! API: [EnableSecurityHub](https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_EnableSecurityHub.html),
//! [BatchEnableStandards](https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchEnableStandards.html).
//!
//! Surprises: a region has one hub at most, and an account of an organization often has it from its administrator. Enabling it enables
//! standards too unless it is told not to. Every check of a standard costs; where findings are made by control and not by
//! standard, one that two standards share is paid once. Where it is not enabled, every call is refused as `InvalidAccessException`. What
//! is somebody else's is used as it is, and a standard that is on is never turned off (see `baseline`).

use std::collections::BTreeSet;

use aws_sdk_securityhub::types::{ControlFindingGenerator, StandardsStatus, StandardsSubscriptionRequest};
use futures::try_join;
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use super::baseline;
use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What the ARNs of the standards have in common with those of their other versions.
const FSBP: &str = "aws-foundational-security-best-practices";
const CIS: &str = "cis-aws-foundations-benchmark";

/// What a hub should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whether the account is held against AWS's Foundational Security Best Practices; nothing where nobody asks.
    pub fsbp: Option<bool>,
    /// Whether it is held against the CIS AWS Foundations Benchmark, in whichever version; nothing where nobody asks.
    pub cis: Option<bool>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:securityhub:…:hub/default`
    pub hub_arn: String,
    /// What somebody else's lacks.
    pub lacks: Vec<String>,
}

/// A hub.
pub struct Hub;

impl Resource for Hub {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "securityhub/hub";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.securityhub.enable_security_hub().enable_default_standards(false);
        let request = request.control_finding_generator(ControlFindingGenerator::SecurityControl);
        let request = request.set_tags(Some(baseline::tags(cx.identity).collect()));
        request.send().await.map_err(fault("securityhub", "EnableSecurityHub"))?;
        Ok(id(&cx.identity.deployment))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let (live, ours) = try_join!(standards(cx.cloud), ours(cx, id))?;
        let wanted = [(spec.fsbp, FSBP, "1.0.0"), (spec.cis, CIS, "3.0.0")];
        let missing = wanted.iter().filter(|(on, standard, _)| *on == Some(true) && !has(&live, standard));
        let missing: Vec<_> = missing.map(|(_, standard, version)| request(cx, standard, version)).collect();
        if !ours || missing.is_empty() {
            return Ok(());
        }
        let request = cx.cloud.securityhub.batch_enable_standards().set_standards_subscription_requests(Some(missing));
        request.send().await.map(drop).map_err(fault("securityhub", "BatchEnableStandards"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        if !enabled(cx.cloud).await? {
            return Ok(None);
        }
        let (live, ours) = try_join!(standards(cx.cloud), ours(cx, id))?;
        let (fsbp, cis) = (has(&live, FSBP), has(&live, CIS));
        let lacks = baseline::lacking([
            (!ours && !fsbp, "it does not hold the account against AWS's Foundational Security Best Practices"),
        ]);
        let seen = Observed::new(Outputs { hub_arn: id.to_string(), lacks });
        Ok(Some(if ours { seen.see("fsbp", fsbp).see("cis", cis) } else { seen }))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(enabled(cx.cloud).await?.then(|| id(&cx.identity.deployment)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(&cx.identity.deployment)
    }

    fn effect(_: &str, _: &serde_json::Value, wanted: &serde_json::Value) -> Option<&'static str> {
        wanted.is_null().then_some("nobody asks for it here any more; it stays on")
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "iam:CreateServiceLinkedRole",
                "securityhub:BatchEnableStandards",
                "securityhub:EnableSecurityHub",
                "securityhub:TagResource",
            ],
            read: &["securityhub:DescribeHub", "securityhub:GetEnabledStandards", "securityhub:ListTagsForResource"],
            delete: &[],
        }
    }
}

fn id(at: &Deployment) -> Id {
    Id::from(format!("arn:{}:securityhub:{}:{}:hub/default", at.partition, at.region, at.account))
}

fn request(cx: &Cx<'_>, standard: &str, version: &str) -> StandardsSubscriptionRequest {
    let Deployment { partition, region, .. } = &*cx.identity.deployment;
    let arn = format!("arn:{partition}:securityhub:{region}::standards/{standard}/v/{version}");
    StandardsSubscriptionRequest::builder().standards_arn(arn).build()
}

fn has(standards: &BTreeSet<String>, standard: &str) -> bool {
    standards.iter().any(|arn| arn.contains(standard))
}

async fn enabled(aws: &Aws) -> Result<bool, Fault> {
    let answer = aws.securityhub.describe_hub().send().await;
    Ok(absent(answer.map_err(fault("securityhub", "DescribeHub")))?.is_some())
}

/// The ARNs of the standards that are on, or on their way.
async fn standards(aws: &Aws) -> Result<BTreeSet<String>, Fault> {
    let pages = aws.securityhub.get_enabled_standards().into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("securityhub", "GetEnabledStandards"))?;
    let gone = [StandardsStatus::Deleting, StandardsStatus::Failed].map(Some);
    let on = all.into_iter().filter(|standard| !gone.contains(&standard.standards_status));
    Ok(on.filter_map(|standard| standard.standards_arn).collect())
}

async fn ours(cx: &Cx<'_>, id: &Id) -> Result<bool, Fault> {
    let answer = cx.cloud.securityhub.list_tags_for_resource().resource_arn(id.as_str()).send().await;
    let tags = answer.map_err(fault("securityhub", "ListTagsForResource"))?.tags.unwrap_or_default();
    Ok(baseline::owns(cx.identity, tags.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_is_on_in_whichever_version() {
        let arn = "arn:aws:securityhub:us-east-1::standards/cis-aws-foundations-benchmark/v/5.0.0";
        let older = "arn:aws:securityhub:::ruleset/cis-aws-foundations-benchmark/v/1.2.0";
        assert!(has(&BTreeSet::from([arn.to_owned()]), CIS) && has(&BTreeSet::from([older.to_owned()]), CIS));
        assert!(!has(&BTreeSet::from([arn.to_owned()]), FSBP));
    }
}
