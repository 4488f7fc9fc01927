//! CloudTrail: trails. Nothing is logged, so nothing is ever written.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `CreateTrail`, `UpdateTrail` | the bucket has to let CloudTrail write (`InsufficientS3BucketPolicyException`), the key has to let it encrypt; no two of a name; a trail of all regions has the global events; a log group is named by an ARN that ends in `:*`, with a role that CloudTrail can assume and that may write there |
//! | `DescribeTrails`, `GetTrailStatus`, `StartLogging`, `StopLogging`, `DeleteTrail` | by name or ARN; a new trail does not log |
//! | `PutEventSelectors`, `GetEventSelectors` | replace what there was, of the older and the newer kind; a selector of the newer kind names its category, and one of data its type |
//! | `AddTags`, `ListTags` | yes |
//!
//! API: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arn::arn;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, one_or_many, tag_list, without_nulls};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::wire::Fault;

/// All trails of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct CloudTrail {
    trails: BTreeMap<String, Trail>,
}

#[derive(Default, Clone, Serialize, Deserialize)]
struct Trail {
    bucket: String,
    key: Option<String>,
    global: bool,
    everywhere: bool,
    validated: bool,
    logging: bool,
    /// The log group's ARN and the role's.
    #[serde(default)]
    logs: Option<(String, String)>,
    selectors: Vec<Value>,
    #[serde(default)]
    advanced_selectors: Vec<Value>,
    tags: Tags,
}

/// Who asks for bucket and key.
const PRINCIPAL: &str = "cloudtrail.amazonaws.com";

impl Emulated for CloudTrail {
    const NAME: &'static str = "cloudtrail";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(emulator, cx, request).await)
    }
}

async fn operation(emulator: &Emulator<CloudTrail>, cx: &Context, request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    if ["CreateTrail", "UpdateTrail"].contains(&operation.as_str()) {
        if let Some(bucket) = input.text("S3BucketName") {
            check_bucket(cx, bucket).await?;
        }
        if let Some(key) = input.text("KmsKeyId") {
            check_key(cx, key).await?;
        }
        check_logs(cx, &input).await?;
    }
    emulator.lock().operate(cx, &operation, &input)
}

async fn check_bucket(cx: &Context, bucket: &str) -> Result<(), Fault> {
    let missing =
        || Fault::new("S3BucketDoesNotExistException", format!("S3 bucket {bucket} does not exist!")).status(404);
    neighbours::bucket(cx, bucket, "versioning").await.filter(|answer| answer.status == 200).ok_or_else(missing)?;
    let policy = neighbours::bucket(cx, bucket, "policy").await.filter(|answer| answer.status == 200);
    let policy: Value = policy.and_then(|answer| serde_json::from_slice(&answer.body).ok()).unwrap_or_default();
    if lets_in(&policy, "s3:PutObject") && lets_in(&policy, "s3:GetBucketAcl") {
        return Ok(());
    }
    let message = format!("Incorrect S3 bucket policy is detected for bucket: {bucket}");
    Err(Fault::new("InsufficientS3BucketPolicyException", message))
}

async fn check_key(cx: &Context, key: &str) -> Result<(), Fault> {
    let Some(policy) = neighbours::key_policy(cx, key).await else {
        return Err(Fault::new("KmsKeyNotFoundException", format!("KMS key with id {key} is not found.")));
    };
    if lets_in(&policy, "kms:GenerateDataKey*") {
        return Ok(());
    }
    let message = format!("Insufficient permissions to access KMS key {key}");
    Err(Fault::new("InsufficientEncryptionPolicyException", message))
}

