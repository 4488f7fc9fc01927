//! An endpoint: a way from the VPC to a service of AWS that does not pass the internet. A gateway (S3) is a route and costs nothing; an
//! interface (everything else) is a network interface in each of its subnets, and is paid for by the hour.
//!
//! API: [CreateVpcEndpoint](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateVpcEndpoint.html),
//! [ModifyVpcEndpoint](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcEndpoint.html).
//!
//! Surprises: DeleteVpcEndpoints answers 200 also when it deleted nothing, with the refusals inside. AWS spells states `available` here
//! and `Available` there. A deleted endpoint stays visible for a while.
//! - A gateway puts a route for the service's prefix list into each of its route tables.
//! - An interface takes minutes to come and to go; while it goes, its network interfaces hold subnets and security groups. With private DNS
//!   the whole VPC finds the service at its addresses, and a VPC has one such endpoint for a service.

use aws_sdk_ec2::types::{ResourceType, VpcEndpoint as Endpoint, VpcEndpointType};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Known, Observed, Owned, Pace, Readiness, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    batch::in_order,
    ec2::{claim, filter, listed, of, owned, tagged},
    ec2_route_table::RouteTable,
    ec2_security_group::SecurityGroup,
    ec2_subnet::Subnet,
    ec2_vpc::Vpc,
    policy::Policy,
};
use crate::{
    Aws,
    classify::{fault, missing, refused},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What an endpoint should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The VPC it is part of.
    pub vpc: Ref<Vpc>,
    /// The service's name (`com.amazonaws.us-east-1.s3`).
    pub service: String,
    /// Of a gateway, the tables that get a route to it; early references will do.
    pub route_tables: Vec<Ref<RouteTable>>,
    /// What makes it an interface; it is a gateway if `None`.
    pub interface: Option<Interface>,
    /// What may be done through it, as a policy document; AWS allows everything when there is none.
    pub policy: Option<Policy>,
}

/// Where an interface endpoint is, and who may speak to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// The subnets that it has a network interface in, one a zone.
    pub subnets: Vec<Ref<Subnet>>,
    /// What may reach it.
    pub security_groups: Vec<Ref<SecurityGroup>>,
    /// Whether the VPC finds it by the service's own name.
    pub private_dns: bool,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `vpce-…`
    pub vpc_endpoint_id: String,
}

/// An endpoint.
pub struct VpcEndpoint;

