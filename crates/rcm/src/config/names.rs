//! Whether the names that AWS gives a limit have room for the partner's prefix.

use super::values::Refusal;

/// What every name of an environment begins with.
pub(super) fn prefix(project_prefix: &str, environment: &str) -> String {
    format!("{project_prefix}-{environment}")
}

/// A name made from the prefix, and how long AWS lets it be.
struct Named {
    what: &'static str,
    name: String,
    limit: usize,
}

/// The tightest names of each kind. Limits:
/// load balancer and target group <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/>,
/// bucket <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>,
/// database <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>,
/// role <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>.
fn limited(prefix: &str, account: &str, region: &str) -> [Named; 7] {
    let named = |what, name, limit| Named { what, name, limit };
    [
        named("load balancer", format!("{prefix}-alb"), 32),
        named("target group", format!("{prefix}-api"), 32),
        named("S3 bucket", format!("{prefix}-logs-{account}-{region}"), 63),
        named("S3 bucket", format!("{prefix}-alb-logs-{account}-{region}"), 63),
        named("database", format!("{prefix}-db"), 63),
        named("IAM role", format!("{prefix}-ecs-execution"), 64),
        named("IAM role", format!("{prefix}-ecs-task"), 64),
    ]
}

/// The refusal of a prefix that makes a name too long, naming each such name, its length and the limit.
pub(super) fn too_long(prefix: &str, account: &str, region: &str) -> Option<Refusal> {
    let names = limited(prefix, account, region);
    let too_long: Vec<&Named> = names.iter().filter(|named| named.name.len() > named.limit).collect();
    let excess = too_long.iter().map(|named| named.name.len() - named.limit).max()?;
    let list = too_long.iter().map(|named| {
        format!("the {} {} ({} characters, at most {})", named.what, named.name, named.name.len(), named.limit)
    });
    let message = format!("`{prefix}` makes names too long: {}", list.collect::<Vec<_>>().join(", "));
    let help = format!(
        "shorten project_prefix or environment by {excess} character{}: together with the hyphen they have {}, and {} fit here",
        if excess == 1 { "" } else { "s" },
        prefix.len(),
        prefix.len().saturating_sub(excess),
    );
    Some(Refusal::new(message).help(help))
}
