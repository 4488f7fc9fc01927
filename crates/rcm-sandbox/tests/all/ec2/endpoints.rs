//! VPC endpoints.

use aws_sdk_ec2::types::VpcEndpointType;

use super::*;

const S3: &str = "com.amazonaws.us-east-1.s3";

#[tokio::test]
async fn a_gateway_endpoint_is_a_route_in_its_tables() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let (first, second) = (table(&ec2, &vpc).await, table(&ec2, &vpc).await);
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let create =
        ec2.create_vpc_endpoint().vpc_id(&vpc).service_name(S3).route_table_ids(&first).policy_document(policy);
    let created = create.tag_specifications(tagged(ResourceType::VpcEndpoint, "acme")).send().await.unwrap();
    let id = created.vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    let tables = async || {
        let with = ec2.describe_route_tables().filters(filter("route.gateway-id", &id)).send().await.unwrap();
        with.route_tables().iter().filter_map(|table| table.route_table_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(tables().await, [first.as_str()]);

    let modify = ec2.modify_vpc_endpoint().vpc_endpoint_id(&id).add_route_table_ids(&second);
    modify.remove_route_table_ids(&first).send().await.unwrap();
    assert_eq!(tables().await, [second.as_str()]);

    drop(ec2);
    let cloud = cloud.reopen().await;
    let ec2 = client(&cloud);
    let seen = ec2.describe_vpc_endpoints().filters(filter("tag:Name", "acme")).send().await.unwrap();
    let seen = &seen.vpc_endpoints()[0];
    assert_eq!((seen.policy_document(), seen.route_table_ids()), (Some(policy), [second].as_slice()));
    assert_eq!(code(ec2.delete_vpc().vpc_id(&vpc).send().await), "DependencyViolation");
}

#[tokio::test]
async fn deleting_takes_its_time_and_then_nothing_is_left() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let created = ec2.create_vpc_endpoint().vpc_id(&vpc).service_name(S3).send().await.unwrap();
    let id = created.vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    let deleted = ec2.delete_vpc_endpoints().vpc_endpoint_ids(&id).vpc_endpoint_ids("vpce-0").send().await.unwrap();
    let unsuccessful: Vec<_> = deleted.unsuccessful().iter().filter_map(|item| item.resource_id()).collect();
    assert_eq!(unsuccessful, ["vpce-0"]);

    let seen = || ec2.describe_vpc_endpoints().vpc_endpoint_ids(&id).send();
    assert_eq!(seen().await.unwrap().vpc_endpoints()[0].state().unwrap().as_str(), "deleting");
    assert_eq!(code(seen().await), "InvalidVpcEndpointId.NotFound");
    ec2.delete_vpc().vpc_id(&vpc).send().await.unwrap();
}

#[tokio::test]
async fn an_interface_endpoint_holds_its_subnet_and_group() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let (subnet, group) = (subnet(&ec2, &vpc, "10.20.0.0/24").await, group(&ec2, &vpc, "acme-endpoints").await);
    let create = ec2.create_vpc_endpoint().vpc_id(&vpc).vpc_endpoint_type(VpcEndpointType::Interface);
    let create = create.service_name("com.amazonaws.us-east-1.logs").subnet_ids(&subnet).security_group_ids(&group);
    create.send().await.unwrap();

    assert_eq!(code(ec2.delete_subnet().subnet_id(&subnet).send().await), "DependencyViolation");
    assert_eq!(code(ec2.delete_security_group().group_id(&group).send().await), "DependencyViolation");
}

#[tokio::test]
async fn network_interfaces_of_an_endpoint_come_and_go_with_it() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let (first, second) = (subnet(&ec2, &vpc, "10.20.0.0/24").await, subnet(&ec2, &vpc, "10.20.1.0/24").await);
    let group = group(&ec2, &vpc, "acme-endpoints").await;
    let create = || {
        let create = ec2.create_vpc_endpoint().vpc_id(&vpc).vpc_endpoint_type(VpcEndpointType::Interface);
        create.service_name("com.amazonaws.us-east-1.logs").security_group_ids(&group)
    };
    let same_zone = create().subnet_ids(&first).subnet_ids(&second).send().await;
    assert_eq!(code(same_zone), "DuplicateSubnetsInSameZone");
    let id = create().subnet_ids(&first).send().await.unwrap().vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    let seen = async || {
        let seen = ec2.describe_vpc_endpoints().vpc_endpoint_ids(&id).send().await.unwrap();
        let seen = &seen.vpc_endpoints()[0];
        (seen.state().unwrap().as_str().to_owned(), seen.network_interface_ids().to_vec())
    };
    let (state, interfaces) = seen().await;
    assert_eq!((state.as_str(), interfaces.len()), ("pending", 1));
    assert_eq!(seen().await.0, "available");
    let held = ec2.describe_network_interfaces().filters(filter("subnet-id", &first)).send().await.unwrap();
    let held = &held.network_interfaces()[0];
    assert_eq!(held.network_interface_id(), Some(interfaces[0].as_str()));
    assert_eq!(held.description(), Some(format!("VPC Endpoint Interface {id}").as_str()));

    let modify = ec2.modify_vpc_endpoint().vpc_endpoint_id(&id).add_subnet_ids(&second).remove_subnet_ids(&first);
    modify.send().await.unwrap();
    assert_eq!(seen().await.0, "pending", "another interface takes its time too");
    ec2.delete_subnet().subnet_id(&first).send().await.unwrap();

    ec2.delete_vpc_endpoints().vpc_endpoint_ids(&id).send().await.unwrap();
    assert_eq!(code(ec2.delete_security_group().group_id(&group).send().await), "DependencyViolation");
    ec2.delete_security_group().group_id(&group).send().await.unwrap();
    ec2.delete_subnet().subnet_id(&second).send().await.unwrap();
}

#[tokio::test]
async fn private_names_need_dns_and_are_had_once() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let created = ec2.create_vpc().cidr_block("10.20.0.0/16").send().await.unwrap();
    let vpc = created.vpc.unwrap().vpc_id.unwrap();
    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    let create = || {
        let create = ec2.create_vpc_endpoint().vpc_id(&vpc).vpc_endpoint_type(VpcEndpointType::Interface);
        create.service_name("com.amazonaws.us-east-1.logs").subnet_ids(&subnet).private_dns_enabled(true).send()
    };
    assert_eq!(code(create().await), "InvalidParameter", "a VPC comes without DNS hostnames");
    let on = aws_sdk_ec2::types::AttributeBooleanValue::builder().value(true).build();
    ec2.modify_vpc_attribute().vpc_id(&vpc).enable_dns_hostnames(on).send().await.unwrap();
    create().await.unwrap();
    assert_eq!(code(create().await), "InvalidParameter", "there is one");
}