impl Resource for VpcEndpoint {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "ec2/vpc-endpoint";
    const REPLACE_ON: &'static [&'static str] = &["vpc", "service"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(60, 900).gone_within(900);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.ec2.create_vpc_endpoint().client_token(&cx.identity.token);
        let request = request.service_name(&spec.service).vpc_id(cx.id(&spec.vpc)?.as_str());
        let request = match &spec.interface {
            None => {
                let request = request.vpc_endpoint_type(VpcEndpointType::Gateway);
                request.set_route_table_ids(Some(ids(cx, &spec.route_tables)?))
            }
            Some(interface) => {
                let request = request.vpc_endpoint_type(VpcEndpointType::Interface);
                let request = request.set_subnet_ids(Some(ids(cx, &interface.subnets)?));
                let request = request.set_security_group_ids(Some(ids(cx, &interface.security_groups)?));
                request.private_dns_enabled(interface.private_dns)
            }
        };
        let request = request.set_policy_document(document(cx, spec)?);
        let request = request.tag_specifications(tagged(ResourceType::VpcEndpoint, cx.identity));
        let answer = request.send().await.map_err(fault("ec2", "CreateVpcEndpoint"))?;
        let id = answer.vpc_endpoint().and_then(|endpoint| endpoint.vpc_endpoint_id());
        id.map(Id::from).ok_or_else(|| missing("ec2", "CreateVpcEndpoint", "VpcEndpointId"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        // A create has said it all; but what is found after a crash may have been made from an older spec.
        let Some(endpoint) = live(cx.cloud, &[id]).await?.pop() else { return Ok(()) };
        let wanted = document(cx, spec)?;
        let unset = wanted.is_none() && cx.creating();
        let right = unset || !cx.changes("policy") || policy(&endpoint) == wanted.as_deref().map(Policy::parse);
        let (add, remove) = apart(endpoint.route_table_ids(), &ids(cx, &spec.route_tables)?);
        let place = Place::of(cx, &endpoint, spec.interface.as_ref())?;
        if right && add.is_none() && remove.is_none() && place.is_none() {
            return Ok(());
        }
        let request = cx.cloud.ec2.modify_vpc_endpoint().vpc_endpoint_id(id.as_str());
        let request = request.set_add_route_table_ids(add).set_remove_route_table_ids(remove);
        let request = match place {
            None => request,
            Some(Place { subnets, groups, private_dns }) => request
                .set_add_subnet_ids(subnets.0)
                .set_remove_subnet_ids(subnets.1)
                .set_add_security_group_ids(groups.0)
                .set_remove_security_group_ids(groups.1)
                .set_private_dns_enabled(private_dns),
        };
        let request = match wanted {
            _ if right => request,
            Some(policy) => request.policy_document(policy),
            None => request.reset_policy(true),
        };
        request.send().await.map(drop).map_err(fault("ec2", "ModifyVpcEndpoint"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let endpoint = live(cx.cloud, &[id]).await?.pop();
        Ok(endpoint.map_or_else(|| Readiness::Pending("not visible yet".to_owned()), |endpoint| readiness(&endpoint)))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, &[id]).await?.remove(0))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        describe(first.cx.cloud, &known.iter().map(|known| known.id).collect::<Vec<_>>()).await
    }

    async fn find(cx: &Cx<'_>, _: &Spec) -> Result<Option<Id>, Fault> {
        let request = cx.cloud.ec2.describe_vpc_endpoints().set_filters(Some(owned(cx.identity)));
        let answer = request.send().await.map_err(fault("ec2", "DescribeVpcEndpoints"))?;
        let mut usable = answer.vpc_endpoints().iter().filter(|endpoint| !["deleting", "deleted"].contains(&&*state(endpoint)));
        Ok(usable.next().and_then(|endpoint| endpoint.vpc_endpoint_id()).map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.ec2.delete_vpc_endpoints().vpc_endpoint_ids(id.as_str());
        let answer = request.send().await.map_err(fault("ec2", "DeleteVpcEndpoints"))?;
        match answer.unsuccessful().first().and_then(|item| item.error()) {
            Some(error) => {
                let (code, message) = (error.code().unwrap_or_default(), error.message().unwrap_or_default());
                Err(refused("ec2", "DeleteVpcEndpoints", code, message))
            }
            None => Ok(()),
        }
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let pages = aws.ec2.describe_vpc_endpoints().set_filters(Some(of(deployment))).into_paginator().items().send();
        let all = pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeVpcEndpoints"))?;
        let usable = all.iter().filter(|endpoint| !["deleting", "deleted"].contains(&&*state(endpoint)));
        Ok(usable.filter_map(|found| listed(deployment, found.vpc_endpoint_id(), found.tags())).collect())
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "ec2:CreateVpcEndpoint",
                "ec2:CreateTags",
                "ec2:DescribeTags",
                "ec2:ModifyVpcEndpoint",
                // The private names of an interface.
                "route53:AssociateVPCWithHostedZone",
            ],
            read: &["ec2:DescribeVpcEndpoints"],
            delete: &["ec2:DeleteVpcEndpoints"],
        }
    }
}

fn ids<R>(cx: &Cx<'_>, targets: &[Ref<R>]) -> Result<Vec<String>, Fault> {
    targets.iter().map(|target| cx.id(target).map(|id| id.to_string())).collect()
}

/// The policy document to send.
fn document(cx: &Cx<'_>, spec: &Spec) -> Result<Option<String>, Fault> {
    spec.policy.as_ref().map(|policy| policy.text(cx)).transpose()
}

fn policy(endpoint: &Endpoint) -> Option<Policy> {
    endpoint.policy_document().map(Policy::parse)
}

/// What to add and what to remove; `None` rather than an empty list, which EC2 refuses.
type Difference = (Option<Vec<String>>, Option<Vec<String>>);

/// How an interface endpoint has to change.
struct Place {
    subnets: Difference,
    groups: Difference,
    private_dns: Option<bool>,
}

impl Place {
    /// `None` where nothing has to.
    fn of(cx: &Cx<'_>, endpoint: &Endpoint, wanted: Option<&Interface>) -> Result<Option<Self>, Fault> {
        let Some(wanted) = wanted else { return Ok(None) };
        let subnets = apart(endpoint.subnet_ids(), &ids(cx, &wanted.subnets)?);
        let groups = apart(&groups(endpoint), &ids(cx, &wanted.security_groups)?);
        let private_dns = Some(wanted.private_dns).filter(|wanted| endpoint.private_dns_enabled() != Some(*wanted));
        let same = (&subnets, &groups, private_dns) == (&(None, None), &(None, None), None);
        Ok((!same).then_some(Self { subnets, groups, private_dns }))
    }
}

