//! EC2: the network of an account.
//!
//! | What | As on AWS |
//! |---|---|
//! | states | NAT gateways and interface endpoints are `pending`, then `available`; a deleted NAT gateway stays visible as `deleted` for an hour |
//! | deletion | `DependencyViolation` for a VPC with content, a subnet or group in use, an attached gateway, public addresses behind it, an associated route table or network ACL; `InvalidIPAddress.InUse` for the address of a NAT gateway |
//! | ids and filters | `InvalidVpcID.NotFound` and its like; filters that match nothing give an empty list, unknown filters an error |
//! | duplicates | `InvalidPermission.Duplicate`, `RouteAlreadyExists`, `InvalidSubnet.Conflict`, `InvalidGroup.Duplicate`; equal client tokens give the same resource |
//! | routes | `blackhole` once the target is gone |
//! | rules | with ids and descriptions, in the reply of Authorize, in DescribeSecurityGroups and DescribeSecurityGroupRules |
//! | network ACLs | every VPC has a default one, every subnet exactly one; nothing is judged by them, as no traffic flows |
//! | endpoints | a gateway endpoint shows as a route in its tables; an interface has a network interface in each of its subnets, one a zone, and private names that no other has in its VPC |
//! | account | encryption of new disks, and the blocks of public snapshots and images; the last one takes some polls |
//! | flow logs | of a VPC or subnet to a log group, through a role that is there; refusals are told inside an answer of 200 |
//! | tags | CreateTags, DeleteTags, DescribeTags and `tag:KEY` filters on every kind |
//!
//! Not played: pages (a Describe gives everything), IPv6 addresses, instances and their interfaces.
//!
//! API: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/>

mod account;
mod address;
mod endpoint;
mod filter;
mod flow_log;
mod group;
mod interface;
mod internet_gateway;
mod nat_gateway;
mod network;
mod network_acl;
mod route;
mod route_table;
mod rule;
mod rule_edit;
mod subnet;
mod tag;
mod vpc;
mod zone;

use self::endpoint::Endpoint;
use self::nat_gateway::NatGateway;
pub(crate) use self::network::Network;
use self::network::{Call, describe, forget_gone};
use crate::emulator::{Emulated, Emulator};
use crate::neighbours;
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::{self, Fault, Params, Xml};

impl Emulated for Network {
    const NAME: &'static str = "ec2";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let params = Params::parse(&request.body);
        match operation(emulator, cx, &params).await {
            Ok(content) => wire::ec2_reply(params.action(), &content),
            Err(fault) => fault.ec2(),
        }
    }

    fn arrive(&mut self) {
        self.nat_gateways.iter_mut().for_each(NatGateway::arrive);
        self.endpoints.iter_mut().for_each(Endpoint::arrive);
        self.defaults.arrive();
        forget_gone::<Endpoint>(self);
        network_acl::complete(self);
    }
}

async fn operation(emulator: &Emulator<Network>, cx: &Context, params: &Params) -> Result<Xml, Fault> {
    if params.get("DryRun") == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Fault::new("DryRunOperation", message).status(412));
    }
    if params.action() == "CreateFlowLogs"
        && let Some(role) = params.get("DeliverLogsPermissionArn").and_then(|arn| arn.rsplit('/').next())
        && !neighbours::role_exists(cx, role).await
    {
        return Err(Fault::new("InvalidParameter", "Unable to assume given IAM role"));
    }
    let held_by = match held(params) {
        Some(resource) => cx.holders_of(&resource).await,
        None => Vec::new(),
    };
    act(&mut emulator.lock(), &Call { cx, params, held_by })
}

/// What other services may hold of what this request takes away, or asks for.
fn held(params: &Params) -> Option<String> {
    let resource = match params.action() {
        "DeleteSubnet" => params.get("SubnetId"),
        "DeleteSecurityGroup" => params.get("GroupId"),
        "DeleteVpc" | "DetachInternetGateway" => params.get("VpcId"),
        "ReleaseAddress" => params.get("AllocationId"),
        "DescribeNetworkInterfaces" => return interface::asked(params),
        _ => None,
    };
    resource.map(str::to_owned)
}

