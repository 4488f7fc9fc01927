//! A network is built, read back, kept over the death of its process, and taken away.

use aws_sdk_ec2::types::{AttributeBooleanValue, NatGatewayState, RouteState, SubnetState, VpcAttributeName, VpcState};

use super::*;

#[tokio::test]
async fn a_new_vpc_has_a_main_route_table_and_a_default_group() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;

    let tables = ec2.describe_route_tables().filters(filter("vpc-id", &vpc)).send().await.unwrap();
    let main = &tables.route_tables()[0];
    assert_eq!(main.associations()[0].main(), Some(true));
    assert_eq!(main.routes()[0].destination_cidr_block(), Some("10.20.0.0/16"));
    assert_eq!(main.routes()[0].gateway_id(), Some("local"));

    let groups = ec2.describe_security_groups().filters(filter("vpc-id", &vpc)).send().await.unwrap();
    let default = &groups.security_groups()[0];
    assert_eq!(default.group_name(), Some("default"));
    assert_eq!(default.ip_permissions()[0].user_id_group_pairs()[0].group_id(), default.group_id());
    assert_eq!(default.ip_permissions_egress()[0].ip_ranges()[0].cidr_ip(), Some("0.0.0.0/0"));
}

#[tokio::test]
async fn dns_attributes_change_one_at_a_time() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let on = AttributeBooleanValue::builder().value(true).build();
    let hostnames = async || {
        let attribute = ec2.describe_vpc_attribute().vpc_id(&vpc).attribute(VpcAttributeName::EnableDnsHostnames);
        attribute.send().await.unwrap().enable_dns_hostnames.unwrap().value
    };
    assert_eq!(hostnames().await, Some(false));

    ec2.modify_vpc_attribute().vpc_id(&vpc).enable_dns_hostnames(on.clone()).send().await.unwrap();

    assert_eq!(hostnames().await, Some(true));
    let both = ec2.modify_vpc_attribute().vpc_id(&vpc).enable_dns_hostnames(on.clone()).enable_dns_support(on);
    assert_eq!(code(both.send().await), "InvalidParameterCombination");
}

#[tokio::test]
async fn a_network_is_read_back_as_it_was_built_also_by_the_next_process() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let private = subnet(&ec2, &nat.vpc, "10.20.1.0/24").await;
    let table = table(&ec2, &nat.vpc).await;
    let route = ec2.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
    route.nat_gateway_id(&nat.id).send().await.unwrap();
    ec2.associate_route_table().route_table_id(&table).subnet_id(&private).send().await.unwrap();
    let group = group(&ec2, &nat.vpc, "acme-alb").await;
    ec2.authorize_security_group_ingress()
        .group_id(&group)
        .ip_permissions(from_cidr(443, "0.0.0.0/0"))
        .send()
        .await
        .unwrap();

    let before = everything(&ec2).await;
    drop(ec2);
    let cloud = cloud.reopen().await;

    assert_eq!(everything(&client(&cloud)).await, before);
    assert!(before.contains(&nat.id) && before.contains(&table) && before.contains("who may come in"));
}

/// Every Describe's answer but for the request ids.
async fn everything(ec2: &Client) -> String {
    let vpcs = ec2.describe_vpcs().send().await.unwrap();
    let subnets = ec2.describe_subnets().send().await.unwrap();
    let gateways = ec2.describe_internet_gateways().send().await.unwrap();
    let addresses = ec2.describe_addresses().send().await.unwrap();
    let nats = ec2.describe_nat_gateways().send().await.unwrap();
    let tables = ec2.describe_route_tables().send().await.unwrap();
    let groups = ec2.describe_security_groups().send().await.unwrap();
    let rules = ec2.describe_security_group_rules().send().await.unwrap();
    format!(
        "{:#?}",
        (
            vpcs.vpcs(),
            subnets.subnets(),
            gateways.internet_gateways(),
            addresses.addresses(),
            nats.nat_gateways(),
            tables.route_tables(),
            groups.security_groups(),
            rules.security_group_rules()
        )
    )
}

#[tokio::test]
async fn states_are_pending_in_the_answer_to_create_and_available_after() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let created = ec2.create_vpc().cidr_block("10.20.0.0/16").send().await.unwrap().vpc.unwrap();
    assert_eq!(created.state(), Some(&VpcState::Pending));
    let subnet = ec2.create_subnet().vpc_id(created.vpc_id().unwrap()).cidr_block("10.20.0.0/24").send().await.unwrap();
    assert_eq!(subnet.subnet().unwrap().state(), Some(&SubnetState::Pending));

    assert_eq!(ec2.describe_vpcs().send().await.unwrap().vpcs()[0].state(), Some(&VpcState::Available));
    let subnets = ec2.describe_subnets().send().await.unwrap();
    assert_eq!(subnets.subnets()[0].state(), Some(&SubnetState::Available));
    assert_eq!(subnets.subnets()[0].available_ip_address_count(), Some(251));
}

