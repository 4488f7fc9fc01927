//! AWS Config: the recorder, its channel and conformance packs. Nothing is recorded or evaluated.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `PutConfigurationRecorder`, `DescribeConfigurationRecorders`, `…Status`, `Start…`, `Stop…`, `Delete…` | one a region; starts only with a channel |
//! | `PutDeliveryChannel`, `DescribeDeliveryChannels`, `DeleteDeliveryChannel` | one a region; needs a recorder, and a bucket that lets Config write; not deleted while the recorder runs |
//! | `PutConformancePack`, `DescribeConformancePackStatus`, `DeleteConformancePack` | needs a recorder and a template; `CREATE_IN_PROGRESS` for some polls |
//!
//! API: <https://docs.aws.amazon.com/config/latest/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arn::{arn, random_hex};
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, one_or_many, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time::now;
use crate::wire::Fault;

/// What the region has, each by its name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Config {
    recorders: BTreeMap<String, Recorder>,
    channels: BTreeMap<String, Value>,
    packs: BTreeMap<String, Pack>,
}

#[derive(Serialize, Deserialize)]
struct Recorder {
    content: Value,
    recording: bool,
    tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct Pack {
    template: String,
    id: String,
    updated: f64,
    countdown: Countdown,
    tags: Tags,
}

impl Emulated for Config {
    const NAME: &'static str = "config";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }

    fn arrive(&mut self) {
        self.packs.values_mut().for_each(|pack| pack.countdown = Countdown::default());
    }
}

async fn operation(emulator: &Emulator<Config>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    if operation == "PutDeliveryChannel" {
        let bucket = input.value("DeliveryChannel").and_then(|channel| channel["s3BucketName"].as_str());
        check_bucket(cx, bucket.unwrap_or_default()).await?;
    }
    emulator.lock().operate(cx, &operation, &input)
}

async fn check_bucket(cx: &Context, bucket: &str) -> Result<(), Fault> {
    let missing = || Fault::new("NoSuchBucketException", format!("Cannot find a S3 bucket with name '{bucket}'."));
    neighbours::bucket(cx, bucket, "versioning").await.filter(|answer| answer.status == 200).ok_or_else(missing)?;
    let policy = neighbours::bucket(cx, bucket, "policy").await.filter(|answer| answer.status == 200);
    let policy: Value = policy.and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
    let lets_in = one_or_many(policy.get("Statement")).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && statement.pointer("/Principal/Service").is_some_and(|service| service == "config.amazonaws.com")
            && one_or_many(statement.get("Action")).iter().any(|action| **action == "s3:PutObject")
    });
    let message = format!("Insufficient delivery policy to s3 bucket: {bucket}, unable to write to bucket.");
    lets_in.then_some(()).ok_or_else(|| Fault::new("InsufficientDeliveryPolicyException", message))
}

