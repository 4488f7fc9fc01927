//! How AWS lets things end that it accepted before: in states that only a Describe tells, and never as the error of a call.
//!
//! A fate belongs to the cloud and not to a run: [`shared`] gives one to as many wires as there are runs.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::Call;
use super::rule::{Fault, Trouble};

/// The first so many of a kind never come up. Each stays as it is until it is deleted, whoever looks.
#[derive(Debug, Clone)]
pub struct Stillborn {
    made_by: &'static str,
    deleted_by: &'static str,
    shown_by: &'static [&'static str],
    disguise: Disguise,
    left: usize,
    lie_there: Vec<String>,
}

/// What stands in an answer in place of what it is really like.
#[derive(Debug, Clone)]
struct Disguise {
    /// What stands before the id, which comes first in each entry of the answer.
    id: &'static str,
    before: &'static str,
    after: &'static str,
    instead: String,
}

impl Stillborn {
    /// One RDS instance ends in `status`: `failed`, `incompatible-network`; or stays `creating`.
    ///
    /// Source: [statuses](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/accessing-monitoring.html).
    #[must_use]
    pub fn database(status: &str) -> Self {
        Self::new(
            "CreateDBInstance",
            "DeleteDBInstance",
            &["DescribeDBInstances"],
            Disguise {
                id: "<DBInstanceIdentifier>",
                before: "<DBInstanceStatus>",
                after: "</DBInstanceStatus>",
                instead: status.to_owned(),
            },
        )
    }

    /// One load balancer ends in the state `code`: `failed`, with a reason; or stays `provisioning`.
    ///
    /// Source: [LoadBalancerState](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerState.html).
    #[must_use]
    pub fn load_balancer(code: &str, reason: &str) -> Self {
        Self::new(
            "CreateLoadBalancer",
            "DeleteLoadBalancer",
            &["DescribeLoadBalancers"],
            Disguise {
                id: "<LoadBalancerArn>",
                before: "<State>",
                after: "</State>",
                instead: format!("<Code>{code}</Code><Reason>{reason}</Reason>"),
            },
        )
    }

    /// One NAT gateway stays `pending`.
    ///
    /// Source: [NatGateway](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NatGateway.html).
    #[must_use]
    pub fn nat_gateway() -> Self {
        Self::new(
            "CreateNatGateway",
            "DeleteNatGateway",
            &["DescribeNatGateways"],
            Disguise { id: "<natGatewayId>", before: "<state>", after: "</state>", instead: "pending".to_owned() },
        )
    }

    /// One certificate ends in `status`: `FAILED` with its reason, or `VALIDATION_TIMED_OUT` without.
    ///
    /// Source: [CertificateDetail](https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html).
    #[must_use]
    pub fn certificate(status: &str, reason: Option<&str>) -> Self {
        let reason = reason.map(|reason| format!(r#","FailureReason":"{reason}""#)).unwrap_or_default();
        let shown_by = &["DescribeCertificate", "ListCertificates"];
        Self::new(
            "RequestCertificate",
            "DeleteCertificate",
            shown_by,
            Disguise {
                id: r#""CertificateArn":""#,
                before: r#""Status":"#,
                after: ",",
                instead: format!(r#""{status}"{reason}"#),
            },
        )
    }

    /// One App Runner service ends as `CREATE_FAILED`.
    ///
    /// Source: [Service](https://docs.aws.amazon.com/apprunner/latest/api/API_Service.html).
    #[must_use]
    pub fn app_runner() -> Self {
        Self::new(
            "CreateService",
            "DeleteService",
            &["DescribeService", "ListServices"],
            Disguise {
                id: r#""ServiceArn":""#,
                before: r#""Status":""#,
                after: "\"",
                instead: "CREATE_FAILED".to_owned(),
            },
        )
    }

    fn new(
        made_by: &'static str,
        deleted_by: &'static str,
        shown_by: &'static [&'static str],
        disguise: Disguise,
    ) -> Self {
        Self { made_by, deleted_by, shown_by, disguise, left: 1, lie_there: Vec::new() }
    }

    /// So many of them, one after the other.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = times;
        self
    }
}

impl Trouble for Stillborn {
    fn meet(&mut self, _: &Call) -> Option<Fault> {
        None
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        if accepted && call.operation.name == self.made_by && self.left > 0 {
            self.left -= 1;
            self.lie_there.extend(self.disguise.last_id(answer).map(str::to_owned));
        }
        if accepted && call.operation.name == self.deleted_by {
            // A body of the query protocol has its colons and slashes escaped.
            let body = call.body.replace("%3A", ":").replace("%2F", "/");
            self.lie_there.retain(|id| !body.contains(id));
        }
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        let shows = !self.lie_there.is_empty() && self.shown_by.contains(&call.operation.name.as_str());
        shows.then(|| self.disguise.put_on(answer, &self.lie_there))
    }
}

impl Disguise {
    /// `answer` with those of `ids` in disguise.
    fn put_on(&self, answer: &str, ids: &[String]) -> String {
        let mut parts = answer.split(self.before);
        let mut told = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_one = self.last_id(&told).is_some_and(|id| ids.iter().any(|one| one == id));
            let hidden = if is_one { part.find(self.after).unwrap_or(0) } else { 0 };
            told.extend([self.before, if is_one { &self.instead } else { "" }, &part[hidden..]]);
        }
        told
    }

