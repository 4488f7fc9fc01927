//! KMS: customer keys, their policies, rotation, aliases and tags. No cryptography: nothing here is encrypted.
//!
//! | What | As on AWS |
//! |---|---|
//! | policies | refused where they lock the account out |
//! | rotation | with its period, and the date of the next one |
//! | deletion | `PendingDeletion` for 7 to 30 days, in which every change is a `KMSInvalidStateException` but the policy's, and `CancelKeyDeletion` takes it back |
//! | aliases | one key each, gone with it |
//!
//! Key states: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, one_or_many, without_nulls};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time;
use crate::wire::Fault;

/// All keys and aliases of the account.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Kms {
    keys: BTreeMap<String, Key>,
    aliases: BTreeMap<String, Alias>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    id: String,
    arn: String,
    created: f64,
    description: String,
    usage: String,
    spec: String,
    multi_region: bool,
    enabled: bool,
    /// When it will be gone, in seconds since 1970.
    deletion: Option<f64>,
    /// Days between rotations, and when it was switched on; `None` is no rotation.
    rotation: Option<Rotation>,
    policy: String,
    tags: Tags,
}

#[derive(Serialize, Deserialize)]
struct Rotation {
    days: i64,
    since: f64,
}

#[derive(Serialize, Deserialize)]
struct Alias {
    target: String,
    created: f64,
    updated: f64,
}

impl Emulated for Kms {
    const NAME: &'static str = "kms";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let mut kms = emulator.lock();
        kms.bury(time::now());
        json::respond(request, |operation, input| kms.operate(cx, operation, input))
    }
}

