//! Objects and their versions.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::bucket::Bucket;
use super::setting::{Versioning, versioning};
use super::{Answer, Call, S3, document, empty, http_date, iso, malformed_xml, precondition_failed, set};
use crate::service::ApiResponse;
use crate::service::Tags;
use crate::time::milliseconds;
use crate::wire::Element;
use crate::wire::{Fault, Xml};

/// The id of the version that a bucket without versioning writes.
const NULL: &str = "null";

/// Headers that are stored with an object and given back with it.
const KEPT_HEADERS: [&str; 6] =
    ["content-type", "content-encoding", "content-language", "content-disposition", "cache-control", "expires"];

/// One version of an object, or a delete marker.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) id: String,
    /// Milliseconds since 1970.
    pub(super) modified: i64,
    pub(super) etag: String,
    /// `None` is a delete marker.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    body: Option<Bytes>,
    headers: BTreeMap<String, String>,
    tags: Tags,
}

impl Version {
    pub(super) fn new(body: Bytes, headers: BTreeMap<String, String>, tags: Tags) -> Version {
        let hash: String = Sha256::digest(&body).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{hash}\"");
        Version { id: NULL.to_owned(), modified: milliseconds(), etag, body: Some(body), headers, tags }
    }

    fn marker() -> Version {
        Version { body: None, ..Version::new(Bytes::new(), BTreeMap::new(), Tags::new()) }
    }

    pub(super) fn is_marker(&self) -> bool {
        self.body.is_none()
    }

    pub(super) fn size(&self) -> usize {
        self.body.as_ref().map_or(0, Bytes::len)
    }

    fn put_headers(&self, response: &mut ApiResponse) {
        for (name, value) in &self.headers {
            let name = http::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, http::HeaderValue::from_str(value)) {
                response.headers.insert(name, value);
            }
        }
        set(&mut response.headers, "etag", &self.etag);
        set(&mut response.headers, "last-modified", &http_date(self.modified));
        set(&mut response.headers, "accept-ranges", "bytes");
        if self.id != NULL {
            set(&mut response.headers, "x-amz-version-id", &self.id);
        }
        if !self.tags.is_empty() {
            set(&mut response.headers, "x-amz-tagging-count", &self.tags.len().to_string());
        }
    }
}

/// The headers of a write that its object keeps: its kind, its metadata, its checksum, and how it is encrypted.
pub(super) fn kept_headers(bucket: &Bucket, call: &Call<'_>) -> BTreeMap<String, String> {
    let wanted = |name: &str| {
        KEPT_HEADERS.contains(&name)
            || name.starts_with("x-amz-meta-")
            || name.starts_with("x-amz-server-side-encryption")
            || name.starts_with("x-amz-storage-class")
            || (name.starts_with("x-amz-checksum-") && name != "x-amz-checksum-algorithm")
    };
    let headers = call.request.headers.iter().filter(|(name, _)| wanted(name.as_str()));
    let text = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
    let mut kept: BTreeMap<String, String> = text.collect();
    if kept.get("content-encoding").is_some_and(|encoding| encoding == "aws-chunked") {
        kept.remove("content-encoding");
    }
    encrypt(bucket, &mut kept);
    kept
}

/// What the bucket's default encryption adds to a write that does not say.
fn encrypt(bucket: &Bucket, kept: &mut BTreeMap<String, String>) {
    if kept.contains_key("x-amz-server-side-encryption") {
        return;
    }
    let default =
        |name: &str| bucket.setting_value("encryption", &["Rule", "ApplyServerSideEncryptionByDefault", name]);
    if let Some(algorithm) = default("SSEAlgorithm") {
        kept.insert("x-amz-server-side-encryption".to_owned(), algorithm);
    }
    if let Some(key) = default("KMSMasterKeyID") {
        kept.insert("x-amz-server-side-encryption-aws-kms-key-id".to_owned(), key);
    }
    if bucket.setting_value("encryption", &["Rule", "BucketKeyEnabled"]).as_deref() == Some("true") {
        kept.insert("x-amz-server-side-encryption-bucket-key-enabled".to_owned(), "true".to_owned());
    }
}

