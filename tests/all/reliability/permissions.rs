//! The policies of `rcm permissions`: no verb sends what its own do not allow, and none allow what no verb sends.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use jiff::Timestamp;
use rcm::config::ImageRef;
use rcm::cost::Assumptions;
use rcm::engine::model::FaultKind;
use rcm::engine::plan::Depth;
use rcm::engine::run::Outcome;
use rcm::permissions::{Policy, Verb, asked_by};
use rcm::{Environment, Error, ExecQuery, Goal, LogQuery, NoSession};
use rcm_testkit::calls::Call;

use super::stage::{Stage, everything, on_app_runner, play};
use super::world::{ground, with_settings, zoned};
use crate::bench::at_any_risk;

/// What a policy allows although no call here asks for it, and why.
const UNSENT: &[(&str, &[&str])] = &[
    (
        "AWS asks for it where a call gives tags; tags that somebody took away are given back (`drift::tags_that_are_gone_or_say_something_else…`).",
        &[
            "access-analyzer:TagResource",
            "acm:AddTagsToCertificate",
            "application-autoscaling:TagResource",
            "apprunner:TagResource",
            "backup:TagResource",
            "cloudtrail:AddTags",
            "cloudwatch:TagResource",
            "config:TagResource",
            "ec2:CreateTags",
            "ec2:DescribeTags",
            "ecr:TagResource",
            "ecs:ListTagsForResource",
            "elasticloadbalancing:AddTags",
            "guardduty:TagResource",
            "iam:TagRole",
            "kms:TagResource",
            "logs:TagResource",
            "rds:AddTagsToResource",
            "s3:PutBucketTagging",
            "s3:TagResource",
            "secretsmanager:TagResource",
            "securityhub:TagResource",
            "sns:TagResource",
            "wafv2:TagResource",
        ],
    ),
    (
        "AWS asks it of whoever calls another operation, which does this in the caller's name.",
        &[
            "backup-storage:MountCapsule",
            "ec2:DescribeAccountAttributes",
            "elasticloadbalancing:CreateWebACLAssociation",
            "elasticloadbalancing:DeleteWebACLAssociation",
            "elasticloadbalancing:GetLoadBalancerWebACL",
            "elasticloadbalancing:SetWebAcl",
            "iam:PassRole",
            "inspector2:Enable",
            "inspector2:ListAccountPermissions",
            "inspector2:ListFindings",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:GenerateDataKey",
            "kms:RetireGrant",
            "lambda:InvokeFunction",
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeResourcePolicies",
            "logs:PutResourcePolicy",
            "rds:CreateDBSnapshot",
            "rds:DeleteDBInstanceAutomatedBackup",
            "route53:AssociateVPCWithHostedZone",
        ],
    ),
    (
        "What somebody has changed or taken away is put back (`drift::whatever_is_tampered_with…`, `fates::secrets_that_somebody_has_scheduled…`).",
        &[
            "backup:UpdateBackupPlan",
            "cloudtrail:UpdateTrail",
            "ec2:DeleteNetworkAclEntry",
            "ec2:DeleteRoute",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifySubnetAttribute",
            "ec2:ReplaceRoute",
            "ecs:PutClusterCapacityProviders",
            "ecs:UntagResource",
            "ecs:UpdateClusterSettings",
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:ModifyTargetGroup",
            "elasticloadbalancing:SetIpAddressType",
            "elasticloadbalancing:SetSecurityGroups",
            "elasticloadbalancing:SetSubnets",
            "guardduty:UpdateDetector",
            "kms:CancelKeyDeletion",
            "kms:EnableKey",
            "logs:AssociateKmsKey",
            "rds:AddSourceIdentifierToSubscription",
            "rds:ModifyDBSubnetGroup",
            "rds:ModifyEventSubscription",
            "rds:RemoveSourceIdentifierFromSubscription",
            "secretsmanager:CancelRotateSecret",
            "secretsmanager:RestoreSecret",
            "secretsmanager:UpdateSecret",
            "sns:SetTopicAttributes",
        ],
    ),
    (
        "The registry's own protocol (`registry::…`).",
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:CompleteLayerUpload",
            "ecr:GetAuthorizationToken",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ],
    ),
    ("Why a deploy failed (`deploys::a_deploy_that_the_circuit_breaker_takes_back…`).", &["logs:GetLogEvents"]),
    ("A secret gets another value (`secrets::…`).", &["secretsmanager:UpdateSecretVersionStage"]),
    (
        "What holds something is emptied before it goes, and what keeps it is named (`leaving::…`, `backups::…`).",
        &[
            "backup:DeleteRecoveryPoint",
            "rds:DeleteDBSnapshot",
            "rds:DescribeDBSnapshots",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:ListBucketMultipartUploads",
            "s3:ListBucketVersions",
        ],
    ),
    (
        "What is denied is asked about once more, and a quota that is the account's by default alone (`preflight::…`).",
        &["iam:SimulateCustomPolicy", "servicequotas:ListAWSDefaultServiceQuotas"],
    ),
    ("A create whose answer was lost is looked for (`fail::…shrugs_off…`).", &["backup:ListBackupSelections"]),
    ("Nobody confirms a mail here, and AWS ends what was never confirmed by itself.", &["sns:Unsubscribe"]),
];

