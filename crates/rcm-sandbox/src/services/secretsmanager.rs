//! Secrets Manager: secrets, their versions, stages, tags, policies and scheduled deletion.
//!
//! | What | As on AWS |
//! |---|---|
//! | versions | `ClientRequestToken` is the version's id, and makes create and put idempotent; `AWSPREVIOUS` follows `AWSCURRENT` |
//! | deletion | the name is taken until the end of the recovery window, unless the secret is restored or deleted by force |
//! | `ListSecrets` | its filters, negations included |
//! | rotation | the schedule is kept; nothing is rotated |
//!
//! Not there: replication, a look at the key that a secret names.
//!
//! Values are kept in clear in the sandbox's own file: they are fake. No type here that holds one can be printed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, without_nulls};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time;
use crate::wire::Fault;

mod filter;

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";

/// All secrets of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SecretsManager {
    secrets: BTreeMap<String, Secret>,
}

#[derive(Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    kms_key: Option<String>,
    created: f64,
    changed: f64,
    /// When it will be gone, in seconds since 1970.
    deletion: Option<f64>,
    policy: Option<String>,
    #[serde(default)]
    rotation: Option<Rotation>,
    tags: Tags,
    versions: BTreeMap<String, Version>,
}

/// A schedule of rotation. Cancelled, it stays on display.
#[derive(Serialize, Deserialize)]
struct Rotation {
    enabled: bool,
    function: String,
    rules: Value,
}

#[derive(Serialize, Deserialize)]
struct Version {
    created: f64,
    stages: Vec<String>,
    #[serde(flatten)]
    content: Content,
}

/// What a version keeps, as it came over the wire.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Content {
    string: Option<String>,
    binary: Option<String>,
}

impl Content {
    fn of(input: &Input) -> Option<Content> {
        let content = Content { string: input.string("SecretString"), binary: input.string("SecretBinary") };
        (content.string.is_some() || content.binary.is_some()).then_some(content)
    }
}

impl Emulated for SecretsManager {
    const NAME: &'static str = "secretsmanager";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let now = time::now();
        let mut state = emulator.lock();
        state.secrets.retain(|_, secret| secret.deletion.is_none_or(|date| date > now));
        json::respond(request, |operation, input| state.operate(cx, operation, input))
    }
}

