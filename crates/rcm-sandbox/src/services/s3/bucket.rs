//! Buckets as such: made, listed, found, taken away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::multipart::Upload;
use super::object::Version;
use super::{Answer, Call, S3, document, empty, iso, malformed_xml, set, setting};
use crate::service::Context;
use crate::time::milliseconds;
use crate::wire::Element;
use crate::wire::{Fault, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct Bucket {
    created: i64,
    /// The documents of its settings, by sub-resource.
    pub(super) settings: BTreeMap<String, String>,
    /// By key, oldest first; delete markers are versions too.
    pub(super) objects: BTreeMap<String, Vec<Version>>,
    /// By upload id.
    pub(super) uploads: BTreeMap<String, Upload>,
}

impl Bucket {
    /// The newest version of a key, unless that is a delete marker.
    pub(super) fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last().filter(|version| !version.is_marker())
    }
}

impl S3 {
    pub(super) fn create_bucket(&mut self, cx: &Context, call: &Call<'_>) -> Answer {
        check_name(&call.bucket)?;
        let given = match call.text()? {
            "" => Element::default(),
            text => {
                Element::parse(text).filter(|it| it.name == "CreateBucketConfiguration").ok_or_else(malformed_xml)?
            }
        };
        check_location(cx, &given)?;
        let home = cx.region == "us-east-1";
        if self.buckets.contains_key(&call.bucket) && !home {
            let message = "Your previous request to create the named bucket succeeded and you already own it.";
            return Err(Fault::new("BucketAlreadyOwnedByYou", message).status(409));
        }
        let settings = setting::of_new_bucket(call, &given);
        // In us-east-1 creating one's own bucket again succeeds, and changes nothing.
        let bucket = Bucket { created: milliseconds(), settings, objects: BTreeMap::new(), uploads: BTreeMap::new() };
        self.buckets.entry(call.bucket.clone()).or_insert(bucket);
        let mut response = empty(200);
        let location = match home {
            true => format!("/{}", call.bucket),
            false => format!("http://{}.s3.amazonaws.com/", call.bucket),
        };
        set(&mut response.headers, "location", &location);
        set(&mut response.headers, "x-amz-bucket-arn", &format!("arn:aws:s3:::{}", call.bucket));
        Ok(response)
    }

    pub(super) fn list_buckets(&self, cx: &Context, call: &Call<'_>) -> Answer {
        let prefix = call.query.get("prefix").unwrap_or_default();
        let after = call.query.get("continuation-token").unwrap_or_default();
        let here = call.query.get("bucket-region").is_none_or(|region| region == cx.region);
        let limit = call.query.parsed::<usize>("max-buckets")?.unwrap_or(10_000).clamp(1, 10_000);
        let mut wanted =
            self.buckets.iter().filter(|(name, _)| here && name.starts_with(prefix) && name.as_str() > after);
        let page: Vec<_> = wanted.by_ref().take(limit).collect();
        let next = wanted.next().and(page.last()).map(|(name, _)| *name);
        let mut xml = Xml::default();
        xml.node("Owner", |owner| {
            owner.text("ID", &cx.account);
        });
        xml.list("Buckets", "Bucket", &page, |item, (name, bucket)| {
            item.text("Name", name).text("CreationDate", iso(bucket.created)).text("BucketRegion", &cx.region);
            item.text("BucketArn", format!("arn:aws:s3:::{name}"));
        });
        xml.opt("Prefix", call.query.get("prefix")).opt("ContinuationToken", next);
        Ok(document("ListAllMyBucketsResult", &xml))
    }

    pub(super) fn head_bucket(&mut self, cx: &Context, call: &Call<'_>) -> Answer {
        self.bucket(call)?;
        let mut response = empty(200);
        set(&mut response.headers, "x-amz-bucket-region", &cx.region);
        set(&mut response.headers, "x-amz-bucket-arn", &format!("arn:aws:s3:::{}", call.bucket));
        Ok(response)
    }

    /// The region, but nothing for us-east-1.
    pub(super) fn location(&mut self, cx: &Context, call: &Call<'_>) -> Answer {
        self.bucket(call)?;
        let region = if cx.region == "us-east-1" { "" } else { cx.region.as_str() };
        let mut xml = Xml::default();
        xml.value(region);
        Ok(document("LocationConstraint", &xml))
    }

    pub(super) fn delete_bucket(&mut self, call: &Call<'_>) -> Answer {
        let bucket = self.bucket(call)?;
        if !bucket.objects.is_empty() {
            let message = match setting::versioning(bucket) {
                setting::Versioning::Never => "The bucket you tried to delete is not empty",
                _ => "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
            };
            return Err(Fault::new("BucketNotEmpty", message).status(409));
        }
        self.buckets.remove(&call.bucket);
        Ok(empty(204))
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn check_name(name: &str) -> Result<(), Fault> {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let well_formed = (3..=63).contains(&name.len())
        && name.chars().all(|letter| is_word(letter) || "-.".contains(letter))
        && name.starts_with(is_word)
        && name.ends_with(is_word)
        && !name.contains("..");
    match well_formed {
        true => Ok(()),
        false => Err(Fault::new("InvalidBucketName", "The specified bucket is not valid.")),
    }
}

/// A bucket is made where the request goes, and outside us-east-1 the request must say so.
fn check_location(cx: &Context, given: &Element) -> Result<(), Fault> {
    let message = |constraint: &str| {
        format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
        )
    };
    match given.child("LocationConstraint").map(|constraint| constraint.text.as_str()) {
        None if cx.region != "us-east-1" => {
            Err(Fault::new("IllegalLocationConstraintException", message("unspecified")))
        }
        Some("us-east-1") => {
            Err(Fault::new("InvalidLocationConstraint", "The specified location-constraint is not valid"))
        }
        Some(constraint) if constraint != cx.region => {
            Err(Fault::new("IllegalLocationConstraintException", message(constraint)))
        }
        _ => Ok(()),
    }
}