impl Kms {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateKey" => self.create_key(cx, input),
            "DescribeKey" => self.describe_key(cx, input),
            "ListKeys" => Ok(self.list_keys()),
            "EnableKey" => self.switch(input, true),
            "DisableKey" => self.switch(input, false),
            "UpdateKeyDescription" => self.update_description(input),
            "ScheduleKeyDeletion" => self.schedule_deletion(input),
            "CancelKeyDeletion" => self.cancel_deletion(input),
            "EnableKeyRotation" => self.enable_rotation(input),
            "DisableKeyRotation" => self.disable_rotation(input),
            "GetKeyRotationStatus" => self.rotation_status(input),
            "PutKeyPolicy" => self.put_policy(cx, input),
            "GetKeyPolicy" => self.get_policy(input),
            "ListKeyPolicies" => self.key(input).map(|_| json!({"PolicyNames": ["default"], "Truncated": false})),
            "TagResource" => self.tag(input),
            "UntagResource" => self.untag(input),
            "ListResourceTags" => self.list_tags(input),
            "CreateAlias" => self.create_alias(cx, input),
            "UpdateAlias" => self.update_alias(cx, input),
            "DeleteAlias" => self.delete_alias(cx, input),
            "ListAliases" => self.list_aliases(cx, input),
            other => json::unknown_operation(other),
        }
    }

    /// Takes away what was scheduled for deletion before `now`, aliases included.
    fn bury(&mut self, now: f64) {
        self.keys.retain(|_, key| key.deletion.is_none_or(|date| date > now));
        self.aliases.retain(|_, alias| self.keys.contains_key(&alias.target));
    }

    /// The key that `KeyId` names by id or ARN; these operations do not take aliases.
    fn key(&mut self, input: &Input) -> Result<&mut Key, Fault> {
        self.key_named(input.need("KeyId")?)
    }

    fn key_named(&mut self, name: &str) -> Result<&mut Key, Fault> {
        if name.contains("alias/") {
            return Err(Fault::new("NotFoundException", format!("Invalid keyId {name}")));
        }
        let id = name.rsplit('/').next().unwrap_or(name);
        self.keys.get_mut(id).ok_or_else(|| Fault::new("NotFoundException", format!("Key '{name}' does not exist")))
    }

    /// As [`key`](Self::key), refused while the key is pending deletion.
    fn living(&mut self, input: &Input) -> Result<&mut Key, Fault> {
        let key = self.key(input)?;
        key.refuse_pending()?;
        Ok(key)
    }

    fn create_key(&mut self, cx: &Context, input: &Input) -> Answer {
        let id = uuid::Uuid::new_v4().to_string();
        let policy = match input.text("Policy") {
            Some(policy) => policy.to_owned(),
            None => default_policy(cx),
        };
        check_policy(cx, &policy, input)?;
        let spec = input.text("KeySpec").or(input.text("CustomerMasterKeySpec")).unwrap_or("SYMMETRIC_DEFAULT");
        let key = Key {
            arn: format!("arn:aws:kms:{}:{}:key/{id}", cx.region, cx.account),
            id: id.clone(),
            created: time::now(),
            description: input.string("Description").unwrap_or_default(),
            usage: input.string("KeyUsage").unwrap_or_else(|| "ENCRYPT_DECRYPT".into()),
            spec: spec.to_owned(),
            multi_region: input.flag("MultiRegion").unwrap_or(false),
            enabled: true,
            deletion: None,
            rotation: None,
            policy,
            tags: input.tags("Tags", "TagKey", "TagValue"),
        };
        let metadata = key.metadata(cx);
        self.keys.insert(id, key);
        Ok(json!({"KeyMetadata": metadata}))
    }

    fn describe_key(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("KeyId")?;
        let id = match name.split_once("alias/") {
            Some((_, alias)) => self.alias(cx, &format!("alias/{alias}"))?.target.clone(),
            None => name.to_owned(),
        };
        Ok(json!({"KeyMetadata": self.key_named(&id)?.metadata(cx)}))
    }

    fn list_keys(&self) -> Value {
        let keys: Vec<Value> = self.keys.values().map(|key| json!({"KeyId": key.id, "KeyArn": key.arn})).collect();
        json!({"Keys": keys, "Truncated": false})
    }

    fn switch(&mut self, input: &Input, on: bool) -> Answer {
        self.living(input)?.enabled = on;
        Ok(json!({}))
    }

    fn update_description(&mut self, input: &Input) -> Answer {
        self.living(input)?.description = input.string("Description").unwrap_or_default();
        Ok(json!({}))
    }

    fn schedule_deletion(&mut self, input: &Input) -> Answer {
        let window = input.number("PendingWindowInDays").unwrap_or(30);
        if !(7..=30).contains(&window) {
            return Err(Fault::new("ValidationException", "PendingWindowInDays must be between 7 and 30 days."));
        }
        let key = self.living(input)?;
        let date = time::now() + time::days(window);
        key.deletion = Some(date);
        Ok(json!({
            "KeyId": key.arn,
            "DeletionDate": date,
            "KeyState": "PendingDeletion",
            "PendingWindowInDays": window,
        }))
    }

    fn cancel_deletion(&mut self, input: &Input) -> Answer {
        let key = self.key(input)?;
        if key.deletion.take().is_none() {
            return Err(Fault::new("KMSInvalidStateException", format!("{} is not pending deletion.", key.arn)));
        }
        key.enabled = false;
        Ok(json!({"KeyId": key.arn}))
    }

    fn enable_rotation(&mut self, input: &Input) -> Answer {
        let days = input.number("RotationPeriodInDays").unwrap_or(365);
        if !(90..=2560).contains(&days) {
            return Err(Fault::new("ValidationException", "RotationPeriodInDays must be between 90 and 2560."));
        }
        let key = self.living(input)?;
        key.refuse_disabled()?;
        if key.spec != "SYMMETRIC_DEFAULT" {
            return Err(Fault::new("UnsupportedOperationException", "Only symmetric encryption keys are rotated."));
        }
        key.rotation = Some(Rotation { days, since: time::now() });
        Ok(json!({}))
    }

    fn disable_rotation(&mut self, input: &Input) -> Answer {
        let key = self.living(input)?;
        key.refuse_disabled()?;
        key.rotation = None;
        Ok(json!({}))
    }

    fn rotation_status(&mut self, input: &Input) -> Answer {
        let key = self.key(input)?;
        let rotation = key.rotation.as_ref().filter(|_| key.deletion.is_none());
        Ok(without_nulls(json!({
            "KeyId": key.arn,
            "KeyRotationEnabled": rotation.is_some(),
            "RotationPeriodInDays": rotation.map(|rotation| rotation.days),
            "NextRotationDate": rotation.map(|rotation| rotation.since + time::days(rotation.days)),
        })))
    }

    fn put_policy(&mut self, cx: &Context, input: &Input) -> Answer {
        let policy = input.need("Policy")?;
        let key = self.key(input)?;
        check_policy(cx, policy, input)?;
        key.policy = policy.to_owned();
        Ok(json!({}))
    }

    fn get_policy(&mut self, input: &Input) -> Answer {
        if input.text("PolicyName").is_some_and(|name| name != "default") {
            return Err(Fault::new("NotFoundException", "No such policy exists"));
        }
        Ok(json!({"Policy": self.key(input)?.policy, "PolicyName": "default"}))
    }

    fn tag(&mut self, input: &Input) -> Answer {
        self.living(input)?.tags.extend(input.tags("Tags", "TagKey", "TagValue"));
        Ok(json!({}))
    }

    fn untag(&mut self, input: &Input) -> Answer {
        let gone = input.texts("TagKeys");
        self.living(input)?.tags.retain(|key, _| !gone.contains(key));
        Ok(json!({}))
    }

    fn list_tags(&mut self, input: &Input) -> Answer {
        Ok(json!({"Tags": json::tag_list(&self.key(input)?.tags, "TagKey", "TagValue"), "Truncated": false}))
    }

    fn alias(&mut self, cx: &Context, name: &str) -> Result<&mut Alias, Fault> {
        let missing = || Fault::new("NotFoundException", format!("Alias {} is not found.", alias_arn(cx, name)));
        self.aliases.get_mut(name).ok_or_else(missing)
    }

    /// The key that an alias shall point to.
    fn target(&mut self, input: &Input) -> Result<String, Fault> {
        let key = self.key_named(input.need("TargetKeyId")?)?;
        key.refuse_pending()?;
        Ok(key.id.clone())
    }

    fn create_alias(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("AliasName")?;
        if !name.starts_with("alias/") {
            return Err(Fault::new("ValidationException", "Alias must start with the prefix \"alias/\"."));
        }
        if name.starts_with("alias/aws/") {
            return Err(Fault::new("NotAuthorizedException", "The prefix alias/aws/ belongs to AWS."));
        }
        let target = self.target(input)?;
        if self.aliases.contains_key(name) {
            let message = format!("An alias with the name {} already exists", alias_arn(cx, name));
            return Err(Fault::new("AlreadyExistsException", message));
        }
        let now = time::now();
        self.aliases.insert(name.to_owned(), Alias { target, created: now, updated: now });
        Ok(json!({}))
    }

    fn update_alias(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("AliasName")?;
        self.alias(cx, name)?;
        let target = self.target(input)?;
        let alias = self.alias(cx, name)?;
        alias.target = target;
        alias.updated = time::now();
        Ok(json!({}))
    }

    fn delete_alias(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("AliasName")?;
        self.alias(cx, name)?;
        self.aliases.remove(name);
        Ok(json!({}))
    }

    fn list_aliases(&mut self, cx: &Context, input: &Input) -> Answer {
        let only = match input.text("KeyId") {
            Some(name) => Some(self.key_named(name)?.id.clone()),
            None => None,
        };
        let wanted = self.aliases.iter().filter(|(_, alias)| only.as_ref().is_none_or(|id| *id == alias.target));
        let entry = |(name, alias): (&String, &Alias)| {
            json!({
                "AliasName": name,
                "AliasArn": alias_arn(cx, name),
                "TargetKeyId": alias.target,
                "CreationDate": alias.created,
                "LastUpdatedDate": alias.updated,
            })
        };
        Ok(json!({"Aliases": wanted.map(entry).collect::<Vec<_>>(), "Truncated": false}))
    }
}

