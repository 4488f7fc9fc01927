//! Small images for tests.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use super::{
    Digest,
    manifest::{OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST},
};

/// An image of these layers.
pub(crate) struct Sample {
    pub(crate) manifest: Vec<u8>,
    architecture: String,
    config: Vec<u8>,
    layers: Vec<Vec<u8>>,
}

impl Sample {
    pub(crate) fn new(architecture: &str, layers: &[Vec<u8>]) -> Self {
        let config = config(architecture, layers);
        let described = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": described(OCI_CONFIG, &config),
            "layers": layers.iter().map(|layer| described(OCI_LAYER, layer)).collect::<Vec<_>>(),
            "annotations": {"kept": "as it is"},
        });
        let (manifest, architecture) = (manifest.to_string().into_bytes(), architecture.to_owned());
        Self { manifest, architecture, config, layers: layers.to_vec() }
    }

    /// As an OCI image layout.
    pub(crate) fn layout(&self) -> Vec<(String, Vec<u8>)> {
        Self::index(&[self])
    }

    /// Several in one layout.
    pub(crate) fn index(samples: &[&Self]) -> Vec<(String, Vec<u8>)> {
        let entries: Vec<_> = samples
            .iter()
            .map(|sample| {
                json!({
                    "mediaType": OCI_MANIFEST, "digest": Digest::of(&sample.manifest), "size": sample.manifest.len(),
                    "platform": {"os": "linux", "architecture": sample.architecture},
                })
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
        let mut files = vec![
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index.to_string().into_bytes()),
        ];
        for sample in samples {
            for blob in [&sample.manifest, &sample.config].into_iter().chain(&sample.layers) {
                files.push((format!("./blobs/{}", Digest::of(blob).as_str().replace(':', "/")), blob.clone()));
            }
        }
        files
    }

    /// As `docker save` writes it, with layers that are unpacked to `unpacked`.
    pub(crate) fn saved(&self, unpacked: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
        let names: Vec<String> = (0..self.layers.len()).map(|at| format!("layer-{at}/layer.tar")).collect();
        let manifest = json!([{"Config": "config.json", "RepoTags": ["api:latest"], "Layers": names}]);
        let mut files = vec![
            ("manifest.json".to_owned(), manifest.to_string().into_bytes()),
            ("config.json".to_owned(), config(&self.architecture, unpacked)),
        ];
        files.extend(names.into_iter().zip(self.layers.clone()));
        files
    }
}

fn config(architecture: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let diffs: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    json!({"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": diffs}})
        .to_string()
        .into_bytes()
}

pub(crate) fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &content[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
