//! Nothing is sent under a lock that is lost.
//!
//! A process that stood still goes on in the middle of whatever it did, and that may be between two requests of one step. So each
//! attempt is checked, as late as the SDK allows.

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use rcm_engine::store::Fence;

/// Asks a [`Fence`] before each attempt.
#[derive(Debug)]
pub(crate) struct Fenced(pub(crate) Fence);

#[dyn_dispatch_hint]
impl Intercept for Fenced {
    fn name(&self) -> &'static str {
        "Fenced"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.0.check()?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcm_engine::{
        model::{Events, FaultKind},
        store::{Fence, Holder, Store},
    };

    use crate::{
        aws::{Aws, Connect},
        classify::fault,
        counter::Counter,
    };

    #[tokio::test]
    async fn nothing_is_sent_under_a_lock_that_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let holder = Holder::this_process("tester", "test");
        let lock = store.lock(&holder, Duration::ZERO, &Events::none()).await.unwrap();
        let (counter, fence) = (Counter::answering(200, "{}"), Fence::default());
        let in_process = Some(counter.client());
        let connect = Connect { region: "us-east-1".into(), in_process, fence: fence.clone(), ..Connect::default() };
        let aws = Aws::connect(&connect).await;
        let sent = || counter.sent();

        lock.arm(&fence);
        aws.kms.create_key().send().await.unwrap();
        assert_eq!(sent(), 1, "the lock is held");

        std::fs::remove_file(store.lock_path()).unwrap();
        let create = aws.kms.create_key().send().await.map_err(fault("kms", "CreateKey")).unwrap_err();
        let list = aws.logs.describe_log_groups().send().await.map_err(fault("logs", "DescribeLogGroups")).unwrap_err();
        for fault in [create, list] {
            assert_eq!((fault.code.as_str(), fault.kind), ("LockLost", FaultKind::Invalid), "{fault}");
        }
        assert_eq!(sent(), 0, "the lock is lost");

        drop(lock);
        aws.kms.create_key().send().await.unwrap();
        assert_eq!(sent(), 1, "nothing needs a lock any more");
    }
}
