//! ECR: repositories, their policies, tags and images. Of layers it keeps only that they are there; `registry` takes them.
//!
//! | What | As on AWS |
//! |---|---|
//! | repositories | mutability with its exclusions, scanning, policies, tags; one under KMS without a key of its own names the account's key for ECR; one with images goes only by force |
//! | the registry's scanning | kept as it is put; one rule a frequency, `CONTINUOUS_SCAN` with `ENHANCED` alone |
//! | images | manifests by their digest; an immutable tag stays where it is |
//!
//! Not there: the content of layers, scans, lifecycle policies that do anything.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, without_nulls};
use crate::service::{ApiRequest, ApiResponse, Context, Tags};
use crate::time;
use crate::wire::Fault;

mod images;

use images::Images;

/// All repositories of the account, by name.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Ecr {
    repositories: BTreeMap<String, Repository>,
    /// How the registry scans, as it was put.
    #[serde(default)]
    scanning: Option<Value>,
}

#[derive(Serialize, Deserialize)]
struct Repository {
    name: String,
    created: f64,
    mutability: String,
    mutability_exclusions: Option<Value>,
    scan_on_push: bool,
    encryption: Value,
    lifecycle_policy: Option<String>,
    policy: Option<String>,
    tags: Tags,
    images: Images,
    /// Digests of layers and configurations.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    layers: BTreeSet<String>,
}

impl Emulated for Ecr {
    const NAME: &'static str = "ecr";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::respond(request, |operation, input| emulator.lock().operate(cx, operation, input))
    }
}

