//! The whole stack in a sandbox, open: for what is done to it between two runs, by rcm's own operations and behind its back.

use std::path::Path;
use std::sync::Arc;

use rcm::aws::{Aws, Connect};
use rcm::engine::{
    model::Address,
    plan::{Depth, Plan},
    run::Outcome,
    store::{Record, State},
};
use rcm::{Cloud, Environment, Goal, PartnerConfig, Report, Settings};
use rcm_sandbox::Sandbox;
use rcm_testkit::calls::Wire;
use tempfile::TempDir;

use super::world::{ACME, Disk, ground, scratch, with_settings, zoned};
use crate::bench::at_any_risk;

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

/// The partner file that comes with rcm, with an image, so that the service runs, and with a zone for the domain's records.
pub(super) fn acme() -> String {
    let digest = "0".repeat(64);
    let image = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/acme-rcm-prod-api@sha256:{digest}");
    format!("{}\napi_image = \"{image}\"\n", zoned().1)
}

/// The same with everything that it can have at once: a resource of each kind.
pub(super) fn everything() -> String {
    let settings = r#"
        db_read_replicas = 2
        ecs_schedules = [{ name = "night", schedule = "cron(0 20 * * ? *)", timezone = "America/New_York", min = 1, max = 2 }]
        ecs_exec = true
        account_baseline = true
        security_hub = true
        security_phone = "+1 555 0100"
        image_scanning = "enhanced"
        network_acls = true
        waf = "block"
        vpc_endpoints = true
        secret_policies = true
        secret_rotation_function = "arn:aws:lambda:us-east-1:123456789012:function:acme-rcm-rotation"
        backup_plan = true
        s3_access_logs = true
        s3_event_notifications = true
        db_performance_insights = true
        db_enhanced_monitoring = 60
        flow_logs = true
        alarms = true
        dashboard = true
    "#;
    with_settings(&acme(), settings)
}

/// The same on App Runner, which answers on an address of its own.
pub(super) fn on_app_runner() -> String {
    with_settings(&acme(), "domain_name =\nhosted_zone_id =\ncompute = \"apprunner\"")
}

/// Does `work` on what is on `disk`, in virtual time, and gives what is on it afterwards.
pub(super) fn play(disk: &Disk, work: impl AsyncFnOnce(&Stage)) -> Disk {
    let dir = scratch();
    disk.write(dir.path());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let stage = Stage::open(dir).await;
        work(&stage).await;
        stage.settle();
        Disk::read(stage.dir.path())
    })
}

/// What an undisturbed provision of `file` leaves.
pub(super) fn provisioned(file: &str) -> Disk {
    play(&ground(file), async |stage| drop(stage.provision(file).await))
}

pub(super) struct Stage {
    dir: TempDir,
    sandbox: Sandbox,
    /// Every call of the runs on this stage, but for those of [`aws`](Self::aws).
    pub(super) wire: Wire,
}

impl Stage {
    async fn open(dir: TempDir) -> Self {
        let sandbox = Sandbox::open(&dir.path().join("cloud"), ACCOUNT, REGION).await.unwrap().with_polls(1);
        let wire = Wire::new(sandbox.http_client());
        Self { dir, sandbox, wire }
    }

    /// Lets everything arrive that is on its way.
    pub(super) fn settle(&self) {
        self.sandbox.settle().unwrap();
    }

    /// Where the cloud and rcm's state are.
    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where rcm's state is.
    pub(super) fn state_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    /// The cloud without rcm.
    pub(super) async fn aws(&self) -> Aws {
        let in_process = Some(self.sandbox.http_client());
        Aws::connect(&Connect { region: REGION.into(), in_process, ..Connect::default() }).await
    }

    /// rcm as the command opens it.
    pub(super) async fn rcm(&self, file: &str, depth: Depth) -> Environment {
        let config = PartnerConfig::parse(Path::new("acme.toml"), file, None).unwrap();
        let cloud = Cloud::InProcess(self.wire.http_client());
        let settings = Settings { cloud, depth, ..Settings::new(self.state_dir()) };
        Environment::open(config, settings).await.unwrap()
    }

    pub(super) async fn run(&self, file: &str, goal: &Goal) -> Report {
        let report = self.rcm(file, Depth::Full).await.run(&at_any_risk(goal), |_| true).await.unwrap();
        assert!(matches!(report.outcome, Outcome::Done), "{:?}", report.outcome);
        report
    }

    pub(super) async fn provision(&self, file: &str) -> Report {
        self.run(file, &Goal::provision()).await
    }

    pub(super) async fn plan(&self, file: &str) -> Plan {
        self.rcm(file, Depth::Full).await.plan(&Goal::provision()).await.unwrap()
    }

    pub(super) async fn state(&self) -> State {
        self.rcm(ACME, Depth::Full).await.state().unwrap()
    }

    /// The cloud without rcm, and what rcm knows to be in it.
    pub(super) async fn at(&self) -> At {
        At { aws: self.aws().await, state: Arc::new(self.state().await) }
    }
}

/// Where somebody changes something behind rcm's back.
#[derive(Clone)]
pub(super) struct At {
    pub(super) aws: Aws,
    state: Arc<State>,
}

impl At {
    fn record(&self, address: &str) -> &Record {
        &self.state.resources[&Address::new(address).unwrap()]
    }

    /// What AWS calls the resource.
    pub(super) fn id(&self, address: &str) -> String {
        self.record(address).id.as_ref().unwrap().to_string()
    }

    /// The last part of its ARN.
    pub(super) fn name(&self, address: &str) -> String {
        self.id(address).rsplit('/').next().unwrap().to_owned()
    }
}