impl Bucket {
    /// Refuses a write whose condition does not hold.
    pub(super) fn check_write(&self, call: &Call<'_>) -> Result<(), Fault> {
        let current = self.current(&call.key);
        if call.header("if-none-match") == Some("*") && current.is_some() {
            return Err(precondition_failed());
        }
        match (call.header("if-match"), current) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(no_such_key()),
            (Some(wanted), Some(current)) if is_etag(wanted, current) => Ok(()),
            (Some(_), Some(_)) => Err(precondition_failed()),
        }
    }

    /// Adds a version; without versioning it takes the place of the one before.
    pub(super) fn add(&mut self, key: &str, mut version: Version) -> &Version {
        let versions = versioning(self);
        let history = self.objects.entry(key.to_owned()).or_default();
        match versions {
            Versioning::Enabled => version.id = uuid::Uuid::new_v4().simple().to_string(),
            Versioning::Never | Versioning::Suspended => history.retain(|old| old.id != NULL),
        }
        history.push(version);
        &history[history.len() - 1]
    }

    /// Deletes as S3 does: one version for good, or the key by a marker.
    pub(super) fn remove(&mut self, key: &str, version_id: Option<&str>) -> Option<Version> {
        if version_id.is_none() && versioning(self) != Versioning::Never {
            return Some(self.add(key, Version::marker()).clone());
        }
        let id = version_id.unwrap_or(NULL);
        let history = self.objects.get_mut(key)?;
        let place = history.iter().position(|version| version.id == id)?;
        let gone = history.remove(place);
        if history.is_empty() {
            self.objects.remove(key);
        }
        Some(gone)
    }

    /// The version that a request names, or the current one.
    fn version(&mut self, call: &Call<'_>) -> Result<&mut Version, Fault> {
        let history = self.objects.get_mut(&call.key);
        let Some(id) = call.query.get("versionId") else {
            return history.and_then(|it| it.last_mut()).filter(|it| !it.is_marker()).ok_or_else(no_such_key);
        };
        let missing = || Fault::new("NoSuchVersion", "The specified version does not exist.").status(404);
        let version = history.and_then(|it| it.iter_mut().find(|version| version.id == id)).ok_or_else(missing)?;
        match version.is_marker() {
            true => Err(super::not_allowed()),
            false => Ok(version),
        }
    }
}

impl S3 {
    pub(super) fn put_object(&mut self, call: &Call<'_>) -> Answer {
        let bucket = self.bucket(call)?;
        bucket.check_write(call)?;
        let tags = call.header("x-amz-tagging").map(tags_in_header).unwrap_or_default();
        let version = Version::new(call.request.body.clone(), kept_headers(bucket, call), tags);
        Ok(written(bucket.add(&call.key, version)))
    }

    pub(super) fn copy_object(&mut self, call: &Call<'_>) -> Answer {
        let source = call.header("x-amz-copy-source").unwrap_or_default().trim_start_matches('/');
        let (path, id) = source.split_once("?versionId=").map_or((source, None), |(path, id)| (path, Some(id)));
        let path = urlencoding::decode(path).map_err(|_| super::invalid_argument("Invalid copy source encoding."))?;
        let (bucket, key) = path.split_once('/').ok_or_else(|| super::invalid_argument("Invalid copy source."))?;
        let from = self.bucket_named(bucket)?;
        let source = match id {
            Some(id) => from.objects.get(key).and_then(|history| history.iter().find(|version| version.id == id)),
            None => from.current(key),
        };
        let mut version = source.filter(|version| !version.is_marker()).ok_or_else(no_such_key)?.clone();
        version.id = NULL.to_owned();
        version.modified = milliseconds();
        version.headers.retain(|name, _| !name.starts_with("x-amz-server-side-encryption"));
        let bucket = self.bucket(call)?;
        if call.header("x-amz-metadata-directive") == Some("REPLACE") {
            version.headers = kept_headers(bucket, call);
        } else {
            encrypt(bucket, &mut version.headers);
        }
        if call.header("x-amz-tagging-directive") == Some("REPLACE") {
            version.tags = call.header("x-amz-tagging").map(tags_in_header).unwrap_or_default();
        }
        let version = bucket.add(&call.key, version);
        let mut xml = Xml::default();
        xml.text("ETag", &version.etag).text("LastModified", iso(version.modified));
        let mut response = document("CopyObjectResult", &xml);
        response.headers.extend(written(version).headers);
        Ok(response)
    }

    pub(super) fn get_object(&mut self, call: &Call<'_>) -> Answer {
        let version = self.bucket(call)?.version(call)?;
        if call.header("if-match").is_some_and(|wanted| !is_etag(wanted, version)) {
            return Err(precondition_failed());
        }
        let mut response = empty(200);
        version.put_headers(&mut response);
        if call.header("if-none-match").is_some_and(|known| is_etag(known, version)) {
            response.status = 304;
            return Ok(response);
        }
        let range = call.header("range").and_then(|range| slice(range, version.size()));
        // A checksum is told to those who ask, and is one of the whole object.
        if call.header("x-amz-checksum-mode").is_none() || range.is_some() {
            forget_checksums(&mut response);
        }
        let body = version.body.clone().unwrap_or_default();
        let body = match range {
            Some((first, last)) => {
                response.status = 206;
                set(&mut response.headers, "content-range", &format!("bytes {first}-{last}/{}", body.len()));
                body.slice(first..=last)
            }
            None => body,
        };
        set(&mut response.headers, "content-length", &body.len().to_string());
        if call.method == "GET" {
            response.body = body;
        }
        Ok(response)
    }

