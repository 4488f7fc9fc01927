//! Who is told when something was done in the account that seldom is: a metric filter on the trail's log group and an alarm for each.
//!
//! What is looked for, and by which pattern, is what the [CIS AWS Foundations
//! Benchmark](https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html) asks for (CloudWatch.1 to
//! CloudWatch.14 of Security Hub, which wants the patterns letter by letter).

use std::collections::BTreeMap;

use rcm_aws::resources::{
    baseline::{NAME, TOPIC},
    cloudwatch_account_alarm::AccountAlarm,
    cloudwatch_alarm,
    kms_account_key::AccountKey,
    kms_key::Key,
    logs_account_group::AccountLogGroup,
    logs_metric_filter::{self, MetricFilter},
    sns_account_subscription::AccountSubscription,
    sns_account_topic::AccountTopic,
    sns_subscription,
    sns_topic::{self, Topic},
};
use rcm_engine::model::{Graph, Ref};

use super::super::{Blueprint, watching::may_publish};

/// Where the counts are.
const NAMESPACE: &str = "rcm/account-baseline";

/// Something that seldom happens.
struct Watch {
    /// What the filter and the alarm are called.
    name: &'static str,
    /// What is counted.
    metric: &'static str,
    /// What it means and what to do, for whoever gets the mail.
    description: &'static str,
    /// Which events it is about.
    pattern: &'static str,
}

