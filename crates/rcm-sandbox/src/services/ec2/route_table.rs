//! Route tables and what they are associated with.

use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, many, new_id, one};
use super::route::Route;
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{dependency, done, invalid, tag};
use crate::wire::{Fault, Xml};

#[derive(Serialize, Deserialize)]
pub(super) struct RouteTable {
    pub(super) id: String,
    pub(super) vpc: String,
    /// Those of gateway endpoints are not among them: they come and go with the endpoint.
    pub(super) routes: Vec<Route>,
    pub(super) associations: Vec<Association>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Association {
    pub(super) id: String,
    /// None for the main association of the VPC.
    pub(super) subnet: Option<String>,
}

impl RouteTable {
    pub(super) fn is_main(&self) -> bool {
        self.associations.iter().any(|association| association.subnet.is_none())
    }

    /// All its routes, those of gateway endpoints last.
    pub(super) fn shown_routes(&self, net: &Network, call: &Call<'_>) -> Vec<Route> {
        self.routes.iter().cloned().chain(net.endpoint_routes(&self.id, call)).collect()
    }
}

impl Item for RouteTable {
    const ID: &'static str = "RouteTableId";
    const SET: &'static str = "routeTableSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.route_tables
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.route_tables
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, net: &Network, call: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "route-table-id" => one(&self.id),
            "vpc-id" => one(&self.vpc),
            "owner-id" => one(&call.cx.account),
            "association.main" => one(self.is_main()),
            "association.route-table-id" => many(self.associations.iter().map(|_| &self.id)),
            "association.route-table-association-id" => many(self.associations.iter().map(|to| &to.id)),
            "association.subnet-id" => many(self.associations.iter().filter_map(|to| to.subnet.as_ref())),
            _ => {
                let attribute = name.strip_prefix("route.")?;
                let routes = self.shown_routes(net, call);
                let values: Option<Vec<_>> = routes.iter().map(|route| route.filter(attribute, net)).collect();
                many(values?.into_iter().flatten())
            }
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>) {
        xml.text("routeTableId", &self.id).text("vpcId", &self.vpc).text("ownerId", &call.cx.account);
        xml.list("routeSet", "item", self.shown_routes(net, call), |item, route| route.xml(item, net));
        xml.list("associationSet", "item", &self.associations, |item, association| {
            item.text("routeTableAssociationId", &association.id).text("routeTableId", &self.id);
            item.opt("subnetId", association.subnet.as_ref()).text("main", association.subnet.is_none());
            item.node("associationState", |state| {
                state.text("state", "associated");
            });
        });
        xml.node("propagatingVgwSet", |_| {});
        net.tag_set(xml, &self.id);
    }
}

/// The table a new VPC comes with.
pub(super) fn add_main(net: &mut Network, vpc: &Vpc) {
    let main = Association { id: new_id("rtbassoc"), subnet: None };
    let mut table = with_local_route(vpc);
    table.associations.push(main);
    net.route_tables.push(table);
}

fn with_local_route(vpc: &Vpc) -> RouteTable {
    let routes = vec![Route::local(vpc.cidr)];
    RouteTable { id: new_id("rtb"), vpc: vpc.id.clone(), routes, associations: Vec::new() }
}

pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = with_local_route(net.find::<Vpc>(call.require("VpcId")?)?);
    net.tag(&table.id, tag::at_create(call.params, "route-table")?);
    let mut xml = Xml::default();
    xml.node("routeTable", |xml| table.xml(xml, net, call));
    net.route_tables.push(table);
    Ok(xml)
}

/// Associating a subnet with the table it already has gives the association it has.
pub(super) fn associate(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find::<RouteTable>(call.require("RouteTableId")?)?;
    let subnet = net.find::<Subnet>(call.require("SubnetId")?)?;
    if table.vpc != subnet.vpc {
        let message = format!("route table {} and subnet {} belong to different networks", table.id, subnet.id);
        return Err(invalid(message));
    }
    let (table, subnet) = (table.id.clone(), subnet.id.clone());
    let present = net.route_tables.iter().find_map(|other| {
        let association = other.associations.iter().find(|to| to.subnet.as_ref() == Some(&subnet))?;
        Some((other.id.clone(), association.id.clone()))
    });
    let id = match present {
        Some((of, id)) if of == table => id,
        Some(_) => {
            let message =
                format!("the specified association for route table {table} conflicts with an existing association");
            return Err(Fault::new("Resource.AlreadyAssociated", message));
        }
        None => {
            let association = Association { id: new_id("rtbassoc"), subnet: Some(subnet) };
            net.find_mut::<RouteTable>(&table)?.associations.push(association.clone());
            association.id
        }
    };
    Ok(associated("associationId", &id))
}

pub(super) fn replace_association(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find::<RouteTable>(call.require("RouteTableId")?)?.id.clone();
    let (from, association) = association_of(net, call.require("AssociationId")?)?;
    if net.find::<RouteTable>(&table)?.vpc != net.find::<RouteTable>(&from)?.vpc {
        return Err(invalid(format!("route table {table} and route table {from} belong to different networks")));
    }
    net.find_mut::<RouteTable>(&from)?.associations.retain(|other| other.id != association.id);
    let moved = Association { id: new_id("rtbassoc"), subnet: association.subnet };
    net.find_mut::<RouteTable>(&table)?.associations.push(moved.clone());
    Ok(associated("newAssociationId", &moved.id))
}

fn associated(name: &str, id: &str) -> Xml {
    let mut xml = Xml::default();
    xml.text(name, id).node("associationState", |state| {
        state.text("state", "associated");
    });
    xml
}

pub(super) fn disassociate(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let (table, association) = association_of(net, call.require("AssociationId")?)?;
    if association.subnet.is_none() {
        return Err(invalid(format!("cannot disassociate the main route table association {}", association.id)));
    }
    net.find_mut::<RouteTable>(&table)?.associations.retain(|other| other.id != association.id);
    done()
}

fn association_of(net: &Network, id: &str) -> Result<(String, Association), Fault> {
    let found = net.route_tables.iter().find_map(|table| {
        let association = table.associations.iter().find(|association| association.id == id)?;
        Some((table.id.clone(), association.clone()))
    });
    found
        .ok_or_else(|| Fault::new("InvalidAssociationID.NotFound", format!("The association ID '{id}' does not exist")))
}

pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let table = net.find::<RouteTable>(call.require("RouteTableId")?)?;
    let id = table.id.clone();
    if !table.associations.is_empty() {
        return Err(dependency(format!("The routeTable '{id}' has dependencies and cannot be deleted.")));
    }
    for endpoint in &mut net.endpoints {
        endpoint.route_tables.retain(|table| *table != id);
    }
    net.remove::<RouteTable>(&id);
    done()
}
