//! Emptying a bucket: every version, delete marker and unfinished upload.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use futures::{StreamExt, TryStreamExt, stream};
use rcm_engine::model::{Fault, FaultKind};

use crate::{
    Aws,
    classify::{fault, gone, unbuilt},
};

/// How many uploads are aborted at a time; S3 has no batch for them.
const ABORTS_AT_ONCE: usize = 8;

/// Removes everything in the bucket, a thousand at a time. What an earlier try removed stays removed.
pub(super) async fn empty(aws: &Aws, bucket: &str, account: &str) -> Result<(), Fault> {
    while remove_a_thousand(aws, bucket, account).await? {}
    while abort_a_thousand(aws, bucket, account).await? {}
    Ok(())
}

/// Always asks for the first page: what was on it is gone the next time. Says whether there was anything.
async fn remove_a_thousand(aws: &Aws, bucket: &str, account: &str) -> Result<bool, Fault> {
    let request = aws.s3.list_object_versions().bucket(bucket).expected_bucket_owner(account);
    let page = request.send().await.map_err(fault("s3", "ListObjectVersions"))?;
    let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
    let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
    let objects = versions.chain(markers).map(|(key, version)| {
        ObjectIdentifier::builder().key(key.unwrap_or_default()).set_version_id(version.map(str::to_owned)).build()
    });
    let objects: Vec<_> = objects.collect::<Result<_, _>>().map_err(unbuilt("s3", "DeleteObjects"))?;
    if objects.is_empty() {
        return Ok(false);
    }
    let batch = Delete::builder().set_objects(Some(objects)).quiet(true).build();
    let batch = batch.map_err(unbuilt("s3", "DeleteObjects"))?;
    let request = aws.s3.delete_objects().bucket(bucket).expected_bucket_owner(account).delete(batch);
    let answer = request.send().await.map_err(fault("s3", "DeleteObjects"))?;
    match answer.errors().first() {
        None => Ok(true),
        Some(error) => Err(refused(bucket, answer.errors().len(), error)),
    }
}

/// The call succeeds even if some objects could not be deleted; asking on and on would never end.
fn refused(bucket: &str, count: usize, first: &aws_sdk_s3::types::Error) -> Fault {
    let (key, code) = (first.key().unwrap_or_default(), first.code().unwrap_or("Unknown"));
    let reason = first.message().unwrap_or_default();
    let message = format!("{count} objects of {bucket} cannot be deleted, the first is {key}: {reason}");
    Fault::ours(FaultKind::HasContent, "DeleteObjects", code, message)
}

async fn abort_a_thousand(aws: &Aws, bucket: &str, account: &str) -> Result<bool, Fault> {
    let request = aws.s3.list_multipart_uploads().bucket(bucket).expected_bucket_owner(account);
    let page = request.send().await.map_err(fault("s3", "ListMultipartUploads"))?;
    let uploads = page.uploads.unwrap_or_default();
    let found = !uploads.is_empty();
    let aborts = uploads.into_iter().map(|upload| async move {
        let request = aws.s3.abort_multipart_upload().bucket(bucket).expected_bucket_owner(account);
        let request = request.set_key(upload.key).set_upload_id(upload.upload_id);
        request.send().await.map(drop).map_err(fault("s3", "AbortMultipartUpload")).or_else(gone)
    });
    stream::iter(aborts).buffer_unordered(ABORTS_AT_ONCE).try_collect::<Vec<()>>().await?;
    Ok(found)
}
