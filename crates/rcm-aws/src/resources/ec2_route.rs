//! The routes of a route table: seeing them, and turning the live ones into the wanted ones.
//!
//! API: [CreateRoute](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html),
//! [ReplaceRoute](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html).

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Route, RouteOrigin, RouteTable};
use rcm_engine::model::{Fault, FaultKind, Id};
use serde::Serialize;

use crate::{
    Aws,
    classify::{absent, fault},
};

/// A route that rcm makes, with its target's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hop {
    pub(super) destination: String,
    pub(super) target: Next,
}

/// Where it leads to. Serialises like a resolved [`Target`](super::ec2_route_table::Target).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Next {
    Gateway(String),
    Nat(String),
}

/// A route that somebody made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct LiveRoute {
    destination: String,
    target: LiveTarget,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum LiveTarget {
    Known(Next),
    /// What rcm never makes, seen so that a person sees it too.
    Foreign {
        other: String,
    },
}

/// The routes that somebody made, but for those of gateway endpoints, which the endpoints own.
pub(super) fn live_routes(table: &RouteTable) -> Vec<LiveRoute> {
    table.routes().iter().filter_map(live_route).collect()
}

fn live_route(route: &Route) -> Option<LiveRoute> {
    if route.origin().is_some_and(|origin| *origin != RouteOrigin::CreateRoute) {
        return None;
    }
    let destination = route
        .destination_cidr_block()
        .or(route.destination_ipv6_cidr_block())
        .or(route.destination_prefix_list_id())?
        .to_owned();
    let target = match (route.gateway_id(), route.nat_gateway_id()) {
        (Some(gateway), _) if gateway == "local" || gateway.starts_with("vpce-") => return None,
        (Some(gateway), _) if gateway.starts_with("igw-") => LiveTarget::Known(Next::Gateway(gateway.to_owned())),
        (None, Some(nat)) => LiveTarget::Known(Next::Nat(nat.to_owned())),
        (gateway, _) => LiveTarget::Foreign { other: gateway.or(foreign(route)).unwrap_or("unknown").to_owned() },
    };
    Some(LiveRoute { destination, target })
}

fn foreign(route: &Route) -> Option<&str> {
    route
        .vpc_peering_connection_id()
        .or(route.transit_gateway_id())
        .or(route.network_interface_id())
        .or(route.egress_only_internet_gateway_id())
        .or(route.carrier_gateway_id())
        .or(route.local_gateway_id())
        .or(route.core_network_arn())
}

/// One call on the way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Create(Hop),
    Replace(Hop),
    Delete(String),
}

/// What turns the live routes into the wanted ones; nothing that is right already is touched.
pub(super) fn steps(live: &[LiveRoute], wanted: Vec<Hop>) -> Vec<Step> {
    let by_destination: BTreeMap<_, _> = live.iter().map(|route| (route.destination.as_str(), &route.target)).collect();
    let surplus: Vec<_> = live
        .iter()
        .filter(|route| wanted.iter().all(|hop| hop.destination != route.destination))
        .map(|route| Step::Delete(route.destination.clone()))
        .collect();
    let changes = wanted.into_iter().filter_map(|hop| match by_destination.get(hop.destination.as_str()) {
        Some(LiveTarget::Known(target)) if *target == hop.target => None,
        Some(_) => Some(Step::Replace(hop)),
        None => Some(Step::Create(hop)),
    });
    changes.chain(surplus).collect()
}

/// Sends one step for the table `id`.
pub(super) async fn take(aws: &Aws, id: &Id, step: Step) -> Result<(), Fault> {
    match step {
        Step::Create(hop) => match create(aws, id, &hop).await {
            // Made by a call whose answer was lost, and not shown yet when the table was described.
            Err(fault) if fault.kind == FaultKind::Exists => replace(aws, id, &hop).await,
            other => other,
        },
        Step::Replace(hop) => replace(aws, id, &hop).await,
        Step::Delete(destination) => delete(aws, id, &destination).await,
    }
}