fn act(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    match call.params.action() {
        "CreateVpc" => vpc::create(net, call),
        "DescribeVpcs" => describe::<vpc::Vpc>(net, call),
        "DescribeVpcAttribute" => vpc::describe_attribute(net, call),
        "ModifyVpcAttribute" => vpc::modify_attribute(net, call),
        "DeleteVpc" => vpc::delete(net, call),
        "CreateSubnet" => subnet::create(net, call),
        "DescribeSubnets" => describe::<subnet::Subnet>(net, call),
        "ModifySubnetAttribute" => subnet::modify_attribute(net, call),
        "DeleteSubnet" => subnet::delete(net, call),
        "CreateInternetGateway" => internet_gateway::create(net, call),
        "DescribeInternetGateways" => describe::<internet_gateway::InternetGateway>(net, call),
        "AttachInternetGateway" => internet_gateway::attach(net, call),
        "DetachInternetGateway" => internet_gateway::detach(net, call),
        "DeleteInternetGateway" => internet_gateway::delete(net, call),
        "AllocateAddress" => address::allocate(net, call),
        "DescribeAddresses" => describe::<address::Address>(net, call),
        "ReleaseAddress" => address::release(net, call),
        "CreateNatGateway" => nat_gateway::create(net, call),
        "DescribeNatGateways" => describe::<nat_gateway::NatGateway>(net, call),
        "DeleteNatGateway" => nat_gateway::delete(net, call),
        "CreateRouteTable" => route_table::create(net, call),
        "DescribeRouteTables" => describe::<route_table::RouteTable>(net, call),
        "AssociateRouteTable" => route_table::associate(net, call),
        "ReplaceRouteTableAssociation" => route_table::replace_association(net, call),
        "DisassociateRouteTable" => route_table::disassociate(net, call),
        "DeleteRouteTable" => route_table::delete(net, call),
        "CreateRoute" => route::create(net, call),
        "ReplaceRoute" => route::replace(net, call),
        "DeleteRoute" => route::delete(net, call),
        "CreateSecurityGroup" => group::create(net, call),
        "DescribeSecurityGroups" => describe::<group::SecurityGroup>(net, call),
        "DeleteSecurityGroup" => group::delete(net, call),
        "AuthorizeSecurityGroupIngress" => rule_edit::authorize(net, call, false),
        "AuthorizeSecurityGroupEgress" => rule_edit::authorize(net, call, true),
        "RevokeSecurityGroupIngress" => rule_edit::revoke(net, call, false),
        "RevokeSecurityGroupEgress" => rule_edit::revoke(net, call, true),
        "UpdateSecurityGroupRuleDescriptionsIngress" => rule_edit::redescribe(net, call, false),
        "UpdateSecurityGroupRuleDescriptionsEgress" => rule_edit::redescribe(net, call, true),
        "ModifySecurityGroupRules" => rule_edit::modify(net, call),
        "DescribeSecurityGroupRules" => describe::<rule::Rule>(net, call),
        "CreateVpcEndpoint" => endpoint::create(net, call),
        "DescribeVpcEndpoints" => describe::<endpoint::Endpoint>(net, call),
        "ModifyVpcEndpoint" => endpoint::modify(net, call),
        "DeleteVpcEndpoints" => endpoint::delete(net, call),
        "EnableEbsEncryptionByDefault" => account::set_encryption(net, true),
        "DisableEbsEncryptionByDefault" => account::set_encryption(net, false),
        "GetEbsEncryptionByDefault" => account::encryption(net),
        "EnableSnapshotBlockPublicAccess" => account::block_snapshots(net, call.require("State")?),
        "DisableSnapshotBlockPublicAccess" => account::block_snapshots(net, account::UNBLOCKED),
        "GetSnapshotBlockPublicAccessState" => account::snapshots(net),
        "EnableImageBlockPublicAccess" => account::block_images(net, call),
        "DisableImageBlockPublicAccess" => account::unblock_images(net),
        "GetImageBlockPublicAccessState" => account::images(net),
        "CreateNetworkAcl" => network_acl::create(net, call),
        "DescribeNetworkAcls" => describe::<network_acl::NetworkAcl>(net, call),
        "DeleteNetworkAcl" => network_acl::delete(net, call),
        "CreateNetworkAclEntry" => network_acl::create_entry(net, call),
        "ReplaceNetworkAclEntry" => network_acl::replace_entry(net, call),
        "DeleteNetworkAclEntry" => network_acl::delete_entry(net, call),
        "ReplaceNetworkAclAssociation" => network_acl::replace_association(net, call),
        "CreateFlowLogs" => flow_log::create(net, call),
        "DescribeFlowLogs" => describe::<flow_log::FlowLog>(net, call),
        "DeleteFlowLogs" => flow_log::delete(net, call),
        "CreateTags" => tag::create(net, call),
        "DeleteTags" => tag::delete(net, call),
        "DescribeTags" => tag::describe(net, call),
        "DescribeAvailabilityZones" => zone::describe(call),
        "DescribePrefixLists" => endpoint::describe_prefix_lists(call),
        "DescribeNetworkInterfaces" => interface::describe(net, call),
        other => Err(Fault::new("InvalidAction", format!("the sandbox does not play ec2:{other}"))),
    }
}

