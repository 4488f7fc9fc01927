//! AWS Config's recorder and its delivery channel: what every resource of the account looked like, and when it changed.
//!
//! API: [PutConfigurationRecorder](https://docs.aws.amazon.com/config/latest/APIReference/API_PutConfigurationRecorder.html),
//! [PutDeliveryChannel](https://docs.aws.amazon.com/config/latest/APIReference/API_PutDeliveryChannel.html),
//! [StartConfigurationRecorder](https://docs.aws.amazon.com/config/latest/APIReference/API_StartConfigurationRecorder.html).
//!
//! Surprises: a region has one recorder of the account's own and one channel. A channel needs a recorder, and a recorder starts only
//! with a channel: so both are one kind here. Recorders of other services (Security Hub's) are listed too, with their service. A
//! put replaces the whole. Every recorded change costs. What is somebody else's is used as it is (see `baseline`), its channel
//! too; ours is the one that has the baseline's name, as reading tags would cost a call.

use aws_sdk_config::types::{ConfigurationRecorder, ConfigurationRecorderStatus, DeliveryChannel, RecordingGroup, Tag};
use futures::try_join;
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Ref, Resource};
use serde::{Deserialize, Serialize};

use super::{
    baseline, iam_service_linked_role::ServiceLinkedRole, kms_account_key::AccountKey,
    s3_account_log_bucket::AccountLogBucket,
};
use crate::{Aws, classify::fault};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a recorder should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The name, of the channel too.
    pub name: String,
    /// What lets it look at everything.
    pub role: Ref<ServiceLinkedRole>,
    /// Where it writes.
    pub bucket: Ref<AccountLogBucket>,
    /// What it encrypts with.
    pub kms_key: Ref<AccountKey>,
    /// Whether it records every type that there is.
    pub all_types: bool,
    /// Whether it records what is in no region (IAM) too.
    pub global_types: bool,
    /// Whether it records at all.
    pub recording: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// The name that it has in AWS.
    pub name: String,
    /// What somebody else's lacks.
    pub lacks: Vec<String>,
}

/// A recorder and its channel.
pub struct Recorder;

impl Resource for Recorder {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "config/recorder";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        put_recorder(cx, spec).await?;
        Ok(Id::from(spec.name.as_str()))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if id.as_str() != spec.name {
            return Ok(());
        }
        let live = look(cx.cloud).await?;
        if live.recorder.as_ref().is_some_and(|live| !is_right(cx, live, spec)) {
            put_recorder(cx, spec).await?;
        }
        let (bucket, key) = (cx.id(&spec.bucket)?, cx.id(&spec.kms_key)?);
        // A channel that somebody else has set up stays: there can be no other.
        let right = live.channel.as_ref().is_some_and(|live| {
            live.name() != Some(&spec.name) || places(live) == (Some(bucket.as_str()), Some(key.as_str()))
        });
        if !right {
            let channel = DeliveryChannel::builder().name(&spec.name);
            let channel = channel.s3_bucket_name(bucket.as_str()).s3_kms_key_arn(key.as_str()).build();
            let request = cx.cloud.config.put_delivery_channel().delivery_channel(channel);
            request.send().await.map_err(fault("config", "PutDeliveryChannel"))?;
        }
        if spec.recording && !live.recording() {
            let request = cx.cloud.config.start_configuration_recorder().configuration_recorder_name(id.as_str());
            request.send().await.map_err(fault("config", "StartConfigurationRecorder"))?;
        }
        Ok(())
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = look(cx.cloud).await?;
        let Some(recorder) = live.recorder.as_ref().filter(|recorder| recorder.name() == Some(id.as_str())) else {
            return Ok(None);
        };
        let ours = id.as_str() == baseline::NAME;
        let all = recorder.recording_group().is_some_and(RecordingGroup::all_supported);
        let lacks = baseline::lacking([
            (!ours && !live.recording(), "it does not record"),
            (!ours && !all, "it does not record every type of resource"),
            (!ours && live.channel.is_none(), "it has no delivery channel"),
        ]);
        let seen = Observed::new(Outputs { name: id.to_string(), lacks });
        if !ours {
            return Ok(Some(seen));
        }
        let seen = seen
            .see("role", recorder.role_arn())
            .see("all_types", all)
            .see("global_types", recorder.recording_group().is_some_and(RecordingGroup::include_global_resource_types))
            .see("recording", live.recording());
        Ok(Some(match live.channel.as_ref().map(|channel| (channel.name(), places(channel))) {
            None => seen.see("bucket", None::<&str>).see("kms_key", None::<&str>),
            Some((Some(baseline::NAME), (bucket, key))) => seen.see("bucket", bucket).see("kms_key", key),
            Some(_) => seen,
        }))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(recorder(cx.cloud).await?.and_then(|recorder| recorder.name().map(Id::from)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "config:PutConfigurationRecorder",
                "config:PutDeliveryChannel",
                "config:StartConfigurationRecorder",
                "config:TagResource",
                "iam:PassRole",
            ],
            read: &[
                "config:DescribeConfigurationRecorderStatus",
                "config:DescribeConfigurationRecorders",
                "config:DescribeDeliveryChannels",
            ],
            delete: &[],
        }
    }
}

