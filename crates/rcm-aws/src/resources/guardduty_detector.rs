//! GuardDuty's detector: watches the logs of an account and region for what intruders do.
//!
//! API: [CreateDetector](https://docs.aws.amazon.com/guardduty/latest/APIReference/API_CreateDetector.html).
//!
//! Surprises: a region has one detector at most, and an account of an organization often has it from its administrator. Errors
//! are all `BadRequestException`; only their text tells one that exists already from one that is not there. A new
//! detector has all protection plans that AWS turns on by itself. What is somebody else's is used as it is (see `baseline`).

use aws_sdk_guardduty::{operation::get_detector::GetDetectorOutput, types::DetectorStatus};
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use super::baseline;
use crate::{
    Aws,
    classify::{absent, fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a detector should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whether it detects anything.
    pub enabled: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// 32 hexadecimal digits.
    pub detector_id: String,
    /// What somebody else's lacks.
    pub lacks: Vec<String>,
}

/// A detector.
pub struct Detector;

impl Resource for Detector {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "guardduty/detector";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.guardduty.create_detector().enable(spec.enabled).client_token(&cx.identity.token);
        let request = request.set_tags(Some(baseline::tags(cx.identity).collect()));
        let answer = request.send().await.map_err(fault("guardduty", "CreateDetector"))?;
        answer.detector_id().map(Id::from).ok_or_else(|| missing("guardduty", "CreateDetector", "detectorId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let Some(live) = get(cx.cloud, id).await? else { return Ok(()) };
        if !ours(cx, &live) || enabled(&live) == spec.enabled {
            return Ok(());
        }
        let request = cx.cloud.guardduty.update_detector().detector_id(id.as_str()).enable(spec.enabled);
        request.send().await.map(drop).map_err(fault("guardduty", "UpdateDetector"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(live) = get(cx.cloud, id).await? else { return Ok(None) };
        let (ours, enabled) = (ours(cx, &live), enabled(&live));
        let lacks = baseline::lacking([(!ours && !enabled, "it is suspended")]);
        let seen = Observed::new(Outputs { detector_id: id.to_string(), lacks });
        Ok(Some(if ours { seen.see("enabled", enabled) } else { seen }))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let answer = cx.cloud.guardduty.list_detectors().send().await.map_err(fault("guardduty", "ListDetectors"))?;
        Ok(answer.detector_ids().first().map(|id| Id::from(id.as_str())))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "guardduty:CreateDetector",
                "guardduty:TagResource",
                "guardduty:UpdateDetector",
                "iam:CreateServiceLinkedRole",
            ],
            read: &["guardduty:GetDetector", "guardduty:ListDetectors"],
            delete: &[],
        }
    }
}

fn enabled(live: &GetDetectorOutput) -> bool {
    live.status() == Some(&DetectorStatus::Enabled)
}

fn ours(cx: &Cx<'_>, live: &GetDetectorOutput) -> bool {
    let tags = live.tags().into_iter().flatten();
    baseline::owns(cx.identity, tags.map(|(key, value)| (key.as_str(), value.as_str())))
}

async fn get(aws: &Aws, id: &Id) -> Result<Option<GetDetectorOutput>, Fault> {
    let answer = aws.guardduty.get_detector().detector_id(id.as_str()).send().await;
    absent(answer.map_err(fault("guardduty", "GetDetector")))
}
