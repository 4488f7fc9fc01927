//! Images in files: OCI image layouts in a tar, and what `docker save` writes.
//!
//! [OCI image layout](https://github.com/opencontainers/image-spec/blob/main/image-layout.md),
//! [docker save](https://docs.docker.com/reference/cli/docker/image/save/).
//!
//! The tar is gone through once for where its members are; what is pushed is then read from there. Every blob is compared with its
//! digest before anything is sent: half a download is found here and not by the registry after the first gigabyte.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use super::{
    Blob, Digest, Image, ImageError, Platform, Source,
    digest::Hasher,
    manifest::{self, Config, Descriptor, Index, Manifest, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST},
    readable,
};

/// Manifests, indexes and configurations are kilobytes. What is larger is none.
const SMALL: u64 = 8 << 20;
/// How deep an index may be in an index.
const DEPTH: usize = 3;

impl Image {
    /// The image for `platform` in an archive: an OCI image layout in a tar, or the output of `docker save`.
    ///
    /// Reads the whole file, so call it where that may block.
    ///
    /// # Errors
    /// A file that is neither, holds several images, is for another platform, or is not what its digests say.
    pub fn from_archive(path: &Path, platform: &Platform) -> Result<Self, ImageError> {
        let archive = Archive::open(path)?;
        if archive.members.contains_key("index.json") {
            archive.layout(platform)
        } else if archive.members.contains_key("manifest.json") {
            archive.saved(platform)
        } else {
            Err(archive.wrong(
                "it has neither an index.json, as OCI archives have, nor a manifest.json, as `docker save` writes",
            ))
        }
    }
}

/// A tar, and where everything in it is.
struct Archive {
    path: Arc<PathBuf>,
    members: BTreeMap<String, Member>,
}

enum Member {
    File {
        offset: u64,
        size: u64,
    },
    /// Another member: `docker save` writes a layer once.
    Link(String),
}

/// One entry of the `manifest.json` of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

impl Archive {
    fn open(path: &Path) -> Result<Self, ImageError> {
        let io = |source| ImageError::Io { path: path.to_owned(), source };
        let mut archive = Self { path: Arc::new(path.to_owned()), members: BTreeMap::new() };
        let mut file = File::open(path).map_err(io)?;
        let mut head = [0; 4];
        let read = file.read(&mut head).map_err(io)?;
        if let Some(tool) = compressed_by(&head[..read]) {
            return Err(archive.wrong(&format!("it is compressed; unpack it first: {tool} {}", path.display())));
        }
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        let broken = |error: io::Error| ImageError::Archive { path: path.to_owned(), why: format!("no tar: {error}") };
        for entry in tar::Archive::new(file).entries_with_seek().map_err(broken)? {
            let entry = entry.map_err(broken)?;
            let name = entry.path().map_err(broken)?.to_string_lossy().trim_start_matches("./").to_owned();
            let member = match (entry.header().entry_type(), entry.link_name().map_err(broken)?) {
                (tar::EntryType::Symlink, Some(to)) => Member::Link(beside(&name, &to.to_string_lossy())),
                (tar::EntryType::Link, Some(to)) => {
                    Member::Link(to.to_string_lossy().trim_start_matches("./").to_owned())
                }
                (kind, _) if kind.is_file() => Member::File { offset: entry.raw_file_position(), size: entry.size() },
                _ => continue,
            };
            archive.members.insert(name, member);
        }
        Ok(archive)
    }

    fn layout(&self, platform: &Platform) -> Result<Image, ImageError> {
        let mut index: Index = self.json("index.json")?;
        for _ in 0..DEPTH {
            let described = self.chosen(&index, platform)?;
            let name = blob_name(&described.digest);
            let bytes = self.small(&name)?;
            verify(&name, &described.digest, Digest::of(&bytes))?;
            if manifest::is_index(&described.media_type) {
                index = readable(&bytes, || name.clone())?;
                continue;
            }
            let manifest: Manifest = readable(&bytes, || name.clone())?;
            let config = self.small(&blob_name(&manifest.config.digest))?;
            readable::<Config>(&config, || "the image's configuration".into())?.check(platform)?;
            let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
            let blobs = blobs.map(|descriptor| self.described(descriptor)).collect::<Result<_, _>>()?;
            return Ok(Image::new(bytes.into(), described.media_type.clone(), blobs));
        }
        Err(self.wrong("it has an index in an index in an index"))
    }

