//! The switches of EC2 that count for a whole account and region: new disks are encrypted, and neither snapshots nor images
//! can be made public.
//!
//! API: [EnableEbsEncryptionByDefault](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableEbsEncryptionByDefault.html),
//! [EnableSnapshotBlockPublicAccess](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableSnapshotBlockPublicAccess.html),
//! [EnableImageBlockPublicAccess](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageBlockPublicAccess.html).
//!
//! Surprises: the switches always exist, so nothing is ever created, and none is ever turned off (see `baseline`). The block of images
//! takes up to ten minutes, and until then it says `unblocked`. Blocking all sharing of snapshots takes those that are
//! public already out of the public's sight too; the block of images leaves public ones public. Where an organization's
//! declarative policy manages a switch, turning it is refused, even if it is on; so it is looked at first.

use aws_sdk_ec2::types::{ImageBlockPublicAccessEnabledState, SnapshotBlockPublicAccessState};
use futures::try_join;
use rcm_engine::model::{Actions, Fault, Id, Observed, OnDestroy, Pace, Readiness, Resource};
use serde::{Deserialize, Serialize};

use crate::{Aws, classify::fault};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What the switches should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// Whether new disks and copies of snapshots are encrypted without anybody's asking, with AWS's own key of the account.
    pub ebs_encryption: bool,
    /// Whether no snapshot of a disk is public.
    pub snapshots_private: bool,
    /// Whether no image of a machine becomes public.
    pub images_private: bool,
}

/// What AWS gave: nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {}

/// The switches.
pub struct AccountDefaults;

impl Resource for AccountDefaults {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/account-defaults";
    const REPLACE_ON: &'static [&'static str] = &[];
    const ON_DESTROY: OnDestroy = OnDestroy::Leave;
    const PACE: Pace = Pace::slow(60, 900);

    /// They are there; [`configure`](Resource::configure) turns them.
    async fn create(cx: &Cx<'_>, _: &Spec) -> Result<Id, Fault> {
        Ok(id(cx))
    }

    async fn configure(cx: &Cx<'_>, _: &Id, spec: &Spec) -> Result<(), Fault> {
        let ec2 = &cx.cloud.ec2;
        let live = switches(cx.cloud).await?;
        if spec.ebs_encryption && !live.ebs_encryption {
            let request = ec2.enable_ebs_encryption_by_default();
            request.send().await.map_err(fault("ec2", "EnableEbsEncryptionByDefault"))?;
        }
        if spec.snapshots_private && !live.snapshots_private {
            let request = ec2.enable_snapshot_block_public_access().state(SnapshotBlockPublicAccessState::BlockAllSharing);
            request.send().await.map_err(fault("ec2", "EnableSnapshotBlockPublicAccess"))?;
        }
        if spec.images_private && !live.images_private {
            let request = ec2.enable_image_block_public_access();
            let request = request.image_block_public_access_state(ImageBlockPublicAccessEnabledState::BlockNewSharing);
            request.send().await.map_err(fault("ec2", "EnableImageBlockPublicAccess"))?;
        }
        Ok(())
    }

    async fn ready(cx: &Cx<'_>, _: &Id) -> Result<Readiness, Fault> {
        let on = images_private(cx.cloud).await?;
        Ok(if on { Readiness::Ready } else { Readiness::Pending("images can still be made public".to_owned()) })
    }

    async fn read(cx: &Cx<'_>, _: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        let live = switches(cx.cloud).await?;
        Ok(Some(
            Observed::new(Outputs {})
                .see("ebs_encryption", live.ebs_encryption)
                .see("snapshots_private", live.snapshots_private)
                .see("images_private", live.images_private),
        ))
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        Ok(Some(id(cx)))
    }

    /// Leaves them: they are the account's.
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }

    fn fits(cx: &Cx<'_>, id: &Id, _: &Spec) -> bool {
        *id == self::id(cx)
    }

    fn effect(field: &str, _: &serde_json::Value, _: &serde_json::Value) -> Option<&'static str> {
        (field == "snapshots_private").then_some("snapshots of this account that are public now are not any more")
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:EnableEbsEncryptionByDefault",
                "ec2:EnableImageBlockPublicAccess",
                "ec2:EnableSnapshotBlockPublicAccess",
            ],
            read: &[
                "ec2:GetEbsEncryptionByDefault",
                "ec2:GetImageBlockPublicAccessState",
                "ec2:GetSnapshotBlockPublicAccessState",
            ],
            delete: &[],
        }
    }
}

/// `123456789012/us-east-1`
fn id(cx: &Cx<'_>) -> Id {
    Id::from(format!("{}/{}", cx.identity.deployment.account, cx.identity.deployment.region))
}

async fn switches(aws: &Aws) -> Result<Spec, Fault> {
    let (ebs_encryption, snapshots_private, images_private) =
        try_join!(ebs_encryption(aws), snapshots_private(aws), images_private(aws))?;
    Ok(Spec { ebs_encryption, snapshots_private, images_private })
}

async fn ebs_encryption(aws: &Aws) -> Result<bool, Fault> {
    let answer = aws.ec2.get_ebs_encryption_by_default().send().await;
    Ok(answer.map_err(fault("ec2", "GetEbsEncryptionByDefault"))?.ebs_encryption_by_default() == Some(true))
}

async fn snapshots_private(aws: &Aws) -> Result<bool, Fault> {
    let answer = aws.ec2.get_snapshot_block_public_access_state().send().await;
    let answer = answer.map_err(fault("ec2", "GetSnapshotBlockPublicAccessState"))?;
    Ok(answer.state() == Some(&SnapshotBlockPublicAccessState::BlockAllSharing))
}

async fn images_private(aws: &Aws) -> Result<bool, Fault> {
    let answer = aws.ec2.get_image_block_public_access_state().send().await;
    let answer = answer.map_err(fault("ec2", "GetImageBlockPublicAccessState"))?;
    Ok(answer.image_block_public_access_state() == Some(ImageBlockPublicAccessEnabledState::BlockNewSharing.as_str()))
}
