//! Where a browser finds an environment.

use rcm_engine::{
    model::Address,
    store::{Record, State},
};
use serde::Serialize;

use super::{Environment, Outputs, logs};
use crate::Error;

/// A place for a browser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// `application`, `service`, `logs`, `database` or `dashboard`.
    pub name: &'static str,
    /// Its URL.
    pub url: String,
}

impl Environment {
    /// The application's address, and where AWS's console shows its service, its logs, its database and its dashboard: those
    /// that there are. From the state alone; sends nothing.
    pub fn links(&self) -> Result<Vec<Link>, Error> {
        let state = self.state()?;
        self.check_state(&state.deployment)?;
        let console = Console::of(&self.deployment.region, &self.deployment.partition);
        let id = |address: &str| Some(record(&state, address)?.id.as_ref()?.to_string());
        let service = id("compute/service").and_then(|arn| console.ecs(&arn));
        let service = service.or_else(|| id("compute/app-runner").map(|arn| console.app_runner(&arn)));
        let links = [
            ("application", self.application(&state)),
            ("service", service),
            ("logs", logs::group(&state).ok().map(|group| console.logs(&group))),
            ("database", id("database/instance").map(|id| console.database(&id))),
            ("dashboard", id("watching/dashboard").map(|id| console.dashboard(&id))),
        ];
        Ok(links.into_iter().filter_map(|(name, url)| Some(Link { name, url: url? })).collect())
    }

    /// Without a domain the load balancer answers over HTTP, as nobody gives a certificate for AWS's own name.
    fn application(&self, state: &State) -> Option<String> {
        let outputs = Outputs::of(state);
        let output = |name: &str| outputs.get(name).and_then(|value| value.as_str());
        match (output("app_runner_service_url"), output("alb_dns_name"), &self.config.domain_name) {
            (Some(host), ..) => Some(format!("https://{host}")),
            (None, Some(_), Some(domain)) => Some(format!("https://{domain}")),
            (None, Some(host), None) => Some(format!("http://{host}")),
            (None, None, _) => None,
        }
    }
}

fn record<'s>(state: &'s State, address: &str) -> Option<&'s Record> {
    state.resources.get(&Address::new(address).ok()?).filter(|record| !record.retained)
}

/// AWS's console in a region.
struct Console<'r> {
    region: &'r str,
    host: String,
}

impl<'r> Console<'r> {
    fn of(region: &'r str, partition: &str) -> Self {
        let domain = match partition {
            "aws-us-gov" => "console.amazonaws-us-gov.com",
            "aws-cn" => "console.amazonaws.cn",
            _ => "console.aws.amazon.com",
        };
        Self { region, host: format!("https://{region}.{domain}") }
    }

    fn home(&self, service: &str, rest: &str) -> String {
        format!("{}/{service}/home?region={}#{rest}", self.host, self.region)
    }

    fn ecs(&self, arn: &str) -> Option<String> {
        let (cluster, service) = arn.split_once(":service/")?.1.split_once('/')?;
        Some(format!("{}/ecs/v2/clusters/{cluster}/services/{service}/health?region={}", self.host, self.region))
    }

    fn app_runner(&self, arn: &str) -> String {
        self.home(
            "apprunner",
            &format!("/services/dashboard?service_arn={}", arn.replace(':', "%3A").replace('/', "%2F")),
        )
    }

    /// Escaped twice, and the escapes with a `$` for their `%`, as the console wants it.
    fn logs(&self, group: &str) -> String {
        self.home("cloudwatch", &format!("logsV2:log-groups/log-group/{}", group.replace('/', "$252F")))
    }

    fn database(&self, id: &str) -> String {
        self.home("rds", &format!("database:id={id};is-cluster=false"))
    }

    fn dashboard(&self, name: &str) -> String {
        let name = name.rsplit('/').next().unwrap_or(name);
        self.home("cloudwatch", &format!("dashboards/dashboard/{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_console_of_each_partition_has_a_host_of_its_own() {
        let arn = "arn:aws-us-gov:ecs:us-gov-west-1:123456789012:service/acme-rcm-prod-cluster/acme-rcm-prod-api";
        assert_eq!(
            Console::of("us-gov-west-1", "aws-us-gov").ecs(arn).as_deref(),
            Some(
                "https://us-gov-west-1.console.amazonaws-us-gov.com/ecs/v2/clusters/acme-rcm-prod-cluster/services/\
                 acme-rcm-prod-api/health?region=us-gov-west-1"
            )
        );
        assert_eq!(
            Console::of("us-east-1", "aws").logs("/ecs/acme"),
            "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Fecs$252Facme"
        );
    }
}
