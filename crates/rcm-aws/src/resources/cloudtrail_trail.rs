//! A trail: who did what in the account, in all regions, kept where it cannot be changed unseen.
//!
//! API: [CreateTrail](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html),
//! [GetTrailStatus](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html); what a bucket and a key
//! have to allow: [bucket](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html),
//! [key](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html).
//!
//! Surprises: a new trail does not log before it is told to. A trail of all regions is shown in each of them and can be changed in
//! its home region alone. The first copy of management events is free and every further one is not, so a trail of
//! somebody else (the organization's, for one) that logs all management events of all regions, with validation, is used as it is,
//! and no other is made (see `baseline`). Ours is the one that has the baseline's name here.

use aws_sdk_cloudtrail::types::{ReadWriteType, Tag, Trail as Described};
use rcm_engine::model::{Actions, Fault, FaultKind, Id, Observed, OnDestroy, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{baseline, kms_account_key::AccountKey, s3_account_log_bucket::AccountLogBucket};
use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a trail should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name.
    pub name: String,
    /// Where it writes.
    pub bucket: Ref<AccountLogBucket>,
    /// What it encrypts with.
    pub kms_key: Ref<AccountKey>,
    /// Whether it logs what is done in every region, and in the services that have none.
    pub multi_region: bool,
    /// Whether each hour's files are signed, so that a missing or changed one is noticed.
    pub validated: bool,
    /// Whether it logs at all.
    pub logging: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:cloudtrail:…:trail/…`
    pub trail_arn: String,
    /// The bucket that it writes to.
    pub bucket: String,
    /// What somebody else's lacks.
    pub lacks: Vec<String>,
}

/// A trail.
pub struct Trail;

impl Resource for Trail {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "cloudtrail/trail";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.cloudtrail.create_trail().name(&spec.name);
        let request = request
            .s3_bucket_name(cx.id(&spec.bucket)?.as_str())
            .kms_key_id(cx.id(&spec.kms_key)?.as_str())
            .is_multi_region_trail(spec.multi_region)
            .include_global_service_events(spec.multi_region)
            .enable_log_file_validation(spec.validated)
            .set_tags_list(Some(tags(cx)?));
        let answer = request.send().await.map_err(fault("cloudtrail", "CreateTrail"))?;
        answer.trail_arn().map(Id::from).ok_or_else(|| missing("cloudtrail", "CreateTrail", "TrailARN"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let Some(live) = describe(cx.cloud, id).await? else { return Ok(()) };
        if !ours(cx, &live) {
            return Ok(());
        }
        let (bucket, key) = (cx.id(&spec.bucket)?, cx.id(&spec.kms_key)?);
        let right = live.s3_bucket_name() == Some(bucket.as_str())
            && live.kms_key_id() == Some(key.as_str())
            && live.is_multi_region_trail() == Some(spec.multi_region)
            && live.log_file_validation_enabled() == Some(spec.validated);
        if !right {
            let request = cx.cloud.cloudtrail.update_trail().name(id.as_str());
            let request = request
                .s3_bucket_name(bucket.as_str())
                .kms_key_id(key.as_str())
                .is_multi_region_trail(spec.multi_region)
                .include_global_service_events(spec.multi_region)
                .enable_log_file_validation(spec.validated);
            request.send().await.map_err(fault("cloudtrail", "UpdateTrail"))?;
        }
        if spec.logging && !logs(cx.cloud, id.as_str()).await? {
            let request = cx.cloud.cloudtrail.start_logging().name(id.as_str());
            request.send().await.map_err(fault("cloudtrail", "StartLogging"))?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(live) = describe(cx.cloud, id).await? else { return Ok(None) };
        let (ours, logging) = (ours(cx, &live), logs(cx.cloud, id.as_str()).await?);
        let (everywhere, validated) = (live.is_multi_region_trail(), live.log_file_validation_enabled());
        let lacks = baseline::lacking([
            (!ours && !logging, "it does not log"),
            (!ours && everywhere != Some(true), "it logs one region only"),
            (!ours && validated != Some(true), "its files are not validated"),
        ]);
        let bucket = live.s3_bucket_name().unwrap_or_default().to_owned();
        let seen = Observed::new(Outputs { trail_arn: id.to_string(), bucket, lacks });
        if !ours {
            return Ok(Some(seen));
        }
        Ok(Some(
            seen.see("bucket", live.s3_bucket_name())
                .see("kms_key", live.kms_key_id())
                .see("multi_region", everywhere)
                .see("validated", validated)
                .see("logging", logging),
        ))
    }

    /// Ours, or one of somebody else's that does the same.
    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let answer = cx.cloud.cloudtrail.describe_trails().send().await;
        let trails = answer.map_err(fault("cloudtrail", "DescribeTrails"))?.trail_list.unwrap_or_default();
        let id = |trail: &Described| trail.trail_arn().map(Id::from);
        if let Some(own) = trails.iter().find(|trail| trail.name() == Some(&spec.name) && ours(cx, trail)) {
            return Ok(id(own));
        }
        for trail in &trails {
            let whole = trail.is_multi_region_trail() == Some(true) && trail.log_file_validation_enabled() == Some(true);
            let Some(arn) = trail.trail_arn().filter(|_| whole) else { continue };
            if logs(cx.cloud, arn).await? && logs_management(cx.cloud, trail, arn).await? {
                return Ok(id(trail));
            }
        }
        Ok(None)
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "cloudtrail:AddTags",
                "cloudtrail:CreateTrail",
                "cloudtrail:StartLogging",
                "cloudtrail:UpdateTrail",
            ],
            read: &["cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus"],
            delete: &[],
        }
    }
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tags = baseline::tags(cx.identity).map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(unbuilt("cloudtrail", "CreateTrail"))
}

/// Whether it is the baseline's, and of this region: there alone it can be changed.
fn ours(cx: &Cx<'_>, trail: &Described) -> bool {
    trail.name() == Some(baseline::NAME) && trail.home_region() == Some(&cx.identity.deployment.region)
}

async fn describe(aws: &Aws, id: &Id) -> Result<Option<Described>, Fault> {
    let answer = aws.cloudtrail.describe_trails().trail_name_list(id.as_str()).send().await;
    let trails = absent(answer.map_err(fault("cloudtrail", "DescribeTrails")))?.and_then(|answer| answer.trail_list);
    Ok(trails.into_iter().flatten().find(|trail| trail.trail_arn() == Some(id.as_str())))
}

async fn logs(aws: &Aws, arn: &str) -> Result<bool, Fault> {
    let answer = aws.cloudtrail.get_trail_status().name(arn).send().await;
    let answer = absent(answer.map_err(fault("cloudtrail", "GetTrailStatus")))?;
    Ok(answer.is_some_and(|answer| answer.is_logging() == Some(true)))
}

/// Whether it logs all management events: it does unless somebody has chosen what it logs. Of an organization's trail its members
/// may not be told; it is believed to.
async fn logs_management(aws: &Aws, trail: &Described, arn: &str) -> Result<bool, Fault> {
    if trail.has_custom_event_selectors() != Some(true) {
        return Ok(true);
    }
    let answer = aws.cloudtrail.get_event_selectors().trail_name(arn).send().await;
    let answer = match answer.map_err(fault("cloudtrail", "GetEventSelectors")) {
        Err(fault) if fault.kind == FaultKind::Denied => return Ok(true),
        other => other?,
    };
    let basic = answer.event_selectors().iter().any(|selector| {
        selector.include_management_events() == Some(true) && selector.read_write_type() == Some(&ReadWriteType::All)
    });
    let advanced = answer.advanced_event_selectors().iter().any(|selector| {
        let fields = selector.field_selectors();
        let management = |values: &[String]| values.iter().any(|value| value == "Management");
        fields.iter().any(|field| field.field() == "eventCategory" && management(field.equals()))
            && fields.iter().all(|field| field.field() == "eventCategory")
    });
    Ok(basic || advanced)
}
