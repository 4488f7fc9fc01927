//! What NAT gateways do in the background.

use aws_sdk_ec2::types::NatGatewayState::{Available, Deleted, Deleting, Failed, Pending};

use super::*;

#[tokio::test]
async fn takes_as_many_looks_as_the_sandbox_was_told() {
    let cloud = Cloud::with_polls(2).await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let state = async || nat.seen(&ec2).await.state.unwrap();

    assert_eq!([state().await, state().await, state().await], [Pending, Pending, Available]);
    let public_ip = nat.seen(&ec2).await.nat_gateway_addresses()[0].public_ip.clone();
    let addresses = ec2.describe_addresses().allocation_ids(&nat.address).send().await.unwrap();
    assert_eq!(public_ip.as_deref(), addresses.addresses()[0].public_ip());
    assert!(public_ip.is_some() && addresses.addresses()[0].association_id().is_some());

    ec2.delete_nat_gateway().nat_gateway_id(&nat.id).send().await.unwrap();
    assert_eq!([state().await, state().await, state().await, state().await], [Deleting, Deleting, Deleted, Deleted]);
}

#[tokio::test]
async fn arrives_while_no_process_looks() {
    let cloud = Cloud::with_polls(2).await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    drop(ec2);

    let cloud = cloud.reopen().await;

    assert_eq!(nat.seen(&client(&cloud)).await.state, Some(Available));
}

#[tokio::test]
async fn looking_at_another_one_does_not_count() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = client(&cloud);
    let (nat, other) = (Nat::new(&ec2).await, Nat::new(&ec2).await);
    other.seen(&ec2).await;
    ec2.describe_nat_gateways().filter(filter("vpc-id", &other.vpc)).send().await.unwrap();

    assert_eq!(nat.seen(&ec2).await.state, Some(Pending));
    let pending = ec2.describe_nat_gateways().filter(filter("state", "pending")).send().await.unwrap();
    assert!(pending.nat_gateways().is_empty(), "the filter sees the state of this very answer");
}

#[tokio::test]
async fn fails_in_the_background_without_a_way_to_the_internet() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = client(&cloud);
    let vpc = vpc(&ec2).await;
    let subnet = subnet(&ec2, &vpc, "10.20.0.0/24").await;
    let address = address(&ec2).await;
    let created = ec2.create_nat_gateway().subnet_id(&subnet).allocation_id(&address).send().await.unwrap();
    let id = created.nat_gateway.unwrap().nat_gateway_id.unwrap();

    assert_eq!(seen(&ec2, &id).await.state, Some(Pending));
    let failed = seen(&ec2, &id).await;
    assert_eq!((failed.state(), failed.failure_code()), (Some(&Failed), Some("Gateway.NotAttached")));
    ec2.release_address().allocation_id(&address).send().await.unwrap();
}

#[tokio::test]
async fn fails_in_the_background_with_an_address_that_is_taken() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let second = ec2.create_nat_gateway().subnet_id(&nat.subnet).allocation_id(&nat.address).send().await.unwrap();
    let second = seen(&ec2, second.nat_gateway().unwrap().nat_gateway_id().unwrap()).await;
    assert_eq!((second.state(), second.failure_code()), (Some(&Failed), Some("Resource.AlreadyAssociated")));
    assert_eq!(nat.seen(&ec2).await.state, Some(Available));
}

#[tokio::test]
async fn the_same_client_token_makes_no_second_one() {
    let cloud = Cloud::new().await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let other = address(&ec2).await;
    let create = |address: &str| {
        ec2.create_nat_gateway().subnet_id(&nat.subnet).allocation_id(address).client_token("once").send()
    };
    let first = create(&other).await.unwrap().nat_gateway.unwrap();
    let again = create(&other).await.unwrap().nat_gateway.unwrap();
    assert_eq!(first.nat_gateway_id(), again.nat_gateway_id());
    assert_eq!(code(create(&nat.address).await), "IdempotentParameterMismatch");
}

#[tokio::test]
async fn holds_what_it_uses_until_it_is_deleted_for_good() {
    let cloud = Cloud::with_polls(1).await;
    let ec2 = client(&cloud);
    let nat = Nat::new(&ec2).await;
    let release = || ec2.release_address().allocation_id(&nat.address).send();
    let detach = || ec2.detach_internet_gateway().internet_gateway_id(&nat.internet).vpc_id(&nat.vpc).send();
    let delete_subnet = || ec2.delete_subnet().subnet_id(&nat.subnet).send();

    assert_eq!(code(release().await), "InvalidIPAddress.InUse");
    assert_eq!(code(detach().await), "DependencyViolation");
    assert_eq!(code(delete_subnet().await), "DependencyViolation");

    ec2.delete_nat_gateway().nat_gateway_id(&nat.id).send().await.unwrap();
    assert_eq!(code(release().await), "InvalidIPAddress.InUse");
    assert_eq!(nat.seen(&ec2).await.state, Some(Deleted));
    release().await.unwrap();
    detach().await.unwrap();
    delete_subnet().await.unwrap();
}