impl Config {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "PutConfigurationRecorder" => self.put_recorder(cx, input),
            "DescribeConfigurationRecorders" => {
                let all: Vec<_> = self.recorders.values().map(|recorder| &recorder.content).collect();
                Ok(json!({"ConfigurationRecorders": all}))
            }
            "DescribeConfigurationRecorderStatus" => {
                let status = self.recorders.iter().map(|(name, it)| json!({"name": name, "recording": it.recording}));
                Ok(json!({"ConfigurationRecordersStatus": status.collect::<Vec<_>>()}))
            }
            "StartConfigurationRecorder" => self.start(input),
            "StopConfigurationRecorder" => {
                self.recorder(input)?.recording = false;
                Ok(json!({}))
            }
            "DeleteConfigurationRecorder" => {
                self.recorder(input)?;
                self.recorders.clear();
                Ok(json!({}))
            }
            "PutDeliveryChannel" => self.put_channel(input),
            "DescribeDeliveryChannels" => Ok(json!({"DeliveryChannels": self.channels.values().collect::<Vec<_>>()})),
            "DeleteDeliveryChannel" => self.delete_channel(input),
            "PutConformancePack" => self.put_pack(cx, input),
            "DescribeConformancePackStatus" => self.pack_status(cx, input),
            "DeleteConformancePack" => {
                let name = input.need("ConformancePackName")?;
                self.packs.remove(name).ok_or_else(|| no_such_pack(name))?;
                Ok(json!({}))
            }
            other => json::unknown_operation(other),
        }
    }

    fn recorder(&mut self, input: &Input) -> Result<&mut Recorder, Fault> {
        let name = input.need("ConfigurationRecorderName")?;
        let message = format!("Cannot find configuration recorder with the specified name '{name}'.");
        self.recorders.get_mut(name).ok_or_else(|| Fault::new("NoSuchConfigurationRecorderException", message))
    }

    fn put_recorder(&mut self, cx: &Context, input: &Input) -> Answer {
        let mut content = input.value("ConfigurationRecorder").cloned().unwrap_or_default();
        let name = content["name"].as_str().unwrap_or("default").to_owned();
        if self.recorders.keys().any(|other| *other != name) {
            let message = format!(
                "Failed to put configuration recorder '{name}' because the maximum number of configuration recorders: 1 is reached."
            );
            return Err(Fault::new("MaxNumberOfConfigurationRecordersExceededException", message));
        }
        content["name"] = json!(name);
        content["arn"] = json!(arn(cx, "config", &format!("configuration-recorder/{name}/0")));
        match self.recorders.get_mut(&name) {
            Some(recorder) => recorder.content = content,
            None => {
                let tags = input.tags("Tags", "Key", "Value");
                self.recorders.insert(name, Recorder { content, recording: false, tags });
            }
        }
        Ok(json!({}))
    }

    fn start(&mut self, input: &Input) -> Answer {
        self.recorder(input)?;
        if self.channels.is_empty() {
            let message = "Delivery channel is not available to start configuration recorder.";
            return Err(Fault::new("NoAvailableDeliveryChannelException", message));
        }
        self.recorder(input)?.recording = true;
        Ok(json!({}))
    }

    fn put_channel(&mut self, input: &Input) -> Answer {
        if self.recorders.is_empty() {
            let message = "Configuration recorder is not available to put delivery channel.";
            return Err(Fault::new("NoAvailableConfigurationRecorderException", message));
        }
        let channel = input.value("DeliveryChannel").cloned().unwrap_or_default();
        let name = channel["name"].as_str().unwrap_or("default").to_owned();
        if self.channels.keys().any(|other| *other != name) {
            let message = format!(
                "Failed to put delivery channel '{name}' because the maximum number of delivery channels: 1 is reached."
            );
            return Err(Fault::new("MaxNumberOfDeliveryChannelsExceededException", message));
        }
        self.channels.insert(name, channel);
        Ok(json!({}))
    }

    fn delete_channel(&mut self, input: &Input) -> Answer {
        let name = input.need("DeliveryChannelName")?;
        if self.recorders.values().any(|recorder| recorder.recording) {
            let message = format!("Failed to delete last specified delivery channel with name '{name}'.");
            return Err(Fault::new("LastDeliveryChannelDeleteFailedException", message));
        }
        let message = format!("Cannot find delivery channel with specified name '{name}'.");
        self.channels.remove(name).ok_or_else(|| Fault::new("NoSuchDeliveryChannelException", message))?;
        Ok(json!({}))
    }

    fn put_pack(&mut self, cx: &Context, input: &Input) -> Answer {
        if self.recorders.is_empty() {
            let message = "Configuration recorder is not available to put conformance pack.";
            return Err(Fault::new("NoAvailableConfigurationRecorderException", message));
        }
        let (name, template) = (input.need("ConformancePackName")?, input.need("TemplateBody")?);
        let has_rules = serde_json::from_str::<Value>(template).is_ok_and(|template| template["Resources"].is_object());
        if !has_rules {
            return Err(Fault::new("ConformancePackTemplateValidationException", "The template is not valid."));
        }
        let known = self.packs.get(name).map(|pack| (pack.id.clone(), pack.tags.clone()));
        let new = || (format!("conformance-pack-{}", random_hex(9)), input.tags("Tags", "Key", "Value"));
        let (id, tags) = known.unwrap_or_else(new);
        let countdown = Countdown::new(cx.polls());
        self.packs.insert(name.to_owned(), Pack { template: template.to_owned(), id, updated: now(), countdown, tags });
        Ok(json!({"ConformancePackArn": self.packs[name].arn(cx, name)}))
    }

    fn pack_status(&mut self, cx: &Context, input: &Input) -> Answer {
        let named = input.texts("ConformancePackNames");
        if let Some(missing) = named.iter().find(|name| !self.packs.contains_key(*name)) {
            return Err(no_such_pack(missing));
        }
        let wanted = self.packs.iter_mut().filter(|(name, _)| named.is_empty() || named.contains(name));
        let shown = wanted.map(|(name, pack)| {
            let state = if pack.countdown.poll() { "CREATE_COMPLETE" } else { "CREATE_IN_PROGRESS" };
            without_nulls(json!({
                "ConformancePackName": name,
                "ConformancePackId": pack.id,
                "ConformancePackArn": pack.arn(cx, name),
                "ConformancePackState": state,
                "StackArn": arn(cx, "cloudformation", &format!("stack/awsconfigconforms-{name}/{}", pack.id)),
                "LastUpdateRequestedTime": pack.updated,
            }))
        });
        Ok(json!({"ConformancePackStatusDetails": shown.collect::<Vec<_>>()}))
    }
}

impl Pack {
    fn arn(&self, cx: &Context, name: &str) -> String {
        arn(cx, "config", &format!("conformance-pack/{name}/{}", self.id))
    }
}

fn no_such_pack(name: &str) -> Fault {
    let message = format!("Cannot find conformance pack with the specified name '{name}'.");
    Fault::new("NoSuchConformancePackException", message)
}