async fn create(aws: &Aws, id: &Id, hop: &Hop) -> Result<(), Fault> {
    let request = aws.ec2.create_route().route_table_id(id.as_str()).destination_cidr_block(&hop.destination);
    let request = match &hop.target {
        Next::Gateway(gateway) => request.gateway_id(gateway),
        Next::Nat(nat) => request.nat_gateway_id(nat),
    };
    request.send().await.map(drop).map_err(fault("ec2", "CreateRoute"))
}

async fn replace(aws: &Aws, id: &Id, hop: &Hop) -> Result<(), Fault> {
    let request = aws.ec2.replace_route().route_table_id(id.as_str()).destination_cidr_block(&hop.destination);
    let request = match &hop.target {
        Next::Gateway(gateway) => request.gateway_id(gateway),
        Next::Nat(nat) => request.nat_gateway_id(nat),
    };
    request.send().await.map(drop).map_err(fault("ec2", "ReplaceRoute"))
}

async fn delete(aws: &Aws, id: &Id, destination: &str) -> Result<(), Fault> {
    let request = aws.ec2.delete_route().route_table_id(id.as_str());
    let request = if destination.starts_with("pl-") {
        request.destination_prefix_list_id(destination)
    } else if destination.contains(':') {
        request.destination_ipv6_cidr_block(destination)
    } else {
        request.destination_cidr_block(destination)
    };
    absent(request.send().await.map_err(fault("ec2", "DeleteRoute"))).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hop(destination: &str, target: Next) -> Hop {
        Hop { destination: destination.to_owned(), target }
    }

    fn route(destination: &str) -> aws_sdk_ec2::types::builders::RouteBuilder {
        Route::builder().destination_cidr_block(destination).origin(RouteOrigin::CreateRoute)
    }

    #[test]
    fn only_what_differs_is_touched_and_new_routes_come_before_old_ones_go() {
        let table = RouteTable::builder()
            .routes(route("0.0.0.0/0").nat_gateway_id("nat-1").build())
            .routes(route("10.9.0.0/16").gateway_id("igw-1").build())
            .routes(route("10.8.0.0/16").vpc_peering_connection_id("pcx-1").build())
            .build();
        let wanted = vec![
            hop("0.0.0.0/0", Next::Nat("nat-2".into())),
            hop("10.9.0.0/16", Next::Gateway("igw-1".into())),
            hop("10.7.0.0/16", Next::Nat("nat-2".into())),
        ];
        assert_eq!(
            steps(&live_routes(&table), wanted),
            [
                Step::Replace(hop("0.0.0.0/0", Next::Nat("nat-2".into()))),
                Step::Create(hop("10.7.0.0/16", Next::Nat("nat-2".into()))),
                Step::Delete("10.8.0.0/16".into()),
            ]
        );
    }

    #[test]
    fn routes_of_aws_and_of_endpoints_are_not_seen_but_those_made_by_hand_are() {
        let local = Route::builder().gateway_id("local").destination_cidr_block("10.0.0.0/16");
        let endpoint = Route::builder().gateway_id("vpce-1").destination_prefix_list_id("pl-1");
        let table = RouteTable::builder()
            .routes(local.origin(RouteOrigin::CreateRouteTable).build())
            .routes(endpoint.origin(RouteOrigin::CreateRoute).build())
            .routes(route("0.0.0.0/0").gateway_id("igw-1").build())
            .routes(route("10.8.0.0/16").vpc_peering_connection_id("pcx-1").build())
            .build();
        assert_eq!(
            serde_json::to_value(live_routes(&table)).unwrap(),
            json!([
                {"destination": "0.0.0.0/0", "target": {"gateway": "igw-1"}},
                {"destination": "10.8.0.0/16", "target": {"other": "pcx-1"}},
            ])
        );
    }
}
