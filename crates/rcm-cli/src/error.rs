//! Why a command did not do what it was asked, and the one table of exit codes.

use std::{error::Error as StdError, fmt, io};

use rcm::{
    Check, Error, NoSession, Verdict,
    audit::AuditError,
    compliance::Breach,
    engine::{
        model::{Fault, references},
        plan::{Blocked, FieldChange},
        store::{Lost, StoreError},
    },
    image::ImageError,
};

use crate::{
    render::{checks, compliance, value::short},
    session::Next,
};

/// How the command ends. `docs/commands.md` has the same table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// What was asked for is so.
    Done,
    /// AWS or this machine refused something.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// `plan --detailed-exitcode`: there is something to do.
    Changes,
    /// The partner file has mistakes.
    Config,
    /// Another run holds the lock.
    Locked,
    /// The run waits for somebody outside.
    Parked,
    /// Nobody has approved.
    NotApproved,
    /// Doing it would touch the wrong thing.
    Refused,
    /// Not all of a failed run could be undone.
    Stuck,
    /// The state cannot be read.
    Damaged,
    /// Stopped by a signal.
    Stopped,
}

impl Exit {
    /// The process's exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage | Self::Changes => 2,
            Self::Config => 3,
            Self::Locked => 4,
            Self::Parked => 5,
            Self::NotApproved => 6,
            Self::Refused => 7,
            Self::Stuck => 8,
            Self::Damaged => 9,
            Self::Stopped => 130,
        }
    }

    /// The word for it in JSON.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Changes => "changes",
            Self::Config => "config",
            Self::Locked => "locked",
            Self::Parked => "parked",
            Self::NotApproved => "not-approved",
            Self::Refused => "refused",
            Self::Stuck => "stuck",
            Self::Damaged => "damaged",
            Self::Stopped => "stopped",
        }
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What went wrong.
    pub(crate) message: String,
    /// Why, from the nearest cause to the farthest.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None }
    }

    /// Of any error, with its causes.
    pub(crate) fn from_error(exit: Exit, error: &dyn StdError) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        Self { causes, ..Self::new(exit, error.to_string()) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Of the library's error, with the next command.
    pub(crate) fn of(error: &Error, next: &Next) -> Self {
        match error {
            Error::Config(error) => Self::config(error),
            Error::Store(error) => store(error, next),
            Error::Aws(error) => fault(error, next),
            Error::WrongAccount { .. } => Self::from_error(Exit::Refused, error).hint(
                "use credentials of the partner's account (AWS_PROFILE, or `aws_profile` or `aws_role_arn` in the partner \
                 file)",
            ),
            Error::WrongRegion { .. } => Self::from_error(Exit::Refused, error)
                .hint("make the configuration for the partner file's region, or for none"),
            Error::KindTaken(_) => {
                Self::from_error(Exit::Failed, error).hint("this is a mistake in the program; nothing was changed")
            }
            Error::WrongState { .. } => Self::from_error(Exit::Refused, error).hint(
                "the partner file has come to mean another place; put it back, or keep states of different places in \
                 different directories (--state-dir)",
            ),
            Error::HostedZone { .. } => Self::from_error(Exit::Config, error).hint(format!(
                "name a public zone of the partner's account (`aws route53 list-hosted-zones`), or leave the setting out and \
                 make the records where the domain is kept: {}",
                next.command("dns")
            )),
            Error::NoDomain(_) => Self::from_error(Exit::Config, error)
                .hint(format!("set domain_name, then: {}", next.command("provision"))),
            Error::Fixed { setting, before, instead, .. } => Self::from_error(Exit::Refused, error)
                .hint(format!("nothing was changed; put {setting} = {before} back into the partner file, or {instead}")),
            Error::Blocked(plan) => blocked(&plan.blocked, next),
            Error::Breaches { breaches, .. } => breached(breaches, next),
            Error::Preflight { checks, .. } => preflight(checks, next),
            Error::NoSuchControl { .. } => {
                Self::from_error(Exit::Usage, error).hint(format!("all of them: {}", next.command("compliance")))
            }
            Error::NoSuchAssumption { .. } => Self::from_error(Exit::Usage, error)
                .hint(format!("there are: {}", rcm::cost::names().collect::<Vec<_>>().join(", "))),
            Error::NoPrices { .. } => Self::from_error(Exit::Failed, error)
                .hint("ask AWS's calculator: https://calculator.aws; the table is crates/rcm/src/cost/prices.toml"),
            Error::Audit(AuditError::Io { source, .. }) => Self::new(Exit::Failed, error.to_string()).hint(disk(source)),
            Error::Audit(AuditError::Changed { .. }) => Self::from_error(Exit::Damaged, error)
                .hint("put back a good copy of it, or move it away if nobody has to account for it any more"),
            Error::NoSuchSecret { .. } => {
                Self::from_error(Exit::Refused, error).hint(format!("all of them: {}", next.command("secrets list")))
            }
            Error::UnknownAction(_) => Self::from_error(Exit::Failed, error)
                .hint("this is a mistake in rcm: crates/rcm/src/permissions/reference.toml lacks it"),
            Error::NoSecret { .. } => Self::from_error(Exit::Refused, error).hint("nothing was changed"),
            Error::Unfinished(_) => Self::from_error(Exit::Refused, error).hint(format!(
                "nothing was changed; bring it to its end first: {}, or undo it: {}",
                next.command("provision"),
                next.command("rollback")
            )),
            Error::NoSuchRun(_) => {
                Self::from_error(Exit::Failed, error).hint(format!("all of them: {}", next.command("history")))
            }
            Error::Image(image) => self::image(image, next),
            Error::Pinned { .. } => Self::from_error(Exit::Refused, error).hint(format!(
                "nothing was pushed or changed; take api_image out of the file (what runs stays) and deploy again, or name the \
                 new image there: {}",
                next.command("provision")
            )),
            Error::NothingToDeployTo { .. } => {
                Self::from_error(Exit::Refused, error).hint(format!("make it first: {}", next.command("provision")))
            }
            Error::NotProvisioned(_) => Self::from_error(Exit::Refused, error)
                .hint(format!("bring the rest up to date first: {}", next.command("provision"))),
            Error::NoRelease(_) => Self::from_error(Exit::Failed, error)
                .hint(format!("deploy the image that is wanted: {}", next.command("deploy --image FILE|REF"))),
            Error::NoSession(why) => no_session(why, next),
            Error::Stale(_) => Self::from_error(Exit::Refused, error),
            Error::Declined => Self::from_error(Exit::NotApproved, error),
            Error::NotInState(_) => Self::from_error(Exit::Failed, error)
                .hint(format!("what is in the state: {}", next.command("state list"))),
            Error::StateExists(_) => Self::from_error(Exit::Refused, error).hint(format!(
                "to make a new one and keep this one beside it: {}",
                next.command("state rebuild --force")
            )),
            Error::NothingThere { .. } => {
                Self::from_error(Exit::Failed, error).hint(format!("to make it: {}", next.command("provision")))
            }
            Error::NotWanted(_) => Self::from_error(Exit::Refused, error)
                .hint(format!("what it describes: {}", next.command("graph --output json"))),
            Error::Known { .. } => Self::from_error(Exit::Refused, error)
                .hint(format!("what is in the state: {}", next.command("state list"))),
            Error::NotThere { .. } => Self::from_error(Exit::Failed, error)
                .hint("give it as AWS calls it in this account and region: an id, an ARN or a name"),
            Error::Unlike { fields, .. } => unlike(error, fields, next),
            Error::OtherKind { .. } => Self::from_error(Exit::Refused, error)
                .hint(format!("what is in the state: {}", next.command("state list"))),
            Error::NoState { .. } => {
                Self::from_error(Exit::Failed, error).hint(format!(
                    "provision it: {}; or, if AWS has it and the state was lost: {}",
                    next.command("provision"),
                    next.command("state rebuild")
                ))
            }
            Error::Graph(_) | Error::Plan(_) => {
                Self::from_error(Exit::Failed, error).hint("this is a mistake in rcm; nothing was changed")
            }
        }
    }

    /// Of a mistake in the partner file, which explains itself.
    pub(crate) fn config(error: &rcm::config::ConfigError) -> Self {
        Self::new(Exit::Config, error.to_string())
    }
}

