//! What can be typed after `rcm`.

mod examples;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use rcm::{
    cost::Quantity,
    engine::{model::Address, plan::Depth, run::OnFailure},
};

/// Gives each business partner an isolated AWS environment of its own.
#[derive(Debug, Parser)]
#[command(name = "rcm", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write a partner file, asking what it needs
    #[command(after_help = examples::INIT)]
    Init(Init),
    /// Make the environment what the partner file says
    #[command(after_help = examples::PROVISION)]
    Provision(Provision),
    /// Push an image and roll the service out on it, or go back to the image before
    #[command(after_help = examples::DEPLOY)]
    Deploy(Deploy),
    /// Show what `provision` or `destroy` would do, and change nothing
    #[command(after_help = examples::PLAN)]
    Plan(PlanArgs),
    /// Ask AWS what would stop `provision`, and change nothing
    #[command(after_help = examples::PREFLIGHT)]
    Preflight,
    /// Take the environment away; logs, final snapshots and their key are kept
    #[command(after_help = examples::DESTROY)]
    Destroy(Destroy),
    /// Show what was changed, deleted or added outside rcm, field by field
    #[command(after_help = examples::DRIFT)]
    Drift(DriftArgs),
    /// Judge the environment by HIPAA's controls, with evidence from AWS
    #[command(after_help = examples::COMPLIANCE)]
    Compliance(ComplianceArgs),
    /// Show what the environment costs in a month, by service; without AWS, but for `--live`
    #[command(after_help = examples::COST)]
    Cost(CostArgs),
    /// Print the least that whoever runs rcm has to be allowed, as IAM policies
    #[command(after_help = examples::PERMISSIONS)]
    Permissions(PermissionsArgs),
    /// Show the DNS records that the domain needs, and whether the world sees them
    #[command(after_help = examples::DNS)]
    Dns(DnsArgs),
    /// Show how each part of the environment is now
    #[command(after_help = examples::STATUS)]
    Status(StatusArgs),
    /// Look for what keeps the environment from working, and say what mends it
    #[command(after_help = examples::DOCTOR)]
    Doctor,
    /// Print what the application has written, and what it writes from now on
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Open a shell in a container of the application, or run a command there
    #[command(after_help = examples::EXEC)]
    Exec(ExecArgs),
    /// Print where a browser finds the application, and AWS's console its parts
    #[command(after_help = examples::OPEN)]
    Open(OpenArgs),
    /// Take up a resource that exists as one of the partner file's
    #[command(after_help = examples::IMPORT)]
    Import(Import),
    /// Undo what the last run did, if it failed, was stopped or was cut off
    #[command(after_help = examples::ROLLBACK)]
    Rollback,
    /// List the secrets, or give one another value
    #[command(after_help = examples::SECRETS)]
    Secrets(Secrets),
    /// Show which runs there were, or what one of them did
    #[command(after_help = examples::HISTORY)]
    History(History),
    /// Check the audit log
    #[command(after_help = examples::AUDIT)]
    Audit(Audit),
    /// Print what others need to know: host names, URLs, ARNs
    #[command(after_help = examples::OUTPUT)]
    Output(Output),
    /// Draw the resources and what waits for what
    #[command(after_help = examples::GRAPH)]
    Graph(GraphArgs),
    /// Look at what rcm knows to exist
    #[command(after_help = examples::STATE)]
    State(State),
    /// Check the partner file, without AWS
    #[command(after_help = examples::VALIDATE)]
    Validate,
    /// Print what a shell needs to complete rcm's command lines
    #[command(after_help = examples::COMPLETIONS)]
    Completions(Completions),
    /// Print the manual page, or write one for each verb
    #[command(after_help = examples::MAN)]
    Man(Man),
    /// The AWS inside rcm that `--sandbox` uses
    #[command(after_help = examples::SANDBOX)]
    Sandbox(SandboxArgs),
}

