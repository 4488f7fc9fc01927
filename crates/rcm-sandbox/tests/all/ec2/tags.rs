//! Tags: how rcm finds again what is its own.

use super::*;

#[tokio::test]
async fn everything_is_found_by_the_tags_it_was_created_with() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let acme = || filter("tag:Name", "acme");
    let create = ec2.create_vpc().cidr_block("10.30.0.0/16").tag_specifications(tagged(ResourceType::Vpc, "acme"));
    let vpc = create.send().await.unwrap().vpc.unwrap();
    assert_eq!(vpc.tags()[0].value(), Some("acme"));
    let id = vpc.vpc_id().unwrap();
    let create = ec2.create_subnet().vpc_id(id).cidr_block("10.30.0.0/24");
    create.tag_specifications(tagged(ResourceType::Subnet, "acme")).send().await.unwrap();
    let create = ec2.create_security_group().vpc_id(id).group_name("acme").description("acme");
    create.tag_specifications(tagged(ResourceType::SecurityGroup, "acme")).send().await.unwrap();
    let create = ec2.allocate_address().domain(DomainType::Vpc);
    create.tag_specifications(tagged(ResourceType::ElasticIp, "acme")).send().await.unwrap();
    let create = ec2.create_nat_gateway().subnet_id(&nat.subnet).allocation_id(address(&ec2).await);
    create.tag_specifications(tagged(ResourceType::Natgateway, "acme")).send().await.unwrap();

    assert_eq!(ec2.describe_vpcs().filters(acme()).send().await.unwrap().vpcs().len(), 1);
    assert_eq!(ec2.describe_subnets().filters(acme()).send().await.unwrap().subnets().len(), 1);
    assert_eq!(ec2.describe_security_groups().filters(acme()).send().await.unwrap().security_groups().len(), 1);
    assert_eq!(ec2.describe_addresses().filters(acme()).send().await.unwrap().addresses().len(), 1);
    assert_eq!(ec2.describe_nat_gateways().filter(acme()).send().await.unwrap().nat_gateways().len(), 1);
}

#[tokio::test]
async fn tags_come_and_go_later() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let create = ec2.create_tags().resources(&vpc).tags(tag("rcm:partner", "acme")).tags(tag("Name", "acme"));
    create.send().await.unwrap();
    ec2.delete_tags().resources(&vpc).tags(tag("Name", "another")).send().await.unwrap();
    ec2.delete_tags().resources(&vpc).tags(Tag::builder().key("rcm:partner").build()).send().await.unwrap();

    let tags = ec2.describe_tags().filters(filter("resource-id", &vpc)).send().await.unwrap();
    let left: Vec<_> = tags.tags().iter().map(|tag| (tag.key().unwrap(), tag.value().unwrap())).collect();
    assert_eq!(left, [("Name", "acme")]);
}

#[tokio::test]
async fn tags_of_another_kind_and_aws_s_own_are_refused() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let wrong = ec2.create_vpc().cidr_block("10.30.0.0/16").tag_specifications(tagged(ResourceType::Subnet, "acme"));
    assert_eq!(code(wrong.send().await), "InvalidParameterValue");
    let reserved = Tag::builder().key("aws:mine").value("no").build();
    let vpc = vpc(&ec2).await;
    assert_eq!(code(ec2.create_tags().resources(&vpc).tags(reserved).send().await), "InvalidParameterValue");
    assert_eq!(ec2.describe_vpcs().send().await.unwrap().vpcs().len(), 1);
}
