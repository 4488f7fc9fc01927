//! What AWS refuses.

use super::*;

#[tokio::test]
async fn a_vpc_with_anything_in_it_stays() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let delete = || ec2.delete_vpc().vpc_id(&vpc).send();

    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    assert_eq!(code(delete().await), "DependencyViolation");
    ec2.delete_subnet().subnet_id(subnet).send().await.unwrap();

    let internet = internet(&ec2, &vpc).await;
    assert_eq!(code(delete().await), "DependencyViolation");
    ec2.detach_internet_gateway().internet_gateway_id(internet).vpc_id(&vpc).send().await.unwrap();

    let group = group(&ec2, &vpc, "acme-alb").await;
    assert_eq!(code(delete().await), "DependencyViolation");
    ec2.delete_security_group().group_id(group).send().await.unwrap();

    let table = table(&ec2, &vpc).await;
    assert_eq!(code(delete().await), "DependencyViolation");
    ec2.delete_route_table().route_table_id(table).send().await.unwrap();

    delete().await.unwrap();
    assert_eq!(code(delete().await), "InvalidVpcID.NotFound");
}

#[tokio::test]
async fn an_attached_gateway_and_an_associated_table_stay() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let internet = internet(&ec2, &vpc).await;
    assert_eq!(code(ec2.delete_internet_gateway().internet_gateway_id(&internet).send().await), "DependencyViolation");
    let (subnet, table) = (subnet(&ec2, &vpc, "10.20.0.0/24").await, table(&ec2, &vpc).await);
    ec2.associate_route_table().route_table_id(&table).subnet_id(&subnet).send().await.unwrap();
    assert_eq!(code(ec2.delete_route_table().route_table_id(&table).send().await), "DependencyViolation");
}

#[tokio::test]
async fn a_group_that_another_refers_to_stays_and_the_default_group_too() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let (alb, service) = (group(&ec2, &vpc, "acme-alb").await, group(&ec2, &vpc, "acme-service").await);
    let from_alb = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(&alb).build();
    let permission = IpPermission::builder().ip_protocol("tcp").from_port(80).to_port(80).user_id_group_pairs(from_alb);
    let authorize = ec2.authorize_security_group_ingress().group_id(&service).ip_permissions(permission.build());
    authorize.send().await.unwrap();
    let delete = |id: &str| ec2.delete_security_group().group_id(id).send();

    assert_eq!(code(delete(&alb).await), "DependencyViolation");
    delete(&service).await.unwrap();
    delete(&alb).await.unwrap();

    let left = ec2.describe_security_groups().send().await.unwrap();
    assert_eq!(code(delete(left.security_groups()[0].group_id().unwrap()).await), "CannotDelete");
}

#[tokio::test]
async fn nothing_is_made_twice() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let internet = internet(&ec2, &vpc).await;
    subnet(&ec2, &vpc, "10.20.0.0/24").await;
    group(&ec2, &vpc, "acme-alb").await;
    let table = table(&ec2, &vpc).await;
    let route = || {
        let create = ec2.create_route().route_table_id(&table).destination_cidr_block("0.0.0.0/0");
        create.gateway_id(&internet).send()
    };
    route().await.unwrap();

    assert_eq!(code(route().await), "RouteAlreadyExists");
    let overlapping = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.20.0.128/25").send().await;
    assert_eq!(code(overlapping), "InvalidSubnet.Conflict");
    let outside = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.21.0.0/24").send().await;
    assert_eq!(code(outside), "InvalidSubnet.Range");
    let named = ec2.create_security_group().vpc_id(&vpc).group_name("acme-alb").description("again").send().await;
    assert_eq!(code(named), "InvalidGroup.Duplicate");
    let attached = ec2.attach_internet_gateway().internet_gateway_id(&internet).vpc_id(&vpc).send().await;
    assert_eq!(code(attached), "Resource.AlreadyAssociated");
}

#[tokio::test]
async fn what_is_gone_already_is_told_from_what_cannot_go() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let (internet, table) = (internet(&ec2, &vpc).await, table(&ec2, &vpc).await);
    let delete_route = |cidr: &str| ec2.delete_route().route_table_id(&table).destination_cidr_block(cidr).send();
    assert_eq!(code(delete_route("0.0.0.0/0").await), "InvalidRoute.NotFound");
    assert_eq!(code(delete_route("10.20.0.0/16").await), "InvalidParameterValue", "the local route stays");
    let detach = || ec2.detach_internet_gateway().internet_gateway_id(&internet).vpc_id(&vpc).send();
    detach().await.unwrap();
    assert_eq!(code(detach().await), "Gateway.NotAttached");
}

#[tokio::test]
async fn ids_that_do_not_exist_are_named() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    assert_eq!(code(ec2.describe_vpcs().vpc_ids("vpc-0").send().await), "InvalidVpcID.NotFound");
    assert_eq!(code(ec2.describe_subnets().subnet_ids("subnet-0").send().await), "InvalidSubnetID.NotFound");
    assert_eq!(code(ec2.describe_security_groups().group_ids("sg-0").send().await), "InvalidGroup.NotFound");
    assert_eq!(code(ec2.describe_nat_gateways().nat_gateway_ids("nat-0").send().await), "NatGatewayNotFound");
    assert_eq!(
        code(ec2.describe_addresses().allocation_ids("eipalloc-0").send().await),
        "InvalidAllocationID.NotFound"
    );
    assert_eq!(code(ec2.describe_route_tables().route_table_ids("rtb-0").send().await), "InvalidRouteTableID.NotFound");
    let gateways = ec2.describe_internet_gateways().internet_gateway_ids("igw-0").send().await;
    assert_eq!(code(gateways), "InvalidInternetGatewayID.NotFound");
    let endpoints = ec2.describe_vpc_endpoints().vpc_endpoint_ids("vpce-0").send().await;
    assert_eq!(code(endpoints), "InvalidVpcEndpointId.NotFound");
    let tags = ec2.create_tags().resources("vpc-0").tags(Tag::builder().key("a").value("b").build()).send().await;
    assert_eq!(code(tags), "InvalidVpcID.NotFound");
}

#[tokio::test]
async fn a_filter_that_matches_nothing_is_no_error_and_an_unknown_one_is() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    vpc(&ec2).await;
    let none = ec2.describe_vpcs().filters(filter("vpc-id", "vpc-0")).send().await.unwrap();
    assert!(none.vpcs().is_empty());
    assert_eq!(code(ec2.describe_vpcs().filters(filter("colour", "red")).send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn every_answer_has_a_request_id() {
    use aws_sdk_ec2::operation::RequestId;
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    assert!(ec2.describe_vpcs().send().await.unwrap().request_id().is_some());
    assert!(ec2.describe_vpcs().vpc_ids("vpc-0").send().await.unwrap_err().request_id().is_some());
}
