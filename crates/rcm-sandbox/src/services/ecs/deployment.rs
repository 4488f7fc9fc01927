//! Deployments: a service's way from one set of tasks to the next.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::countdown::Countdown;
use crate::service::Context;
use crate::time;

#[derive(Serialize, Deserialize)]
pub(super) struct Deployment {
    pub(super) id: String,
    pub(super) task_definition: String,
    /// Whether its tasks take sessions, as the service was when they were to be started.
    #[serde(default)]
    pub(super) takes_sessions: bool,
    pub(super) desired: i64,
    pub(super) running: i64,
    created: f64,
    pub(super) updated: f64,
    countdown: Countdown,
    /// Whether all tasks are as desired.
    settled: bool,
    /// Whether it ever was; a later change of the count does not take that back.
    pub(super) completed: bool,
}

impl Deployment {
    /// Of a service that was `given` this.
    pub(super) fn new(cx: &Context, task_definition: &str, desired: i64, given: &Map<String, Value>) -> Deployment {
        let now = time::now();
        let digits = uuid::Uuid::new_v4().as_u128() % 10_000_000_000_000_000_000;
        Deployment {
            id: format!("ecs-svc/{digits:019}"),
            task_definition: task_definition.to_owned(),
            takes_sessions: given.get("enableExecuteCommand") == Some(&Value::Bool(true)),
            desired,
            running: 0,
            created: now,
            updated: now,
            countdown: Countdown::new(cx.polls()),
            settled: false,
            completed: false,
        }
    }

    /// Changes how many tasks there shall be, which takes its time too.
    pub(super) fn scale(&mut self, cx: &Context, desired: i64) {
        self.desired = desired;
        self.countdown = Countdown::new(cx.polls());
        self.settled = false;
        self.updated = time::now();
    }

    /// One poll. `true` when this brought it to its goal.
    pub(super) fn advance(&mut self) -> bool {
        if self.settled || !self.countdown.poll() {
            return false;
        }
        self.settled = true;
        self.running = self.desired;
        self.completed = true;
        self.updated = time::now();
        true
    }

    /// One task less for some polls; `false` where none runs.
    pub(super) fn lose_one(&mut self, cx: &Context) -> bool {
        if self.running == 0 {
            return false;
        }
        self.running -= 1;
        self.countdown = Countdown::new(cx.polls());
        self.settled = false;
        self.updated = time::now();
        true
    }

    /// The next poll finds it at its goal.
    pub(super) fn arrive(&mut self) {
        self.countdown = Countdown::default();
    }

    /// Whether any task of it runs, starts or stops.
    pub(super) fn has_tasks(&self) -> bool {
        self.desired > 0 || self.running > 0
    }

    pub(super) fn pending(&self) -> i64 {
        (self.desired - self.running).max(0)
    }

    /// As `DescribeServices` shows it; `primary` is the newest of its service.
    pub(super) fn shown(&self, service: &Map<String, Value>, primary: bool) -> Value {
        let (state, word) = if self.completed { ("COMPLETED", "completed") } else { ("IN_PROGRESS", "in progress") };
        let mut shown = json!({
            "id": self.id,
            "status": if primary { "PRIMARY" } else { "ACTIVE" },
            "taskDefinition": self.task_definition,
            "desiredCount": self.desired,
            "pendingCount": self.pending(),
            "runningCount": self.running,
            "failedTasks": 0,
            "createdAt": self.created,
            "updatedAt": self.updated,
            "rolloutState": state,
            "rolloutStateReason": format!("ECS deployment {} {word}.", self.id),
        });
        for member in ["launchType", "platformVersion", "networkConfiguration", "capacityProviderStrategy"] {
            if let Some(value) = service.get(member) {
                shown[member] = value.clone();
            }
        }
        if shown["platformVersion"] == "LATEST" {
            shown["platformVersion"] = json!("1.4.0");
        }
        shown
    }
}