impl Ecr {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "CreateRepository" => self.create(cx, input),
            "DescribeRepositories" => self.describe(cx, input),
            "DeleteRepository" => self.delete(cx, input),
            "PutImageTagMutability" => self.put_mutability(cx, input),
            "PutImageScanningConfiguration" => self.put_scanning(cx, input),
            "PutLifecyclePolicy" | "GetLifecyclePolicy" | "DeleteLifecyclePolicy" => {
                self.lifecycle_policy(cx, operation, input)
            }
            "SetRepositoryPolicy" | "GetRepositoryPolicy" | "DeleteRepositoryPolicy" => {
                self.repository_policy(cx, operation, input)
            }
            "TagResource" => {
                self.by_arn(cx, input)?.tags.extend(input.tags("tags", "Key", "Value"));
                Ok(json!({}))
            }
            "UntagResource" => {
                let gone = input.texts("tagKeys");
                self.by_arn(cx, input)?.tags.retain(|key, _| !gone.contains(key));
                Ok(json!({}))
            }
            "ListTagsForResource" => Ok(json!({"tags": json::tag_list(&self.by_arn(cx, input)?.tags, "Key", "Value")})),
            "PutImage" => {
                let repository = self.named(cx, input)?;
                let immutable = repository.mutability.starts_with("IMMUTABLE");
                repository.images.put(cx, input, immutable)
            }
            "BatchCheckLayerAvailability" => {
                let layers = &self.named(cx, input)?.layers;
                let availability = |there| if there { "AVAILABLE" } else { "UNAVAILABLE" };
                let shown = |digest: &String| json!({"layerDigest": digest, "layerAvailability": availability(layers.contains(digest))});
                Ok(json!({"layers": input.texts("layerDigests").iter().map(shown).collect::<Vec<_>>(), "failures": []}))
            }
            "CompleteLayerUpload" => {
                let digests = input.texts("layerDigests");
                self.named(cx, input)?.layers.extend(digests.iter().map(|digest| digest.to_string()));
                Ok(json!({"uploadId": input.text("uploadId"), "layerDigest": digests.first()}))
            }
            "ListImages" => Ok(self.named(cx, input)?.images.list()),
            "DescribeImages" => self.named(cx, input)?.images.describe(cx, input),
            "BatchGetImage" => Ok(self.named(cx, input)?.images.batch_get(cx, input)),
            "BatchDeleteImage" => Ok(self.named(cx, input)?.images.batch_delete(input)),
            "GetRegistryScanningConfiguration" => {
                Ok(json!({"registryId": cx.account, "scanningConfiguration": self.registry_scanning()}))
            }
            "PutRegistryScanningConfiguration" => self.put_registry_scanning(input),
            "GetAuthorizationToken" => Ok(authorization(cx)),
            other => json::unknown_operation(other),
        }
    }

    fn named(&mut self, cx: &Context, input: &Input) -> Result<&mut Repository, Fault> {
        let name = input.need("repositoryName")?;
        self.repositories.get_mut(name).ok_or_else(|| missing(cx, name))
    }

    fn by_arn(&mut self, cx: &Context, input: &Input) -> Result<&mut Repository, Fault> {
        let arn = input.need("resourceArn")?;
        let name = arn.split_once(":repository/").map_or(arn, |(_, name)| name);
        self.repositories.get_mut(name).ok_or_else(|| missing(cx, name))
    }

    fn create(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.need("repositoryName")?;
        check_name(name)?;
        if self.repositories.contains_key(name) {
            let message =
                format!("The repository with name '{name}' already exists in the registry with id '{}'", cx.account);
            return Err(Fault::new("RepositoryAlreadyExistsException", message));
        }
        let scan = input.value("imageScanningConfiguration");
        let repository = Repository {
            name: name.to_owned(),
            created: time::now(),
            mutability: input.string("imageTagMutability").unwrap_or_else(|| "MUTABLE".into()),
            mutability_exclusions: input.value("imageTagMutabilityExclusionFilters").cloned(),
            scan_on_push: scan.and_then(|scan| scan.get("scanOnPush")?.as_bool()).unwrap_or(false),
            encryption: encryption(cx, input),
            lifecycle_policy: None,
            policy: None,
            tags: input.tags("tags", "Key", "Value"),
            images: Images::default(),
            layers: BTreeSet::new(),
        };
        let described = repository.described(cx);
        self.repositories.insert(name.to_owned(), repository);
        Ok(json!({"repository": described}))
    }

    fn describe(&self, cx: &Context, input: &Input) -> Answer {
        let names = input.texts("repositoryNames");
        if !names.is_empty() {
            let found = names.iter().map(|name| self.repositories.get(name).ok_or_else(|| missing(cx, name)));
            let found: Vec<&Repository> = found.collect::<Result<_, _>>()?;
            return Ok(json!({"repositories": found.iter().map(|it| it.described(cx)).collect::<Vec<_>>()}));
        }
        let limit = usize::try_from(input.number("maxResults").unwrap_or(100)).unwrap_or(100).clamp(1, 1000);
        let after = input.text("nextToken").unwrap_or_default();
        let mut wanted = self.repositories.values().filter(|repository| repository.name.as_str() > after);
        let page: Vec<&Repository> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last()).map(|repository| repository.name.as_str());
        let described: Vec<Value> = page.iter().map(|repository| repository.described(cx)).collect();
        Ok(without_nulls(json!({"repositories": described, "nextToken": next})))
    }

    fn delete(&mut self, cx: &Context, input: &Input) -> Answer {
        let repository = self.named(cx, input)?;
        if !repository.images.is_empty() && !input.flag("force").unwrap_or(false) {
            let message = format!(
                "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
                repository.name, cx.account
            );
            return Err(Fault::new("RepositoryNotEmptyException", message));
        }
        let described = repository.described(cx);
        self.repositories.remove(input.need("repositoryName")?);
        Ok(json!({"repository": described}))
    }

    fn put_mutability(&mut self, cx: &Context, input: &Input) -> Answer {
        let mutability = input.need("imageTagMutability")?;
        let repository = self.named(cx, input)?;
        repository.mutability = mutability.to_owned();
        repository.mutability_exclusions = input.value("imageTagMutabilityExclusionFilters").cloned();
        Ok(without_nulls(json!({
            "registryId": cx.account,
            "repositoryName": repository.name,
            "imageTagMutability": mutability,
            "imageTagMutabilityExclusionFilters": repository.mutability_exclusions,
        })))
    }

    fn put_scanning(&mut self, cx: &Context, input: &Input) -> Answer {
        let repository = self.named(cx, input)?;
        let configuration = input.value("imageScanningConfiguration");
        repository.scan_on_push = configuration.and_then(|it| it.get("scanOnPush")?.as_bool()).unwrap_or(false);
        Ok(json!({
            "registryId": cx.account,
            "repositoryName": repository.name,
            "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        }))
    }

    fn registry_scanning(&self) -> Value {
        self.scanning.clone().unwrap_or_else(|| json!({"scanType": "BASIC", "rules": []}))
    }

    fn put_registry_scanning(&mut self, input: &Input) -> Answer {
        let scan_type = input.text("scanType").unwrap_or("BASIC");
        let rules = input.objects("rules");
        let refused = |message: &str| Err(Fault::new("InvalidParameterException", message.to_owned()));
        if rules.iter().any(|rule| rule["scanFrequency"] == "CONTINUOUS_SCAN") && scan_type == "BASIC" {
            return refused("CONTINUOUS_SCAN is only available with enhanced scanning");
        }
        let mut frequencies: Vec<String> = rules.iter().map(|rule| rule["scanFrequency"].to_string()).collect();
        frequencies.sort_unstable();
        frequencies.dedup();
        if frequencies.len() < rules.len() || rules.len() > 2 {
            return refused("There is at most one rule for each scan frequency, and at most two");
        }
        self.scanning = Some(json!({"scanType": scan_type, "rules": rules}));
        Ok(json!({"registryScanningConfiguration": self.registry_scanning()}))
    }

    fn lifecycle_policy(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        let repository = self.named(cx, input)?;
        if operation == "PutLifecyclePolicy" {
            let text = input.need("lifecyclePolicyText")?;
            if !serde_json::from_str::<Value>(text).is_ok_and(|policy| policy.get("rules").is_some_and(Value::is_array))
            {
                let message = "Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure'";
                return Err(Fault::new("InvalidParameterException", message));
            }
            repository.lifecycle_policy = Some(text.to_owned());
        }
        let text = match operation {
            "DeleteLifecyclePolicy" => repository.lifecycle_policy.take(),
            _ => repository.lifecycle_policy.clone(),
        };
        let text = text.ok_or_else(|| {
            let message = format!(
                "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
                repository.name, cx.account
            );
            Fault::new("LifecyclePolicyNotFoundException", message)
        })?;
        Ok(json!({"registryId": cx.account, "repositoryName": repository.name, "lifecyclePolicyText": text}))
    }

    fn repository_policy(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        let repository = self.named(cx, input)?;
        if operation == "SetRepositoryPolicy" {
            let text = input.need("policyText")?;
            if serde_json::from_str::<Value>(text).is_err() {
                let message = "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'";
                return Err(Fault::new("InvalidParameterException", message));
            }
            repository.policy = Some(text.to_owned());
        }
        let text = match operation {
            "DeleteRepositoryPolicy" => repository.policy.take(),
            _ => repository.policy.clone(),
        };
        let text = text.ok_or_else(|| {
            let message = format!(
                "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
                repository.name, cx.account
            );
            Fault::new("RepositoryPolicyNotFoundException", message)
        })?;
        Ok(json!({"registryId": cx.account, "repositoryName": repository.name, "policyText": text}))
    }
}

impl Repository {
    fn described(&self, cx: &Context) -> Value {
        without_nulls(json!({
            "repositoryArn": format!("arn:aws:ecr:{}:{}:repository/{}", cx.region, cx.account, self.name),
            "registryId": cx.account,
            "repositoryName": self.name,
            "repositoryUri": format!("{}.dkr.ecr.{}.amazonaws.com/{}", cx.account, cx.region, self.name),
            "createdAt": self.created,
            "imageTagMutability": self.mutability,
            "imageTagMutabilityExclusionFilters": self.mutability_exclusions,
            "imageScanningConfiguration": {"scanOnPush": self.scan_on_push},
            "encryptionConfiguration": self.encryption,
        }))
    }
}

/// Without a choice it is AES256; KMS without a key is the account's own key for ECR.
fn encryption(cx: &Context, input: &Input) -> Value {
    let mut encryption =
        input.value("encryptionConfiguration").cloned().unwrap_or_else(|| json!({"encryptionType": "AES256"}));
    if encryption["encryptionType"] == "KMS" && encryption.get("kmsKey").is_none() {
        encryption["kmsKey"] = json!(format!("arn:aws:kms:{}:{}:alias/aws/ecr", cx.region, cx.account));
    }
    encryption
}

fn missing(cx: &Context, name: &str) -> Fault {
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{}'", cx.account);
    Fault::new("RepositoryNotFoundException", message)
}

/// Lower-case words of letters and digits, joined by `-`, `_`, `.` or `/`.
fn check_name(name: &str) -> Result<(), Fault> {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let well_formed = (2..=256).contains(&name.len())
        && name.chars().all(|letter| is_word(letter) || "-_./".contains(letter))
        && name.starts_with(is_word)
        && name.ends_with(is_word);
    if well_formed {
        return Ok(());
    }
    let message = "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
                   '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*''";
    Err(Fault::new("InvalidParameterException", message))
}

fn authorization(cx: &Context) -> Value {
    let token = base64::engine::general_purpose::STANDARD.encode(crate::registry::LOGIN);
    let elsewhere = || format!("https://{}.dkr.ecr.{}.amazonaws.com", cx.account, cx.region);
    json!({"authorizationData": [{
        "authorizationToken": token,
        "expiresAt": time::now() + 12.0 * 3600.0,
        "proxyEndpoint": cx.registry().map_or_else(elsewhere, str::to_owned),
    }]})
}
