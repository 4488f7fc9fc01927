//! Whose the name of a bucket is.
//!
//! API: [HeadBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).
//!
//! Surprise: the answer has no body, and so no code: 404 is free, and 403 (or 301, in another Region) is somebody else's.

use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

impl Aws {
    /// Whether a bucket of that name exists, anybody's.
    pub async fn bucket_exists(&self, name: &str) -> Result<bool, Fault> {
        let sent = self.s3.head_bucket().bucket(name).send().await;
        let status = match &sent {
            Ok(_) => return Ok(true),
            Err(error) => error.raw_response().map(|response| response.status().as_u16()),
        };
        match status {
            Some(404) => Ok(false),
            Some(301 | 403) => Ok(true),
            _ => sent.map(|_| true).map_err(fault("s3", "HeadBucket")),
        }
    }
}
