//! Images: out of an archive or a registry, into a registry.
//!
//! [`Image::from_archive`] reads an OCI image layout or the output of `docker save`, [`Image::from_registry`] looks one up; either
//! says what is in it and leaves the layers where they are. [`push`] sends what the other registry does not have yet, several
//! layers at once. No Docker daemon has a part in it.
//!
//! Why this speaks the registries' protocol itself: a layer that is cut off goes on where the registry says that it has come to, and
//! from its beginning where the registry has forgotten it; `oci-client` (0.18) tries nothing again and gives no hold on an upload.
//! It also sends layers in pieces of 4 MiB, of which
//! [ECR loses every one after the first](https://github.com/aws/containers-roadmap/issues/2831), answering `201` where the protocol
//! says `202`. The HTTP client is the SDK's own, so that proxies and certificates are the same for both.

mod archive;
mod auth;
mod body;
mod digest;
mod http;
mod manifest;
mod push;
mod reference;
mod registry;
#[cfg(test)]
mod samples;

use std::{io, path::PathBuf, sync::Arc};

use bytes::Bytes;

pub use auth::Login;
pub use digest::Digest;
pub use manifest::Platform;
pub use push::{Happening, Pushed, push};
pub use reference::{Reference, Version};
pub use registry::Registry;

use manifest::{Config, Manifest};

/// An image: its manifest, and where its blobs are.
#[derive(Debug, Clone)]
pub struct Image {
    /// What it is called: the digest of its manifest.
    pub digest: Digest,
    /// The manifest, byte for byte.
    manifest: Bytes,
    /// What kind of manifest.
    media_type: String,
    /// Its configuration and its layers, each once.
    blobs: Vec<Blob>,
}

/// A configuration or a layer.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    digest: Digest,
    size: u64,
    source: Source,
}

/// Where the bytes of a blob are.
#[derive(Debug, Clone)]
enum Source {
    /// Here.
    Memory(Bytes),
    /// In a file, from this byte on.
    File(Arc<PathBuf>, u64),
    /// In the repository of a registry.
    Registry(Arc<Registry>, String),
}

impl Image {
    /// How many bytes its configuration and layers have.
    pub fn size(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size).sum()
    }

    /// How many layers it has, each counted once.
    pub fn layers(&self) -> usize {
        self.blobs.len().saturating_sub(1)
    }

    fn new(manifest: Bytes, media_type: String, blobs: Vec<Blob>) -> Self {
        let mut once: Vec<Blob> = Vec::new();
        for blob in blobs {
            if !once.iter().any(|known| known.digest == blob.digest) {
                once.push(blob);
            }
        }
        Self { digest: Digest::of(&manifest), manifest, media_type, blobs: once }
    }

    /// The image of that reference in `registry`, for `platform`. Reads its manifest and its configuration; the layers when they
    /// are sent on.
    ///
    /// # Errors
    /// What the registry refuses, and an image for another platform.
    pub async fn from_registry(
        registry: &Arc<Registry>,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Self, ImageError> {
        let repository = reference.repository.as_str();
        let mut found = registry.manifest(repository, reference.version.as_str()).await?;
        if manifest::is_index(&found.media_type) {
            let index: manifest::Index = readable(&found.bytes, || format!("the index of {reference}"))?;
            let chosen = index.choose(platform)?.digest.clone();
            found = registry.manifest(repository, chosen.as_str()).await?;
        }
        let manifest: Manifest = readable(&found.bytes, || format!("the manifest of {reference}"))?;
        let config = registry.small_blob(repository, &manifest.config.digest, manifest.config.size).await?;
        readable::<Config>(&config, || format!("the configuration of {reference}"))?.check(platform)?;
        let mut blobs =
            vec![Blob { digest: manifest.config.digest, size: manifest.config.size, source: Source::Memory(config) }];
        blobs.extend(manifest.layers.into_iter().map(|layer| Blob {
            digest: layer.digest,
            size: layer.size,
            source: Source::Registry(Arc::clone(registry), repository.to_owned()),
        }));
        Ok(Self::new(found.bytes, found.media_type, blobs))
    }
}

fn readable<T: serde::de::DeserializeOwned>(bytes: &[u8], what: impl Fn() -> String) -> Result<T, ImageError> {
    serde_json::from_slice(bytes).map_err(|error| ImageError::Unreadable { what: what(), why: error.to_string() })
}

/// Why an image cannot be read or pushed.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The reference is none.
    #[error("`{text}` names no image: {why}")]
    Reference {
        /// What was typed.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no archive of one image.
    #[error("{} is no image: {why}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is for something else than what it is to run on.
    #[error("the image is for {}, and tasks run on {wanted}", if found.is_empty() { "no platform" } else { found.as_str() })]
    Platform {
        /// What it is to run on.
        wanted: Platform,
        /// What it is for.
        found: String,
    },
    /// Something in it is not what its digest says.
    #[error("{what} is not what its digest says: {digest} is wanted, and its content is {found}")]
    Digest {
        /// What.
        what: String,
        /// What it is called.
        digest: Digest,
        /// What its content is called.
        found: Digest,
    },
    /// Something in it cannot be read.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// The registry cannot be reached, or a connection was cut off.
    #[error("no answer from {registry}: {why}")]
    NoAnswer {
        /// Its URL.
        registry: String,
        /// Why not.
        why: String,
    },
    /// The registry does not let us.
    #[error("{registry} does not let us: {why}")]
    Denied {
        /// Its URL.
        registry: String,
        /// What it says.
        why: String,
    },
    /// The registry does not have it.
    #[error("{registry} has no {what}")]
    NotFound {
        /// Its URL.
        registry: String,
        /// What.
        what: String,
    },
    /// The registry answers something else than it should.
    #[error("{registry} answers {status} to {request}{}", if message.is_empty() { String::new() } else { format!(": {message}") })]
    Answer {
        /// Its URL.
        registry: String,
        /// The method and the path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What it says.
        message: String,
    },
}

impl ImageError {
    /// Whether another try may help.
    fn passes(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Answer { status, .. } => *status >= 500 || [408, 425, 429].contains(status),
            _ => false,
        }
    }
}