impl SecretsManager {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateSecret" => self.create(cx, input),
            "DescribeSecret" => Ok(self.secret(input)?.described()),
            "ListSecrets" => self.list(input),
            "GetSecretValue" => self.get_value(input),
            "BatchGetSecretValue" => Ok(self.batch_get_value(input)),
            "PutSecretValue" => self.put_value(input),
            "UpdateSecret" => self.update(input),
            "ListSecretVersionIds" => self.list_versions(input),
            "UpdateSecretVersionStage" => self.move_stage(input),
            "DeleteSecret" => self.delete(cx, input),
            "RestoreSecret" => {
                let secret = self.secret(input)?;
                secret.deletion = None;
                Ok(secret.named())
            }
            "TagResource" => {
                self.living(input)?.tags.extend(input.tags("Tags", "Key", "Value"));
                Ok(json!({}))
            }
            "UntagResource" => {
                let gone = input.texts("TagKeys");
                self.living(input)?.tags.retain(|key, _| !gone.contains(key));
                Ok(json!({}))
            }
            "PutResourcePolicy" => self.put_policy(input),
            "GetResourcePolicy" => {
                let secret = self.living(input)?;
                Ok(without_nulls(json!({"ARN": secret.arn, "Name": secret.name, "ResourcePolicy": secret.policy})))
            }
            "DeleteResourcePolicy" => {
                let secret = self.living(input)?;
                secret.policy = None;
                Ok(secret.named())
            }
            "RotateSecret" => self.rotate(cx, input),
            "CancelRotateSecret" => {
                let secret = self.living(input)?;
                if let Some(rotation) = &mut secret.rotation {
                    rotation.enabled = false;
                }
                Ok(secret.named())
            }
            other => json::unknown_operation(other),
        }
    }

    /// Keeps the schedule. There is no Lambda here, so nothing is tried or rotated, and to rotate at once is refused.
    fn rotate(&mut self, cx: &Context, input: &Input) -> Answer {
        const INVALID: &str = "InvalidParameterException";
        let function = input.need("RotationLambdaARN")?.to_owned();
        let ours = format!(":lambda:{}:{}:function:", cx.region, cx.account);
        if !function.contains(&ours) {
            let message = "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants \
                           access to the principal secretsmanager.amazonaws.com.";
            return Err(Fault::new("AccessDeniedException", message));
        }
        let rules = input.value("RotationRules").cloned().unwrap_or_default();
        if !rules["AutomaticallyAfterDays"].as_i64().is_some_and(|days| (1..=1000).contains(&days)) {
            return Err(Fault::new(INVALID, "AutomaticallyAfterDays must be between 1 and 1000."));
        }
        if input.flag("RotateImmediately") != Some(false) {
            return Err(Fault::new(INVALID, "The sandbox has no functions: it rotates nothing at once."));
        }
        let secret = self.living(input)?;
        secret.rotation = Some(Rotation { enabled: true, function, rules });
        Ok(secret.named())
    }

    /// The secret that `SecretId` names: by name, by ARN, or by ARN without the six characters at its end.
    fn secret(&mut self, input: &Input) -> Result<&mut Secret, Fault> {
        self.secret_named(input.need("SecretId")?)
    }

    fn secret_named(&mut self, id: &str) -> Result<&mut Secret, Fault> {
        let is_named = |secret: &Secret| {
            let partial = secret.arn.rsplit_once('-').map(|(partial, _)| partial);
            secret.name == id || secret.arn == id || partial == Some(id)
        };
        let missing = || Fault::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
        self.secrets.values_mut().find(|secret| is_named(secret)).ok_or_else(missing)
    }

    /// As [`secret`](Self::secret), refused when it is scheduled for deletion.
    fn living(&mut self, input: &Input) -> Result<&mut Secret, Fault> {
        let secret = self.secret(input)?;
        secret.refuse_deleted()?;
        Ok(secret)
    }

    fn create(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("Name")?;
        if let Some(existing) = self.secrets.get(name) {
            return existing.answer_to_second_create(input);
        }
        let now = time::now();
        let mut secret = Secret {
            arn: format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{}", cx.region, cx.account, six_characters()),
            name: name.to_owned(),
            description: input.string("Description"),
            kms_key: input.string("KmsKeyId"),
            created: now,
            changed: now,
            deletion: None,
            policy: None,
            rotation: None,
            tags: input.tags("Tags", "Key", "Value"),
            versions: BTreeMap::new(),
        };
        let version = Content::of(input).map(|content| secret.put(token(input), content, &[CURRENT.to_owned()]));
        let version = version.transpose()?;
        let mut answer = secret.named();
        if let Some(version) = version {
            answer["VersionId"] = json!(version);
        }
        self.secrets.insert(name.to_owned(), secret);
        Ok(answer)
    }

    fn list(&self, input: &Input) -> Answer {
        let planned = input.flag("IncludePlannedDeletion").unwrap_or(false);
        let limit = usize::try_from(input.number("MaxResults").unwrap_or(100)).unwrap_or(100).clamp(1, 100);
        let after = input.text("NextToken").unwrap_or_default();
        let filters = filter::of(input)?;
        let mut wanted = self.secrets.values().filter(|secret| {
            (planned || secret.deletion.is_none())
                && secret.name.as_str() > after
                && filters.iter().all(|filter| filter.accepts(secret))
        });
        let page: Vec<&Secret> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last()).map(|secret| secret.name.as_str());
        let entries: Vec<Value> = page.iter().map(|secret| secret.listed()).collect();
        Ok(without_nulls(json!({"SecretList": entries, "NextToken": next})))
    }

    fn get_value(&mut self, input: &Input) -> Answer {
        let secret = self.living(input)?;
        secret.value(input.text("VersionId"), input.text("VersionStage"))
    }

    fn batch_get_value(&mut self, input: &Input) -> Value {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in input.texts("SecretIdList") {
            let found = self.secret_named(&id).and_then(|secret| {
                secret.refuse_deleted()?;
                secret.value(None, None)
            });
            match found {
                Ok(value) => values.push(value),
                Err(error) => {
                    errors.push(json!({"SecretId": id, "ErrorCode": error.code(), "Message": error.message()}));
                }
            }
        }
        json!({"SecretValues": values, "Errors": errors})
    }

    fn put_value(&mut self, input: &Input) -> Answer {
        let secret = self.living(input)?;
        let Some(content) = Content::of(input) else {
            return Err(Fault::new("InvalidRequestException", "You must provide either SecretString or SecretBinary."));
        };
        let stages = match input.texts("VersionStages") {
            stages if stages.is_empty() => vec![CURRENT.to_owned()],
            stages => stages,
        };
        let version = secret.put(token(input), content, &stages)?;
        let mut answer = secret.named();
        answer["VersionStages"] = json!(secret.versions[&version].stages);
        answer["VersionId"] = json!(version);
        Ok(answer)
    }

    fn update(&mut self, input: &Input) -> Answer {
        let secret = self.living(input)?;
        let version = match Content::of(input) {
            Some(content) => Some(secret.put(token(input), content, &[CURRENT.to_owned()])?),
            None => None,
        };
        if let Some(description) = input.string("Description") {
            secret.description = Some(description);
        }
        if let Some(key) = input.string("KmsKeyId") {
            secret.kms_key = Some(key).filter(|key| !key.is_empty());
        }
        secret.changed = time::now();
        let mut answer = secret.named();
        if let Some(version) = version {
            answer["VersionId"] = json!(version);
        }
        Ok(answer)
    }

    fn list_versions(&mut self, input: &Input) -> Answer {
        let deprecated = input.flag("IncludeDeprecated").unwrap_or(false);
        let secret = self.secret(input)?;
        let wanted = secret.versions.iter().filter(|(_, version)| deprecated || !version.stages.is_empty());
        let entry = |(id, version): (&String, &Version)| json!({"VersionId": id, "VersionStages": version.stages, "CreatedDate": version.created});
        Ok(json!({"ARN": secret.arn, "Name": secret.name, "Versions": wanted.map(entry).collect::<Vec<_>>()}))
    }

    fn move_stage(&mut self, input: &Input) -> Answer {
        let stage = input.need("VersionStage")?;
        let secret = self.living(input)?;
        let holder = secret.holder_of(stage);
        if holder.as_deref() != input.text("RemoveFromVersionId") {
            let message = format!("RemoveFromVersionId must name the version that {stage} is attached to.");
            return Err(Fault::new("InvalidParameterException", message));
        }
        if let Some(target) = input.text("MoveToVersionId") {
            if !secret.versions.contains_key(target) {
                return Err(Fault::new(
                    "ResourceNotFoundException",
                    "Secrets Manager can't find the specified version.",
                ));
            }
            secret.attach(stage, target);
        } else if let Some(version) = holder.and_then(|holder| secret.versions.get_mut(&holder)) {
            version.stages.retain(|it| it != stage);
        }
        Ok(secret.named())
    }

    fn delete(&mut self, cx: &Context, input: &Input) -> Answer {
        const INVALID: &str = "InvalidParameterException";
        let id = input.need("SecretId")?;
        let force = input.flag("ForceDeleteWithoutRecovery").unwrap_or(false);
        let window = input.number("RecoveryWindowInDays");
        if force && window.is_some() {
            let message = "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.";
            return Err(Fault::new(INVALID, message));
        }
        if window.is_some_and(|days| !(7..=30).contains(&days)) {
            return Err(Fault::new(INVALID, "RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."));
        }
        if force {
            return Ok(self.delete_now(cx, id));
        }
        let secret = self.secret(input)?;
        if secret.deletion.is_some() {
            let message =
                "You can't perform this operation on the secret because it was already scheduled for deletion.";
            return Err(Fault::new("InvalidRequestException", message));
        }
        secret.deletion = Some(time::now() + time::days(window.unwrap_or(30)));
        let mut answer = secret.named();
        answer["DeletionDate"] = json!(secret.deletion);
        Ok(answer)
    }

    /// AWS answers the forced deletion of an unknown secret as if it had been there.
    fn delete_now(&mut self, cx: &Context, id: &str) -> Value {
        let (arn, name) = match self.secret_named(id) {
            Ok(secret) => (secret.arn.clone(), secret.name.clone()),
            Err(_) => (format!("arn:aws:secretsmanager:{}:{}:secret:{id}", cx.region, cx.account), id.to_owned()),
        };
        self.secrets.remove(&name);
        json!({"ARN": arn, "Name": name, "DeletionDate": time::now()})
    }

    fn put_policy(&mut self, input: &Input) -> Answer {
        let policy = input.need("ResourcePolicy")?;
        if !serde_json::from_str::<Value>(policy).is_ok_and(|document| document.get("Statement").is_some()) {
            let message = "This resource policy contains a syntax error.";
            return Err(Fault::new("MalformedPolicyDocumentException", message));
        }
        let secret = self.living(input)?;
        secret.policy = Some(policy.to_owned());
        Ok(secret.named())
    }
}