fn groups(endpoint: &Endpoint) -> Vec<String> {
    endpoint.groups().iter().filter_map(|group| group.group_id()).map(str::to_owned).collect()
}

/// An interface as a spec says it.
fn interface(endpoint: &Endpoint) -> Option<Value> {
    let is_one = endpoint.vpc_endpoint_type() == Some(&VpcEndpointType::Interface);
    is_one.then(|| {
        json!({
            "subnets": endpoint.subnet_ids(),
            "security_groups": groups(endpoint),
            "private_dns": endpoint.private_dns_enabled(),
        })
    })
}

fn apart(live: &[String], wanted: &[String]) -> Difference {
    let without = |these: &[String], those: &[String]| {
        let rest: Vec<_> = these.iter().filter(|item| !those.contains(item)).cloned().collect();
        (!rest.is_empty()).then_some(rest)
    };
    (without(wanted, live), without(live, wanted))
}

fn state(endpoint: &Endpoint) -> String {
    endpoint.state().map(|state| state.as_str().to_ascii_lowercase()).unwrap_or_default()
}

fn readiness(endpoint: &Endpoint) -> Readiness {
    match state(endpoint).as_str() {
        "available" => Readiness::Ready,
        state @ ("failed" | "rejected" | "expired" | "deleting" | "deleted") => {
            let why = endpoint.last_error().and_then(|error| error.message()).unwrap_or("AWS gave no reason");
            Readiness::Failed(format!("it is {state}: {why}"))
        }
        state => Readiness::Pending(state.to_owned()),
    }
}

async fn live(aws: &Aws, ids: &[&Id]) -> Result<Vec<Endpoint>, Fault> {
    let by_id = filter("vpc-endpoint-id", ids.iter().map(ToString::to_string));
    let pages = aws.ec2.describe_vpc_endpoints().filters(by_id).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault("ec2", "DescribeVpcEndpoints"))
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
    let mut endpoints = live(aws, ids).await?;
    endpoints.retain(|endpoint| state(endpoint) != "deleted");
    Ok(in_order(ids, endpoints, |endpoint| endpoint.vpc_endpoint_id(), |endpoint| {
        let id = endpoint.vpc_endpoint_id().unwrap_or_default().to_owned();
        let seen = Observed::new(Outputs { vpc_endpoint_id: id })
            .see("vpc", endpoint.vpc_id())
            .see("service", endpoint.service_name())
            .see("route_tables", endpoint.route_table_ids())
            .see("interface", interface(endpoint));
        match policy(endpoint) {
            Some(policy) => seen.see("policy", policy),
            None => seen,
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_mean_the_same_in_either_spelling() {
        let endpoint = |state: &str| Endpoint::builder().state(state.into()).build();
        assert_eq!(readiness(&endpoint("available")), Readiness::Ready);
        assert_eq!(readiness(&endpoint("Available")), Readiness::Ready);
        assert_eq!(readiness(&endpoint("pending")), Readiness::Pending("pending".to_owned()));
        assert!(matches!(readiness(&endpoint("Failed")), Readiness::Failed(_)));
    }

    #[test]
    fn an_interface_reads_as_a_spec_says_it_and_a_gateway_is_none() {
        let endpoint = Endpoint::builder().vpc_endpoint_type(VpcEndpointType::Interface).subnet_ids("subnet-1");
        let group = aws_sdk_ec2::types::SecurityGroupIdentifier::builder().group_id("sg-1").build();
        let endpoint = endpoint.groups(group).private_dns_enabled(true).build();
        let expected = json!({"subnets": ["subnet-1"], "security_groups": ["sg-1"], "private_dns": true});
        assert_eq!(interface(&endpoint), Some(expected));
        assert_eq!(interface(&Endpoint::builder().vpc_endpoint_type(VpcEndpointType::Gateway).build()), None);
    }

    #[test]
    fn only_what_differs_is_sent() {
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(apart(&ids(&["a", "b"]), &ids(&["b", "c"])), (Some(ids(&["c"])), Some(ids(&["a"]))));
        assert_eq!(apart(&ids(&["a"]), &ids(&["a"])), (None, None));
    }
}
