//! When objects of a bucket move to cheaper storage and when they go.

use aws_sdk_s3::{
    error::BuildError,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, Transition, TransitionStorageClass,
    },
};
use serde::{Deserialize, Serialize};

/// What our one rule is called.
const RULE: &str = "rcm";

/// One rule for all objects. Days count from when an object was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// When an object moves to STANDARD_IA; at least 30.
    pub infrequent_access_after_days: Option<i32>,
    /// When an object moves to GLACIER (flexible retrieval).
    pub glacier_after_days: Option<i32>,
    /// When an object is deleted.
    pub expire_after_days: Option<i32>,
    /// When a version that was overwritten or deleted goes for good, counted from then.
    pub expire_noncurrent_after_days: Option<i32>,
    /// When the parts of an upload that was never completed are thrown away.
    pub abort_uploads_after_days: i32,
}

impl Lifecycle {
    /// The rule in S3's own types.
    pub(super) fn to_rules(&self) -> Result<BucketLifecycleConfiguration, BuildError> {
        let abort = AbortIncompleteMultipartUpload::builder().days_after_initiation(self.abort_uploads_after_days);
        let expiration = self.expire_after_days.map(|days| LifecycleExpiration::builder().days(days).build());
        let noncurrent = self.expire_noncurrent_after_days;
        let noncurrent = noncurrent.map(|days| NoncurrentVersionExpiration::builder().noncurrent_days(days).build());
        let rule = LifecycleRule::builder()
            .id(RULE)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .set_transitions(Some(self.transitions()).filter(|transitions| !transitions.is_empty()))
            .set_expiration(expiration)
            .set_noncurrent_version_expiration(noncurrent)
            .abort_incomplete_multipart_upload(abort.build());
        BucketLifecycleConfiguration::builder().rules(rule.build()?).build()
    }

    fn transitions(&self) -> Vec<Transition> {
        let steps = [
            (self.infrequent_access_after_days, TransitionStorageClass::StandardIa),
            (self.glacier_after_days, TransitionStorageClass::Glacier),
        ];
        let transition = |(days, class)| Some(Transition::builder().days(days?).storage_class(class).build());
        steps.into_iter().filter_map(transition).collect()
    }

    /// What a bucket's rules say, if they are one rule for all objects and it is on.
    pub(super) fn from_rules(rules: &[LifecycleRule]) -> Option<Self> {
        let [rule] = rules else { return None };
        let everything =
            rule.filter().is_none_or(|filter| filter.prefix().is_none_or(str::is_empty) && is_bare(filter));
        if rule.status() != &ExpirationStatus::Enabled || !everything {
            return None;
        }
        let after = |class| rule.transitions().iter().find(|step| step.storage_class() == Some(&class))?.days();
        Some(Self {
            infrequent_access_after_days: after(TransitionStorageClass::StandardIa),
            glacier_after_days: after(TransitionStorageClass::Glacier),
            expire_after_days: rule.expiration().and_then(|expiration| expiration.days()),
            expire_noncurrent_after_days: rule.noncurrent_version_expiration().and_then(|rule| rule.noncurrent_days()),
            abort_uploads_after_days: rule.abort_incomplete_multipart_upload()?.days_after_initiation()?,
        })
    }
}

fn is_bare(filter: &LifecycleRuleFilter) -> bool {
    let sized = filter.object_size_greater_than().is_some() || filter.object_size_less_than().is_some();
    filter.tag().is_none() && filter.and().is_none() && !sized
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seven_years() -> Lifecycle {
        Lifecycle {
            infrequent_access_after_days: Some(90),
            glacier_after_days: Some(365),
            expire_after_days: Some(2557),
            expire_noncurrent_after_days: None,
            abort_uploads_after_days: 7,
        }
    }

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        let rules = seven_years().to_rules().unwrap();
        assert_eq!(Lifecycle::from_rules(rules.rules()), Some(seven_years()));
    }

    #[test]
    fn a_rule_that_was_switched_off_narrowed_or_joined_by_another_is_not_ours() {
        let rule = seven_years().to_rules().unwrap().rules()[0].clone();
        let mut off = rule.clone();
        off.status = ExpirationStatus::Disabled;
        assert_eq!(Lifecycle::from_rules(&[off]), None);
        let mut narrowed = rule.clone();
        narrowed.filter = Some(LifecycleRuleFilter::builder().prefix("logs/").build());
        assert_eq!(Lifecycle::from_rules(&[narrowed]), None);
        assert_eq!(Lifecycle::from_rules(&[rule.clone(), rule]), None);
    }
}
