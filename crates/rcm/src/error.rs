//! What can go wrong, for programs to match on.

use std::path::PathBuf;

use rcm_engine::{
    model::{Address, Fault, GraphError, Id},
    plan::{FieldChange, Plan, PlanError},
    store::StoreError,
};

use crate::{Check, NoSession, Verdict, audit::AuditError, compliance::Breach, config::ConfigError, image::ImageError};

fn are(addresses: &[Address]) -> String {
    let names: Vec<&str> = addresses.iter().map(Address::as_str).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

/// Why an operation did not run, or not to its end. A run that began and failed is not one of these but a
/// [`Report`](crate::Report).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The partner file.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The state, its journal or its lock.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call to AWS.
    #[error(transparent)]
    Aws(#[from] Fault),
    /// The blueprint made a graph that is none: a bug.
    #[error("the blueprint is broken: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Graph(Vec<GraphError>),
    /// No plan can be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The credentials belong to another account than the partner file's.
    #[error("these credentials are for account {found} ({arn}); the partner file is for account {wanted}")]
    WrongAccount {
        /// The partner file's.
        wanted: String,
        /// The credentials'.
        found: String,
        /// Whose they are.
        arn: String,
    },
    /// The configuration that the program brought is of another region than the partner file's.
    #[error("the SDK's configuration is for {found}; the partner file is for {wanted}")]
    WrongRegion {
        /// The partner file's.
        wanted: String,
        /// The configuration's.
        found: String,
    },
    /// A kind of the program's own has the name of one of rcm's.
    #[error("rcm has a kind {0} itself: give the program's own another name")]
    KindTaken(&'static str),
    /// The partner file names a hosted zone that the domain's records cannot be made in.
    #[error("{}: hosted_zone_id {zone} {why}", file.display())]
    HostedZone {
        /// The partner file.
        file: PathBuf,
        /// The zone's id.
        zone: String,
        /// What is wrong with it.
        why: String,
    },
    /// The partner file names no domain, so there is nothing for DNS to say.
    #[error("{}: without domain_name there are no DNS records", .0.display())]
    NoDomain(PathBuf),
    /// The state is of another account, region or partition than the partner file's.
    #[error("the state is of {what} {state}, the partner file is of {what} {file}")]
    WrongState {
        /// `account`, `region`, `partition`, `project_prefix`.
        what: &'static str,
        /// The state's.
        state: String,
        /// The partner file's.
        file: String,
    },
    /// The partner file has another value for a setting that cannot change while the environment exists.
    #[error("{setting} is {before} in {environment} and cannot become {after} while that exists: {why}")]
    Fixed {
        /// The setting.
        setting: &'static str,
        /// The environment.
        environment: String,
        /// What it is.
        before: String,
        /// What the partner file says.
        after: String,
        /// Why that does not work.
        why: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
    /// The plan would destroy data that nobody has named: see its `blocked`.
    #[error("{}", .0.blocked.iter().map(|blocked| format!("{} {}", blocked.address, blocked.why)).collect::<Vec<_>>().join("; "))]
    Blocked(Box<Plan>),
    /// The plan would break controls of production that nobody has accepted to be broken.
    #[error("{}", .breaches.iter().map(|breach| format!("{} would not be met: {}", breach.control, breach.evidence)).collect::<Vec<_>>().join("; "))]
    Breaches {
        /// The plan.
        plan: Box<Plan>,
        /// What it would break.
        breaches: Vec<Breach>,
    },
    /// What was asked of AWS before the run tells that it would fail.
    #[error("{}", .checks.iter().filter(|check| check.verdict == Verdict::Bad).map(|check| format!("{}: {}", check.check, check.evidence)).collect::<Vec<_>>().join("; "))]
    Preflight {
        /// The plan.
        plan: Box<Plan>,
        /// Everything that was found, well or not.
        checks: Vec<Check>,
    },
    /// There is no control of that name.
    #[error("there is no control `{name}`{}", .nearest.map(|nearest| format!(", is it `{nearest}`?")).unwrap_or_default())]
    NoSuchControl {
        /// What was named.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// Nothing of that name is assumed of what the environment costs.
    #[error("nothing is assumed under the name `{name}`{}", .nearest.map(|nearest| format!(", is it `{nearest}`?")).unwrap_or_default())]
    NoSuchAssumption {
        /// What was named.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The Region's prices are not known, and no others are taken for them.
    #[error("there are no prices of {region}; those of {} are known", .known.join(", "))]
    NoPrices {
        /// The partner file's Region.
        region: String,
        /// Those that there are prices of.
        known: Vec<String>,
    },
    /// A kind of resource needs an action that [`permissions`](crate::permissions) cannot confine.
    #[error("nothing is known of the permission {0}")]
    UnknownAction(String),
    /// There is no secret of that name that can be given another value.
    #[error("{}", no_such_secret(name, *derived, allowed))]
    NoSuchSecret {
        /// What was named.
        name: String,
        /// Whether it is put together from others.
        derived: bool,
        /// Those that there are.
        allowed: Vec<String>,
    },
    /// A secret cannot be given this value, or none at all.
    #[error("{name} cannot be changed so: {why}")]
    NoSecret {
        /// Which.
        name: String,
        /// Why not.
        why: String,
    },
    /// An earlier run has not come to its end.
    #[error("an earlier run has not come to its end: {0} is not as it is to be")]
    Unfinished(Address),
    /// The audit log tells of no such run.
    #[error("the audit log tells of no run `{0}`, or of several that begin so")]
    NoSuchRun(String),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An image cannot be read or pushed.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The partner file names the image, so that nothing else can be deployed.
    #[error("{}: api_image names the image that is to run, {image}", file.display())]
    Pinned {
        /// The partner file.
        file: PathBuf,
        /// What it says.
        image: String,
    },
    /// There is nothing yet to deploy to.
    #[error("{address} is not there yet")]
    NothingToDeployTo {
        /// What is missing.
        address: Address,
    },
    /// What is to be deployed needs what the partner file describes and nobody has provisioned.
    #[error("a deploy changes nothing but the image, and {} not as the partner file says", are(.0))]
    NotProvisioned(Vec<Address>),
    /// No image has run before the present one.
    #[error("there is nothing to go back to: {0}")]
    NoRelease(String),
    /// No session can be opened in a container.
    #[error(transparent)]
    NoSession(#[from] NoSession),
    /// A saved plan no longer says what would be done.
    #[error("the saved plan is out of date: {0}")]
    Stale(String),
    /// The plan was not approved.
    #[error("not approved; nothing was changed")]
    Declined,
    /// Something was asked for that the state does not have.
    #[error("{0} is not in the state")]
    NotInState(Address),
    /// There is a state already where one is to be made.
    #[error("{} is there already", .0.display())]
    StateExists(PathBuf),
    /// Nothing in the cloud carries the deployment's tags.
    #[error("nothing in the account and region belongs to {partner}/{environment}: no resource carries its tags")]
    NothingThere {
        /// The partner.
        partner: String,
        /// The environment.
        environment: String,
    },
    /// The partner file describes no such resource.
    #[error("the partner file describes no {0}")]
    NotWanted(Address),
    /// The state has it already.
    #[error("{what} is in the state already{}", if *what == address.as_str() { String::new() } else { format!(", as {address}") })]
    Known {
        /// The address or id that was named.
        what: String,
        /// The node that has it.
        address: Address,
    },
    /// There is no resource of that id.
    #[error("there is no {id} to be {address}")]
    NotThere {
        /// The node.
        address: Address,
        /// The id that was named.
        id: Id,
    },
    /// A resource is not what the partner file wants, and cannot be made so without replacing it.
    #[error("{id} cannot become {address}{}", if fields.is_empty() { ": the partner file gives it another name, and a name cannot be changed" } else { ": what cannot be changed is not as the partner file says" })]
    Unlike {
        /// The node.
        address: Address,
        /// The id that was named.
        id: Id,
        /// The fields that differ and cannot be changed; none where it is the name.
        fields: Vec<FieldChange>,
    },
    /// A resource cannot get the address of another kind of resource.
    #[error("{address} is of kind {wanted}, and this is of kind {is}")]
    OtherKind {
        /// The node.
        address: Address,
        /// The resource's kind.
        is: String,
        /// The node's kind.
        wanted: String,
    },
    /// There is no state yet.
    #[error("nothing has been provisioned yet for {partner}/{environment}: no state file")]
    NoState {
        /// The partner.
        partner: String,
        /// The environment.
        environment: String,
    },
}

fn no_such_secret(name: &str, derived: bool, allowed: &[String]) -> String {
    let allowed = allowed.join(" or ");
    if derived {
        return format!("{name} is put together from other secrets, and changes with them: name {allowed}");
    }
    format!("rcm keeps no secret `{name}`: name {allowed}")
}