const WATCHES: &[Watch] = &[
    Watch {
        name: "root-use",
        metric: "RootUse",
        description: "Somebody has used the account's root user (CloudWatch.1). Ask who it was; for daily work there are roles.",
        pattern: r#"{$.userIdentity.type="Root" && $.userIdentity.invokedBy NOT EXISTS && $.eventType !="AwsServiceEvent"}"#,
    },
    Watch {
        name: "refused-calls",
        metric: "RefusedCalls",
        description: "AWS has refused somebody a call (CloudWatch.2). Look in the log group for errorCode: something is set up wrong, or \
                      somebody tries what he may do.",
        pattern: r#"{($.errorCode="*UnauthorizedOperation") || ($.errorCode="AccessDenied*")}"#,
    },
    Watch {
        name: "sign-in-without-mfa",
        metric: "SignInWithoutMfa",
        description: "An IAM user has signed in to the console without a second factor (CloudWatch.3). Give that user one.",
        pattern: r#"{ ($.eventName = "ConsoleLogin") && ($.additionalEventData.MFAUsed != "Yes") && ($.userIdentity.type = "IAMUser") && ($.responseElements.ConsoleLogin = "Success") }"#,
    },
    Watch {
        name: "iam-changes",
        metric: "IamChanges",
        description: "Somebody has changed a policy of IAM, or to whom it is attached (CloudWatch.4).",
        pattern: "{($.eventSource=iam.amazonaws.com) && (($.eventName=DeleteGroupPolicy) || ($.eventName=DeleteRolePolicy) || ($.eventName=DeleteUserPolicy) || ($.eventName=PutGroupPolicy) || ($.eventName=PutRolePolicy) || ($.eventName=PutUserPolicy) || ($.eventName=CreatePolicy) || ($.eventName=DeletePolicy) || ($.eventName=CreatePolicyVersion) || ($.eventName=DeletePolicyVersion) || ($.eventName=AttachRolePolicy) || ($.eventName=DetachRolePolicy) || ($.eventName=AttachUserPolicy) || ($.eventName=DetachUserPolicy) || ($.eventName=AttachGroupPolicy) || ($.eventName=DetachGroupPolicy))}",
    },
    Watch {
        name: "trail-changes",
        metric: "TrailChanges",
        description: "Somebody has changed, stopped or deleted a trail (CloudWatch.5). The next provision starts the baseline's again.",
        pattern: "{($.eventName=CreateTrail) || ($.eventName=UpdateTrail) || ($.eventName=DeleteTrail) || ($.eventName=StartLogging) || ($.eventName=StopLogging)}",
    },
    Watch {
        name: "failed-sign-ins",
        metric: "FailedSignIns",
        description: "Somebody could not sign in to the console (CloudWatch.6): a wrong password, or somebody who guesses.",
        pattern: r#"{($.eventName=ConsoleLogin) && ($.errorMessage="Failed authentication")}"#,
    },
    Watch {
        name: "key-deletions",
        metric: "KeyDeletions",
        description: "Somebody has disabled a key, or scheduled it for deletion (CloudWatch.7). What it encrypts cannot be read without it: \
                      there are 7 to 30 days to cancel that.",
        pattern: "{($.eventSource=kms.amazonaws.com) && (($.eventName=DisableKey) || ($.eventName=ScheduleKeyDeletion))}",
    },
    Watch {
        name: "bucket-policy-changes",
        metric: "BucketPolicyChanges",
        description: "Somebody has changed who may read a bucket, or for how long something stays in it (CloudWatch.8).",
        pattern: "{($.eventSource=s3.amazonaws.com) && (($.eventName=PutBucketAcl) || ($.eventName=PutBucketPolicy) || ($.eventName=PutBucketCors) || ($.eventName=PutBucketLifecycle) || ($.eventName=PutBucketReplication) || ($.eventName=DeleteBucketPolicy) || ($.eventName=DeleteBucketCors) || ($.eventName=DeleteBucketLifecycle) || ($.eventName=DeleteBucketReplication))}",
    },
    Watch {
        name: "config-changes",
        metric: "ConfigChanges",
        description: "Somebody has changed or stopped AWS Config (CloudWatch.9). The next provision starts the baseline's again.",
        pattern: "{($.eventSource=config.amazonaws.com) && (($.eventName=StopConfigurationRecorder) || ($.eventName=DeleteDeliveryChannel) || ($.eventName=PutDeliveryChannel) || ($.eventName=PutConfigurationRecorder))}",
    },
    Watch {
        name: "security-group-changes",
        metric: "SecurityGroupChanges",
        description: "Somebody has changed a security group (CloudWatch.10). rcm drift shows what is not as rcm left it.",
        pattern: "{($.eventName=AuthorizeSecurityGroupIngress) || ($.eventName=AuthorizeSecurityGroupEgress) || ($.eventName=RevokeSecurityGroupIngress) || ($.eventName=RevokeSecurityGroupEgress) || ($.eventName=CreateSecurityGroup) || ($.eventName=DeleteSecurityGroup)}",
    },
    Watch {
        name: "network-acl-changes",
        metric: "NetworkAclChanges",
        description: "Somebody has changed a network ACL (CloudWatch.11). rcm drift shows what is not as rcm left it.",
        pattern: "{($.eventName=CreateNetworkAcl) || ($.eventName=CreateNetworkAclEntry) || ($.eventName=DeleteNetworkAcl) || ($.eventName=DeleteNetworkAclEntry) || ($.eventName=ReplaceNetworkAclEntry) || ($.eventName=ReplaceNetworkAclAssociation)}",
    },
    Watch {
        name: "gateway-changes",
        metric: "GatewayChanges",
        description: "Somebody has changed a gateway of a network (CloudWatch.12). rcm drift shows what is not as rcm left it.",
        pattern: "{($.eventName=CreateCustomerGateway) || ($.eventName=DeleteCustomerGateway) || ($.eventName=AttachInternetGateway) || ($.eventName=CreateInternetGateway) || ($.eventName=DeleteInternetGateway) || ($.eventName=DetachInternetGateway)}",
    },
    Watch {
        name: "route-table-changes",
        metric: "RouteTableChanges",
        description: "Somebody has changed a route table (CloudWatch.13). rcm drift shows what is not as rcm left it.",
        pattern: "{($.eventSource=ec2.amazonaws.com) && (($.eventName=CreateRoute) || ($.eventName=CreateRouteTable) || ($.eventName=ReplaceRoute) || ($.eventName=ReplaceRouteTableAssociation) || ($.eventName=DeleteRouteTable) || ($.eventName=DeleteRoute) || ($.eventName=DisassociateRouteTable))}",
    },
    Watch {
        name: "vpc-changes",
        metric: "VpcChanges",
        description: "Somebody has made, changed or deleted a VPC, or connected it with another (CloudWatch.14).",
        pattern: "{($.eventName=CreateVpc) || ($.eventName=DeleteVpc) || ($.eventName=ModifyVpcAttribute) || ($.eventName=AcceptVpcPeeringConnection) || ($.eventName=CreateVpcPeeringConnection) || ($.eventName=DeleteVpcPeeringConnection) || ($.eventName=RejectVpcPeeringConnection) || ($.eventName=AttachClassicLinkVpc) || ($.eventName=DetachClassicLinkVpc) || ($.eventName=DisableVpcClassicLink) || ($.eventName=EnableVpcClassicLink)}",
    },
];

