//! Lists of objects and of versions.

use std::borrow::Cow;

use super::bucket::Bucket;
use super::object::Version;
use super::{Answer, Call, S3, document, iso};
use crate::wire::{Fault, Xml};

/// What both lists of objects have in common.
struct Page<'a> {
    keys: Vec<(&'a str, &'a Version)>,
    prefixes: Vec<String>,
    /// The last key or prefix of the page, when more follows.
    next: Option<String>,
}

impl S3 {
    pub(super) fn list_objects_v2(&mut self, call: &Call<'_>) -> Answer {
        let token = call.query.get("continuation-token");
        let after = token.or(call.query.get("start-after")).unwrap_or_default();
        let limit = limit(call)?;
        let page = page(self.bucket(call)?, call, after, limit);
        let mut xml = Xml::default();
        xml.text("KeyCount", page.keys.len() + page.prefixes.len()).opt("ContinuationToken", token);
        xml.opt("StartAfter", call.query.get("start-after")).opt("NextContinuationToken", page.next.as_ref());
        page.put(&mut xml, call, limit);
        Ok(document("ListBucketResult", &xml))
    }

    pub(super) fn list_objects(&mut self, call: &Call<'_>) -> Answer {
        let after = call.query.get("marker").unwrap_or_default();
        let limit = limit(call)?;
        let page = page(self.bucket(call)?, call, after, limit);
        let mut xml = Xml::default();
        xml.text("Marker", coded(call, after));
        xml.opt("NextMarker", page.next.as_ref().map(|next| coded(call, next)));
        page.put(&mut xml, call, limit);
        Ok(document("ListBucketResult", &xml))
    }

    pub(super) fn list_versions(&mut self, call: &Call<'_>) -> Answer {
        let limit = limit(call)?;
        let prefix = call.query.get("prefix").unwrap_or_default();
        let key_marker = call.query.get("key-marker").unwrap_or_default();
        let id_marker = call.query.get("version-id-marker").filter(|id| !id.is_empty());
        let bucket = self.bucket(call)?;
        let mut all = Vec::new();
        for (key, history) in bucket.objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            let newest_first = history.iter().rev().enumerate();
            let mut versions: Vec<_> = newest_first.map(|(place, version)| (key, version, place == 0)).collect();
            match id_marker {
                _ if key.as_str() < key_marker => continue,
                Some(id) if key == key_marker => {
                    let done = versions.iter().position(|(_, version, _)| version.id == id).map_or(0, |at| at + 1);
                    versions.drain(..done);
                }
                None if key == key_marker => continue,
                _ => {}
            }
            all.extend(versions);
        }
        let mut xml = Xml::default();
        xml.text("Name", &call.bucket).text("Prefix", coded(call, prefix)).text("KeyMarker", coded(call, key_marker));
        xml.text("MaxKeys", limit).text("IsTruncated", all.len() > limit).opt("EncodingType", encoding(call));
        if let Some((key, version, _)) = all.get(limit.saturating_sub(1)).filter(|_| all.len() > limit) {
            xml.text("NextKeyMarker", coded(call, key)).text("NextVersionIdMarker", &version.id);
        }
        for (key, version, latest) in all.into_iter().take(limit) {
            xml.node(if version.is_marker() { "DeleteMarker" } else { "Version" }, |item| {
                item.text("Key", coded(call, key)).text("VersionId", &version.id).text("IsLatest", latest);
                item.text("LastModified", iso(version.modified));
                if !version.is_marker() {
                    item.text("ETag", &version.etag).text("Size", version.size()).text("StorageClass", "STANDARD");
                }
            });
        }
        Ok(document("ListVersionsResult", &xml))
    }
}

impl Page<'_> {
    fn put(&self, xml: &mut Xml, call: &Call<'_>, limit: usize) {
        let prefix = call.query.get("prefix").unwrap_or_default();
        xml.text("Name", &call.bucket).text("Prefix", coded(call, prefix)).text("MaxKeys", limit);
        xml.opt("Delimiter", call.query.get("delimiter").map(|it| coded(call, it))).opt("EncodingType", encoding(call));
        xml.text("IsTruncated", self.next.is_some());
        for (key, version) in &self.keys {
            xml.node("Contents", |item| {
                item.text("Key", coded(call, key)).text("LastModified", iso(version.modified));
                item.text("ETag", &version.etag).text("Size", version.size()).text("StorageClass", "STANDARD");
            });
        }
        for prefix in &self.prefixes {
            xml.node("CommonPrefixes", |item| {
                item.text("Prefix", coded(call, prefix));
            });
        }
    }
}

fn page<'a>(bucket: &'a Bucket, call: &Call<'_>, after: &str, limit: usize) -> Page<'a> {
    let prefix = call.query.get("prefix").unwrap_or_default();
    let delimiter = call.query.get("delimiter").filter(|delimiter| !delimiter.is_empty());
    let mut page = Page { keys: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = None;
    for key in bucket.objects.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let Some(version) = bucket.current(key) else { continue };
        let common = delimiter.and_then(|delimiter| {
            let end = key[prefix.len()..].find(delimiter)? + delimiter.len();
            Some(&key[..prefix.len() + end])
        });
        // The page before may have ended with this common prefix.
        if common.is_some_and(|common| page.prefixes.last().is_some_and(|it| it == common) || common == after) {
            continue;
        }
        if page.keys.len() + page.prefixes.len() >= limit {
            page.next = last;
            return page;
        }
        last = Some(common.unwrap_or(key).to_owned());
        match common {
            Some(common) => page.prefixes.push(common.to_owned()),
            None => page.keys.push((key, version)),
        }
    }
    page
}

fn limit(call: &Call<'_>) -> Result<usize, Fault> {
    Ok(call.query.parsed::<usize>("max-keys")?.unwrap_or(1000).min(1000))
}

fn encoding<'a>(call: &'a Call<'_>) -> Option<&'a str> {
    call.query.get("encoding-type")
}

/// Keys may hold letters that XML cannot: callers may ask for them URL-encoded.
fn coded<'a>(call: &Call<'_>, key: &'a str) -> Cow<'a, str> {
    match encoding(call) {
        Some("url") => urlencoding::encode(key).replace("%2F", "/").into(),
        _ => Cow::Borrowed(key),
    }
}
