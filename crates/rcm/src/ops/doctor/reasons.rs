//! What AWS's words for a task or a target that is not well mean, and what mends it.
//!
//! Of tasks: [stopped task errors](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html). Of targets:
//! [reason codes](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html).

use super::PUT_BACK;

const LOGS: &str = "rcm logs --since 1h";
const DEPLOY: &str = "rcm deploy --image FILE|REF";

const UNREACHED: &str = "Secrets Manager, ECR or CloudWatch Logs cannot be reached from the private subnets";
const UNREADABLE: &str = "the execution role cannot read a secret that the task is started with, or that is gone";

/// What some words of AWS mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    /// All of these are in the words.
    words: &'static [&'static str],
    /// What it means.
    pub(super) means: &'static str,
    /// What mends it; `None` where it is as it should be.
    pub(super) mend: Option<&'static str>,
}

const fn meaning(words: &'static [&'static str], means: &'static str, mend: &'static str) -> Meaning {
    Meaning { words, means, mend: Some(mend) }
}

const fn harmless(words: &'static [&'static str], means: &'static str) -> Meaning {
    Meaning { words, means, mend: None }
}

/// Why tasks stop. The first that fits counts.
const TASKS: &[Meaning] = &[
    harmless(&["Scaling activity initiated by"], "the service wanted fewer tasks, or others"),
    harmless(&["maintenance"], "AWS has replaced what it ran on"),
    harmless(&["Spot"], "Fargate Spot has taken its capacity back, as it may"),
    meaning(
        &["CannotPull", "platform"],
        "the image is not for linux/amd64, which tasks run on: build it with --platform linux/amd64",
        DEPLOY,
    ),
    meaning(&["CannotPull", "not found"], "the image is not in its repository", DEPLOY),
    meaning(&["CannotPull", "manifest unknown"], "the image is not in its repository", DEPLOY),
    meaning(
        &["CannotPull", "denied"],
        "the execution role may not pull the image, or the repository is another account's",
        PUT_BACK,
    ),
    meaning(&["CannotPull"], "ECR cannot be reached from the private subnets, or the image not be read", PUT_BACK),
    meaning(&["ResourceInitializationError", "connection issue"], UNREACHED, PUT_BACK),
    meaning(&["ResourceInitializationError", "context deadline exceeded"], UNREACHED, PUT_BACK),
    meaning(&["ResourceInitializationError", "i/o timeout"], UNREACHED, PUT_BACK),
    meaning(&["ResourceInitializationError", "retrieve secret"], UNREADABLE, PUT_BACK),
    meaning(&["ResourceInitializationError", "fetch secret"], UNREADABLE, PUT_BACK),
    meaning(
        &["ResourceInitializationError", "logger"],
        "the log group is gone, or the execution role may not write to it",
        PUT_BACK,
    ),
    meaning(&["ResourceInitializationError", "ecr"], "the execution role may not log in to ECR", PUT_BACK),
    meaning(&["ResourceInitializationError"], "what a task needs before its containers could not be made", PUT_BACK),
    meaning(
        &["OutOfMemory"],
        "it needs more memory than it has: raise ecs_memory in the partner file",
        "rcm provision",
    ),
    meaning(
        &["ended with 137"],
        "it was killed: it had no memory left (raise ecs_memory), or did not end within 30 seconds of being asked to",
        LOGS,
    ),
    meaning(&["ended with 139"], "the program has crashed: it touched memory that is not its own", LOGS),
    meaning(&["ended with 127"], "the program that the image is to start is not in it", DEPLOY),
    meaning(
        &["ended with 126"],
        "what the image is to start cannot be run: no rights, or another architecture",
        DEPLOY,
    ),
    meaning(&["exec format error"], "the image is not for linux/amd64, which tasks run on", DEPLOY),
    meaning(&["exited"], "the program has ended by itself; what it wrote last says why", LOGS),
    meaning(
        &["ELB health checks"],
        "the load balancer got no good answer from it: it has to answer GET /health with 200 on PORT",
        LOGS,
    ),
    meaning(&["health checks"], "its own health check has failed", LOGS),
    meaning(&["CannotStartContainer"], "the container could not be started: see its command and its user", DEPLOY),
    meaning(&["CannotCreateContainer"], "the container could not be made: see its command and its mounts", DEPLOY),
    meaning(&["ContainerRuntime"], "the container could not be run", DEPLOY),
    meaning(
        &["Capacity is unavailable"],
        "Fargate has no room in these zones now; ECS tries again by itself",
        "rcm status --watch",
    ),
    meaning(&["network interface"], "AWS was slow to connect it; ECS tries again by itself", "rcm status --watch"),
    meaning(&["assume the role"], "ECS cannot act as the task's roles", PUT_BACK),
];