pub(super) fn add(graph: &mut Graph, plan: &Blueprint<'_>, key: &Ref<AccountKey>, log_group: &Ref<AccountLogGroup>) {
    let topic = topic(graph, plan, key);
    for watch in WATCHES {
        let name = format!("{NAME}-{}", watch.name);
        let filter = logs_metric_filter::Spec {
            log_group: log_group.clone(),
            name: name.clone(),
            pattern: watch.pattern.to_owned(),
            namespace: NAMESPACE.to_owned(),
            metric: watch.metric.to_owned(),
            value: "1".to_owned(),
        };
        graph.add::<MetricFilter>(&format!("baseline/filter/{}", watch.name), filter);
        graph.add::<AccountAlarm>(&format!("baseline/alarm/{}", watch.name), alarm(watch, name, &topic));
    }
}

/// It is raised by one event, and over when five minutes have gone by without another.
fn alarm(watch: &Watch, name: String, topic: &Ref<AccountTopic>) -> cloudwatch_alarm::Spec {
    cloudwatch_alarm::Spec {
        name,
        description: watch.description.to_owned(),
        namespace: NAMESPACE.to_owned(),
        metric: watch.metric.to_owned(),
        statistic: "Sum".to_owned(),
        dimensions: BTreeMap::new(),
        period_seconds: 300,
        periods: 1,
        periods_to_alarm: 1,
        threshold: 1.0,
        comparison: "GreaterThanOrEqualToThreshold".to_owned(),
        missing_data: "notBreaching".to_owned(),
        topic: Ref::<Topic>::to(topic.address().clone()),
    }
}

fn topic(graph: &mut Graph, plan: &Blueprint<'_>, key: &Ref<AccountKey>) -> Ref<AccountTopic> {
    let name = TOPIC.to_owned();
    let policy = may_publish(plan, &name).into();
    let spec = sns_topic::Spec { name, kms_key: Ref::<Key>::to(key.address().clone()), policy };
    let topic = graph.add::<AccountTopic>("baseline/topic", spec);
    let email = plan.config.security_email().to_owned();
    let spec = sns_subscription::Spec { topic: Ref::<Topic>::to(topic.address().clone()), email };
    graph.add::<AccountSubscription>("baseline/subscription", spec);
    topic
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn everything_that_cis_asks_for_is_watched_once_and_by_a_pattern_that_aws_takes() {
        assert_eq!(WATCHES.len(), 14);
        for (number, watch) in (1..).zip(WATCHES) {
            assert!(watch.description.contains(&format!("(CloudWatch.{number})")), "{}", watch.name);
            assert!(watch.pattern.len() <= 1024, "{}", watch.name);
            let [open, close] = ['(', ')'].map(|bracket| watch.pattern.matches(bracket).count());
            assert!(open == close && watch.pattern.starts_with('{') && watch.pattern.ends_with('}'), "{}", watch.name);
        }
        let metrics: BTreeSet<_> = WATCHES.iter().map(|watch| watch.metric).collect();
        assert_eq!(metrics.len(), WATCHES.len());
    }
}