impl Secret {
    fn named(&self) -> Value {
        json!({"ARN": self.arn, "Name": self.name})
    }

    fn refuse_deleted(&self) -> Result<(), Fault> {
        let message = "You can't perform this operation on the secret because it was marked for deletion.";
        self.deletion.map_or(Ok(()), |_| Err(Fault::new("InvalidRequestException", message)))
    }

    /// The same token with the same value is the same create, sent twice.
    fn answer_to_second_create(&self, input: &Input) -> Answer {
        if self.deletion.is_some() {
            let message =
                "You can't create this secret because a secret with this name is already scheduled for deletion.";
            return Err(Fault::new("InvalidRequestException", message));
        }
        let same = input.text("ClientRequestToken").and_then(|token| Some((token, self.versions.get(token)?)));
        match (same, Content::of(input)) {
            (Some((token, version)), Some(content)) if version.content == content => {
                Ok(json!({"ARN": self.arn, "Name": self.name, "VersionId": token}))
            }
            _ => {
                let message = format!("The operation failed because the secret {} already exists.", self.name);
                Err(Fault::new("ResourceExistsException", message))
            }
        }
    }

    /// Adds a version under `token`, or finds that the same one is there already.
    fn put(&mut self, token: String, content: Content, stages: &[String]) -> Result<String, Fault> {
        if let Some(existing) = self.versions.get(&token) {
            if existing.content == content {
                return Ok(token);
            }
            let message = format!(
                "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {}.",
                self.arn
            );
            return Err(Fault::new("ResourceExistsException", message));
        }
        let now = time::now();
        self.versions.insert(token.clone(), Version { created: now, stages: Vec::new(), content });
        for stage in stages {
            self.attach(stage, &token);
        }
        self.changed = now;
        Ok(token)
    }