/// Options of every verb; they may stand before or after it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Globals {
    /// The partner: NAME.toml in the partners' directory
    #[arg(long, global = true, value_name = "NAME", env = "RCM_PARTNER")]
    pub(crate) partner: Option<String>,
    /// The environment, where the partner file has several
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Where the partner files are
    #[arg(long, global = true, value_name = "DIR", default_value = "partners", env = "RCM_PARTNERS_DIR")]
    pub(crate) partners_dir: PathBuf,
    /// Where rcm keeps what it knows
    #[arg(long, global = true, value_name = "DIR", default_value = "state", env = "RCM_STATE_DIR")]
    pub(crate) state_dir: PathBuf,
    /// Use the AWS inside rcm instead of a real one: needs no account and costs nothing
    #[arg(long, global = true)]
    pub(crate) sandbox: bool,
    /// How to print
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Human)]
    pub(crate) output: Format,
    /// Do not ask
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// No colours (also: NO_COLOR=1)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// How many calls to AWS may be under way at once
    #[arg(long, global = true, value_name = "N", default_value_t = 32, value_parser = parallelism)]
    pub(crate) parallelism: usize,
    /// How long to wait while another run holds the lock, as in 30s or 5m
    #[arg(long, global = true, value_name = "TIME", default_value = "0s", value_parser = duration)]
    pub(crate) lock_timeout: Duration,
    /// How closely AWS is read before planning: `quick` is one call a kind, `full` also reads settings that cost a call each
    #[arg(long, global = true, value_name = "DEPTH", value_enum, default_value_t = Refresh::Quick)]
    pub(crate) refresh: Refresh,
    /// Log what rcm does to stderr; twice for more
    #[arg(long, short, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// Options of `init`: the answers that are known already.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The partner's name: the file will be NAME.toml in the partners' directory
    pub(crate) name: String,
    /// What every AWS name begins with [default: NAME-rcm]
    #[arg(long, value_name = "PREFIX")]
    pub(crate) project_prefix: Option<String>,
    /// The name that the partner's users see
    #[arg(long, value_name = "TEXT")]
    pub(crate) brand_name: Option<String>,
    /// The environment [default: prod]
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// The application's address [default: none]
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) domain_name: Option<String>,
    /// Where the partner's users write for help
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) support_email: Option<String>,
    /// The brand's colour as #RRGGBB; a blue if it is not given
    #[arg(long, value_name = "COLOUR")]
    pub(crate) primary_color: Option<String>,
    /// The AWS account, twelve digits
    #[arg(long, value_name = "ID")]
    pub(crate) aws_account_id: Option<String>,
    /// The AWS Region
    #[arg(long, value_name = "REGION")]
    pub(crate) aws_region: Option<String>,
    /// The size: development, production or high-availability [default: production]
    #[arg(long, value_name = "TIER")]
    pub(crate) tier: Option<String>,
}

/// Options of `provision`.
#[derive(Debug, Args)]
pub(crate) struct Provision {
    /// Run this plan of `rcm plan --out`, if the state and AWS still are what it was made from
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// What happens to what is done when something fails [default: rollback for the first provision, then keep]
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) on_failure: Option<AfterFailure>,
    /// How long to wait for the certificate before the rest is left for the next run
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = duration)]
    pub(crate) certificate_timeout: Duration,
    /// Go on although this check of the preflight is bad (again for more)
    #[arg(long, value_name = "CHECK")]
    pub(crate) ignore_preflight: Vec<String>,
    #[command(flatten)]
    pub(crate) losses: Losses,
    #[command(flatten)]
    pub(crate) risks: Risks,
}

/// Options of `deploy`.
#[derive(Debug, Args)]
pub(crate) struct Deploy {
    /// The image: an archive (OCI, or of `docker save`), or a reference as in ghcr.io/acme/api:1.4
    #[arg(long, value_name = "FILE|REF", required_unless_present_any = ["build", "rollback"])]
    pub(crate) image: Option<String>,
    /// Build the image from this directory first, with docker, podman or buildah
    #[arg(long, value_name = "CONTEXT", conflicts_with = "image")]
    pub(crate) build: Option<PathBuf>,
    /// Go back to the image that ran before the present one
    #[arg(long, conflicts_with_all = ["image", "build", "service"])]
    pub(crate) rollback: bool,
    /// What the image is for
    #[arg(long, value_enum, default_value_t = ServiceArg::Api)]
    pub(crate) service: ServiceArg,
    #[command(flatten)]
    pub(crate) risks: Risks,
}

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceArg {
    /// The API
    Api,
    /// The web application: pushed alone, as nothing in AWS runs it
    Web,
}

