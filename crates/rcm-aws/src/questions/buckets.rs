//! Whether the name of a bucket is taken.
//!
//! API: [HeadBucket](https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).
//!
//! Surprises: the answer has no body, and so no code. 404 is free, and 301 is in another Region. 403 is somebody else's, and it is
//! also what whoever may not list gets; but of a bucket that exists S3 names the Region, in the header `x-amz-bucket-region`.

use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

impl Aws {
    /// Whether a bucket of that name exists, anybody's. A refusal that does not tell is the fault.
    pub async fn bucket_exists(&self, name: &str) -> Result<bool, Fault> {
        let sent = self.s3.head_bucket().bucket(name).send().await;
        let told = match &sent {
            Ok(_) => Some(true),
            Err(error) => error.raw_response().and_then(|response| {
                exists(response.status().as_u16(), response.headers().contains_key("x-amz-bucket-region"))
            }),
        };
        match told {
            Some(exists) => Ok(exists),
            None => sent.map(|_| true).map_err(fault("s3", "HeadBucket")),
        }
    }
}

/// What an error says of the bucket, if anything.
fn exists(status: u16, names_a_region: bool) -> Option<bool> {
    match status {
        404 => Some(false),
        301 => Some(true),
        403 if names_a_region => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_of_a_bucket_only_where_it_names_the_region() {
        assert_eq!(exists(404, false), Some(false));
        assert_eq!(exists(301, true), Some(true));
        assert_eq!(exists(403, true), Some(true));
        assert_eq!(exists(403, false), None);
        assert_eq!(exists(500, false), None);
    }
}
