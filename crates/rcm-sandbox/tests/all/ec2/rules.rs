//! Rules of security groups.

use aws_sdk_ec2::types::{SecurityGroupRuleRequest, SecurityGroupRuleUpdate};

use super::*;

#[tokio::test]
async fn a_rule_has_an_id_and_a_description_from_the_start() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let authorize = ec2.authorize_security_group_ingress().group_id(&group);
    let made = authorize.ip_permissions(from_cidr(443, "0.0.0.0/0")).send().await.unwrap();
    let made = &made.security_group_rules()[0];
    assert_eq!(made.description(), Some("who may come in"));

    let rules = ec2.describe_security_group_rules().filters(filter("group-id", &group)).send().await.unwrap();
    let ingress: Vec<_> = rules.security_group_rules().iter().filter(|rule| rule.is_egress() == Some(false)).collect();
    assert_eq!(ingress, [made]);
    let groups = ec2.describe_security_groups().group_ids(&group).send().await.unwrap();
    let permission = &groups.security_groups()[0].ip_permissions()[0];
    assert_eq!((permission.from_port(), permission.to_port()), (Some(443), Some(443)));
    assert_eq!(permission.ip_ranges()[0].description(), Some("who may come in"));
}

#[tokio::test]
async fn a_rule_is_there_once_and_gone_once() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let rule = from_cidr(443, "0.0.0.0/0");
    let authorize = || ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(rule.clone()).send();
    let revoke = || ec2.revoke_security_group_ingress().group_id(&group).ip_permissions(rule.clone()).send();

    authorize().await.unwrap();
    assert_eq!(code(authorize().await), "InvalidPermission.Duplicate");
    revoke().await.unwrap();
    assert_eq!(code(revoke().await), "InvalidPermission.NotFound");
}

#[tokio::test]
async fn nothing_is_authorized_when_one_of_the_rules_is_refused() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let authorize = ec2.authorize_security_group_ingress().group_id(&group);
    let refused =
        authorize.ip_permissions(from_cidr(80, "0.0.0.0/0")).ip_permissions(from_cidr(443, "10.0.0/8")).send().await;

    assert_eq!(code(refused), "InvalidParameterValue");
    let groups = ec2.describe_security_groups().group_ids(&group).send().await.unwrap();
    assert!(groups.security_groups()[0].ip_permissions().is_empty());
}

#[tokio::test]
async fn a_rule_is_changed_in_place_and_keeps_its_id() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let authorize = ec2.authorize_security_group_ingress().group_id(&group);
    let made = authorize.ip_permissions(from_cidr(443, "0.0.0.0/0")).send().await.unwrap();
    let id = made.security_group_rules()[0].security_group_rule_id().unwrap();
    let modify = |id: &str, range: &str| {
        let wanted = SecurityGroupRuleRequest::builder().ip_protocol("tcp").from_port(80).to_port(80);
        let wanted = wanted.cidr_ipv4(range).description("HTTP").build();
        let update = SecurityGroupRuleUpdate::builder().security_group_rule_id(id).security_group_rule(wanted).build();
        ec2.modify_security_group_rules().group_id(&group).security_group_rules(update).send()
    };
    modify(id, "10.0.0.0/8").await.unwrap();
    let rules = ec2.describe_security_group_rules().filters(filter("security-group-rule-id", id)).send().await.unwrap();
    let rule = &rules.security_group_rules()[0];
    assert_eq!((rule.from_port(), rule.cidr_ipv4(), rule.description()), (Some(80), Some("10.0.0.0/8"), Some("HTTP")));
    assert_eq!(code(modify("sgr-0", "10.0.0.0/8").await), "InvalidSecurityGroupRuleId.NotFound");
    let authorize = ec2.authorize_security_group_ingress().group_id(&group);
    authorize.ip_permissions(from_cidr(80, "0.0.0.0/0")).send().await.unwrap();
    assert_eq!(code(modify(id, "0.0.0.0/0").await), "InvalidPermission.Duplicate");
}

#[tokio::test]
async fn a_rule_can_be_written_the_old_way() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let authorize =
        ec2.authorize_security_group_ingress().group_id(&group).ip_protocol("tcp").from_port(80).to_port(80);
    let made = authorize.cidr_ip("0.0.0.0/0").send().await.unwrap();
    assert_eq!(made.security_group_rules()[0].cidr_ipv4(), Some("0.0.0.0/0"));
}

#[tokio::test]
async fn the_default_group_can_be_emptied() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let default = async || {
        let described = ec2.describe_security_groups().filters(filter("vpc-id", &vpc));
        described.filters(filter("group-name", "default")).send().await.unwrap().security_groups()[0].clone()
    };
    let group = default().await;
    let id = group.group_id().unwrap();
    let ingress = group.ip_permissions().to_vec();
    let egress = group.ip_permissions_egress().to_vec();
    ec2.revoke_security_group_ingress().group_id(id).set_ip_permissions(Some(ingress)).send().await.unwrap();
    ec2.revoke_security_group_egress().group_id(id).set_ip_permissions(Some(egress)).send().await.unwrap();

    assert!(default().await.ip_permissions().is_empty() && default().await.ip_permissions_egress().is_empty());
}

#[tokio::test]
async fn a_rule_goes_by_its_id_too() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let group = group(&ec2, &vpc(&ec2).await, "acme-alb").await;
    let rules = ec2.describe_security_group_rules().filters(filter("group-id", &group)).send().await.unwrap();
    let id = rules.security_group_rules()[0].security_group_rule_id().unwrap().to_owned();
    let revoke = || ec2.revoke_security_group_egress().group_id(&group).security_group_rule_ids(&id).send();
    revoke().await.unwrap();
    assert_eq!(code(revoke().await), "InvalidSecurityGroupRuleId.NotFound");
}

#[tokio::test]
async fn descriptions_are_plain_text_and_can_change() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let group = group(&ec2, &vpc, "acme-alb").await;
    let described = |text: &str| {
        let range = IpRange::builder().cidr_ip("10.0.0.0/8").description(text).build();
        IpPermission::builder().ip_protocol("-1").ip_ranges(range).build()
    };
    let authorize =
        |text: &str| ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(described(text)).send();
    assert_eq!(code(authorize("ALB → service").await), "InvalidParameterValue");
    authorize("ALB to service").await.unwrap();
    let update = ec2.update_security_group_rule_descriptions_ingress().group_id(&group);
    update.ip_permissions(described("from inside")).send().await.unwrap();

    let groups = ec2.describe_security_groups().group_ids(&group).send().await.unwrap();
    let permission = &groups.security_groups()[0].ip_permissions()[0];
    assert_eq!(permission.ip_ranges()[0].description(), Some("from inside"));
}