    /// Moves a stage to a version; `AWSPREVIOUS` follows where `AWSCURRENT` has been.
    fn attach(&mut self, stage: &str, target: &str) {
        let holder = self.holder_of(stage);
        for version in self.versions.values_mut() {
            version.stages.retain(|it| it != stage);
        }
        if let Some(version) = self.versions.get_mut(target) {
            version.stages.push(stage.to_owned());
        }
        if let Some(holder) = holder.filter(|holder| stage == CURRENT && holder != target) {
            self.attach(PREVIOUS, &holder);
        }
    }

    fn holder_of(&self, stage: &str) -> Option<String> {
        let holds = |version: &Version| version.stages.iter().any(|it| it == stage);
        self.versions.iter().find(|(_, version)| holds(version)).map(|(id, _)| id.clone())
    }

    fn value(&self, id: Option<&str>, stage: Option<&str>) -> Answer {
        let stage = stage.unwrap_or(CURRENT);
        let id = id.map(str::to_owned).or_else(|| self.holder_of(stage));
        let version = id.as_ref().and_then(|id| self.versions.get(id));
        let (Some(id), Some(version)) = (id, version) else {
            let message = format!("Secrets Manager can't find the specified secret value for staging label: {stage}");
            return Err(Fault::new("ResourceNotFoundException", message));
        };
        Ok(without_nulls(json!({
            "ARN": self.arn,
            "Name": self.name,
            "VersionId": id,
            "VersionStages": version.stages,
            "CreatedDate": version.created,
            "SecretString": version.content.string,
            "SecretBinary": version.content.binary,
        })))
    }

    fn stages(&self) -> BTreeMap<&String, &Vec<String>> {
        let staged = self.versions.iter().filter(|(_, version)| !version.stages.is_empty());
        staged.map(|(id, version)| (id, &version.stages)).collect()
    }

    fn described(&self) -> Value {
        let mut entry = self.common();
        entry["VersionIdsToStages"] = json!(self.stages());
        entry
    }

    fn listed(&self) -> Value {
        let mut entry = self.common();
        entry["SecretVersionsToStages"] = json!(self.stages());
        entry
    }

    fn common(&self) -> Value {
        without_nulls(json!({
            "ARN": self.arn,
            "Name": self.name,
            "Description": self.description,
            "KmsKeyId": self.kms_key,
            "CreatedDate": self.created,
            "LastChangedDate": self.changed,
            "DeletedDate": self.deletion,
            "RotationEnabled": self.rotation.as_ref().map(|rotation| rotation.enabled),
            "RotationLambdaARN": self.rotation.as_ref().map(|rotation| &rotation.function),
            "RotationRules": self.rotation.as_ref().map(|rotation| &rotation.rules),
            "Tags": json::tag_list(&self.tags, "Key", "Value"),
        }))
    }
}

/// The version id that a write will have: the caller's token, or a new one.
fn token(input: &Input) -> String {
    input.string("ClientRequestToken").unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}

/// Secrets Manager ends an ARN in six letters or digits, so that a new secret of the same name is another one.
fn six_characters() -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes[..6].iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}