fn no_session(why: &NoSession, next: &Next) -> CommandError {
    let is = CommandError::from_error(Exit::Failed, why);
    match why {
        NoSession::AppRunner { .. } => is.hint(format!(
            "what the application writes: {}; compute = \"ecs\" has containers that one can look into",
            next.command("logs")
        )),
        NoSession::SwitchedOff { .. } => is.hint(format!(
            "set ecs_exec = true in the partner file (docs/partner-file.md says what that costs), then: {}, which replaces the tasks",
            next.command("provision")
        )),
        NoSession::NoTask { .. } => is.hint(format!("how the service is: {}", next.command("status"))),
        NoSession::NoSuchTask { .. } => is.hint(format!("the newest that lets people in: {}", next.command("exec"))),
        NoSession::NoSuchContainer { .. } => is.hint("name one of these with --container"),
        NoSession::Before { .. } => is.hint(format!(
            "wait for the tasks that replace it: {}; if none do, roll out new ones with `rcm deploy`",
            next.command("status")
        )),
        NoSession::NoAgent { status, .. } if status == "PENDING" => {
            is.hint("it starts with the container: run the same command again in a moment")
        }
        NoSession::NoAgent { .. } => is.hint(format!(
            "it starts again by itself, if it can: it needs ssmmessages (by its role and by the network) and files that can be written to; \
             whether all of that is as it is to be: {}",
            next.command("plan --refresh full")
        )),
    }
}