/// What there is of it.
struct Live {
    recorder: Option<ConfigurationRecorder>,
    status: Vec<ConfigurationRecorderStatus>,
    channel: Option<DeliveryChannel>,
}

impl Live {
    fn recording(&self) -> bool {
        let name = self.recorder.as_ref().and_then(|recorder| recorder.name());
        self.status.iter().any(|status| status.name() == name && status.recording())
    }
}

async fn look(aws: &Aws) -> Result<Live, Fault> {
    let status = async {
        let answer = aws.config.describe_configuration_recorder_status().send().await;
        let answer = answer.map_err(fault("config", "DescribeConfigurationRecorderStatus"))?;
        Ok(answer.configuration_recorders_status.unwrap_or_default())
    };
    let channel = async {
        let answer = aws.config.describe_delivery_channels().send().await;
        let answer = answer.map_err(fault("config", "DescribeDeliveryChannels"))?;
        Ok(answer.delivery_channels.unwrap_or_default().into_iter().next())
    };
    let (recorder, status, channel) = try_join!(recorder(aws), status, channel)?;
    Ok(Live { recorder, status, channel })
}

/// The account's own, not those of services.
async fn recorder(aws: &Aws) -> Result<Option<ConfigurationRecorder>, Fault> {
    let answer = aws.config.describe_configuration_recorders().send().await;
    let all = answer.map_err(fault("config", "DescribeConfigurationRecorders"))?.configuration_recorders;
    Ok(all.into_iter().flatten().find(|recorder| recorder.service_principal().is_none()))
}

fn is_right(cx: &Cx<'_>, live: &ConfigurationRecorder, spec: &Spec) -> bool {
    let role = cx.id(&spec.role).is_ok_and(|role| live.role_arn() == Some(role.as_str()));
    let types = |group: &RecordingGroup| (group.all_supported(), group.include_global_resource_types());
    role && live.recording_group().is_some_and(|group| types(group) == (spec.all_types, spec.global_types))
}

/// Bucket and key.
fn places(channel: &DeliveryChannel) -> (Option<&str>, Option<&str>) {
    (channel.s3_bucket_name(), channel.s3_kms_key_arn())
}

async fn put_recorder(cx: &Cx<'_>, spec: &Spec) -> Result<(), Fault> {
    let group = RecordingGroup::builder().all_supported(spec.all_types);
    let group = group.include_global_resource_types(spec.global_types).build();
    let recorder = ConfigurationRecorder::builder().name(&spec.name).role_arn(cx.id(&spec.role)?.as_str());
    let request = cx.cloud.config.put_configuration_recorder();
    let request = request.configuration_recorder(recorder.recording_group(group).build()).set_tags(Some(tags(cx)));
    request.send().await.map(drop).map_err(fault("config", "PutConfigurationRecorder"))
}

/// The baseline's tags, in AWS Config's own type.
pub(super) fn tags(cx: &Cx<'_>) -> Vec<Tag> {
    baseline::tags(cx.identity).map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
