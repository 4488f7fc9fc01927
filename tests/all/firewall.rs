//! The firewall before the load balancer: what it does, and that another one in its place is somebody's.

use std::path::Path;

use aws_sdk_wafv2::types::{AllowAction, DefaultAction, Scope, VisibilityConfig};
use rcm::aws::{Aws, Connect};
use rcm::engine::{plan::Depth, run::Outcome};
use rcm::{Cloud, Environment, Goal, PartnerConfig, Report, Settings};
use rcm_sandbox::Sandbox;

use crate::bench::{ACME, at_any_risk};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// Acme's file with this firewall.
fn file(waf: &str) -> String {
    ACME.replace("waf = \"off\"", &format!("waf = {waf:?}"))
}

struct Place {
    dir: tempfile::TempDir,
    sandbox: Sandbox,
    aws: Aws,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap().with_polls(1);
        let in_process = Some(sandbox.http_client());
        let aws = Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await;
        Self { dir, sandbox, aws }
    }

    async fn open(&self, waf: &str) -> Environment {
        let config = PartnerConfig::parse(Path::new("acme.toml"), &file(waf), None).unwrap();
        let cloud = Cloud::InProcess(self.sandbox.http_client());
        let settings = Settings { cloud, depth: Depth::Full, ..Settings::new(self.dir.path().join("state")) };
        Environment::open(config, settings).await.unwrap()
    }

    async fn run(&self, waf: &str) -> Report {
        self.open(waf).await.run(&at_any_risk(&Goal::provision()), |_| true).await.unwrap()
    }

    async fn provision(&self, waf: &str) -> Report {
        let report = self.run(waf).await;
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        report
    }

    async fn balancer(&self) -> String {
        let seen = self.aws.elb.describe_load_balancers().send().await.unwrap();
        seen.load_balancers()[0].load_balancer_arn().unwrap().to_owned()
    }

    /// The name of what stands before the load balancer.
    async fn before(&self) -> Option<String> {
        let request = self.aws.wafv2.get_web_acl_for_resource().resource_arn(self.balancer().await);
        request.send().await.unwrap().web_acl.map(|acl| acl.name)
    }

    /// The names of all web ACLs.
    async fn web_acls(&self) -> Vec<String> {
        let all = self.aws.wafv2.list_web_acls().scope(Scope::Regional).send().await.unwrap();
        all.web_acls().iter().filter_map(|acl| acl.name.clone()).collect()
    }

    /// Somebody makes a web ACL.
    async fn anothers(&self) -> String {
        let counted = VisibilityConfig::builder().metric_name("a").cloud_watch_metrics_enabled(true);
        let counted = counted.sampled_requests_enabled(false).build().unwrap();
        let allow = DefaultAction::builder().allow(AllowAction::builder().build()).build();
        let request = self.aws.wafv2.create_web_acl().scope(Scope::Regional).name("of-all-of-us");
        let made = request.default_action(allow).visibility_config(counted).send().await.unwrap();
        made.summary.unwrap().arn.unwrap()
    }

    /// Somebody puts it before the load balancer, once WAF lets him.
    async fn associate(&self, web_acl: &str) {
        let balancer = self.balancer().await;
        let request = || self.aws.wafv2.associate_web_acl().resource_arn(&balancer).web_acl_arn(web_acl).send();
        if request().await.is_err() {
            request().await.unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_firewall_of_somebody_elses_stays_where_it_is() {
    let place = Place::new().await;
    place.provision("off").await;
    assert_eq!(place.before().await, None);
    let theirs = place.anothers().await;
    place.associate(&theirs).await;

    let report = place.run("block").await;
    let Outcome::Failed { failures, .. } = &report.outcome else { panic!("{:?}", report.outcome) };
    let [(address, fault)] = &failures[..] else { panic!("{failures:?}") };
    assert_eq!(address.as_str(), "edge/web-acl-association");
    assert!(fault.message.contains(&theirs), "{fault}");
    assert_eq!(place.before().await.as_deref(), Some("of-all-of-us"));

    place.aws.wafv2.disassociate_web_acl().resource_arn(place.balancer().await).send().await.unwrap();
    place.provision("block").await;
    assert_eq!(place.before().await.as_deref(), Some("acme-rcm-prod-web"));

    // Put there while ours stood there: drift, which the next provision would mend, and which a firewall that goes leaves.
    place.associate(&theirs).await;
    let plan = place.open("block").await.plan(&Goal::provision()).await.unwrap();
    let addresses: Vec<_> = plan.forward.iter().map(|step| step.address.as_str()).collect();
    assert_eq!(addresses, ["edge/web-acl-association"]);
    place.provision("off").await;
    assert_eq!(place.before().await.as_deref(), Some("of-all-of-us"));
    assert_eq!(place.web_acls().await, ["of-all-of-us"]);
    // What was logged stays.
    let logs = place.aws.logs.describe_log_groups().log_group_name_prefix("aws-waf-logs-").send().await.unwrap();
    assert_eq!(logs.log_groups()[0].log_group_name(), Some("aws-waf-logs-acme-rcm-prod"));
}

#[tokio::test(start_paused = true)]
async fn what_only_counts_stops_nothing_until_it_is_told_to() {
    let place = Place::new().await;
    place.provision("count").await;
    let stops = async || {
        let request = place.aws.wafv2.get_web_acl_for_resource().resource_arn(place.balancer().await);
        let rules = request.send().await.unwrap().web_acl.unwrap().rules.unwrap();
        assert_eq!(rules.len(), 4);
        rules.iter().map(|rule| rule.override_action().unwrap().none().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(stops().await, [false; 4]);
    let plan = place.open("block").await.plan(&Goal::provision()).await.unwrap();
    assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("update", 1)]);
    let said = serde_json::to_string(&plan).unwrap();
    assert!(said.contains("requests that were only counted are stopped from now on"), "{said}");
    place.provision("block").await;
    assert_eq!(stops().await, [true; 4]);
}