/// The answer of an operation that has nothing to tell.
fn done() -> Result<Xml, Fault> {
    let mut xml = Xml::default();
    xml.text("return", true);
    Ok(xml)
}

/// What AWS says of a parameter it does not accept.
fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterValue", message)
}

/// What AWS says when something still stands on what should go.
fn dependency(message: impl Into<String>) -> Fault {
    Fault::new("DependencyViolation", message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::service::{Hold, Service};

    /// Another service, whose one resource holds everything named.
    #[derive(Default, Serialize, Deserialize)]
    struct Holder(Vec<String>);

    impl Emulated for Holder {
        const NAME: &'static str = "elasticloadbalancing";

        async fn answer(_: &Emulator<Self>, _: &Context, _: &ApiRequest) -> ApiResponse {
            wire::json_reply(&json!({}))
        }

        fn holds(&mut self) -> Vec<Hold> {
            let hold = |resource: &String| Hold { holder: "acme-alb".to_owned(), resource: resource.clone() };
            self.0.iter().map(hold).collect()
        }
    }

    /// Status and body of the answer.
    async fn ask(ec2: &Emulator<Network>, cx: &Context, form: &str) -> (u16, String) {
        let (method, uri) = ("POST".to_owned(), "https://ec2.us-east-1.amazonaws.com/".to_owned());
        let request = ApiRequest { method, uri, headers: http::HeaderMap::new(), body: form.to_owned().into() };
        let response = ec2.handle(cx, &request).await;
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    }

    fn id_in(body: &str, element: &str) -> String {
        let rest = body.split_once(&format!("<{element}>")).unwrap().1;
        rest.split_once('<').unwrap().0.to_owned()
    }

    #[tokio::test]
    async fn what_another_service_uses_stays() {
        let ec2 = Emulator::<Network>::default();
        let free = Context::new("123456789012", "us-east-1", Vec::new());
        let vpc = id_in(&ask(&ec2, &free, "Action=CreateVpc&CidrBlock=10.0.0.0/16").await.1, "vpcId");
        let subnet = format!("Action=CreateSubnet&VpcId={vpc}&CidrBlock=10.0.0.0/24");
        let subnet = id_in(&ask(&ec2, &free, &subnet).await.1, "subnetId");
        let group = format!("Action=CreateSecurityGroup&VpcId={vpc}&GroupName=acme&GroupDescription=acme");
        let group = id_in(&ask(&ec2, &free, &group).await.1, "groupId");
        let gateway = id_in(&ask(&ec2, &free, "Action=CreateInternetGateway").await.1, "internetGatewayId");
        ask(&ec2, &free, &format!("Action=AttachInternetGateway&VpcId={vpc}&InternetGatewayId={gateway}")).await;

        let holder = Emulator::<Holder>::default();
        holder.lock().0.extend([vpc.clone(), subnet.clone(), group.clone()]);
        let held = Context::new("123456789012", "us-east-1", vec![Arc::new(holder)]);
        for (filter, value) in [("subnet-id", &subnet), ("group-id", &group)] {
            let seen = format!("Action=DescribeNetworkInterfaces&Filter.1.Name={filter}&Filter.1.Value.1={value}");
            let body = ask(&ec2, &held, &seen).await.1;
            assert!(body.contains("<description>acme-alb</description>"), "{body}");
            assert!(!ask(&ec2, &free, &seen).await.1.contains("eni-"), "nobody has one there");
        }
        for delete in [
            format!("Action=DeleteSubnet&SubnetId={subnet}"),
            format!("Action=DeleteSecurityGroup&GroupId={group}"),
            format!("Action=DetachInternetGateway&VpcId={vpc}&InternetGatewayId={gateway}"),
        ] {
            let (status, body) = ask(&ec2, &held, &delete).await;
            assert!(status == 400 && body.contains("<Code>DependencyViolation</Code>"), "{delete}: {body}");
            assert_eq!(ask(&ec2, &free, &delete).await.0, 200, "{delete}");
        }
    }
}
