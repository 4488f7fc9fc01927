//! Clusters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Ecs, cluster_name, fill_members, includes, kept, last_part, tag_list};
use crate::json::{Answer, Input};
use crate::neighbours;
use crate::service::{Context, Tags};
use crate::wire::Fault;

#[derive(Serialize, Deserialize)]
pub(super) struct Cluster {
    pub(super) name: String,
    active: bool,
    pub(super) tags: Tags,
    /// What the caller set: settings, configuration, capacity providers and their strategy, Service Connect.
    given: Map<String, Value>,
}

impl Cluster {
    /// The capacity providers that its services may use.
    pub(super) fn providers(&self) -> Vec<String> {
        let names = self.given.get("capacityProviders").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(|name| Some(name.as_str()?.to_owned())).collect()
    }
}

/// ECS works under a role of its own in the account.
pub(super) async fn check_role(cx: &Context) -> Result<(), Fault> {
    if neighbours::role_exists(cx, "AWSServiceRoleForECS").await {
        return Ok(());
    }
    let message = "Unable to assume the service linked role. Please verify that the ECS service linked role exists.";
    Err(Fault::new("InvalidParameterException", message))
}

impl Ecs {
    /// The active cluster that an operation plays in.
    pub(super) fn cluster(&mut self, input: &Input) -> Result<&mut Cluster, Fault> {
        let cluster = self.clusters.get_mut(cluster_name(input)).filter(|cluster| cluster.active);
        cluster.ok_or_else(|| Fault::new("ClusterNotFoundException", "Cluster not found."))
    }

    pub(super) fn create_cluster(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = input.text("clusterName").unwrap_or("default");
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if name.is_empty() || name.len() > 255 || !name.chars().all(allowed) {
            return Err(Fault::new("InvalidParameterException", "Invalid identifier: clusterName is not well-formed."));
        }
        let tags = input.tags("tags", "key", "value");
        let mut given = kept(input, &["clusterName", "tags"]);
        fill_defaults(&mut given);
        match self.clusters.get(name).filter(|cluster| cluster.active) {
            Some(existing) if existing.given != given || existing.tags != tags => {
                return Err(Fault::new("InvalidParameterException", "Creation of cluster was not idempotent."));
            }
            Some(_) => {}
            None => {
                let cluster = Cluster { name: name.to_owned(), active: true, tags, given };
                self.clusters.insert(name.to_owned(), cluster);
            }
        }
        Ok(json!({"cluster": self.shown_cluster(cx, &self.clusters[name], |_| true)}))
    }

    pub(super) fn describe_clusters(&self, cx: &Context, input: &Input) -> Value {
        let names = match input.texts("clusters") {
            names if names.is_empty() => vec!["default".to_owned()],
            names => names,
        };
        let (mut clusters, mut failures) = (Vec::new(), Vec::new());
        for name in names {
            match self.clusters.get(last_part(&name)) {
                Some(cluster) => clusters.push(self.shown_cluster(cx, cluster, |what| includes(input, what))),
                None => failures.push(json!({"arn": cluster_arn(cx, last_part(&name)), "reason": "MISSING"})),
            }
        }
        json!({"clusters": clusters, "failures": failures})
    }

    pub(super) fn list_clusters(&self, cx: &Context) -> Value {
        let active = self.clusters.values().filter(|cluster| cluster.active);
        json!({"clusterArns": active.map(|cluster| cluster_arn(cx, &cluster.name)).collect::<Vec<_>>()})
    }

    pub(super) fn update_cluster(&mut self, cx: &Context, input: &Input) -> Answer {
        let cluster = self.cluster(input)?;
        cluster.given.extend(kept(input, &["cluster"]));
        let name = cluster.name.clone();
        Ok(json!({"cluster": self.shown_cluster(cx, &self.clusters[&name], |_| true)}))
    }

    pub(super) fn put_capacity_providers(&mut self, cx: &Context, input: &Input) -> Answer {
        let wanted = input.texts("capacityProviders");
        let name = self.cluster(input)?.name.clone();
        let used = self.services.values().filter(|service| service.cluster == name && !service.is_inactive());
        if used.flat_map(|service| service.providers()).any(|provider| !wanted.contains(&provider)) {
            let message = "The specified capacity provider is in use and cannot be removed.";
            return Err(Fault::new("ResourceInUseException", message));
        }
        for member in ["capacityProviders", "defaultCapacityProviderStrategy"] {
            if input.value(member).is_none() {
                return Err(Fault::new("InvalidParameterException", format!("{member} can not be null.")));
            }
        }
        self.update_cluster(cx, input)
    }

    pub(super) fn delete_cluster(&mut self, cx: &Context, input: &Input) -> Answer {
        let name = self.cluster(input)?.name.clone();
        let mut services = self.services.values_mut().filter(|service| service.cluster == name);
        let still_there = services.any(|service| {
            service.advance();
            !service.is_inactive()
        });
        if still_there {
            let message = "The Cluster cannot be deleted while Services are active.";
            return Err(Fault::new("ClusterContainsServicesException", message));
        }
        self.cluster(input)?.active = false;
        Ok(json!({"cluster": self.shown_cluster(cx, &self.clusters[&name], |_| true)}))
    }

    fn shown_cluster(&self, cx: &Context, cluster: &Cluster, include: impl Fn(&str) -> bool) -> Value {
        let services = || self.services.values().filter(|service| service.cluster == cluster.name);
        let mut shown = cluster.given.clone();
        for (member, what) in [("settings", "SETTINGS"), ("configuration", "CONFIGURATIONS")] {
            if !include(what) {
                shown.remove(member);
            }
        }
        let state = json!({
            "clusterArn": cluster_arn(cx, &cluster.name),
            "clusterName": cluster.name,
            "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": services().map(|service| service.running()).sum::<i64>(),
            "pendingTasksCount": services().map(|service| service.pending()).sum::<i64>(),
            "activeServicesCount": services().filter(|service| service.is_active()).count(),
            "tags": if include("TAGS") { tag_list(&cluster.tags) } else { json!([]) },
            "settings": [],
            "statistics": [],
        });
        if let Value::Object(state) = state {
            fill_members(&mut shown, state);
        }
        Value::Object(shown)
    }
}

fn fill_defaults(given: &mut Map<String, Value>) {
    let defaults = json!({
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    });
    if let Value::Object(defaults) = defaults {
        fill_members(given, defaults);
    }
}

pub(super) fn cluster_arn(cx: &Context, name: &str) -> String {
    format!("arn:aws:ecs:{}:{}:cluster/{name}", cx.region, cx.account)
}