fn image(error: &ImageError, next: &Next) -> CommandError {
    let is = CommandError::from_error(Exit::Failed, error);
    match error {
        ImageError::Platform { wanted, .. } => {
            is.hint(format!("build it for that: docker build --platform {wanted} …; nothing was pushed or changed"))
        }
        ImageError::Denied { .. } => is.hint(
            "of other registries than the partner's ECR only public images can be read; save a private one to an archive \
             (`docker pull`, `docker save IMAGE -o FILE`) and give that as --image",
        ),
        ImageError::NoAnswer { .. } | ImageError::Answer { .. } => is.hint(format!(
            "what was pushed stays there: run the same command again ({} …) once the registry answers",
            next.command("deploy")
        )),
        ImageError::Digest { .. } => is.hint("it was damaged on its way here: save or download it again"),
        _ => is,
    }
}

fn store(error: &StoreError, next: &Next) -> CommandError {
    let is = |exit| CommandError::from_error(exit, error);
    match error {
        StoreError::Locked { silent: None, .. } => is(Exit::Locked).hint(
            "wait for it, or give --lock-timeout 10m to wait here; a lock ends with its process, so there is never one \
             to break",
        ),
        StoreError::Locked { silent: Some(_), .. } => is(Exit::Locked).hint(
            "that process may stand still: let it go on, or end it; or give --lock-timeout 1m, which takes the lock over \
             if it still shows no sign of life, and goes on with what it had begun",
        ),
        StoreError::Lost(Lost::Taken { .. } | Lost::Gone { .. }) => is(Exit::Locked).hint(format!(
            "whoever took it goes on with what this run had begun; what is there by now: {}",
            next.command("plan")
        )),
        StoreError::Lost(Lost::Unknown { source, .. }) => is(Exit::Failed).hint(disk(source)),
        StoreError::Older { .. } => is(Exit::Damaged)
            .hint("the file is as it was; use the rcm that wrote it, or make a new one with `state rebuild --force`"),
        StoreError::Unfinished { .. } => is(Exit::Damaged).hint(
            "nothing was changed; finish that run with the rcm that began it (`rcm provision`), then use this one",
        ),
        StoreError::Newer { .. } => {
            is(Exit::Damaged).hint("the file is as it was; use the rcm that wrote it, or a newer one")
        }
        StoreError::Corrupt { path, .. } => is(Exit::Damaged).hint(format!(
            "the file is as it was, and nothing was changed; put back a good copy of {} and run {} to see what differs",
            path.display(),
            next.command("plan")
        )),
        StoreError::CorruptJournal { path, .. } | StoreError::Disagree { path, .. } => is(Exit::Damaged).hint(format!(
            "nothing was changed; the state file and {} belong together: put back both of one time",
            path.display()
        )),
        StoreError::Io { path, source } => {
            let message = format!("{}: {source}", path.display());
            CommandError { hint: Some(disk(source)), ..CommandError::new(Exit::Failed, message) }
        }
    }
}

