//! The block of public access that counts for all buckets of an account, whatever their own settings say.
//!
//! API: [PutPublicAccessBlock](https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html) of S3 Control.
//!
//! Surprises: it counts in all regions. A new account has none, which reads as a 404 and blocks nothing. Putting it replaces all four
//! switches; those that are on stay on (see `baseline`). With it, a bucket of anybody in the account that is public on purpose
//! (a website) is not public any more.

use aws_sdk_s3control::types::PublicAccessBlockConfiguration;
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Aws,
    classify::{absent, fault},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What the block should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whether requests that would write a public ACL are refused.
    pub block_public_acls: bool,
    /// Whether public ACLs that exist mean nothing.
    pub ignore_public_acls: bool,
    /// Whether public bucket policies are refused.
    pub block_public_policy: bool,
    /// Whether a bucket with a public policy is open to the account alone.
    pub restrict_public_buckets: bool,
}

/// What AWS gave: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {}

/// The block.
pub struct AccountPublicAccessBlock;

impl Resource for AccountPublicAccessBlock {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "s3/account-public-access-block";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;

    /// A block of nothing is there; [`configure`](Resource::configure) raises it.
    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        Ok(id(cx))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        let live = get(cx.cloud, id).await?;
        let raised = live.raised_to(spec);
        if raised == live {
            return Ok(());
        }
        let switches = PublicAccessBlockConfiguration::builder()
            .block_public_acls(raised.block_public_acls)
            .ignore_public_acls(raised.ignore_public_acls)
            .block_public_policy(raised.block_public_policy)
            .restrict_public_buckets(raised.restrict_public_buckets)
            .build();
        let request = cx.cloud.s3control.put_public_access_block().account_id(id.as_str());
        let request = request.public_access_block_configuration(switches);
        request.send().await.map(drop).map_err(fault("s3", "PutAccountPublicAccessBlock"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = get(cx.cloud, id).await?;
        Ok(Some(
            Observed::new(Outputs {})
                .see("block_public_acls", live.block_public_acls)
                .see("ignore_public_acls", live.ignore_public_acls)
                .see("block_public_policy", live.block_public_policy)
                .see("restrict_public_buckets", live.restrict_public_buckets),
        ))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(Some(id(cx)))
    }

    /// Leaves it: it is the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(cx)
    }

    fn effect(field: &str, _: &serde_json::Value, _: &serde_json::Value) -> Option<&'static str> {
        let hides = ["ignore_public_acls", "restrict_public_buckets"].contains(&field);
        hides.then_some("what is public in buckets of this account now is not any more")
    }

    fn actions() -> Actions {
        Actions { write: &["s3:PutAccountPublicAccessBlock"], read: &["s3:GetAccountPublicAccessBlock"], delete: &[] }
    }
}

impl Spec {
    /// All switches on.
    pub fn everything() -> Self {
        Self {
            block_public_acls: true,
            ignore_public_acls: true,
            block_public_policy: true,
            restrict_public_buckets: true,
        }
    }

    /// What is on in either.
    fn raised_to(&self, wanted: &Self) -> Self {
        Self {
            block_public_acls: self.block_public_acls || wanted.block_public_acls,
            ignore_public_acls: self.ignore_public_acls || wanted.ignore_public_acls,
            block_public_policy: self.block_public_policy || wanted.block_public_policy,
            restrict_public_buckets: self.restrict_public_buckets || wanted.restrict_public_buckets,
        }
    }
}

/// The account.
fn id(cx: &Cx<'_>) -> Id {
    Id::from(cx.identity.deployment.account.as_str())
}

async fn get(aws: &Aws, id: &Id) -> Result<Spec, Fault> {
    let request = aws.s3control.get_public_access_block().account_id(id.as_str());
    let answer = absent(request.send().await.map_err(fault("s3", "GetAccountPublicAccessBlock")))?;
    let switches = answer.and_then(|answer| answer.public_access_block_configuration);
    let on = |switch: fn(&PublicAccessBlockConfiguration) -> Option<bool>| switches.as_ref().and_then(switch) == Some(true);
    Ok(Spec {
        block_public_acls: on(PublicAccessBlockConfiguration::block_public_acls),
        ignore_public_acls: on(PublicAccessBlockConfiguration::ignore_public_acls),
        block_public_policy: on(PublicAccessBlockConfiguration::block_public_policy),
        restrict_public_buckets: on(PublicAccessBlockConfiguration::restrict_public_buckets),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_that_is_on_stays_on() {
        let live = Spec { block_public_acls: true, ..Spec::default() };
        let wanted = Spec { ignore_public_acls: true, ..Spec::default() };
        assert_eq!(live.raised_to(&wanted), Spec { block_public_acls: true, ignore_public_acls: true, ..Spec::default() });
        assert_eq!(Spec::everything().raised_to(&Spec::default()), Spec::everything());
    }
}
