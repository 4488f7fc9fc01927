//! Creates are sent once.
//!
//! The SDK's own retry makes orphans: when the answer of a create is lost after AWS has executed it, the SDK sends it again
//! and two resources exist (seen with KMS CreateKey, 2026-11-23). So the SDK never retries a create; the engine does, after
//! it has looked the resource up.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeSerializationInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{config_bag::ConfigBag, retry::RetryConfig};

/// Operations that make something new each time they are executed begin with one of these: ExecuteCommand a session. Route 53 makes records by
/// ChangeResourceRecordSets, EC2 rules of security groups by Authorize…: sent twice, the second is refused, and what the first has
/// made looks like somebody else's.
const MAKERS: &[&str] = &[
    "Allocate",
    "Authorize",
    "ChangeResourceRecordSets",
    "Copy",
    "Create",
    "Execute",
    "Register",
    "Request",
    "Restore",
    "Run",
];

/// Turns the SDK's retries off for [`MAKERS`].
#[derive(Debug)]
pub(crate) struct OnceOnly;

#[dyn_dispatch_hint]
impl Intercept for OnceOnly {
    fn name(&self) -> &'static str {
        "OnceOnly"
    }

    // Not earlier: before its execution an operation has not said its name yet.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let makes = config
            .load::<Metadata>()
            .is_some_and(|operation| MAKERS.iter().any(|maker| operation.name().starts_with(maker)));
        if makes {
            config.interceptor_state().store_put(RetryConfig::disabled());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        aws::{Aws, Connect},
        counter::Counter,
    };
    use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};

    #[tokio::test(start_paused = true)]
    async fn a_create_is_sent_once_and_a_describe_again() {
        let broken = Counter::answering(503, "");
        let in_process = Some(broken.client());
        let aws = Aws::connect(&Connect { region: "us-east-1".into(), in_process, ..Connect::default() }).await;
        let calls = || broken.sent();
        aws.kms.create_key().send().await.expect_err("503");
        assert_eq!(calls(), 1, "CreateKey");
        aws.ec2.allocate_address().send().await.expect_err("503");
        assert_eq!(calls(), 1, "AllocateAddress");
        aws.ec2.authorize_security_group_ingress().group_id("sg-1").send().await.expect_err("503");
        assert_eq!(calls(), 1, "AuthorizeSecurityGroupIngress");
        let record = ResourceRecordSet::builder().name("a.").r#type(RrType::A).build().unwrap();
        let change = Change::builder().action(ChangeAction::Create).resource_record_set(record).build().unwrap();
        let batch = ChangeBatch::builder().changes(change).build().unwrap();
        let request = aws.route53.change_resource_record_sets().hosted_zone_id("Z1").change_batch(batch);
        request.send().await.expect_err("503");
        assert_eq!(calls(), 1, "ChangeResourceRecordSets");
        aws.ec2.describe_vpcs().send().await.expect_err("503");
        assert!(calls() > 1, "DescribeVpcs");
    }
}
