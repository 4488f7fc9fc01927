//! The account baseline: what HIPAA wants of the account as a whole, on top of what the partner's own stack does.
//!
//! None of it is the partner's. All deployments of the account share it, each adopts what is there, and none takes it away: what
//! that means, kind by kind, stands in [`rcm_aws::resources::baseline`].

use rcm_aws::resources::{
    accessanalyzer_analyzer::{self, Analyzer},
    baseline::NAME,
    ec2_account_defaults::{self, AccountDefaults},
    guardduty_detector::{self, Detector},
    iam_password_policy::{self, PasswordPolicy},
    s3_account_public_access_block::{self, AccountPublicAccessBlock},
};
use rcm_engine::model::Graph;

pub(super) fn add(graph: &mut Graph) {
    settings(graph);
    graph.add::<Analyzer>("baseline/analyzer", accessanalyzer_analyzer::Spec { name: NAME.to_owned() });
    graph.add::<Detector>("baseline/detector", guardduty_detector::Spec { enabled: true });
}

fn settings(graph: &mut Graph) {
    let disks = ec2_account_defaults::Spec { ebs_encryption: true, snapshots_private: true, images_private: true };
    graph.add::<AccountDefaults>("baseline/ec2-defaults", disks);
    let nothing_public = s3_account_public_access_block::Spec::everything();
    graph.add::<AccountPublicAccessBlock>("baseline/public-access-block", nothing_public);
    graph.add::<PasswordPolicy>("baseline/password-policy", iam_password_policy::Spec::cis());
}