/// Which controls need not be met.
#[derive(Debug, Args)]
pub(crate) struct Risks {
    /// This control of `rcm compliance` may be broken in production; can be given several times, and is recorded
    #[arg(long, value_name = "CONTROL", requires = "reason")]
    pub(crate) accept_risk: Vec<String>,
    /// Why; goes to the audit log
    #[arg(long, value_name = "TEXT", requires = "accept_risk", value_parser = reason)]
    pub(crate) reason: Option<String>,
}

impl Risks {
    /// Each control with the reason.
    pub(crate) fn accepted(&self) -> BTreeMap<String, String> {
        let reason = self.reason.clone().unwrap_or_default();
        self.accept_risk.iter().map(|control| (control.clone(), reason.clone())).collect()
    }
}

/// Which data may go.
#[derive(Debug, Args)]
pub(crate) struct Losses {
    /// The data of this resource may be replaced or deleted; can be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) allow_destroy: Vec<Address>,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Save the plan for `rcm provision --plan FILE`, or `rcm destroy --plan FILE`
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 2 when there is something to do
    #[arg(long)]
    pub(crate) detailed_exitcode: bool,
    /// Show what `destroy` would do
    #[arg(long)]
    pub(crate) destroy: bool,
    /// With --destroy: also what `destroy` keeps
    #[arg(long, requires = "destroy")]
    pub(crate) purge: bool,
    #[command(flatten)]
    pub(crate) losses: Losses,
}

/// Options of `destroy`.
#[derive(Debug, Args)]
pub(crate) struct Destroy {
    /// Run this plan of `rcm plan --destroy --out`, if the state and AWS still are what it was made from
    #[arg(long, value_name = "FILE", conflicts_with = "purge")]
    pub(crate) plan: Option<PathBuf>,
    /// Delete also what is usually kept: log buckets, log groups, the key; and take no final snapshot
    #[arg(long)]
    pub(crate) purge: bool,
}

/// Options of `drift`.
#[derive(Debug, Args)]
pub(crate) struct DriftArgs {
    /// Take for right what the partner file allows; AWS is left alone
    #[arg(long)]
    pub(crate) accept: bool,
}

/// Options of `compliance`.
#[derive(Debug, Args)]
pub(crate) struct ComplianceArgs {
    /// Write the report to this file too, as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Options of `cost`.
#[derive(Debug, Args)]
pub(crate) struct CostArgs {
    /// Show the three tiers side by side, beside the cost tables of the setup that rcm replaces
    #[arg(long)]
    pub(crate) tiers: bool,
    /// Ask AWS's Price List API for each price, instead of the table that comes with rcm
    #[arg(long, conflicts_with = "tiers")]
    pub(crate) live: bool,
    /// Assume another number for what usage decides, as in tasks=4 or lcus=0.5; can be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = assumption)]
    pub(crate) assume: Vec<(String, Quantity)>,
    /// Write it to this file too, as one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// Options of `dns`.
#[derive(Debug, Args)]
pub(crate) struct DnsArgs {
    /// Wait until the certificate is validated, then go on as `provision` does
    #[arg(long)]
    pub(crate) wait: bool,
    /// With --wait: how long
    #[arg(long, value_name = "TIME", default_value = "72h", value_parser = duration, requires = "wait")]
    pub(crate) timeout: Duration,
    /// The resolver to ask, as in 1.1.1.1 or 127.0.0.1:5353; can be given several times [default: this machine's]
    #[arg(long, value_name = "IP[:PORT]", value_parser = resolver)]
    pub(crate) resolver: Vec<SocketAddr>,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Look again every few seconds, on a terminal, until Ctrl-C
    #[arg(long, short)]
    pub(crate) watch: bool,
}

/// Options of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on with what comes, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// From when on: 10m or 2h ago, or a time as in 2026-11-28T09:00:00Z
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = since)]
    pub(crate) since: Timestamp,
    /// Only what matches this filter pattern of CloudWatch Logs, as in 'ERROR -healthz' or '{ $.level = "error" }'
    #[arg(long, value_name = "PATTERN")]
    pub(crate) filter: Option<String>,
}

