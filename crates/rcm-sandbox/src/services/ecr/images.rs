//! The images of a repository: manifests and the tags on them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::json::{Answer, Input, without_nulls};
use crate::service::Context;
use crate::time;
use crate::wire::Fault;

/// Images by digest.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Images(BTreeMap<String, Image>);

#[derive(Serialize, Deserialize)]
struct Image {
    manifest: String,
    media_type: String,
    pushed: f64,
    tags: BTreeSet<String>,
}

impl Images {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn put(&mut self, cx: &Context, input: &Input, immutable: bool) -> Answer {
        let manifest = input.need("imageManifest")?;
        let repository = input.need("repositoryName")?;
        let digest = digest_of(manifest);
        if input.text("imageDigest").is_some_and(|claimed| claimed != digest) {
            return Err(Fault::new(
                "ImageDigestDoesNotMatchException",
                "The image digest does not match the manifest.",
            ));
        }
        let tag = input.string("imageTag");
        let holder = tag.as_ref().and_then(|tag| self.holder_of(tag));
        if self.0.contains_key(&digest) && (tag.is_none() || holder.as_ref() == Some(&digest)) {
            let message = format!("Image with digest '{digest}' already exists in the repository '{repository}'");
            return Err(Fault::new("ImageAlreadyExistsException", message));
        }
        if let (true, Some(tag), Some(_)) = (immutable, &tag, &holder) {
            let message = format!(
                "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten because the repository is immutable."
            );
            return Err(Fault::new("ImageTagAlreadyExistsException", message));
        }
        if let (Some(tag), Some(holder)) = (&tag, holder.and_then(|holder| self.0.get_mut(&holder))) {
            holder.tags.remove(tag);
        }
        let media_type = media_type(input, manifest);
        let image = self.0.entry(digest.clone()).or_insert_with(|| Image {
            manifest: manifest.to_owned(),
            media_type,
            pushed: time::now(),
            tags: BTreeSet::new(),
        });
        image.tags.extend(tag.clone());
        Ok(json!({"image": image.given(cx, repository, &digest, tag.as_deref())}))
    }

    pub(super) fn list(&self) -> Value {
        let mut ids = Vec::new();
        for (digest, image) in &self.0 {
            if image.tags.is_empty() {
                ids.push(json!({"imageDigest": digest}));
            }
            ids.extend(image.tags.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
        }
        json!({"imageIds": ids})
    }

    pub(super) fn describe(&self, cx: &Context, input: &Input) -> Answer {
        let repository = input.need("repositoryName")?;
        let ids = input.objects("imageIds");
        let mut digests: Vec<String> = Vec::new();
        for id in ids {
            let digest = self.find(id).ok_or_else(|| {
                let message =
                    format!("The image with imageId {id} does not exist within the repository '{repository}'");
                Fault::new("ImageNotFoundException", message)
            })?;
            digests.push(digest);
        }
        let wanted = self.0.iter().filter(|(digest, _)| ids.is_empty() || digests.contains(digest));
        let details: Vec<Value> = wanted.map(|(digest, image)| image.described(cx, repository, digest)).collect();
        Ok(json!({"imageDetails": details}))
    }

    pub(super) fn batch_get(&self, cx: &Context, input: &Input) -> Value {
        let repository = input.text("repositoryName").unwrap_or_default();
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in input.objects("imageIds") {
            match self.find(id).and_then(|digest| self.0.get_key_value(&digest)) {
                Some((digest, image)) => {
                    let tag = id.get("imageTag").and_then(Value::as_str);
                    images.push(image.given(cx, repository, digest, tag));
                }
                None => failures.push(not_found(id)),
            }
        }
        json!({"images": images, "failures": failures})
    }

    /// A tag takes only itself away, until it was the last one; a digest takes the image.
    pub(super) fn batch_delete(&mut self, input: &Input) -> Value {
        let (mut gone, mut failures) = (Vec::new(), Vec::new());
        for id in input.objects("imageIds") {
            let Some(digest) = self.find(id) else {
                failures.push(not_found(id));
                continue;
            };
            let tag = id.get("imageTag").and_then(Value::as_str);
            if let (Some(tag), Some(image)) = (tag, self.0.get_mut(&digest)) {
                image.tags.remove(tag);
            }
            if tag.is_none() || self.0.get(&digest).is_some_and(|image| image.tags.is_empty()) {
                self.0.remove(&digest);
            }
            gone.push(without_nulls(json!({"imageDigest": digest, "imageTag": tag})));
        }
        json!({"imageIds": gone, "failures": failures})
    }

    fn find(&self, id: &Value) -> Option<String> {
        match id.get("imageDigest").and_then(Value::as_str) {
            Some(digest) => self.0.contains_key(digest).then(|| digest.to_owned()),
            None => self.holder_of(id.get("imageTag")?.as_str()?),
        }
    }

    fn holder_of(&self, tag: &str) -> Option<String> {
        self.0.iter().find(|(_, image)| image.tags.contains(tag)).map(|(digest, _)| digest.clone())
    }
}

impl Image {
    fn given(&self, cx: &Context, repository: &str, digest: &str, tag: Option<&str>) -> Value {
        json!({
            "registryId": cx.account,
            "repositoryName": repository,
            "imageId": without_nulls(json!({"imageDigest": digest, "imageTag": tag})),
            "imageManifest": self.manifest,
            "imageManifestMediaType": self.media_type,
        })
    }

    fn described(&self, cx: &Context, repository: &str, digest: &str) -> Value {
        without_nulls(json!({
            "registryId": cx.account,
            "repositoryName": repository,
            "imageDigest": digest,
            "imageTags": (!self.tags.is_empty()).then_some(&self.tags),
            "imageSizeInBytes": self.manifest.len(),
            "imagePushedAt": self.pushed,
            "imageManifestMediaType": self.media_type,
        }))
    }
}

fn not_found(id: &Value) -> Value {
    json!({"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
}

fn digest_of(manifest: &str) -> String {
    let hash = Sha256::digest(manifest.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn media_type(input: &Input, manifest: &str) -> String {
    let in_manifest = || Some(serde_json::from_str::<Value>(manifest).ok()?.get("mediaType")?.as_str()?.to_owned());
    let given = input.string("imageManifestMediaType").or_else(in_manifest);
    given.unwrap_or_else(|| "application/vnd.docker.distribution.manifest.v2+json".into())
}