    /// The entry of an index for the platform; where there are several images for it, there is no telling which.
    fn chosen<'i>(&self, index: &'i Index, platform: &Platform) -> Result<&'i Descriptor, ImageError> {
        let chosen = index.choose(platform)?;
        let rivals = index.manifests.iter().filter(|other| other.platform == chosen.platform);
        match rivals.map(|other| &other.digest).any(|digest| *digest != chosen.digest) {
            true => Err(self.wrong("it has several images; save one")),
            false => Ok(chosen),
        }
    }

    fn described(&self, descriptor: &Descriptor) -> Result<Blob, ImageError> {
        let name = blob_name(&descriptor.digest);
        let (offset, size) = self.place(&name)?;
        verify(&name, &descriptor.digest, self.read(offset, size, |_| {})?)?;
        if size != descriptor.size {
            return Err(self.wrong(&format!("{name} has {size} bytes, and {} are said", descriptor.size)));
        }
        Ok(Blob { digest: descriptor.digest.clone(), size, source: Source::File(Arc::clone(&self.path), offset) })
    }

    fn saved(&self, platform: &Platform) -> Result<Image, ImageError> {
        let mut all: Vec<Saved> = self.json("manifest.json")?;
        let saved = match (all.pop(), all.len()) {
            (Some(saved), 0) => saved,
            (None, _) => return Err(self.wrong("it has no image")),
            (Some(_), others) => return Err(self.wrong(&format!("it has {} images; save one", others + 1))),
        };
        let config = self.small(&saved.config)?;
        let parsed: Config = readable(&config, || saved.config.clone())?;
        parsed.check(platform)?;
        let diffs = parsed.rootfs.diff_ids;
        if diffs.len() != saved.layers.len() {
            return Err(self.wrong(&format!(
                "{} layers are configured, and it has {}",
                diffs.len(),
                saved.layers.len()
            )));
        }
        let layers = saved.layers.iter().zip(&diffs).map(|(name, diff)| self.layer(name, diff));
        let (descriptors, mut blobs): (Vec<_>, Vec<_>) = layers.collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let size = u64::try_from(config.len()).unwrap_or(u64::MAX);
        let digest = Digest::of(&config);
        let manifest = Manifest {
            schema_version: 2,
            media_type: Some(OCI_MANIFEST.into()),
            config: Descriptor { media_type: OCI_CONFIG.into(), digest: digest.clone(), size, platform: None },
            layers: descriptors,
        };
        let unwritable = |error: serde_json::Error| self.wrong(&error.to_string());
        let bytes = serde_json::to_vec(&manifest).map_err(unwritable)?;
        blobs.insert(0, Blob { digest, size, source: Source::Memory(config.into()) });
        Ok(Image::new(bytes.into(), OCI_MANIFEST.into(), blobs))
    }

    /// A layer that `docker save` has written, as it is: compressed or not.
    fn layer(&self, name: &str, diff: &Digest) -> Result<(Descriptor, Blob), ImageError> {
        let (offset, size) = self.place(name)?;
        let mut head = Vec::new();
        let digest = self.read(offset, size, |bytes| {
            if head.len() < 4 {
                head.extend_from_slice(&bytes[..bytes.len().min(4)]);
            }
        })?;
        let compression = match compressed_by(&head) {
            Some("gunzip") => {
                let mut unpacked = MultiGzDecoder::new(self.reader(offset, size)?);
                verify(
                    name,
                    diff,
                    hash(&mut unpacked, |_| {}).map_err(|error| self.wrong(&format!("{name}: {error}")))?,
                )?;
                "+gzip"
            }
            Some(_) => "+zstd",
            None => {
                verify(name, diff, digest.clone())?;
                ""
            }
        };
        let media_type = format!("{OCI_LAYER}{compression}");
        let blob = Blob { digest: digest.clone(), size, source: Source::File(Arc::clone(&self.path), offset) };
        Ok((Descriptor { media_type, digest, size, platform: None }, blob))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, ImageError> {
        readable(&self.small(name)?, || format!("{name} in {}", self.path.display()))
    }

    /// The content of a member that is read into memory.
    fn small(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let (offset, size) = self.place(name)?;
        if size > SMALL {
            return Err(self.wrong(&format!("{name} has {size} bytes")));
        }
        let mut content = Vec::new();
        self.reader(offset, size)?.read_to_end(&mut content).map_err(|source| self.io(source))?;
        Ok(content)
    }

    /// Where a member's content begins, and how long it is.
    fn place(&self, name: &str) -> Result<(u64, u64), ImageError> {
        let mut name = name;
        for _ in 0..DEPTH {
            match self.members.get(name) {
                Some(Member::File { offset, size }) => return Ok((*offset, *size)),
                Some(Member::Link(to)) => name = to,
                None => break,
            }
        }
        Err(self.wrong(&format!("it has no {name}; is it all of the file?")))
    }

    fn reader(&self, offset: u64, size: u64) -> Result<impl Read, ImageError> {
        let mut file = File::open(self.path.as_ref()).map_err(|source| self.io(source))?;
        file.seek(SeekFrom::Start(offset)).map_err(|source| self.io(source))?;
        Ok(file.take(size))
    }

    fn read(&self, offset: u64, size: u64, look: impl FnMut(&[u8])) -> Result<Digest, ImageError> {
        hash(&mut self.reader(offset, size)?, look).map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> ImageError {
        ImageError::Io { path: self.path.to_path_buf(), source }
    }

    fn wrong(&self, why: &str) -> ImageError {
        ImageError::Archive { path: self.path.to_path_buf(), why: why.to_owned() }
    }
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}", digest.as_str().replace(':', "/"))
}

