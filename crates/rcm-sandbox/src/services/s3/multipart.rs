//! Multipart uploads.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::object::{Version, kept_headers, written};
use super::{Answer, Call, S3, document, empty, iso, malformed_xml, set};
use crate::service::Tags;
use crate::time::milliseconds;
use crate::wire::Element;
use crate::wire::{Fault, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct Upload {
    key: String,
    started: i64,
    headers: BTreeMap<String, String>,
    parts: BTreeMap<u32, Part>,
}

#[derive(Serialize, Deserialize)]
struct Part {
    etag: String,
    modified: i64,
    /// Base64.
    body: String,
}

impl S3 {
    fn upload(&mut self, call: &Call<'_>) -> Result<&mut Upload, Fault> {
        let id = call.query.get("uploadId").unwrap_or_default();
        let upload = self.bucket(call)?.uploads.get_mut(id).filter(|upload| upload.key == call.key);
        upload.ok_or_else(|| Fault::new("NoSuchUpload", "The specified upload does not exist.").status(404))
    }

    pub(super) fn create_upload(&mut self, call: &Call<'_>) -> Answer {
        let bucket = self.bucket(call)?;
        let id = uuid::Uuid::new_v4().simple().to_string();
        let headers = kept_headers(bucket, call);
        let upload = Upload { key: call.key.clone(), started: milliseconds(), headers, parts: BTreeMap::new() };
        bucket.uploads.insert(id.clone(), upload);
        let mut xml = Xml::default();
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("UploadId", id);
        Ok(document("InitiateMultipartUploadResult", &xml))
    }

    pub(super) fn put_part(&mut self, call: &Call<'_>) -> Answer {
        let number = call.query.parsed::<u32>("partNumber")?.filter(|number| (1..=10_000).contains(number));
        let number = number.ok_or_else(|| super::invalid_argument("Part number must be between 1 and 10000."))?;
        let body = &call.request.body;
        let etag = Version::new(body.clone(), BTreeMap::new(), Tags::new()).etag;
        let part = Part { etag: etag.clone(), modified: milliseconds(), body: BASE64.encode(body) };
        self.upload(call)?.parts.insert(number, part);
        let mut response = empty(200);
        set(&mut response.headers, "etag", &etag);
        Ok(response)
    }

    pub(super) fn list_parts(&mut self, call: &Call<'_>) -> Answer {
        let mut xml = Xml::default();
        xml.text("Bucket", &call.bucket).text("Key", &call.key).opt("UploadId", call.query.get("uploadId"));
        xml.text("IsTruncated", false);
        for (number, part) in &self.upload(call)?.parts {
            xml.node("Part", |item| {
                item.text("PartNumber", number).text("ETag", &part.etag).text("LastModified", iso(part.modified));
                item.text("Size", BASE64.decode(&part.body).map_or(0, |body| body.len()));
            });
        }
        Ok(document("ListPartsResult", &xml))
    }

    pub(super) fn complete_upload(&mut self, call: &Call<'_>) -> Answer {
        let given = Element::parse(call.text()?).ok_or_else(malformed_xml)?;
        let upload = self.upload(call)?;
        let mut body = Vec::new();
        for wanted in given.all("Part") {
            let number = wanted.text_of("PartNumber").and_then(|number| number.parse().ok());
            let etag = wanted.text_of("ETag").map(|etag| etag.trim_matches('"'));
            let part = number.and_then(|number: u32| upload.parts.get(&number));
            let part = part.filter(|part| Some(part.etag.trim_matches('"')) == etag);
            let message = "One or more of the specified parts could not be found.";
            let part = part.ok_or_else(|| Fault::new("InvalidPart", message))?;
            body.extend(BASE64.decode(&part.body).unwrap_or_default());
        }
        if body.is_empty() {
            return Err(malformed_xml());
        }
        let headers = upload.headers.clone();
        let bucket = self.bucket(call)?;
        bucket.check_write(call)?;
        bucket.uploads.remove(call.query.get("uploadId").unwrap_or_default());
        let version = bucket.add(&call.key, Version::new(Bytes::from(body), headers, Tags::new()));
        let mut xml = Xml::default();
        xml.text("Bucket", &call.bucket).text("Key", &call.key).text("ETag", &version.etag);
        let mut response = document("CompleteMultipartUploadResult", &xml);
        response.headers.extend(written(version).headers);
        Ok(response)
    }

    pub(super) fn abort_upload(&mut self, call: &Call<'_>) -> Answer {
        self.upload(call)?;
        self.bucket(call)?.uploads.remove(call.query.get("uploadId").unwrap_or_default());
        Ok(empty(204))
    }

    pub(super) fn list_uploads(&mut self, call: &Call<'_>) -> Answer {
        let prefix = call.query.get("prefix").unwrap_or_default();
        let mut xml = Xml::default();
        xml.text("Bucket", &call.bucket).text("IsTruncated", false);
        let bucket = self.bucket(call)?;
        for (id, upload) in bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)) {
            xml.node("Upload", |item| {
                item.text("Key", &upload.key).text("UploadId", id).text("Initiated", iso(upload.started));
                item.text("StorageClass", "STANDARD");
            });
        }
        Ok(document("ListMultipartUploadsResult", &xml))
    }
}