/// Options of `exec`.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The container [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) container: Option<String>,
    /// The task, by its id or ARN [default: the newest that lets people in]
    #[arg(long, value_name = "ID")]
    pub(crate) task: Option<String>,
    /// What to run there, each word as it is: no shell comes between [default: /bin/sh]
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Options of `open`.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// Print this one alone, bare
    #[arg(value_enum)]
    pub(crate) place: Option<Place>,
    /// Open it, or the first, in a browser: the one that BROWSER names, or this machine's; only on a terminal
    #[arg(long)]
    pub(crate) browser: bool,
}

/// What a browser can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// The application itself
    Application,
    /// The service, in AWS's console
    Service,
    /// The logs, in AWS's console
    Logs,
    /// The database, in AWS's console
    Database,
    /// The dashboard, in AWS's console
    Dashboard,
}

impl Place {
    /// As the library calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Service => "service",
            Self::Logs => "logs",
            Self::Database => "database",
            Self::Dashboard => "dashboard",
        }
    }
}

/// Options of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What it is in the partner file's graph, as in `network/vpc`
    pub(crate) address: Address,
    /// What AWS calls it: an id, an ARN or a name, as `state list` shows them
    pub(crate) id: String,
}

/// Options of `secrets`.
#[derive(Debug, Args)]
pub(crate) struct Secrets {
    #[command(subcommand)]
    pub(crate) verb: SecretsVerb,
}

/// What to do with the secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretsVerb {
    /// List them, without their values
    #[command(after_help = examples::SECRETS_LIST)]
    List,
    /// Give one a new random value, and whatever uses it along with it
    #[command(after_help = examples::SECRETS_ROTATE)]
    Rotate {
        /// As `secrets list` shows it
        name: String,
    },
    /// Give one a value of your own: from the standard input, or typed without being shown
    #[command(after_help = examples::SECRETS_SET)]
    Set {
        /// As `secrets list` shows it
        name: String,
    },
}

/// Options of `history`.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Show what this run did; the beginning of its name is enough
    pub(crate) run: Option<String>,
}

/// Options of `audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(subcommand)]
    pub(crate) verb: AuditVerb,
}

/// What to do with the audit log.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum AuditVerb {
    /// Find lines that were changed, moved or taken out
    #[command(after_help = examples::AUDIT)]
    Verify,
}

/// Options of `output`.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Print this one alone, bare
    pub(crate) name: Option<String>,
}

/// Options of `graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// The language of the drawing [default: dot, or json with --output json]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Drawing>,
    /// Write it to this file instead of the standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `state`.
#[derive(Debug, Args)]
pub(crate) struct State {
    #[command(subcommand)]
    pub(crate) verb: StateVerb,
}

/// What to do with the state.
#[derive(Debug, Subcommand)]
pub(crate) enum StateVerb {
    /// List the resources that rcm knows to exist
    #[command(after_help = examples::STATE_LIST)]
    List,
    /// Print what rcm knows of one resource, as JSON
    #[command(after_help = examples::STATE_SHOW)]
    Show {
        /// As in `network/vpc`
        address: Address,
    },
    /// Forget a resource; it stays in AWS
    #[command(after_help = examples::STATE_RM)]
    Rm {
        /// As in `network/vpc`
        address: Address,
    },
    /// Give a resource another address of the partner file's graph
    #[command(after_help = examples::STATE_MV)]
    Mv {
        /// As it is now
        from: Address,
        /// As it is to be
        to: Address,
    },
    /// Make a lost state again, from what AWS has; changes nothing in AWS
    #[command(after_help = examples::STATE_REBUILD)]
    Rebuild {
        /// Although there is a state; it is kept beside the new one
        #[arg(long)]
        force: bool,
    },
    /// Say who holds the lock; a lock ends with its process, so there is never one to break
    #[command(after_help = examples::STATE_UNLOCK)]
    Unlock,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write rcm.1 and one page for each verb to this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `sandbox`.
#[derive(Debug, Args)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    pub(crate) verb: SandboxVerb,
}