    pub(super) fn delete_object(&mut self, call: &Call<'_>) -> Answer {
        let bucket = self.bucket(call)?;
        if let (Some(wanted), Some(current)) = (call.header("if-match"), bucket.current(&call.key))
            && !is_etag(wanted, current)
        {
            return Err(precondition_failed());
        }
        let removed = bucket.remove(&call.key, call.query.get("versionId"));
        let mut response = empty(204);
        if let Some(removed) = removed {
            if removed.id != NULL {
                set(&mut response.headers, "x-amz-version-id", &removed.id);
            }
            if removed.is_marker() {
                set(&mut response.headers, "x-amz-delete-marker", "true");
            }
        }
        Ok(response)
    }

    pub(super) fn delete_objects(&mut self, call: &Call<'_>) -> Answer {
        let given = Element::parse(call.text()?).filter(|it| it.name == "Delete").ok_or_else(malformed_xml)?;
        let objects: Vec<&Element> = given.all("Object").collect();
        if objects.is_empty() || objects.len() > 1000 {
            return Err(malformed_xml());
        }
        let bucket = self.bucket(call)?;
        let quiet = given.text_of("Quiet") == Some("true");
        let mut xml = Xml::default();
        for object in objects {
            let key = object.text_of("Key").unwrap_or_default();
            let id = object.text_of("VersionId");
            let removed = bucket.remove(key, id);
            if quiet {
                continue;
            }
            xml.node("Deleted", |xml| {
                xml.text("Key", key).opt("VersionId", id);
                if let Some(marker) = removed.filter(Version::is_marker) {
                    xml.text("DeleteMarker", true).text("DeleteMarkerVersionId", &marker.id);
                }
            });
        }
        Ok(document("DeleteResult", &xml))
    }

    pub(super) fn put_object_tags(&mut self, call: &Call<'_>) -> Answer {
        let given = Element::parse(call.text()?).filter(|it| it.name == "Tagging").ok_or_else(malformed_xml)?;
        let set = given.child("TagSet").ok_or_else(malformed_xml)?;
        let pair = |tag: &Element| Some((tag.text_of("Key")?.to_owned(), tag.text_of("Value")?.to_owned()));
        self.bucket(call)?.version(call)?.tags = set.all("Tag").filter_map(pair).collect();
        Ok(empty(200))
    }

    pub(super) fn get_object_tags(&mut self, call: &Call<'_>) -> Answer {
        let mut xml = Xml::default();
        xml.list("TagSet", "Tag", &self.bucket(call)?.version(call)?.tags, |item, (key, value)| {
            item.text("Key", key).text("Value", value);
        });
        Ok(document("Tagging", &xml))
    }

    pub(super) fn delete_object_tags(&mut self, call: &Call<'_>) -> Answer {
        self.bucket(call)?.version(call)?.tags.clear();
        Ok(empty(204))
    }
}

/// What a write answers: which version it is, and how it is encrypted.
pub(super) fn written(version: &Version) -> ApiResponse {
    let mut response = empty(200);
    version.put_headers(&mut response);
    let answers = |name: &str| {
        name == "etag"
            || name == "x-amz-version-id"
            || name.starts_with("x-amz-server-side-encryption")
            || name.starts_with("x-amz-checksum-")
    };
    let others: Vec<_> = response.headers.keys().filter(|name| !answers(name.as_str())).cloned().collect();
    for name in others {
        response.headers.remove(&name);
    }
    response
}

fn forget_checksums(response: &mut ApiResponse) {
    let checksums = response.headers.keys().filter(|name| name.as_str().starts_with("x-amz-checksum-"));
    for name in checksums.cloned().collect::<Vec<_>>() {
        response.headers.remove(&name);
    }
}

fn is_etag(wanted: &str, version: &Version) -> bool {
    wanted == "*" || wanted.trim_matches('"') == version.etag.trim_matches('"')
}

fn no_such_key() -> Fault {
    Fault::new("NoSuchKey", "The specified key does not exist.").status(404)
}

/// `key=value&…`, as the header of a write has them.
fn tags_in_header(header: &str) -> Tags {
    let decoded = |text: &str| urlencoding::decode(text).map_or(text.to_owned(), |text| text.into_owned());
    let pairs = header.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

/// First and last byte of `bytes=first-last`, `bytes=first-` or `bytes=-count`.
fn slice(range: &str, size: usize) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = size.checked_sub(1)?;
    let (first, last) = match (first, last) {
        ("", count) => (size.saturating_sub(count.parse().ok()?), end),
        (first, "") => (first.parse().ok()?, end),
        (first, last) => (first.parse().ok()?, last.parse::<usize>().ok()?.min(end)),
    };
    (first <= last).then_some((first, last))
}

fn to_base64<S: Serializer>(body: &Option<Bytes>, serializer: S) -> Result<S::Ok, S::Error> {
    body.as_ref().map(|body| BASE64.encode(body)).serialize(serializer)
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Bytes>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let body = text.map(|text| BASE64.decode(text)).transpose().map_err(serde::de::Error::custom)?;
    Ok(body.map(Bytes::from))
}