impl Key {
    fn metadata(&self, cx: &Context) -> Value {
        let state = match (self.deletion, self.enabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Enabled",
            (None, false) => "Disabled",
        };
        without_nulls(json!({
            "AWSAccountId": cx.account,
            "KeyId": self.id,
            "Arn": self.arn,
            "CreationDate": self.created,
            "Enabled": state == "Enabled",
            "Description": self.description,
            "KeyUsage": self.usage,
            "KeyState": state,
            "DeletionDate": self.deletion,
            "Origin": "AWS_KMS",
            "KeyManager": "CUSTOMER",
            "KeySpec": self.spec,
            "CustomerMasterKeySpec": self.spec,
            "EncryptionAlgorithms": (self.usage == "ENCRYPT_DECRYPT").then(|| vec![self.spec.clone()]),
            "MultiRegion": self.multi_region,
        }))
    }

    fn refuse_pending(&self) -> Result<(), Fault> {
        match self.deletion {
            Some(_) => Err(Fault::new("KMSInvalidStateException", format!("{} is pending deletion.", self.arn))),
            None => Ok(()),
        }
    }

    fn refuse_disabled(&self) -> Result<(), Fault> {
        match self.enabled {
            false => Err(Fault::new("DisabledException", format!("{} is disabled.", self.arn))),
            true => Ok(()),
        }
    }
}

fn alias_arn(cx: &Context, name: &str) -> String {
    format!("arn:aws:kms:{}:{}:{name}", cx.region, cx.account)
}

/// The policy of a key that was created without one: the account decides by IAM.
fn default_policy(cx: &Context) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{}:root", cx.account)},
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

/// Refuses what is no policy, and, unless the caller waives the check, a policy that would lock the account out of the key.
fn check_policy(cx: &Context, policy: &str, input: &Input) -> Result<(), Fault> {
    const CODE: &str = "MalformedPolicyDocumentException";
    let document: Value =
        serde_json::from_str(policy).map_err(|_| Fault::new(CODE, "The new key policy is not well-formed JSON."))?;
    let statements = one_or_many(document.get("Statement"));
    if statements.is_empty() {
        return Err(Fault::new(CODE, "The new key policy contains no statement."));
    }
    let changeable = statements.iter().any(|statement| lets_account_change_policy(cx, statement));
    if !changeable && !input.flag("BypassPolicyLockoutSafetyCheck").unwrap_or(false) {
        return Err(Fault::new(CODE, "The new key policy will not allow you to update the key policy in the future."));
    }
    Ok(())
}

fn lets_account_change_policy(cx: &Context, statement: &Value) -> bool {
    let allows = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
    let principals = one_or_many(statement.pointer("/Principal/AWS").or(statement.get("Principal")));
    let ours = principals.iter().filter_map(|it| it.as_str()).any(|it| it == "*" || it.contains(&cx.account));
    let actions = one_or_many(statement.get("Action"));
    let changes = |action: &str| ["*", "kms:*", "kms:Put*", "kms:PutKeyPolicy"].contains(&action);
    allows && ours && actions.iter().filter_map(|it| it.as_str()).any(changes)
}