/// Options of `permissions`.
#[derive(Debug, Args)]
pub(crate) struct PermissionsArgs {
    /// For whom: what this verb needs, and nothing else; can be given several times. All verbs without it
    #[arg(long, value_name = "VERB")]
    pub(crate) verb: Vec<Allowed>,
    /// Write each policy to a file in this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What somebody is to be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Allowed {
    /// Also drift, compliance, cost --live and dns
    Plan,
    /// Also rollback, secrets, import and state rebuild
    Provision,
    /// To push an image and roll it out
    Deploy,
    /// With --purge too
    Destroy,
    /// To see how the parts are
    Status,
    /// To read what the application writes
    Logs,
    /// To open a shell in its containers
    Exec,
}

impl From<Allowed> for rcm::permissions::Verb {
    fn from(allowed: Allowed) -> Self {
        match allowed {
            Allowed::Plan => Self::Plan,
            Allowed::Provision => Self::Provision,
            Allowed::Deploy => Self::Deploy,
            Allowed::Destroy => Self::Destroy,
            Allowed::Status => Self::Status,
            Allowed::Logs => Self::Logs,
            Allowed::Exec => Self::Exec,
        }
    }
}

/// What to do with the sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxVerb {
    /// Delete the partner's sandbox: its cloud and what rcm knows of it
    #[command(after_help = examples::SANDBOX_RESET)]
    Reset,
    /// Answer HTTP on this machine, so that `aws --endpoint-url` can look at the sandbox
    #[command(after_help = examples::SANDBOX_SERVE)]
    Serve {
        /// The port; 0 for any free one
        #[arg(long, default_value_t = 4566)]
        port: u16,
    },
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Human,
    /// For programs
    Json,
}

/// How closely AWS is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Refresh {
    /// One batched call a kind
    Quick,
    /// Also settings that cost a call each
    Full,
}

/// What happens to what is done when something fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AfterFailure {
    /// Undo it
    Rollback,
    /// Leave it; the next run goes on from there
    Keep,
}

/// The language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Drawing {
    /// Graphviz
    Dot,
    /// Mermaid, for Markdown
    Mermaid,
    /// Nodes with their specs, for programs
    Json,
    /// A picture
    Svg,
}

impl From<Refresh> for Depth {
    fn from(refresh: Refresh) -> Self {
        match refresh {
            Refresh::Quick => Self::Quick,
            Refresh::Full => Self::Full,
        }
    }
}