/// Why targets are not healthy.
const TARGETS: &[Meaning] = &[
    meaning(&["Target.ResponseCodeMismatch"], "GET /health was answered with another code than 200", LOGS),
    meaning(
        &["Target.Timeout"],
        "nothing answered within 5 seconds: nothing listens on PORT, it is too slow, or a security group is in the way",
        LOGS,
    ),
    meaning(&["Target.FailedHealthChecks"], "it refused the connection, or sent what is no answer", LOGS),
    meaning(&["Target.IpUnusable"], "its address is a load balancer's", PUT_BACK),
    meaning(&["Target.InvalidState"], "it has stopped", LOGS),
    meaning(&["Target.NotInUse"], "no listener leads to it, or its zone is none of the load balancer's", PUT_BACK),
    meaning(&["Target.NotRegistered"], "it is not registered any more", LOGS),
    meaning(&["Target.HealthCheckDisabled"], "its health is not looked at", PUT_BACK),
    meaning(&["Elb.InternalError"], "the load balancer itself has failed", "rcm status --watch"),
    harmless(&["Elb."], "it is new, and not judged yet"),
    harmless(&["Target.DeregistrationInProgress"], "it is on its way out"),
];

/// What the words for a task that stopped mean, if that is known.
pub(super) fn of_task(words: &str) -> Option<&'static Meaning> {
    first(TASKS, words)
}

/// What the words for a target mean.
pub(super) fn of_target(words: &str) -> Option<&'static Meaning> {
    first(TARGETS, words)
}

fn first(table: &'static [Meaning], said: &str) -> Option<&'static Meaning> {
    table.iter().find(|meaning| meaning.words.iter().all(|word| said.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What AWS's documentation shows of each, shortened, and a word of what it means.
    const SHOWN: &[(&str, &str)] = &[
        ("Scaling activity initiated by (deployment ecs-svc/1)", "fewer tasks"),
        (
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref api@sha256:1: not found",
            "not in its repository",
        ),
        (
            "CannotPullContainerError: failed to resolve reference: unexpected status code: 403 Forbidden: denied",
            "may not pull",
        ),
        (
            "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'",
            "not for linux/amd64",
        ),
        (
            "CannotPullContainerError: Get https://1.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled",
            "cannot be reached",
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: AccessDeniedException",
            "cannot read a secret",
        ),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: context deadline exceeded",
            "cannot be reached",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times",
            "log group",
        ),
        ("OutOfMemoryError: Container killed due to memory usage", "more memory"),
        ("Essential container in task exited: api ended with 137", "killed"),
        ("Essential container in task exited: api ended with 1", "ended by itself"),
        ("Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:1)", "GET /health"),
        ("TaskFailedToStart: Capacity is unavailable at this time.", "no room"),
        ("Your Spot Task was interrupted.", "taken its capacity back"),
    ];

    #[test]
    fn what_aws_says_of_stopped_tasks_is_known() {
        for (said, word) in SHOWN {
            let found = of_task(said).unwrap_or_else(|| panic!("{said}"));
            assert!(found.means.contains(word), "{said}: {}", found.means);
        }
        assert_eq!(of_task("for a test"), None);
    }

    #[test]
    fn every_meaning_can_be_found_and_what_mends_it_is_a_command() {
        for table in [TASKS, TARGETS] {
            for meaning in table {
                assert_eq!(first(table, &meaning.words.join(" ")), Some(meaning), "another comes first");
                assert!(meaning.mend.is_none_or(|mend| mend.starts_with("rcm ")), "{meaning:?}");
            }
        }
    }
}
