//! The settings of a bucket: each a document under a sub-resource, with an answer of its own for its absence.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::{Answer, Call, S3, document, empty, malformed_xml, not_allowed, policy, set};
use crate::wire::Element;
use crate::wire::{Fault, Xml};

/// One kind of setting.
pub(super) struct Setting {
    /// The sub-resource in the query.
    query: &'static str,
    /// The root of its document; empty for the policy, which is JSON.
    root: &'static str,
    /// What a bucket without it answers.
    absent: Absent,
}

enum Absent {
    /// The document without content.
    Empty,
    /// A 404 with this code and message.
    Missing(&'static str, &'static str),
}

/// All settings that the sandbox keeps.
const SETTINGS: [Setting; 14] = [
    Setting { query: "versioning", root: "VersioningConfiguration", absent: Absent::Empty },
    Setting { query: "logging", root: "BucketLoggingStatus", absent: Absent::Empty },
    Setting { query: "notification", root: "NotificationConfiguration", absent: Absent::Empty },
    Setting { query: "accelerate", root: "AccelerateConfiguration", absent: Absent::Empty },
    Setting {
        query: "encryption",
        root: "ServerSideEncryptionConfiguration",
        absent: Absent::Missing(
            "ServerSideEncryptionConfigurationNotFoundError",
            "The server side encryption configuration was not found",
        ),
    },
    Setting {
        query: "policy",
        root: "",
        absent: Absent::Missing("NoSuchBucketPolicy", "The bucket policy does not exist"),
    },
    Setting {
        query: "publicAccessBlock",
        root: "PublicAccessBlockConfiguration",
        absent: Absent::Missing(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ),
    },
    Setting {
        query: "ownershipControls",
        root: "OwnershipControls",
        absent: Absent::Missing("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    },
    Setting {
        query: "lifecycle",
        root: "LifecycleConfiguration",
        absent: Absent::Missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    },
    Setting { query: "tagging", root: "Tagging", absent: Absent::Missing("NoSuchTagSet", "The TagSet does not exist") },
    Setting {
        query: "cors",
        root: "CORSConfiguration",
        absent: Absent::Missing("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    },
    Setting {
        query: "replication",
        root: "ReplicationConfiguration",
        absent: Absent::Missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    },
    Setting {
        query: "website",
        root: "WebsiteConfiguration",
        absent: Absent::Missing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
    },
    Setting {
        query: "object-lock",
        root: "ObjectLockConfiguration",
        absent: Absent::Missing(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
    },
];

/// Since January 2023 every bucket is encrypted with SSE-S3, and taking the configuration away means going back to that.
const SSE_S3: &str = "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
    <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\
    <BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";

/// Since April 2023 every new bucket is private.
const ALL_PUBLIC_ACCESS_BLOCKED: &str = "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
    <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
    </PublicAccessBlockConfiguration>";

/// The setting that a request is about.
pub(super) fn asked_for(call: &Call<'_>) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| call.asks(setting.query))
}

/// What a bucket has from the start.
pub(super) fn of_new_bucket(call: &Call<'_>, given: &Element) -> BTreeMap<String, String> {
    let ownership = call.header("x-amz-object-ownership").unwrap_or("BucketOwnerEnforced");
    let ownership =
        format!("<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>");
    let mut settings = BTreeMap::from([
        ("encryption".to_owned(), SSE_S3.to_owned()),
        ("publicAccessBlock".to_owned(), ALL_PUBLIC_ACCESS_BLOCKED.to_owned()),
        ("ownershipControls".to_owned(), ownership),
    ]);
    if let Some(tags) = given.child("Tags") {
        let mut xml = Xml::default();
        xml.node("Tagging", |tagging| {
            tagging.list("TagSet", "Tag", tags.all("Tag"), |item, tag| {
                item.opt("Key", tag.text_of("Key")).opt("Value", tag.text_of("Value"));
            });
        });
        settings.insert("tagging".to_owned(), xml.content().to_owned());
    }
    if call.header("x-amz-bucket-object-lock-enabled") == Some("true") {
        let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
        let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        settings.insert("object-lock".to_owned(), lock.to_owned());
        settings.insert("versioning".to_owned(), versioning.to_owned());
    }
    settings
}

impl S3 {
    pub(super) fn about_setting(&mut self, call: &Call<'_>, setting: &'static Setting) -> Answer {
        if call.method == "PUT" && setting.query == "logging" {
            self.check_logging(call)?;
        }
        let bucket = self.bucket(call)?;
        match call.method {
            "GET" => bucket.get_setting(setting),
            "PUT" => bucket.put_setting(call, setting),
            "DELETE" => {
                bucket.settings.remove(setting.query);
                if setting.query == "encryption" {
                    bucket.settings.insert("encryption".to_owned(), SSE_S3.to_owned());
                }
                Ok(empty(204))
            }
            _ => Err(not_allowed()),
        }
    }
}

impl S3 {
    /// Access logs go to a bucket that is there.
    fn check_logging(&self, call: &Call<'_>) -> Result<(), Fault> {
        let given = Element::parse(call.text()?).ok_or_else(malformed_xml)?;
        let Some(enabled) = given.child("LoggingEnabled") else { return Ok(()) };
        match enabled.text_of("TargetBucket") {
            Some(target) if self.buckets.contains_key(target) => Ok(()),
            _ => Err(Fault::new("InvalidTargetBucketForLogging", "The target bucket for logging does not exist")),
        }
    }
}

impl Bucket {
    fn get_setting(&self, setting: &Setting) -> Answer {
        let Some(text) = self.settings.get(setting.query) else {
            return match setting.absent {
                Absent::Empty => Ok(document(setting.root, &Xml::default())),
                Absent::Missing(code, message) => Err(Fault::new(code, message).status(404)),
            };
        };
        let mut response = empty(200);
        let kind = if setting.root.is_empty() { "application/json" } else { "application/xml" };
        set(&mut response.headers, "content-type", kind);
        if setting.query == "lifecycle" {
            let least = "all_storage_classes_128K";
            set(&mut response.headers, "x-amz-transition-default-minimum-object-size", least);
        }
        response.body = text.clone().into();
        Ok(response)
    }

    fn put_setting(&mut self, call: &Call<'_>, setting: &Setting) -> Answer {
        let text = call.text()?;
        if setting.query == "policy" {
            policy::check(self, &call.bucket, text)?;
        } else {
            let given = Element::parse(text).filter(|given| given.name == setting.root).ok_or_else(malformed_xml)?;
            check(self, setting, &given)?;
            // Both are taken away by a document without content, as neither has a call to delete it.
            if ["logging", "notification"].contains(&setting.query) && given.children.is_empty() {
                self.settings.remove(setting.query);
                return Ok(empty(200));
            }
        }
        self.settings.insert(setting.query.to_owned(), text.to_owned());
        let mut response = empty(if ["policy", "tagging"].contains(&setting.query) { 204 } else { 200 });
        if setting.query == "lifecycle" {
            let least = "all_storage_classes_128K";
            set(&mut response.headers, "x-amz-transition-default-minimum-object-size", least);
        }
        Ok(response)
    }

    /// One value of a setting, by the names on the way to it.
    pub(super) fn setting_value(&self, query: &str, path: &[&str]) -> Option<String> {
        let root = Element::parse(self.settings.get(query)?)?;
        let found = path.iter().try_fold(&root, |element, name| element.child(name))?;
        Some(found.text.clone())
    }
}

/// The refusals that a document's form does not show.
fn check(bucket: &Bucket, setting: &Setting, given: &Element) -> Result<(), Fault> {
    match setting.query {
        "versioning" => {
            let status = given.text_of("Status");
            if !matches!(status, Some("Enabled" | "Suspended")) {
                return Err(malformed_xml());
            }
            if status == Some("Suspended") && bucket.settings.contains_key("object-lock") {
                let message = "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.";
                return Err(Fault::new("InvalidBucketState", message).status(409));
            }
        }
        "lifecycle" if given.child("Rule").is_none() => return Err(malformed_xml()),
        "encryption" => {
            let rule = given.child("Rule").and_then(|rule| rule.child("ApplyServerSideEncryptionByDefault"));
            let algorithm = rule.and_then(|rule| rule.text_of("SSEAlgorithm"));
            if !matches!(algorithm, Some("AES256" | "aws:kms" | "aws:kms:dsse")) {
                return Err(malformed_xml());
            }
        }
        "tagging" => {
            let tags = given.child("TagSet").ok_or_else(malformed_xml)?;
            let mut keys: Vec<_> = tags.all("Tag").filter_map(|tag| tag.text_of("Key")).collect();
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            if keys.len() != count {
                return Err(Fault::new("InvalidTag", "Cannot provide multiple Tags with the same key"));
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether a bucket keeps versions. Once it has, it never goes back to `Never`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

pub(super) fn versioning(bucket: &Bucket) -> Versioning {
    match bucket.setting_value("versioning", &["Status"]).as_deref() {
        Some("Enabled") => Versioning::Enabled,
        Some(_) => Versioning::Suspended,
        None => Versioning::Never,
    }
}
