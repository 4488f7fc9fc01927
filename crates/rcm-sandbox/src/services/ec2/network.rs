//! Everything the account has in EC2, and what all kinds of it have in common.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Defaults;
use super::address::Address;
use super::endpoint::Endpoint;
use super::filter::Filters;
use super::flow_log::FlowLog;
use super::group::SecurityGroup;
use super::internet_gateway::InternetGateway;
use super::nat_gateway::NatGateway;
use super::network_acl::NetworkAcl;
use super::route_table::RouteTable;
use super::rule::Rule;
use super::subnet::Subnet;
use super::vpc::Vpc;
use crate::countdown::Countdown;
use crate::service::{Context, Tags};
use crate::wire::{Fault, Params, Xml};

/// The state of EC2, in the order things were created.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Network {
    pub(super) vpcs: Vec<Vpc>,
    pub(super) subnets: Vec<Subnet>,
    pub(super) internet_gateways: Vec<InternetGateway>,
    pub(super) addresses: Vec<Address>,
    pub(super) nat_gateways: Vec<NatGateway>,
    pub(super) route_tables: Vec<RouteTable>,
    pub(super) groups: Vec<SecurityGroup>,
    pub(super) rules: Vec<Rule>,
    pub(super) endpoints: Vec<Endpoint>,
    #[serde(default)]
    pub(super) network_acls: Vec<NetworkAcl>,
    pub(super) flow_logs: Vec<FlowLog>,
    /// By resource id.
    pub(super) tags: BTreeMap<String, Tags>,
    /// How many public addresses were ever given out.
    pub(super) addresses_given: u32,
    /// What counts for the whole account.
    #[serde(default)]
    pub(super) defaults: Defaults,
}

/// One request, and what it may need to know.
pub(super) struct Call<'a> {
    pub(super) cx: &'a Context,
    pub(super) params: &'a Params,
    /// Who, in other services, holds what this request would take away.
    pub(super) held_by: Vec<String>,
}

impl Call<'_> {
    /// A countdown for a change of state that begins now.
    pub(super) fn countdown(&self) -> Countdown {
        Countdown::new(self.cx.polls())
    }

    /// A parameter that AWS insists on.
    pub(super) fn require(&self, name: &str) -> Result<&str, Fault> {
        self.params.require(name)
    }
}

/// A kind of resource that a Describe lists.
pub(super) trait Item: Sized {
    /// The parameter of the Describe that names ids.
    const ID: &'static str;
    /// The element of the reply that holds the items.
    const SET: &'static str;

    fn all(net: &Network) -> &Vec<Self>;
    fn all_mut(net: &mut Network) -> &mut Vec<Self>;
    fn id(&self) -> &str;
    /// What AWS says of an id it does not know.
    fn not_found(id: &str) -> Fault;
    /// The item's values for a filter; `None` for a filter that the kind does not have. Tag filters are common to all.
    fn filter(&self, name: &str, net: &Network, call: &Call<'_>) -> Option<Vec<String>>;
    fn xml(&self, xml: &mut Xml, net: &Network, call: &Call<'_>);
    /// A Describe is about to show the item.
    fn poll(&mut self) {}
    /// Whether there is nothing to show any more.
    fn is_gone(&self) -> bool {
        false
    }
}

/// Every Describe: a poll for what it shows, `NotFound` for ids that do not exist, then what ids and filters leave.
pub(super) fn describe<T: Item>(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    let wanted = call.params.list(T::ID);
    let filters = Filters::of(call.params);
    poll::<T>(net, call, &wanted, &filters.without_state())?;
    forget_gone::<T>(net);
    let net = &*net;
    for id in &wanted {
        net.find::<T>(id)?;
    }
    let shown = select::<T>(net, call, &wanted, &filters)?;
    let mut xml = Xml::default();
    xml.list(T::SET, "item", shown, |xml, item| item.xml(xml, net, call));
    Ok(xml)
}

/// Takes away, tags included, what has just ceased to be.
pub(super) fn forget_gone<T: Item>(net: &mut Network) {
    let gone: Vec<String> = T::all(net).iter().filter(|item| item.is_gone()).map(|item| item.id().to_owned()).collect();
    for id in gone {
        net.remove::<T>(&id);
    }
}

fn poll<T: Item>(net: &mut Network, call: &Call<'_>, wanted: &[&str], filters: &Filters) -> Result<(), Fault> {
    let shown: Vec<String> = select::<T>(net, call, wanted, filters)?.iter().map(|item| item.id().to_owned()).collect();
    for item in T::all_mut(net).iter_mut().filter(|item| shown.iter().any(|id| id == item.id())) {
        item.poll();
    }
    Ok(())
}

fn select<'a, T: Item>(
    net: &'a Network,
    call: &Call<'_>,
    wanted: &[&str],
    filters: &Filters,
) -> Result<Vec<&'a T>, Fault> {
    let mut selected = Vec::new();
    for item in T::all(net) {
        let named = wanted.is_empty() || wanted.contains(&item.id());
        if named && filters.admit(net.tags_of(item.id()), |name| item.filter(name, net, call))? {
            selected.push(item);
        }
    }
    Ok(selected)
}

impl Network {
    pub(super) fn find<T: Item>(&self, id: &str) -> Result<&T, Fault> {
        T::all(self).iter().find(|item| item.id() == id).ok_or_else(|| T::not_found(id))
    }

    pub(super) fn find_mut<T: Item>(&mut self, id: &str) -> Result<&mut T, Fault> {
        T::all_mut(self).iter_mut().find(|item| item.id() == id).ok_or_else(|| T::not_found(id))
    }

    /// Takes an item and its tags away.
    pub(super) fn remove<T: Item>(&mut self, id: &str) {
        T::all_mut(self).retain(|item| item.id() != id);
        self.tags.remove(id);
    }
}

/// `vpc-0a1b2c3d4e5f60718`
pub(super) fn new_id(prefix: &str) -> String {
    format!("{prefix}-{:.17}", Uuid::new_v4().simple().to_string())
}

/// The one value of a filter.
pub(super) fn one(value: impl ToString) -> Option<Vec<String>> {
    Some(vec![value.to_string()])
}

/// The values of a filter.
pub(super) fn many<T: ToString>(values: impl IntoIterator<Item = T>) -> Option<Vec<String>> {
    Some(values.into_iter().map(|value| value.to_string()).collect())
}