#[tokio::test]
async fn subnets_lie_in_zones_of_the_region() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let zones = ec2.describe_availability_zones().filters(filter("state", "available")).send().await.unwrap();
    assert_eq!(zones.availability_zones()[1].zone_name(), Some("us-east-1b"));
    assert_eq!(zones.availability_zones()[1].zone_id(), Some("use1-az2"));

    let vpc = vpc(&ec2).await;
    let elsewhere = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.20.0.0/24").availability_zone("eu-west-1a");
    assert_eq!(code(elsewhere.send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn a_whole_network_goes_in_the_right_order() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let table = table(&ec2, &nat.vpc).await;
    let associated = ec2.associate_route_table().route_table_id(&table).subnet_id(&nat.subnet).send().await.unwrap();
    let group = group(&ec2, &nat.vpc, "acme-alb").await;

    ec2.delete_nat_gateway().nat_gateway_id(&nat.id).send().await.unwrap();
    assert_eq!(nat.seen(&ec2).await.state(), Some(&NatGatewayState::Deleted));
    ec2.release_address().allocation_id(&nat.address).send().await.unwrap();
    ec2.disassociate_route_table().association_id(associated.association_id().unwrap()).send().await.unwrap();
    ec2.delete_route_table().route_table_id(&table).send().await.unwrap();
    ec2.delete_subnet().subnet_id(&nat.subnet).send().await.unwrap();
    ec2.detach_internet_gateway().internet_gateway_id(&nat.internet).vpc_id(&nat.vpc).send().await.unwrap();
    ec2.delete_internet_gateway().internet_gateway_id(&nat.internet).send().await.unwrap();
    ec2.delete_security_group().group_id(&group).send().await.unwrap();
    ec2.delete_vpc().vpc_id(&nat.vpc).send().await.unwrap();

    assert!(ec2.describe_vpcs().send().await.unwrap().vpcs().is_empty());
    assert!(ec2.describe_subnets().send().await.unwrap().subnets().is_empty());
    assert!(ec2.describe_addresses().send().await.unwrap().addresses().is_empty());
    assert!(ec2.describe_route_tables().send().await.unwrap().route_tables().is_empty());
    assert!(ec2.describe_security_groups().send().await.unwrap().security_groups().is_empty());
    assert!(ec2.describe_security_group_rules().send().await.unwrap().security_group_rules().is_empty());
    assert!(ec2.describe_internet_gateways().send().await.unwrap().internet_gateways().is_empty());
}

#[tokio::test]
async fn a_route_is_a_black_hole_once_its_target_is_gone_and_can_be_replaced() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let table = table(&ec2, &nat.vpc).await;
    let create = ec2.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
    create.nat_gateway_id(&nat.id).send().await.unwrap();
    let default = async || {
        let tables = ec2.describe_route_tables().route_table_ids(&table).send().await.unwrap();
        tables.route_tables()[0].routes()[1].clone()
    };
    let route = default().await;
    assert_eq!((route.nat_gateway_id(), route.gateway_id()), (Some(nat.id.as_str()), None));
    assert_eq!(route.state(), Some(&RouteState::Active));

    ec2.delete_nat_gateway().nat_gateway_id(&nat.id).send().await.unwrap();
    assert_eq!(default().await.state(), Some(&RouteState::Blackhole));

    let replace = ec2.replace_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
    replace.gateway_id(&nat.internet).send().await.unwrap();
    assert_eq!(default().await.gateway_id(), Some(nat.internet.as_str()));
    assert_eq!(default().await.state(), Some(&RouteState::Active));
}

#[tokio::test]
async fn a_subnet_can_move_to_another_table() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    let (first, second) = (table(&ec2, &vpc).await, table(&ec2, &vpc).await);
    let associate =
        async |table: &str| ec2.associate_route_table().route_table_id(table).subnet_id(&subnet).send().await;
    let id = associate(&first).await.unwrap().association_id.unwrap();
    assert_eq!(associate(&first).await.unwrap().association_id.unwrap(), id);
    assert_eq!(code(associate(&second).await), "Resource.AlreadyAssociated");

    ec2.replace_route_table_association().association_id(&id).route_table_id(&second).send().await.unwrap();

    let of = ec2.describe_route_tables().filters(filter("association.subnet-id", &subnet)).send().await.unwrap();
    assert_eq!(of.route_tables()[0].route_table_id(), Some(second.as_str()));
}
