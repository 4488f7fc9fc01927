//! A trail: who did what in the account, in all regions, kept where it cannot be changed unseen.
//!
//! API: [CreateTrail](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html),
//! [PutEventSelectors](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html),
//! [GetTrailStatus](https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrailStatus.html); what a bucket, a key and a
//! role have to allow: [bucket](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html),
//! [key](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html),
//! [role](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-required-policy-for-cloudwatch-logs.html).
//!
//! Surprises: a new trail does not log before it is told to. A trail of all regions is shown in each of them and can be changed in
//! its home region alone. The first copy of management events is free and every further one is not, so a trail of
//! somebody else (the organization's, for one) that logs all management events of all regions, with validation, is used as it is,
//! and no other is made (see `baseline`). Ours is the one that has the baseline's name here.
//! A log group's ARN has to end in `:*`, and CloudTrail tries role and group when it is told of them. Putting selectors replaces all
//! there are, and the older kind cannot stand beside the newer: what somebody else has selected in the newer kind stays, the older
//! kind is replaced where it falls short.

use aws_sdk_cloudtrail::{
    operation::get_event_selectors::GetEventSelectorsOutput,
    types::{AdvancedEventSelector, AdvancedFieldSelector, DataResource, ReadWriteType, Tag, Trail as Described},
};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Observed, OnDestroy, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    baseline, iam_account_role::AccountRole, kms_account_key::AccountKey, logs_account_group::AccountLogGroup,
    s3_account_log_bucket::AccountLogBucket,
};
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
    /// The log group that it tells everything too, within minutes.
    pub log_group: Ref<AccountLogGroup>,
    /// What it writes there as.
    pub log_role: Ref<AccountRole>,
    /// Whether it logs every call that manages something, reads and writes.
    pub management_events: bool,
    /// Whether it logs reads and writes of the objects of every bucket; nothing where nobody asks.
    pub s3_data_events: Option<bool>,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:cloudtrail:…:trail/…`
    pub trail_arn: String,
    /// The bucket that it writes to.
    pub bucket: String,
    /// The log group that it writes to, or `nowhere`.
    pub log_group: String,
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
            .cloud_watch_logs_log_group_arn(log_group_arn(cx, spec)?)
            .cloud_watch_logs_role_arn(cx.id(&spec.log_role)?.as_str())
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
        let (log_group, log_role) = (log_group_arn(cx, spec)?, cx.id(&spec.log_role)?);
        let right = live.s3_bucket_name() == Some(bucket.as_str())
            && live.kms_key_id() == Some(key.as_str())
            && live.cloud_watch_logs_log_group_arn() == Some(log_group.as_str())
            && live.cloud_watch_logs_role_arn() == Some(log_role.as_str())
            && live.is_multi_region_trail() == Some(spec.multi_region)
            && live.log_file_validation_enabled() == Some(spec.validated);
        if !right {
            let request = cx.cloud.cloudtrail.update_trail().name(id.as_str());
            let request = request
                .s3_bucket_name(bucket.as_str())
                .kms_key_id(key.as_str())
                .is_multi_region_trail(spec.multi_region)
                .include_global_service_events(spec.multi_region)
                .enable_log_file_validation(spec.validated)
                .cloud_watch_logs_log_group_arn(log_group)
                .cloud_watch_logs_role_arn(log_role.as_str());
            request.send().await.map_err(fault("cloudtrail", "UpdateTrail"))?;
        }
        select(cx, &live, spec).await?;
        if spec.logging && !logs(cx.cloud, id.as_str()).await? {
            let request = cx.cloud.cloudtrail.start_logging().name(id.as_str());
            request.send().await.map_err(fault("cloudtrail", "StartLogging"))?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let Some(live) = describe(cx.cloud, id).await? else { return Ok(None) };
        let ours = ours(cx, &live);
        let logging = logs(cx.cloud, id.as_str()).await?;
        let (everywhere, validated) = (live.is_multi_region_trail(), live.log_file_validation_enabled());
        let lacks = baseline::lacking([
            (!ours && !logging, "it does not log"),
            (!ours && everywhere != Some(true), "it logs one region only"),
            (!ours && validated != Some(true), "its files are not validated"),
        ]);
        let bucket = live.s3_bucket_name().unwrap_or_default().to_owned();
        let log_group = log_group(&live).unwrap_or("nowhere").to_owned();
        let seen = Observed::new(Outputs { trail_arn: id.to_string(), bucket, log_group, lacks });
        if !ours {
            return Ok(Some(seen));
        }
        let selected = Selected::of(cx.cloud, &live, id.as_str()).await?;
        Ok(Some(
            seen.see("bucket", live.s3_bucket_name())
                .see("kms_key", live.kms_key_id())
                .see("multi_region", everywhere)
                .see("validated", validated)
                .see("logging", logging)
                .see("log_group", self::log_group(&live))
                .see("log_role", live.cloud_watch_logs_role_arn())
                .see("management_events", selected.management)
                .see("s3_data_events", selected.s3_data),
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

    fn effect(field: &str, _: &serde_json::Value, wanted: &serde_json::Value) -> Option<&'static str> {
        (field == "s3_data_events" && wanted.is_null()).then_some("nobody asks for it here any more; it stays on")
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "cloudtrail:AddTags",
                "cloudtrail:CreateTrail",
                "cloudtrail:PutEventSelectors",
                "cloudtrail:StartLogging",
                "cloudtrail:UpdateTrail",
                "iam:PassRole",
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

/// The name of the log group that it writes to.
fn log_group(trail: &Described) -> Option<&str> {
    let (_, name) = trail.cloud_watch_logs_log_group_arn()?.split_once(":log-group:")?;
    Some(name.trim_end_matches(":*"))
}

/// As CloudTrail wants it: with `:*` at its end.
fn log_group_arn(cx: &Cx<'_>, spec: &Spec) -> Result<String, Fault> {
    let Deployment { partition, region, account, .. } = &*cx.identity.deployment;
    Ok(format!("arn:{partition}:logs:{region}:{account}:log-group:{}:*", cx.id(&spec.log_group)?))
}

/// What a trail logs, as far as anybody here cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Selected {
    /// Every call that manages something.
    management: bool,
    /// Every read and write of an object.
    s3_data: bool,
}

impl Selected {
    /// Everything that manages, unless somebody has chosen.
    const UNCHOSEN: Self = Self { management: true, s3_data: false };

    async fn of(aws: &Aws, trail: &Described, arn: &str) -> Result<Self, Fault> {
        if trail.has_custom_event_selectors() != Some(true) {
            return Ok(Self::UNCHOSEN);
        }
        Ok(Self::by(&selectors(aws, arn).await?))
    }

    fn by(chosen: &GetEventSelectorsOutput) -> Self {
        let basic = chosen.event_selectors();
        let advanced = chosen.advanced_event_selectors();
        if basic.is_empty() && advanced.is_empty() {
            return Self::UNCHOSEN;
        }
        let whole = || basic.iter().filter(|selector| selector.read_write_type() == Some(&ReadWriteType::All));
        let every_object = |value: &String| value.ends_with(":s3") || value.ends_with(":s3:::");
        let objects = |resource: &DataResource| {
            resource.r#type() == Some(OBJECT) && resource.values().iter().any(every_object)
        };
        Self {
            management: whole().any(|selector| selector.include_management_events() == Some(true))
                || advanced.iter().any(|selector| selects_all(selector, "Management", None)),
            s3_data: whole().any(|selector| selector.data_resources().iter().any(objects))
                || advanced.iter().any(|selector| selects_all(selector, "Data", Some(OBJECT))),
        }
    }
}

/// What data events call an object in a bucket.
const OBJECT: &str = "AWS::S3::Object";

/// Whether it selects everything of a category (and type), and leaves nothing of it out.
fn selects_all(selector: &AdvancedEventSelector, category: &str, of_type: Option<&str>) -> bool {
    let fields = selector.field_selectors();
    let says = |field: &str, value: &str| {
        fields.iter().any(|one| one.field() == field && one.equals().iter().any(|equal| equal == value))
    };
    let known = |field: &str| field == "eventCategory" || (of_type.is_some() && field == "resources.type");
    says("eventCategory", category)
        && of_type.is_none_or(|of_type| says("resources.type", of_type))
        && fields.iter().all(|one| known(one.field()))
}

/// Has everything logged that is asked for. What else somebody has chosen in the newer kind of selectors stays.
async fn select(cx: &Cx<'_>, live: &Described, spec: &Spec) -> Result<(), Fault> {
    let Some(arn) = live.trail_arn() else { return Ok(()) };
    let now = Selected::of(cx.cloud, live, arn).await?;
    let management = spec.management_events && !now.management;
    let s3_data = spec.s3_data_events == Some(true) && !now.s3_data;
    if !management && !s3_data {
        return Ok(());
    }
    let mut selectors = selectors(cx.cloud, arn).await?.advanced_event_selectors.unwrap_or_default();
    let anew = selectors.is_empty();
    if management || (anew && now.management) {
        selectors.push(selector("Every call that manages something", &[("eventCategory", "Management")])?);
    }
    if s3_data || (anew && now.s3_data) {
        let objects = [("eventCategory", "Data"), ("resources.type", OBJECT)];
        selectors.push(selector("Reads and writes of every object", &objects)?);
    }
    let request = cx.cloud.cloudtrail.put_event_selectors().trail_name(arn);
    let request = request.set_advanced_event_selectors(Some(selectors));
    request.send().await.map(drop).map_err(fault("cloudtrail", "PutEventSelectors"))
}

fn selector(name: &str, fields: &[(&str, &str)]) -> Result<AdvancedEventSelector, Fault> {
    let field = |(field, value): &(&str, &str)| AdvancedFieldSelector::builder().field(*field).equals(*value).build();
    let fields = fields.iter().map(field).collect::<Result<_, _>>();
    let fields = fields.map_err(unbuilt("cloudtrail", "PutEventSelectors"))?;
    let selector = AdvancedEventSelector::builder().name(name).set_field_selectors(Some(fields)).build();
    selector.map_err(unbuilt("cloudtrail", "PutEventSelectors"))
}

async fn selectors(aws: &Aws, arn: &str) -> Result<GetEventSelectorsOutput, Fault> {
    let answer = aws.cloudtrail.get_event_selectors().trail_name(arn).send().await;
    answer.map_err(fault("cloudtrail", "GetEventSelectors"))
}

/// Whether it logs all management events. Of an organization's trail its members may not be told; it is believed to.
async fn logs_management(aws: &Aws, trail: &Described, arn: &str) -> Result<bool, Fault> {
    match Selected::of(aws, trail, arn).await {
        Err(fault) if fault.kind == FaultKind::Denied => Ok(true),
        other => Ok(other?.management),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudtrail::types::EventSelector;

    use super::*;

    fn chosen(selectors: &[AdvancedEventSelector]) -> GetEventSelectorsOutput {
        GetEventSelectorsOutput::builder().set_advanced_event_selectors(Some(selectors.to_vec())).build()
    }

    #[test]
    fn a_selector_that_leaves_something_out_is_not_everything() {
        let all = selector("all", &[("eventCategory", "Management")]).unwrap();
        let writes = selector("writes", &[("eventCategory", "Management"), ("readOnly", "false")]).unwrap();
        let objects = selector("objects", &[("eventCategory", "Data"), ("resources.type", OBJECT)]).unwrap();
        let functions = [("eventCategory", "Data"), ("resources.type", "AWS::Lambda::Function")];
        let functions = selector("functions", &functions).unwrap();
        assert_eq!(Selected::by(&chosen(&[all.clone(), objects])), Selected { management: true, s3_data: true });
        assert_eq!(Selected::by(&chosen(&[all, functions])), Selected { management: true, s3_data: false });
        assert_eq!(Selected::by(&chosen(&[writes])), Selected { management: false, s3_data: false });
        assert_eq!(Selected::by(&chosen(&[])), Selected::UNCHOSEN);
    }

    #[test]
    fn the_older_kind_of_selectors_is_understood_too() {
        let whole = |values: &str| {
            let objects = DataResource::builder().r#type(OBJECT).values(values).build();
            let selector = EventSelector::builder().read_write_type(ReadWriteType::All).data_resources(objects);
            GetEventSelectorsOutput::builder().event_selectors(selector.include_management_events(true).build()).build()
        };
        assert_eq!(Selected::by(&whole("arn:aws:s3")), Selected { management: true, s3_data: true });
        assert_eq!(Selected::by(&whole("arn:aws:s3:::acme-logs/")), Selected { management: true, s3_data: false });
    }
}
