//! Network ACLs: every subnet has exactly one, and what is in use stays.

use aws_sdk_ec2::types::{NetworkAcl, PortRange, RuleAction};

use super::*;

async fn acl(ec2: &Client, vpc: &str) -> String {
    let tags = tagged(ResourceType::NetworkAcl, "database");
    let created = ec2.create_network_acl().vpc_id(vpc).client_token("once").tag_specifications(tags).send().await;
    created.unwrap().network_acl.unwrap().network_acl_id.unwrap()
}

async fn described(ec2: &Client, name: &str, value: &str) -> Vec<NetworkAcl> {
    let described = ec2.describe_network_acls().filters(filter(name, value)).send().await.unwrap();
    described.network_acls.unwrap()
}

/// The association of a subnet, and the ACL that it is with.
async fn link(ec2: &Client, subnet: &str) -> (String, String) {
    let acls = described(ec2, "association.subnet-id", subnet).await;
    assert_eq!(acls.len(), 1, "a subnet has exactly one");
    let of_subnet = acls[0].associations().iter().find(|link| link.subnet_id() == Some(subnet)).unwrap();
    (of_subnet.network_acl_association_id().unwrap().to_owned(), acls[0].network_acl_id().unwrap().to_owned())
}

#[tokio::test]
async fn a_vpc_comes_with_an_acl_that_lets_everything_through_and_its_subnets_are_with_it() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    let acls = described(&ec2, "vpc-id", &vpc).await;
    assert_eq!((acls.len(), acls[0].is_default()), (1, Some(true)));
    let entries = acls[0].entries().iter();
    let entries: Vec<_> = entries.map(|it| (it.rule_number().unwrap(), it.rule_action().unwrap().as_str())).collect();
    assert_eq!(entries, [(100, "allow"), (100, "allow"), (32767, "deny"), (32767, "deny")]);
    assert_eq!(link(&ec2, &subnet).await.1, acls[0].network_acl_id().unwrap());
    let id = acls[0].network_acl_id().unwrap();
    assert_eq!(code(ec2.delete_network_acl().network_acl_id(id).send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn entries_are_made_once_replaced_and_deleted() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let id = acl(&ec2, &vpc).await;
    assert_eq!(acl(&ec2, &vpc).await, id, "an equal client token gives the same");
    let ports = PortRange::builder().from(443).to(443).build();
    let create = async || {
        let request = ec2.create_network_acl_entry().network_acl_id(&id).rule_number(100).egress(false);
        let request = request.protocol("tcp").rule_action(RuleAction::Allow).cidr_block("0.0.0.0/0");
        request.port_range(ports.clone()).send().await
    };
    let replace = async |number| {
        let request = ec2.replace_network_acl_entry().network_acl_id(&id).rule_number(number).egress(false);
        request.protocol("-1").rule_action(RuleAction::Deny).cidr_block("10.0.0.0/8").send().await
    };
    let delete =
        async || ec2.delete_network_acl_entry().network_acl_id(&id).rule_number(100).egress(false).send().await;
    create().await.unwrap();
    assert_eq!(code(create().await), "NetworkAclEntryAlreadyExists");
    let entry = described(&ec2, "network-acl-id", &id).await[0].entries()[0].clone();
    assert_eq!((entry.protocol(), entry.port_range().and_then(PortRange::from)), (Some("6"), Some(443)));

    assert_eq!(code(replace(110).await), "InvalidNetworkAclEntry.NotFound");
    replace(100).await.unwrap();
    let entry = described(&ec2, "network-acl-id", &id).await[0].entries()[0].clone();
    assert_eq!((entry.rule_action(), entry.port_range()), (Some(&RuleAction::Deny), None));

    delete().await.unwrap();
    assert_eq!(code(delete().await), "InvalidNetworkAclEntry.NotFound");
    let portless = ec2.create_network_acl_entry().network_acl_id(&id).rule_number(1).egress(false).protocol("6");
    let portless = portless.rule_action(RuleAction::Allow).cidr_block("0.0.0.0/0").send().await;
    assert_eq!(code(portless), "InvalidParameterValue");
}

#[tokio::test]
async fn an_acl_with_subnets_stays_and_a_vpc_with_an_acl_of_its_own_too() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    let id = acl(&ec2, &vpc).await;
    let (old, default) = link(&ec2, &subnet).await;
    let replace = async |link: &str, acl: &str| {
        ec2.replace_network_acl_association().association_id(link).network_acl_id(acl).send().await
    };
    let moved = replace(&old, &id).await.unwrap().new_association_id.unwrap();
    assert_eq!(link(&ec2, &subnet).await, (moved.clone(), id.clone()));
    assert_eq!(code(replace(&old, &id).await), "InvalidAssociationID.NotFound", "each move makes another");
    let delete = async || ec2.delete_network_acl().network_acl_id(&id).send().await;
    assert_eq!(code(delete().await), "DependencyViolation");

    replace(&moved, &default).await.unwrap();
    ec2.delete_subnet().subnet_id(&subnet).send().await.unwrap();
    assert_eq!(code(ec2.delete_vpc().vpc_id(&vpc).send().await), "DependencyViolation");
    delete().await.unwrap();
    assert_eq!(code(delete().await), "InvalidNetworkAclID.NotFound");
    ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
    assert!(described(&ec2, "vpc-id", &vpc).await.is_empty(), "the default one goes with its VPC");
}