    /// The id of the last entry that `text` has begun.
    fn last_id<'a>(&self, text: &'a str) -> Option<&'a str> {
        text.rsplit_once(self.id).and_then(|(_, rest)| rest.split(['<', '"']).next())
    }
}

/// The deployment circuit breaker of ECS gives up the first so many deployments: their tasks do not start.
///
/// A service that has completed a deployment before goes back to its task definition, and that deployment ends `COMPLETED`
/// too. One that has not stays as it is and starts nothing more, until it is updated to something else.
///
/// Source: [failure detection](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html).
#[derive(Debug, Clone)]
pub struct Breaker {
    left: usize,
    /// Whether the deployment that has failed is still listed beside the one that replaces it.
    listed: bool,
    /// What the service ran when it was last seen in order.
    ran: Option<String>,
    /// How often the deployment that fails has been looked at.
    looks: Option<usize>,
    /// A task of the deployment that has failed: ECS describes it for an hour.
    stopped: Option<Value>,
}

impl Breaker {
    /// The last part of the ARN of the task that is told of.
    pub const TASK: &'static str = "0123456789abcdef0123456789abcdef";

    /// It gives up `deployments` of them.
    #[must_use]
    pub fn of(deployments: usize) -> Self {
        Self { left: deployments, listed: true, ran: None, looks: None, stopped: None }
    }

    /// The failed deployment is gone from the list before anybody has seen it: only the old task definition tells.
    #[must_use]
    pub fn forgotten(mut self) -> Self {
        self.listed = false;
        self
    }

    fn shown(&mut self, service: &mut Value) {
        let looks = self.looks.as_mut().map_or(0, |looks| {
            *looks += 1;
            *looks
        });
        let Some(asked) = service["deployments"].get(0).cloned() else { return };
        if looks > 2 {
            let cluster = service["clusterArn"].as_str().unwrap_or_default();
            self.stopped = Some(json!({
                "taskArn": format!("{}/{}", cluster.replace(":cluster/", ":task/"), Self::TASK),
                "clusterArn": cluster,
                "taskDefinitionArn": asked["taskDefinition"],
                "lastStatus": "STOPPED",
                "desiredStatus": "STOPPED",
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited",
                "containers": [{"name": "api", "exitCode": 1, "lastStatus": "STOPPED"}],
            }));
        }
        let mut failing = asked.clone();
        failing["runningCount"] = json!(0);
        failing["failedTasks"] = json!(looks * 3);
        failing["rolloutState"] = json!("IN_PROGRESS");
        if looks > 2 {
            failing["rolloutState"] = json!("FAILED");
            failing["rolloutStateReason"] = json!("ECS deployment circuit breaker: tasks failed to start.");
        }
        let id = asked["id"].as_str().unwrap_or_default().to_owned();
        let message = format!("(service api) (deployment {id}) deployment failed: tasks failed to start.");
        if let Some(events) = service["events"].as_array_mut().filter(|_| looks > 2) {
            events.insert(0, json!({"id": id, "createdAt": asked["updatedAt"], "message": message}));
        }
        let Some(ran) = self.ran.clone().filter(|_| looks > 2) else {
            service["deployments"] = json!([failing]);
            service["runningCount"] = json!(0);
            return;
        };
        failing["status"] = json!("ACTIVE");
        let mut back = asked;
        back["id"] = json!(format!("{id}0"));
        back["taskDefinition"] = json!(ran);
        back["rolloutState"] = json!("COMPLETED");
        service["taskDefinition"] = json!(ran);
        service["deployments"] = if self.listed { json!([back, failing]) } else { json!([back]) };
    }
}

