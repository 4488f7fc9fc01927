//! Who is told what happens in a bucket: server access logs, and events for EventBridge.
//!
//! API: [PutBucketLogging](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html),
//! [PutBucketNotificationConfiguration](https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html).
//!
//! Surprises: access logs come hours later and not always, and are only written to a bucket of the same account and Region whose
//! policy lets S3's logging service write, and which has no customer key. Both settings are put whole: what somebody else is told by the same
//! bucket is put back with them.

use aws_sdk_s3::types::{BucketLoggingStatus, EventBridgeConfiguration, LoggingEnabled, NotificationConfiguration};
use rcm_engine::model::{Fault, Id, Ref};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::s3_bucket::{Bucket, account};
use crate::{
    Aws,
    classify::{fault, unbuilt},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// Where the access logs of a bucket go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogs {
    /// A bucket with S3's own keys, whose policy lets S3's logging service write.
    pub bucket: Ref<Bucket>,
    /// What the logs' names begin with.
    pub prefix: String,
}

pub(super) async fn set_access_logs(cx: &Cx<'_>, id: &Id, logs: Option<&AccessLogs>) -> Result<(), Fault> {
    let enabled = match logs {
        Some(AccessLogs { bucket, prefix }) => {
            let enabled = LoggingEnabled::builder().target_bucket(cx.id(bucket)?.as_str()).target_prefix(prefix);
            Some(enabled.build().map_err(unbuilt("s3", "PutBucketLogging"))?)
        }
        None => None,
    };
    let status = BucketLoggingStatus::builder().set_logging_enabled(enabled).build();
    let request = cx.cloud.s3.put_bucket_logging().bucket(id.as_str()).expected_bucket_owner(account(cx));
    request.bucket_logging_status(status).send().await.map(drop).map_err(fault("s3", "PutBucketLogging"))
}

/// As a spec says it; `null` where nothing is logged.
pub(super) async fn access_logs(cx: &Cx<'_>, id: &Id) -> Result<Value, Fault> {
    let request = cx.cloud.s3.get_bucket_logging().bucket(id.as_str()).expected_bucket_owner(account(cx));
    let answer = request.send().await.map_err(fault("s3", "GetBucketLogging"))?;
    let said = |enabled: &LoggingEnabled| json!({"bucket": enabled.target_bucket(), "prefix": enabled.target_prefix()});
    Ok(answer.logging_enabled().map_or(Value::Null, said))
}

pub(super) async fn set_event_bridge(cx: &Cx<'_>, id: &Id, on: bool) -> Result<(), Fault> {
    let mut wanted = notifications(cx, id).await?;
    wanted.event_bridge_configuration = on.then(|| EventBridgeConfiguration::builder().build());
    let request = cx.cloud.s3.put_bucket_notification_configuration().bucket(id.as_str());
    let request = request.expected_bucket_owner(account(cx)).notification_configuration(wanted);
    request.send().await.map(drop).map_err(fault("s3", "PutBucketNotificationConfiguration"))
}

pub(super) async fn event_bridge(cx: &Cx<'_>, id: &Id) -> Result<bool, Fault> {
    Ok(notifications(cx, id).await?.event_bridge_configuration.is_some())
}

async fn notifications(cx: &Cx<'_>, id: &Id) -> Result<NotificationConfiguration, Fault> {
    let request = cx.cloud.s3.get_bucket_notification_configuration().bucket(id.as_str());
    let answer = request.expected_bucket_owner(account(cx)).send().await;
    let answer = answer.map_err(fault("s3", "GetBucketNotificationConfiguration"))?;
    Ok(NotificationConfiguration::builder()
        .set_topic_configurations(answer.topic_configurations)
        .set_queue_configurations(answer.queue_configurations)
        .set_lambda_function_configurations(answer.lambda_function_configurations)
        .set_event_bridge_configuration(answer.event_bridge_configuration)
        .build())
}
