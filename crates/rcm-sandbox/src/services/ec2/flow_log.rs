//! Flow logs of VPCs and subnets, to CloudWatch Logs. No traffic flows, so nothing is ever written.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::network::{Call, Item, Network, new_id, one};
use super::subnet::Subnet;
use super::vpc::Vpc;
use super::{invalid, tag};
use crate::wire::{Fault, Xml};

/// What a record says unless it is told otherwise.
const FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} \
                      ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

#[derive(Serialize, Deserialize)]
pub(super) struct FlowLog {
    pub(super) id: String,
    pub(super) resource: String,
    traffic: String,
    group: String,
    role: String,
    interval: u32,
    token: Option<String>,
    created: Timestamp,
}

impl Item for FlowLog {
    const ID: &'static str = "FlowLogId";
    const SET: &'static str = "flowLogSet";

    fn all(net: &Network) -> &Vec<Self> {
        &net.flow_logs
    }

    fn all_mut(net: &mut Network) -> &mut Vec<Self> {
        &mut net.flow_logs
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn not_found(id: &str) -> Fault {
        Fault::new("InvalidFlowLogId.NotFound", format!("The flow log ID '{id}' does not exist"))
    }

    fn filter(&self, name: &str, _: &Network, _: &Call<'_>) -> Option<Vec<String>> {
        match name {
            "flow-log-id" => one(&self.id),
            "resource-id" => one(&self.resource),
            "traffic-type" => one(&self.traffic),
            "log-group-name" => one(&self.group),
            "log-destination-type" => one("cloud-watch-logs"),
            "deliver-log-status" => one("SUCCESS"),
            _ => None,
        }
    }

    fn xml(&self, xml: &mut Xml, net: &Network, _: &Call<'_>) {
        xml.text("flowLogId", &self.id).text("resourceId", &self.resource).text("trafficType", &self.traffic);
        xml.text("logGroupName", &self.group).text("logDestinationType", "cloud-watch-logs").text("logFormat", FORMAT);
        xml.text("deliverLogsPermissionArn", &self.role).text("deliverLogsStatus", "SUCCESS");
        xml.text("maxAggregationInterval", self.interval).text("flowLogStatus", "ACTIVE");
        xml.text("creationTime", self.created);
        net.tag_set(xml, &self.id);
    }
}

/// What cannot be logged does not fail the call: each is reported.
pub(super) fn create(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    call.require("ResourceId.1")?;
    let token = call.params.get("ClientToken");
    let known = net.flow_logs.iter().find(|log| token.is_some() && log.token.as_deref() == token);
    if let Some(known) = known.map(|log| log.id.clone()) {
        return Ok(reply(token, &[known], &[]));
    }
    let tags = tag::at_create(call.params, "vpc-flow-log")?;
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for resource in call.params.list("ResourceId") {
        match planned(net, call, resource) {
            Ok(log) => {
                net.tag(&log.id, tags.clone());
                made.push(log.id.clone());
                net.flow_logs.push(log);
            }
            Err(fault) => refused.push((resource.to_owned(), fault)),
        }
    }
    Ok(reply(token, &made, &refused))
}

fn planned(net: &Network, call: &Call<'_>, resource: &str) -> Result<FlowLog, Fault> {
    match call.require("ResourceType")? {
        "VPC" => net.find::<Vpc>(resource).map(drop)?,
        "Subnet" => net.find::<Subnet>(resource).map(drop)?,
        other => return Err(invalid(format!("the sandbox plays no flow logs of a {other}"))),
    }
    let traffic = call.require("TrafficType")?;
    if !["ACCEPT", "REJECT", "ALL"].contains(&traffic) {
        return Err(invalid(format!("Invalid value '{traffic}' for the traffic type")));
    }
    let interval = call.params.parsed("MaxAggregationInterval")?.unwrap_or(600);
    if ![60, 600].contains(&interval) {
        return Err(invalid("Invalid Flow Log Max Aggregation Interval"));
    }
    let (group, role) = (call.require("LogGroupName")?, call.require("DeliverLogsPermissionArn")?);
    let same = |log: &&FlowLog| log.resource == resource && log.group == group && log.traffic == traffic;
    if net.flow_logs.iter().any(|log| same(&log)) {
        let message = "There is an existing Flow Log with the same configuration and log destination.";
        return Err(Fault::new("FlowLogAlreadyExists", message));
    }
    Ok(FlowLog {
        id: new_id("fl"),
        resource: resource.to_owned(),
        traffic: traffic.to_owned(),
        group: group.to_owned(),
        role: role.to_owned(),
        interval,
        token: call.params.get("ClientToken").map(str::to_owned),
        created: Timestamp::now(),
    })
}

fn reply(token: Option<&str>, made: &[String], refused: &[(String, Fault)]) -> Xml {
    let mut xml = Xml::default();
    xml.opt("clientToken", token).texts("flowLogIdSet", "item", made);
    unsuccessful(&mut xml, refused);
    xml
}

fn unsuccessful(xml: &mut Xml, refused: &[(String, Fault)]) {
    xml.list("unsuccessful", "item", refused, |item, (resource, fault)| {
        item.text("resourceId", resource).node("error", |error| {
            error.text("code", fault.code()).text("message", fault.message());
        });
    });
}

/// Unknown ids do not fail the call: each is reported.
pub(super) fn delete(net: &mut Network, call: &Call<'_>) -> Result<Xml, Fault> {
    call.require("FlowLogId.1")?;
    let mut refused = Vec::new();
    for id in call.params.list("FlowLogId") {
        match net.find::<FlowLog>(id).map(drop) {
            Ok(()) => net.remove::<FlowLog>(id),
            Err(fault) => refused.push((id.to_owned(), fault)),
        }
    }
    let mut xml = Xml::default();
    unsuccessful(&mut xml, &refused);
    Ok(xml)
}