impl Trouble for Breaker {
    fn meet(&mut self, _: &Call) -> Option<Fault> {
        None
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        let name = call.operation.name.as_str();
        if !accepted || !["CreateService", "UpdateService", "DeleteService", "DescribeServices"].contains(&name) {
            return;
        }
        let request: Value = serde_json::from_str(&call.body).unwrap_or_default();
        let deploys = request.get("taskDefinition").is_some() || request["forceNewDeployment"] == true;
        match name {
            "CreateService" | "UpdateService" if deploys && self.left > 0 => {
                self.left -= 1;
                self.looks = Some(0);
            }
            "CreateService" | "UpdateService" if deploys => self.looks = None,
            "DeleteService" => (self.looks, self.ran) = (None, None),
            "DescribeServices" if self.looks.is_none() => {
                let answer: Value = serde_json::from_str(answer).unwrap_or_default();
                self.ran = answer["services"][0]["taskDefinition"].as_str().map(str::to_owned);
            }
            _ => {}
        }
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        if let Some(stopped) = &self.stopped {
            let asks_for_stopped = call.body.contains("\"desiredStatus\":\"STOPPED\"");
            match call.operation.name.as_str() {
                "ListTasks" if asks_for_stopped => return Some(json!({"taskArns": [stopped["taskArn"]]}).to_string()),
                "DescribeTasks" if call.body.contains(Self::TASK) => {
                    return Some(json!({"tasks": [stopped]}).to_string());
                }
                _ => {}
            }
        }
        if self.looks.is_none() || call.operation.name != "DescribeServices" {
            return None;
        }
        let mut answer: Value = serde_json::from_str(answer).ok()?;
        answer["services"].as_array_mut()?.iter_mut().for_each(|service| self.shown(service));
        Some(answer.to_string())
    }
}

/// App Runner takes the first so many updates of a service back: it is `RUNNING` again as it was, and only its operations tell.
///
/// Source: [ListOperations](https://docs.aws.amazon.com/apprunner/latest/api/API_ListOperations.html).
#[derive(Debug, Clone)]
pub struct TakenBack {
    left: usize,
    /// The service as it was last seen in order.
    was: Value,
    under: bool,
}

impl TakenBack {
    /// It takes back `updates` of them.
    #[must_use]
    pub fn of(updates: usize) -> Self {
        Self { left: updates, was: Value::Null, under: false }
    }
}

impl Trouble for TakenBack {
    fn meet(&mut self, _: &Call) -> Option<Fault> {
        None
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        match call.operation.name.as_str() {
            "UpdateService" if accepted => {
                self.under = self.left > 0;
                self.left = self.left.saturating_sub(1);
            }
            "DescribeService" if !self.under => {
                let answer: Value = serde_json::from_str(answer).unwrap_or_default();
                self.was = answer["Service"].clone();
            }
            _ => {}
        }
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        let mut answer: Value = serde_json::from_str(answer).ok().filter(|_| self.under)?;
        match call.operation.name.as_str() {
            "DescribeService" if answer["Service"]["Status"] == "RUNNING" => answer["Service"] = self.was.clone(),
            "ListOperations" if answer["OperationSummaryList"][0]["Status"] == "SUCCEEDED" => {
                answer["OperationSummaryList"][0]["Status"] = "ROLLBACK_SUCCEEDED".into();
            }
            _ => return None,
        }
        Some(answer.to_string())
    }
}

/// A trouble that goes on over several runs, each with a wire of its own.
pub fn shared<T: Trouble>(trouble: T) -> Shared<T> {
    Shared(Arc::new(Mutex::new(trouble)))
}

/// See [`shared`].
#[derive(Debug)]
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T: Clone> Shared<T> {
    /// The trouble as it is now, for a story that goes on in more than one way.
    #[must_use]
    pub fn now(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Trouble> Trouble for Shared<T> {
    fn meet(&mut self, call: &Call) -> Option<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).meet(call)
    }

    fn answered(&mut self, call: &Call, accepted: bool, answer: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answered(call, accepted, answer);
    }

    fn retell(&mut self, call: &Call, answer: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retell(call, answer)
    }
}