/// Log group and role come together, or not at all.
async fn check_logs(cx: &Context, input: &Input) -> Result<(), Fault> {
    let (group, role) = (input.text("CloudWatchLogsLogGroupArn"), input.text("CloudWatchLogsRoleArn"));
    let of_role = |message: &str| Err(Fault::new("InvalidCloudWatchLogsRoleArnException", message));
    let of_group = |message: &str| Err(Fault::new("InvalidCloudWatchLogsLogGroupArnException", message));
    let (group, role) = match (group, role) {
        (None | Some(""), None | Some("")) => return Ok(()),
        (Some(group), Some(role)) if !group.is_empty() && !role.is_empty() => (group, role),
        (Some(_), _) => return of_role("You must specify a role ARN as well as a log group."),
        _ => return of_group("You must specify a log group as well as a role ARN."),
    };
    let Some(name) = group.split_once(":log-group:").and_then(|(_, name)| name.strip_suffix(":*")) else {
        return of_group("CloudTrail cannot validate the specified log group ARN.");
    };
    let (trust, may) = neighbours::role_policies(cx, role.rsplit('/').next().unwrap_or_default()).await;
    if !lets_in(&trust, "sts:AssumeRole") {
        return of_role("Access denied. Verify in IAM that the role has adequate trust relationships.");
    }
    if !may.contains("logs:PutLogEvents") || !may.contains(name) || !neighbours::log_group_exists(cx, name).await {
        return of_group("Access denied. Verify in IAM that the role has adequate permissions.");
    }
    Ok(())
}

fn lets_in(policy: &Value, action: &str) -> bool {
    one_or_many(policy.get("Statement")).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && one_or_many(statement.pointer("/Principal/Service")).iter().any(|service| **service == PRINCIPAL)
            && one_or_many(statement.get("Action")).iter().any(|allowed| **allowed == action)
    })
}

impl CloudTrail {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateTrail" => self.create(cx, input),
            "UpdateTrail" => self.update(cx, input),
            "DescribeTrails" => Ok(self.describe(cx, input)),
            "GetTrailStatus" => Ok(json!({"IsLogging": self.trail(input, "Name")?.1.logging})),
            "StartLogging" => self.change(input, "Name", |trail| trail.logging = true),
            "StopLogging" => self.change(input, "Name", |trail| trail.logging = false),
            "DeleteTrail" => {
                let name = self.trail(input, "Name")?.0;
                self.trails.remove(&name);
                Ok(json!({}))
            }
            "PutEventSelectors" => self.select(input),
            "GetEventSelectors" => {
                let (_, trail) = self.trail(input, "TrailName")?;
                Ok(json!({"EventSelectors": trail.selectors, "AdvancedEventSelectors": trail.advanced_selectors}))
            }
            "AddTags" => {
                let tags = input.tags("TagsList", "Key", "Value");
                self.change(input, "ResourceId", |trail| trail.tags.extend(tags))
            }
            "ListTags" => Ok(self.list_tags(cx, input)),
            other => json::unknown_operation(other),
        }
    }

    /// The trail that a member names, by name or ARN.
    fn trail(&mut self, input: &Input, member: &str) -> Result<(String, &mut Trail), Fault> {
        let name = name_of(input.need(member)?).to_owned();
        let missing = || Fault::new("TrailNotFoundException", format!("Unknown trail: {name}")).status(404);
        let trail = self.trails.get_mut(&name).ok_or_else(missing)?;
        Ok((name, trail))
    }

    fn change(&mut self, input: &Input, member: &str, change: impl FnOnce(&mut Trail)) -> Answer {
        change(self.trail(input, member)?.1);
        Ok(json!({}))
    }

    fn create(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("Name")?;
        if self.trails.contains_key(name) {
            let message = format!("Trail {name} already exists for customer: {}", cx.account);
            return Err(Fault::new("TrailAlreadyExistsException", message));
        }
        let trail = Trail { global: true, tags: input.tags("TagsList", "Key", "Value"), ..Trail::default() };
        let trail = trail.changed(input)?;
        let shown = trail.shown(cx, name);
        self.trails.insert(name.to_owned(), trail);
        Ok(shown)
    }

    fn update(&mut self, cx: &Context, input: &Input) -> Answer {
        let (name, trail) = self.trail(input, "Name")?;
        *trail = trail.clone().changed(input)?;
        Ok(trail.shown(cx, &name))
    }

    fn select(&mut self, input: &Input) -> Answer {
        let (basic, advanced) = (input.objects("EventSelectors"), input.objects("AdvancedEventSelectors"));
        if basic.is_empty() == advanced.is_empty() || !advanced.iter().all(is_whole) {
            let message = "Specify either EventSelectors or AdvancedEventSelectors, each with what it needs.";
            return Err(Fault::new("InvalidEventSelectorsException", message));
        }
        let (basic, advanced) = (basic.to_vec(), advanced.to_vec());
        self.change(input, "TrailName", |trail| (trail.selectors, trail.advanced_selectors) = (basic, advanced))
    }

    fn describe(&self, cx: &Context, input: &Input) -> Value {
        let named = input.texts("trailNameList");
        let wanted = |name: &str| named.is_empty() || named.iter().any(|one| name_of(one) == name);
        let trails = self.trails.iter().filter(|(name, _)| wanted(name));
        json!({"trailList": trails.map(|(name, trail)| trail.shown(cx, name)).collect::<Vec<_>>()})
    }

    fn list_tags(&self, cx: &Context, input: &Input) -> Value {
        let tagged = |id: &String| {
            let trail = self.trails.get(name_of(id))?;
            let id = arn(cx, "cloudtrail", &format!("trail/{}", name_of(id)));
            Some(json!({"ResourceId": id, "TagsList": tag_list(&trail.tags, "Key", "Value")}))
        };
        json!({"ResourceTagList": input.texts("ResourceIdList").iter().filter_map(tagged).collect::<Vec<_>>()})
    }
}