impl From<AfterFailure> for OnFailure {
    fn from(after: AfterFailure) -> Self {
        match after {
            AfterFailure::Rollback => Self::Rollback,
            AfterFailure::Keep => Self::Keep,
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a time is written as in 30s, 5m or 1h30m".to_owned();
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

/// So long ago, or that time.
fn since(text: &str) -> Result<Timestamp, String> {
    let ago = |ago: Duration| Timestamp::now().checked_sub(ago).map_err(|error| error.to_string());
    match (duration(text), text.parse()) {
        (Ok(duration), _) => ago(duration),
        (_, Ok(time)) => Ok(time),
        _ => Err("it is written as in 10m, 2h or 2026-11-28T09:00:00Z".to_owned()),
    }
}

/// Port 53 where none is named.
fn resolver(text: &str) -> Result<SocketAddr, String> {
    let address = |text: &str| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    text.parse()
        .or_else(|_| address(text))
        .map_err(|_| "an address is written as in 1.1.1.1 or 127.0.0.1:5353".to_owned())
}

fn assumption(text: &str) -> Result<(String, Quantity), String> {
    let (name, value) = text.split_once('=').ok_or("an assumption is written as in tasks=4")?;
    value.parse().map(|value| (name.to_owned(), value)).map_err(str::to_owned)
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("say why".to_owned()) } else { Ok(text.trim().to_owned()) }
}

fn parallelism(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("at least 1".to_owned()),
        Ok(count) => Ok(count),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_make_sense_to_clap() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_stand_before_or_after_the_verb() {
        let before = Cli::parse_from(["rcm", "--partner", "acme", "--sandbox", "-y", "provision"]);
        let after = Cli::parse_from(["rcm", "provision", "--partner", "acme", "--sandbox", "-y"]);
        for cli in [before, after] {
            assert_eq!(cli.globals.partner.as_deref(), Some("acme"));
            assert!(cli.globals.sandbox && cli.globals.yes);
            assert!(matches!(cli.verb, Verb::Provision(_)));
        }
        let nested = Cli::parse_from(["rcm", "state", "list", "--partner", "acme", "--output", "json"]);
        assert_eq!(nested.globals.output, Format::Json);
    }

    /// The words of each verb that does something, without `rcm`.
    fn verbs(command: &clap::Command, before: &[String]) -> Vec<Vec<String>> {
        let below = |verb: &clap::Command| {
            let words = [before, &[verb.get_name().to_owned()]].concat();
            let mut all = verbs(verb, &words);
            all.push(words);
            all
        };
        command.get_subcommands().flat_map(below).collect()
    }

    /// The words of a line as a shell takes them, up to a pipe or a redirection.
    fn words(line: &str) -> Vec<String> {
        let command = line.split(['|', '<', '>']).next().unwrap();
        let quoted = command.split('\'').enumerate();
        let words = quoted.flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        });
        words.collect()
    }

    #[test]
    fn every_help_ends_with_examples_that_can_be_typed() {
        let verbs = verbs(&Cli::command(), &[]);
        assert!(verbs.iter().any(|words| words == &["state", "rm"]), "{verbs:?}");
        for verb in verbs {
            let asked = ["rcm"].into_iter().chain(verb.iter().map(String::as_str)).chain(["--help"]);
            let help = Cli::try_parse_from(asked).unwrap_err().to_string();
            let (_, examples) = help.rsplit_once("\nExamples:\n").unwrap_or_else(|| panic!("{verb:?} has none"));
            for example in examples.lines() {
                let typed = words(example);
                assert_eq!(typed[0], "rcm", "{example}");
                assert_eq!(typed[1..=verb.len()], verb, "{example} is another verb's");
                if let Err(error) = Cli::try_parse_from(typed) {
                    panic!("{example}: {error}");
                }
            }
        }
    }

    #[test]
    fn times_are_written_with_their_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_mins(5)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_mins(90)));
        assert!(duration("5").is_err());
        assert!(duration("-5m").is_err());
    }

    #[test]
    fn a_beginning_is_a_time_or_how_long_ago() {
        let begin = since("2h").unwrap();
        let ago = Timestamp::now().duration_since(begin).as_secs();
        assert!((7200..7210).contains(&ago), "{ago}");
        assert_eq!(since("2026-11-28T09:00:00Z"), Ok("2026-11-28T09:00:00Z".parse().unwrap()));
        assert_eq!(since("2026-11-28T10:00:00+01:00"), Ok("2026-11-28T09:00:00Z".parse().unwrap()));
        assert!(since("yesterday").is_err() && since("-5m").is_err());
    }

    #[test]
    fn a_resolver_is_an_address_and_perhaps_a_port() {
        assert_eq!(resolver("1.1.1.1"), Ok("1.1.1.1:53".parse().unwrap()));
        assert_eq!(resolver("::1"), Ok("[::1]:53".parse().unwrap()));
        assert_eq!(resolver("127.0.0.1:5353"), Ok("127.0.0.1:5353".parse().unwrap()));
        assert!(resolver("dns.example.com").is_err());
        assert!(Cli::try_parse_from(["rcm", "dns", "--timeout", "1h"]).is_err(), "it is how long to wait");
    }

    #[test]
    fn a_purge_is_planned_only_with_a_destroy() {
        assert!(Cli::try_parse_from(["rcm", "plan", "--purge"]).is_err());
        assert!(Cli::try_parse_from(["rcm", "plan", "--destroy", "--purge"]).is_ok());
    }
}