/// What to do about a file that cannot be read or written.
pub(crate) fn disk(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::NotADirectory => {
            "rcm has to write here; give yourself the right to, or another directory with --state-dir".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full: make room and run the same command again; what was done is known".to_owned()
        }
        _ => "run the same command again once this is mended; what was done is known".to_owned(),
    }
}

fn fault(fault: &Fault, next: &Next) -> CommandError {
    let error = CommandError::new(Exit::Failed, fault.to_string());
    match advice(fault, next) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// What to do about a failed call, where that can be said.
pub(crate) fn advice(fault: &Fault, next: &Next) -> Option<String> {
    use rcm::engine::model::FaultKind;
    let expired = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"];
    let wrong_key = ["InvalidClientTokenId", "SignatureDoesNotMatch", "UnrecognizedClientException", "AuthFailure"];
    Some(match (fault.code.as_str(), fault.kind) {
        ("NoCredentials", _) => format!(
            "log in (`aws sso login`) or choose a profile (AWS_PROFILE=…); to try rcm without an account: {} --sandbox",
            next.command("provision")
        ),
        ("NoAnswer" | "Timeout", _) => {
            "check the network, AWS_ENDPOINT_URL and the proxy settings, then run the same command again".to_owned()
        }
        ("UnreadableAnswer", _) => "check AWS_ENDPOINT_URL: what answers there does not speak this service".to_owned(),
        (code, _) if expired.contains(&code) => {
            "the credentials have expired: log in again (`aws sso login`)".to_owned()
        }
        (code, _) if wrong_key.contains(&code) => "AWS does not know these credentials: check AWS_PROFILE".to_owned(),
        (_, FaultKind::Denied) if fault.service == "apprunner" && fault.operation.starts_with("Create") => format!(
            "AWS takes no new customers of App Runner since 30 April 2026: in an account that had no service before, set \
             compute = \"ecs\" in the partner file. If it had one, the credentials lack apprunner:{}",
            fault.operation
        ),
        (_, FaultKind::Denied) => {
            let lacking = rcm::permissions::asked_by(&fault.service, &fault.operation).join(" and ");
            format!("the credentials lack {lacking}; all that is needed: {}", next.command("permissions"))
        }
        (_, FaultKind::Quota) => {
            "a limit of the account: ask AWS to raise it (Service Quotas), then run the same command again".to_owned()
        }
        (_, FaultKind::Throttled) => {
            "AWS wants fewer calls: run the same command again, with a smaller --parallelism".to_owned()
        }
        _ => return None,
    })
}

fn unlike(error: &Error, fields: &[FieldChange], next: &Next) -> CommandError {
    let line = |FieldChange { field, before, after, .. }: &FieldChange| {
        let missing = references(after).into_iter().next();
        match missing {
            Some(missing) => format!("{field}: {}, and {} is not in the state yet", short(before), missing.address),
            None => format!("{field}: {}, and the partner file says {}", short(before), short(after)),
        }
    };
    let needed = fields.iter().find_map(|change| references(&change.after).into_iter().next());
    let causes = fields.iter().map(line).collect();
    let error = CommandError { causes, ..CommandError::new(Exit::Refused, error.to_string()) };
    match needed {
        Some(needed) => {
            error.hint(format!("import that first: {}", next.command(&format!("import {} ID", needed.address))))
        }
        None => error.hint("change the partner file to what it is, or let rcm make one of its own"),
    }
}

fn breached(breaches: &[Breach], next: &Next) -> CommandError {
    let error =
        CommandError::new(Exit::Refused, "the plan would break what HIPAA asks of production; nothing was changed");
    let causes = breaches.iter().map(compliance::told).collect();
    CommandError { causes, ..error }.hint(format!(
        "change the partner file; or, to do it all the same and have it recorded: {}",
        compliance::accepting(breaches, next)
    ))
}

fn preflight(checks: &[Check], next: &Next) -> CommandError {
    let bad = || checks.iter().filter(|check| check.verdict == Verdict::Bad);
    let line = |check: &Check| {
        let mend = check.mend.as_ref().map(|mend| format!("\n    = next: {}", self::checks::mend(mend, next)));
        format!("{}: {}{}", check.check, check.evidence, mend.unwrap_or_default())
    };
    let message = "AWS would refuse part of the plan half-way; nothing was changed";
    let error = CommandError { causes: bad().map(line).collect(), ..CommandError::new(Exit::Refused, message) };
    error.hint(format!(
        "once this is mended, all that was looked at: {}; if a check is wrong: --ignore-preflight CHECK",
        next.command("preflight")
    ))
}

fn blocked(blocked: &[Blocked], next: &Next) -> CommandError {
    let lines: Vec<String> = blocked.iter().map(|blocked| format!("{} {}", blocked.address, blocked.why)).collect();
    let flags: Vec<String> = blocked.iter().map(|blocked| format!("--allow-destroy {}", blocked.address)).collect();
    let error = CommandError::new(Exit::Refused, "data would be lost, and nobody has said that it may be");
    let error = CommandError { causes: lines, ..error };
    error.hint(format!("if it really may go: {} {}", next.command("provision"), flags.join(" ")))
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for cause in &self.causes {
            write!(f, "\n  {cause}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  = next: {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rcm::engine::model::{Address, FaultKind};

    use super::*;
    use crate::args::Cli;

    fn next() -> Next {
        Next::of(&Cli::parse_from(["rcm", "validate", "--partner", "acme", "--state-dir", "my state"]).globals)
    }

    #[test]
    fn the_documented_exit_codes_are_the_exit_codes() {
        let table = include_str!("../../../docs/commands.md");
        for exit in [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Changes,
            Exit::Config,
            Exit::Locked,
            Exit::Parked,
            Exit::NotApproved,
            Exit::Refused,
            Exit::Stuck,
            Exit::Damaged,
            Exit::Stopped,
        ] {
            let row = format!("| {} | `{}` |", exit.code(), exit.word());
            assert!(table.contains(&row), "docs/commands.md has no row {row}");
        }
    }

    #[test]
    fn a_loss_of_data_is_refused_with_the_flags_that_would_allow_it() {
        let blocked = |name: &str| Blocked { address: Address::new(name).unwrap(), why: "would be deleted".into() };
        let two = [blocked("database/instance"), blocked("storage/bucket/logs")];
        let error = super::blocked(&two, &next());
        assert_eq!(error.exit, Exit::Refused);
        insta::assert_snapshot!(error.to_string(), @"
        data would be lost, and nobody has said that it may be
          database/instance would be deleted
          storage/bucket/logs would be deleted
          = next: if it really may go: rcm provision --partner acme --state-dir 'my state' --allow-destroy database/instance --allow-destroy storage/bucket/logs
        ");
    }

    #[test]
    fn who_has_no_credentials_is_told_of_the_sandbox() {
        let fault =
            Fault::ours(FaultKind::Denied, "GetCallerIdentity", "NoCredentials", "no AWS credentials were found");
        let error = CommandError::of(&Error::Aws(fault), &next());
        insta::assert_snapshot!(error.to_string(), @"
        rcm:GetCallerIdentity: NoCredentials: no AWS credentials were found
          = next: log in (`aws sso login`) or choose a profile (AWS_PROFILE=…); to try rcm without an account: rcm provision --partner acme --state-dir 'my state' --sandbox
        ");
    }

    #[test]
    fn a_damaged_state_is_left_alone_and_named() {
        let path = "state/acme/prod.json".into();
        let error = StoreError::Corrupt { path, why: "expected `,`".into(), line: 3, column: 7 };
        let error = CommandError::of(&error.into(), &next());
        assert_eq!(error.exit, Exit::Damaged);
        insta::assert_snapshot!(error.to_string(), @"
        state/acme/prod.json: not a state file that can be read: expected `,` (line 3, column 7)
          = next: the file is as it was, and nothing was changed; put back a good copy of state/acme/prod.json and run rcm plan --partner acme --state-dir 'my state' to see what differs
        ");
    }
}