impl Trail {
    /// With what a request gives.
    fn changed(mut self, input: &Input) -> Result<Self, Fault> {
        self.bucket = input.string("S3BucketName").unwrap_or(self.bucket);
        self.key = input.string("KmsKeyId").or(self.key);
        self.global = input.flag("IncludeGlobalServiceEvents").unwrap_or(self.global);
        self.everywhere = input.flag("IsMultiRegionTrail").unwrap_or(self.everywhere);
        self.validated = input.flag("EnableLogFileValidation").unwrap_or(self.validated);
        if let (Some(group), Some(role)) =
            (input.string("CloudWatchLogsLogGroupArn"), input.string("CloudWatchLogsRoleArn"))
        {
            self.logs = Some((group, role)).filter(|(group, _)| !group.is_empty());
        }
        if self.everywhere && !self.global {
            let message = "Multi-Region trail must include global service events.";
            return Err(Fault::new("InvalidParameterCombinationException", message));
        }
        Ok(self)
    }

    fn shown(&self, cx: &Context, name: &str) -> Value {
        without_nulls(json!({
            "Name": name,
            "TrailARN": arn(cx, "cloudtrail", &format!("trail/{name}")),
            "HomeRegion": cx.region,
            "S3BucketName": self.bucket,
            "KmsKeyId": self.key,
            "IncludeGlobalServiceEvents": self.global,
            "IsMultiRegionTrail": self.everywhere,
            "LogFileValidationEnabled": self.validated,
            "CloudWatchLogsLogGroupArn": self.logs.as_ref().map(|(group, _)| group),
            "CloudWatchLogsRoleArn": self.logs.as_ref().map(|(_, role)| role),
            "HasCustomEventSelectors": !self.selectors.is_empty() || !self.advanced_selectors.is_empty(),
            "HasInsightSelectors": false,
            "IsOrganizationTrail": false,
        }))
    }
}

/// Whether a selector of the newer kind names its category, and one of data its type.
fn is_whole(selector: &Value) -> bool {
    let fields = selector["FieldSelectors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says = |field: &str| fields.iter().find(|one| one["Field"] == field).map(|one| &one["Equals"][0]);
    match says("eventCategory") {
        Some(category) if *category == "Data" => says("resources.type").is_some(),
        other => other.is_some(),
    }
}

/// The name in a trail's ARN; a name is itself.
fn name_of(trail: &str) -> &str {
    trail.rsplit('/').next().unwrap_or(trail)
}
