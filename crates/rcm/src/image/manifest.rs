//! What an image is made of, as registries and archives say it.
//!
//! [Image manifest](https://github.com/opencontainers/image-spec/blob/main/manifest.md),
//! [image index](https://github.com/opencontainers/image-spec/blob/main/image-index.md),
//! [image configuration](https://github.com/opencontainers/image-spec/blob/main/config.md).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Digest, ImageError};

pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// What an image runs on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`, `arm64`
    pub architecture: String,
}

impl Platform {
    /// Linux on this architecture.
    pub fn linux(architecture: &str) -> Self {
        Self { os: "linux".into(), architecture: architecture.into() }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// Something by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing)]
    pub(super) platform: Option<Platform>,
}

/// An image: its configuration and its layers, the lowest first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    pub(super) schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) media_type: Option<String>,
    pub(super) config: Descriptor,
    pub(super) layers: Vec<Descriptor>,
}

/// One image for each of several platforms.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    #[serde(default)]
    pub(super) manifests: Vec<Descriptor>,
}

impl Index {
    /// The entry for `wanted`. One that says no platform stands for any, and is looked into later.
    pub(super) fn choose(&self, wanted: &Platform) -> Result<&Descriptor, ImageError> {
        let fits = |entry: &&Descriptor| entry.platform.as_ref() == Some(wanted);
        let unsaid = |entry: &&Descriptor| entry.platform.is_none();
        let found = self.manifests.iter().find(fits).or_else(|| self.manifests.iter().find(unsaid));
        found.ok_or_else(|| {
            // What attests how an image was built stands beside it as one for no platform.
            let platforms = self.manifests.iter().filter_map(|entry| entry.platform.as_ref());
            let others = platforms.filter(|platform| platform.os != "unknown").map(ToString::to_string);
            ImageError::Platform { wanted: wanted.clone(), found: others.collect::<Vec<_>>().join(", ") }
        })
    }
}

/// The parts of an image's configuration that matter here.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    pub(super) os: String,
    pub(super) architecture: String,
    #[serde(default)]
    pub(super) rootfs: RootFs,
}

/// The layers, as they are unpacked.
#[derive(Debug, Default, Deserialize)]
pub(super) struct RootFs {
    #[serde(default)]
    pub(super) diff_ids: Vec<Digest>,
}

impl Config {
    /// Refuses an image that would not start where it is to run.
    pub(super) fn check(&self, wanted: &Platform) -> Result<(), ImageError> {
        let is = Platform { os: self.os.clone(), architecture: self.architecture.clone() };
        if is == *wanted { Ok(()) } else { Err(ImageError::Platform { wanted: wanted.clone(), found: is.to_string() }) }
    }
}

/// What a manifest says that it is, or what it looks like.
pub(super) fn is_index(media_type: &str) -> bool {
    [OCI_INDEX, DOCKER_INDEX].contains(&media_type)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(platforms: &[Option<(&str, &str)>]) -> Index {
        let entry = |(at, platform): (usize, &Option<(&str, &str)>)| {
            let platform = platform.map(|(os, architecture)| json!({"os": os, "architecture": architecture}));
            json!({"mediaType": OCI_MANIFEST, "digest": format!("sha256:{at:064}"), "size": 1, "platform": platform})
        };
        let manifests: Vec<_> = platforms.iter().enumerate().map(entry).collect();
        serde_json::from_value(json!({"manifests": manifests})).unwrap()
    }

    #[test]
    fn the_image_of_the_platform_that_tasks_run_on_is_taken() {
        let amd64 = Platform::linux("amd64");
        let index = index(&[Some(("linux", "arm64")), Some(("unknown", "unknown")), Some(("linux", "amd64"))]);
        assert!(index.choose(&amd64).unwrap().digest.as_str().ends_with('2'));
        assert_eq!(self::index(&[None]).choose(&amd64).unwrap().platform, None);
    }

    #[test]
    fn what_is_there_instead_is_said() {
        let index = index(&[Some(("linux", "arm64")), Some(("unknown", "unknown"))]);
        let error = index.choose(&Platform::linux("amd64")).unwrap_err();
        assert_eq!(error.to_string(), "the image is for linux/arm64, and tasks run on linux/amd64");
    }
}
