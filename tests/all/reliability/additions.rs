//! What a live partner may be given and may lose again, each as a change of its own: crashed and failed at every call of both ways.

use std::sync::LazyLock;

use rcm::Goal;

use super::crash::everywhere;
use super::fail::{Scene, goes_on, rolls_back, shrugs_off};
use super::world::{ACME, Disk, Order, made, with_settings};

/// The settings that add it, one a line, to the stack of [`ACME`].
struct Addition {
    what: &'static str,
    settings: &'static str,
}

const ADDITIONS: &[Addition] = &[
    Addition {
        what: "scaling",
        settings: r#"ecs_scale_memory = 70
ecs_scale_requests = 1000
ecs_schedules = [{ name = "night", schedule = "cron(0 20 * * ? *)", min = 1, max = 2 }]"#,
    },
    Addition {
        what: "the account baseline",
        settings: "account_baseline = true\nsecurity_hub = true\nsecurity_phone = \"+1 555 0100\"",
    },
    Addition { what: "a shell in the containers", settings: "ecs_exec = true" },
    Addition { what: "network ACLs", settings: "network_acls = true" },
    Addition { what: "the firewall", settings: r#"waf = "block""# },
    Addition { what: "interface endpoints", settings: "vpc_endpoints = true" },
    Addition { what: "policies of secrets", settings: "secret_policies = true" },
    Addition { what: "what watches the buckets", settings: "s3_access_logs = true\ns3_event_notifications = true" },
    Addition {
        what: "what watches the database",
        settings: "db_iam_authentication = true\ndb_performance_insights = true\ndb_enhanced_monitoring = 60",
    },
    Addition { what: "read replicas", settings: "db_read_replicas = 2" },
    // In the place of ECS and its load balancer.
    Addition {
        what: "App Runner",
        settings: r#"domain_name =
compute = "apprunner"
api_image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:0000000000000000000000000000000000000000000000000000000000000000""#,
    },
    Addition { what: "flow logs", settings: "flow_logs = true" },
    Addition { what: "alarms", settings: "alarms = true" },
    Addition { what: "dashboard", settings: "dashboard = true" },
    Addition { what: "AWS Backup", settings: "backup_plan = true" },
    Addition {
        what: "a rotation of the database password",
        settings: r#"secret_rotation_function = "arn:aws:lambda:us-east-1:123456789012:function:acme-rcm-rotation""#,
    },
];

impl Addition {
    fn file(&self) -> String {
        with_settings(ACME, self.settings)
    }
}

/// The stack that everything is added to.
fn bare() -> Disk {
    static BARE: LazyLock<Disk> = LazyLock::new(|| made(ACME));
    BARE.clone()
}

fn provision(file: &str) -> Order<'_> {
    Order { file, goal: Goal::provision(), polls: 1 }
}

#[test]
fn what_is_added_can_be_killed_anywhere() {
    for addition in ADDITIONS {
        everywhere(&format!("adding {}", addition.what), &bare(), &provision(&addition.file()));
    }
}

#[test]
fn what_is_taken_away_again_can_be_killed_anywhere() {
    for addition in ADDITIONS {
        everywhere(&format!("without {}", addition.what), &made(&addition.file()), &provision(ACME));
    }
}

#[test]
fn what_is_added_can_fail_anywhere() {
    for addition in ADDITIONS {
        let (what, file) = (format!("adding {}", addition.what), addition.file());
        let scene = Scene::new(bare(), provision(&file)).third(0);
        rolls_back(&what, &scene);
        let scene = scene.third(1);
        goes_on(&what, &scene);
        let scene = scene.third(2);
        shrugs_off(&what, &scene);
    }
}

#[test]
fn what_is_taken_away_again_can_fail_anywhere() {
    for addition in ADDITIONS {
        let what = format!("without {}", addition.what);
        let scene = Scene::new(made(&addition.file()), provision(ACME)).third(0);
        goes_on(&what, &scene);
        let scene = scene.third(1);
        shrugs_off(&what, &scene);
    }
}