/// What is asked where AWS says that something still holds a security group, and so only if its delete is quicker than that of the holder.
const AS_IT_FALLS: &str = "ec2:DescribeNetworkInterfaces";

fn needed(call: &Call) -> Vec<String> {
    let service = match call.operation.service.as_str() {
        "monitoring" => "cloudwatch",
        service => service,
    };
    match call.operation.name.as_str() {
        // As the recorder calls it.
        "DeleteMultipartUpload" => asked_by(service, "AbortMultipartUpload"),
        operation => asked_by(service, operation),
    }
}

fn allowed(policies: &[Policy]) -> BTreeSet<String> {
    let statements = policies.iter().flat_map(|policy| policy.document["Statement"].as_array().unwrap());
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}

/// What was sent in all, and what was allowed.
#[derive(Default)]
struct Seen {
    sent: BTreeSet<String>,
    allowed: BTreeSet<String>,
    missing: BTreeSet<(&'static str, String)>,
}

impl Seen {
    /// Everything that `work` sends has to be allowed for `verb`, by what could be said before.
    async fn of(&mut self, stage: &Stage, rcm: &Environment, verb: Verb, work: impl AsyncFnOnce()) {
        let before = stage.wire.calls().iter().count();
        let allowed = allowed(&rcm.permissions(&[verb]).unwrap());
        work().await;
        let sent: BTreeSet<String> = stage.wire.calls().iter().skip(before).flat_map(needed).collect();
        self.missing.extend(sent.difference(&allowed).map(|action| (verb.name(), action.clone())));
        self.sent.extend(sent);
        self.allowed.extend(allowed);
    }
}

fn image(digit: &str) -> ImageRef {
    let uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api";
    format!("{uri}@sha256:{}", digit.repeat(64)).parse().unwrap()
}

async fn run(rcm: &Environment, goal: Goal) {
    let report = rcm.run(&at_any_risk(&goal), |_| true).await.unwrap();
    assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
}

/// Makes it, changes it, looks at it in every way, and takes it away.
fn live(seen: &mut Seen, file: &str, changed: &str) {
    play(&ground(file), async |stage| {
        let rcm = stage.rcm(file, Depth::Full).await;
        seen.of(stage, &rcm, Verb::Provision, async || run(&rcm, Goal::provision()).await).await;
        let look = async || {
            drop(rcm.plan(&Goal::provision()).await.unwrap());
            drop(rcm.drift().await.unwrap());
            drop(rcm.compliance().await.unwrap());
            drop(rcm.cost_live(&Assumptions::default()).await.unwrap());
        };
        seen.of(stage, &rcm, Verb::Plan, look).await;
        seen.of(stage, &rcm, Verb::Status, async || drop(rcm.status().await.unwrap())).await;
        seen.of(stage, &rcm, Verb::Provision, async || drop(rcm.doctor(None).await.unwrap())).await;
        let planner = allowed(&rcm.permissions(&[Verb::Plan]).unwrap());
        let before = stage.wire.calls().iter().count();
        drop(rcm.doctor(None).await.unwrap());
        let sent: BTreeSet<String> = stage.wire.calls().iter().skip(before).flat_map(needed).collect();
        let more: Vec<_> = sent.difference(&planner).map(String::as_str).collect();
        assert_eq!(more, ["secretsmanager:GetSecretValue"], "whoever only plans looks into no secret");
        let query = LogQuery { since: Timestamp::UNIX_EPOCH, pattern: None, follow: false };
        // App Runner makes a group when there is something to write, and here nothing writes.
        let read = async || match rcm.logs(&query, |_| ControlFlow::Continue(())).await {
            Ok(()) => {}
            Err(Error::Aws(fault)) if fault.kind == FaultKind::NotFound => {}
            Err(error) => panic!("{error}"),
        };
        seen.of(stage, &rcm, Verb::Logs, read).await;
        let session = async || match rcm.place_for_session(&ExecQuery::default()).await {
            Ok(place) => drop(rcm.open_session(&place, "/bin/sh").await.unwrap()),
            Err(Error::NoSession(NoSession::AppRunner { .. })) => {}
            Err(error) => panic!("{error}"),
        };
        seen.of(stage, &rcm, Verb::Exec, session).await;
        let other = stage.rcm(changed, Depth::Full).await;
        seen.of(stage, &other, Verb::Provision, async || run(&other, Goal::provision()).await).await;
        seen.of(stage, &rcm, Verb::Provision, async || run(&rcm, Goal::provision()).await).await;
        let purge = Goal { destroy: true, purge: true, ..Goal::default() };
        seen.of(stage, &rcm, Verb::Destroy, async || run(&rcm, purge).await).await;
    });
}

fn deployed(seen: &mut Seen, file: &str) {
    play(&ground(file), async |stage| {
        let rcm = stage.rcm(file, Depth::Quick).await;
        run(&rcm, Goal::provision()).await;
        for digit in ["1", "2"] {
            let goal = at_any_risk(&Goal::deploy(image(digit)));
            let deploy = async || {
                let deployed = rcm.deploy(&goal, |_| true).await.unwrap();
                assert!(matches!(deployed.report.outcome, Outcome::Done), "{:?}", deployed.report.outcome);
            };
            seen.of(stage, &rcm, Verb::Deploy, deploy).await;
        }
    });
}

#[test]
fn every_verb_is_allowed_what_it_sends_and_nothing_that_none_sends() {
    let mut seen = Seen::default();
    let smaller = "
        db_read_replicas = 1\ndb_instance_class = \"db.t3.large\"\ndb_port = 5433\nalarms = false\nwaf = \"count\"
        vpc_endpoints = false\nnat_gateways = 2\necs_schedules = []\nbackup_plan = false\nbrand_name = \"Other\"
        ecs_scale_cpu = 60\nsecret_policies = false\nimage_scanning = \"basic\"\ns3_access_logs = false\nflow_logs = false\necs_exec = false
    ";
    live(&mut seen, &everything(), &with_settings(&everything(), smaller));
    live(&mut seen, &on_app_runner(), &with_settings(&on_app_runner(), "brand_name = \"Other\"\necs_max_count = 5"));
    deployed(&mut seen, zoned().1);
    deployed(&mut seen, &with_settings(zoned().1, "domain_name =\nhosted_zone_id =\ncompute = \"apprunner\""));
    assert!(seen.missing.is_empty(), "sent and not allowed: {:#?}", seen.missing);
    let excused: BTreeSet<&str> = UNSENT.iter().flat_map(|(_, actions)| actions.iter().copied()).collect();
    let is_excused = |action: &str| excused.contains(action) || action == AS_IT_FALLS;
    let unused: Vec<_> = seen.allowed.difference(&seen.sent).filter(|action| !is_excused(action)).collect();
    assert!(unused.is_empty(), "allowed, and sent by nothing: {unused:#?}");
    let sent: Vec<_> = excused.iter().filter(|action| seen.sent.contains(**action)).collect();
    assert!(sent.is_empty(), "excused, and sent all the same: {sent:#?}");
}