fn verify(what: &str, digest: &Digest, found: Digest) -> Result<(), ImageError> {
    if found == *digest {
        return Ok(());
    }
    Err(ImageError::Digest { what: what.to_owned(), digest: digest.clone(), found })
}

fn hash(reader: &mut impl Read, mut look: impl FnMut(&[u8])) -> io::Result<Digest> {
    let (mut hasher, mut buffer) = (Hasher::default(), vec![0; 1 << 17]);
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => {
                look(&buffer[..read]);
                hasher.update(&buffer[..read]);
            }
        }
    }
}

/// What unpacks a file that begins like this.
fn compressed_by(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x1f, 0x8b, ..] => Some("gunzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("unzstd"),
        _ => None,
    }
}

/// `../x/layer.tar`, seen from `y/layer.tar`.
fn beside(name: &str, to: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in to.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde_json::{Value, json};

    use super::*;
    use crate::image::samples::{Sample, gzipped, tar_of};

    fn amd64() -> Platform {
        Platform::linux("amd64")
    }

    fn read(files: &[(String, Vec<u8>)]) -> Result<Image, ImageError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        File::create(&path).unwrap().write_all(&tar_of(files)).unwrap();
        Image::from_archive(&path, &amd64())
    }

    fn manifest(image: &Image) -> Value {
        serde_json::from_slice(&image.manifest).unwrap()
    }

    #[test]
    fn an_oci_archive_is_pushed_byte_for_byte() {
        let sample = Sample::new("amd64", &[b"lower".to_vec(), b"upper".to_vec()]);
        let image = read(&sample.layout()).unwrap();
        assert_eq!(image.digest, Digest::of(&sample.manifest));
        assert_eq!((image.layers(), image.media_type.as_str()), (2, OCI_MANIFEST));
        assert_eq!(&image.manifest[..], &sample.manifest[..]);
    }

    #[test]
    fn of_an_archive_for_several_platforms_the_one_that_runs_is_taken() {
        let (ours, other) = (Sample::new("amd64", &[b"a".to_vec()]), Sample::new("arm64", &[b"b".to_vec()]));
        let image = read(&Sample::index(&[&other, &ours])).unwrap();
        assert_eq!(image.digest, Digest::of(&ours.manifest));
        let error = read(&other.layout()).unwrap_err();
        assert_eq!(error.to_string(), "the image is for linux/arm64, and tasks run on linux/amd64");
    }

    #[test]
    fn what_docker_save_writes_gets_a_manifest_of_its_own() {
        let plain = b"layer as a tar".to_vec();
        let packed = gzipped(b"layer that was packed");
        let sample = Sample::new("amd64", &[plain.clone(), packed.clone()]);
        let image = read(&sample.saved(&[plain.clone(), b"layer that was packed".to_vec()])).unwrap();
        let manifest = manifest(&image);
        assert_eq!(manifest["layers"][0]["mediaType"], OCI_LAYER);
        assert_eq!(manifest["layers"][0]["digest"], Digest::of(&plain).as_str());
        assert_eq!(manifest["layers"][1]["mediaType"], format!("{OCI_LAYER}+gzip"));
        assert_eq!(manifest["layers"][1]["digest"], Digest::of(&packed).as_str());
        assert_eq!(image.digest, Digest::of(&image.manifest));
    }

    #[test]
    fn a_layer_that_is_a_link_is_where_the_link_points() {
        let layer = b"twice".to_vec();
        let sample = Sample::new("amd64", std::slice::from_ref(&layer));
        let mut files = sample.saved(std::slice::from_ref(&layer));
        let (name, _) = files.iter().find(|(name, _)| name.ends_with("layer.tar")).unwrap().clone();
        let names = json!([{"Config": "config.json", "Layers": ["b/layer.tar"]}]);
        files.iter_mut().for_each(|(file, content)| {
            if file == "manifest.json" {
                *content = names.to_string().into_bytes();
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar");
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "b/layer.tar", format!("../{name}")).unwrap();
        for (name, content) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, &content[..]).unwrap();
        }
        File::create(&path).unwrap().write_all(&builder.into_inner().unwrap()).unwrap();
        let image = Image::from_archive(&path, &amd64()).unwrap();
        assert_eq!(manifest(&image)["layers"][0]["digest"], Digest::of(&layer).as_str());
    }

    #[test]
    fn what_was_damaged_on_its_way_is_not_pushed() {
        let layer = b"as it was built".to_vec();
        let sample = Sample::new("amd64", std::slice::from_ref(&layer));
        let damage = |files: Vec<(String, Vec<u8>)>| -> Vec<(String, Vec<u8>)> {
            let other = |content: Vec<u8>| if content == layer { b"as it arrived !".to_vec() } else { content };
            files.into_iter().map(|(name, content)| (name, other(content))).collect()
        };
        for files in [sample.layout(), sample.saved(std::slice::from_ref(&layer))] {
            let error = read(&damage(files)).unwrap_err();
            assert!(matches!(error, ImageError::Digest { .. }), "{error}");
        }
        let mut cut = sample.layout();
        cut.retain(|(_, content)| *content != layer);
        assert!(read(&cut).unwrap_err().to_string().contains("is it all of the file?"));
    }

    #[test]
    fn what_is_no_archive_of_one_image_says_so() {
        let sample = Sample::new("amd64", &[b"a".to_vec()]);
        let said = |files: &[(String, Vec<u8>)]| read(files).unwrap_err().to_string();
        assert!(said(&[("readme".into(), b"hello".to_vec())]).contains("neither an index.json"));
        let two = json!([{"Config": "a", "Layers": []}, {"Config": "b", "Layers": []}]).to_string();
        assert!(said(&[("manifest.json".into(), two.into_bytes())]).contains("it has 2 images; save one"));
        let another = Sample::new("amd64", &[b"b".to_vec()]);
        assert!(said(&Sample::index(&[&sample, &another])).contains("several images"));

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.tar.gz");
        File::create(&path).unwrap().write_all(&gzipped(&tar_of(&sample.layout()))).unwrap();
        let error = Image::from_archive(&path, &amd64()).unwrap_err().to_string();
        assert!(error.contains("it is compressed; unpack it first: gunzip"), "{error}");
    }
}
