//! An environment, opened the way the options say.

use std::{collections::BTreeSet, env, fmt::Write, path::PathBuf};

use rcm::{
    Cloud, Environment, PartnerConfig, Settings,
    engine::{model::Events, run::Cancel},
};

use crate::{
    args::Globals,
    error::{CommandError, Exit},
    telemetry,
};

/// An environment and what is needed around it.
pub(crate) struct Session {
    /// The environment.
    pub(crate) environment: Environment,
    /// What to type next.
    pub(crate) next: Next,
}

/// What a command needs beyond the partner file.
pub(crate) struct Needs {
    /// The verb, for the lock and the journal.
    pub(crate) verb: &'static str,
    /// Whether it talks to AWS at all.
    pub(crate) cloud: bool,
    /// Where events go.
    pub(crate) events: Events,
    /// How it is stopped.
    pub(crate) cancel: Cancel,
}

impl Needs {
    /// Neither cloud nor events.
    pub(crate) fn state_only(verb: &'static str) -> Self {
        Self { verb, cloud: false, events: Events::none(), cancel: Cancel::new() }
    }
}

/// Reads the partner file that the options name.
pub(crate) fn config(globals: &Globals) -> Result<PartnerConfig, CommandError> {
    let Some(partner) = &globals.partner else {
        return Err(CommandError::new(Exit::Usage, "no partner is named")
            .hint(format!("give --partner NAME; the partner files are in {}/", globals.partners_dir.display())));
    };
    PartnerConfig::load(&globals.partners_dir, partner, globals.env.as_deref())
        .map_err(|error| CommandError::config(&error))
}

impl Session {
    /// Opens the environment. `tune` sets what only one verb has options for.
    pub(crate) async fn open(
        globals: &Globals,
        needs: Needs,
        tune: impl FnOnce(&mut Settings),
    ) -> Result<Self, CommandError> {
        let config = config(globals)?;
        let next = Next::of(globals);
        let mut settings = Settings::new(state_dir(globals)?);
        settings.cloud = if needs.cloud { cloud(globals, &config).await? } else { Cloud::Aws };
        settings.events = telemetry::told(needs.events, needs.verb, &config);
        settings.cancel = needs.cancel;
        settings.user = user();
        settings.command = next.command(needs.verb);
        settings.lock_timeout = globals.lock_timeout;
        settings.parallelism = globals.parallelism;
        settings.depth = globals.refresh.into();
        settings.unreported = unreported(globals)?;
        tune(&mut settings);
        let environment = Environment::open(config, settings).await.map_err(|error| CommandError::of(&error, &next))?;
        Ok(Self { environment, next })
    }

    /// The library's error with the next command.
    pub(crate) fn error(&self, error: &rcm::Error) -> CommandError {
        CommandError::of(error, &self.next)
    }

    /// `acme/prod`.
    pub(crate) fn name(&self) -> String {
        let config = self.environment.config();
        format!("{}/{}", config.partner, config.environment)
    }
}

/// Where the state is: a sandbox's apart from the real ones, so that neither is ever taken for the other.
pub(crate) fn state_dir(globals: &Globals) -> Result<PathBuf, CommandError> {
    if !globals.sandbox {
        return Ok(globals.state_dir.clone());
    }
    if cfg!(feature = "sandbox") {
        return Ok(globals.state_dir.join("sandbox"));
    }
    Err(no_sandbox())
}

/// This rcm has no sandbox.
pub(crate) fn no_sandbox() -> CommandError {
    CommandError::new(Exit::Usage, "this rcm was built without its sandbox")
        .hint("build it with the feature `sandbox`, which is on by default")
}

#[cfg(feature = "sandbox")]
async fn cloud(globals: &Globals, config: &PartnerConfig) -> Result<Cloud, CommandError> {
    if !globals.sandbox {
        return Ok(Cloud::Aws);
    }
    let sandbox = sandbox::open(globals, config).await?;
    Ok(Cloud::InProcess(sandbox.http_client()))
}

#[cfg(not(feature = "sandbox"))]
async fn cloud(globals: &Globals, _: &PartnerConfig) -> Result<Cloud, CommandError> {
    if globals.sandbox { Err(no_sandbox()) } else { Ok(Cloud::Aws) }
}

/// The cloud inside rcm: one for each account and region.
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox {
    use std::path::PathBuf;

    use rcm::PartnerConfig;
    use rcm_sandbox::{Sandbox, SandboxError};

    use crate::{
        args::Globals,
        error::{CommandError, Exit, disk},
    };

    /// Where the partner's cloud is kept.
    pub(crate) fn dir(globals: &Globals, config: &PartnerConfig) -> PathBuf {
        let place = format!("{}-{}", config.aws_account_id.as_str(), config.aws_region.as_str());
        globals.state_dir.join("sandbox").join("cloud").join(place)
    }

    /// Opens it, empty at first.
    pub(crate) async fn open(globals: &Globals, config: &PartnerConfig) -> Result<Sandbox, CommandError> {
        let (account, region) = (config.aws_account_id.as_str(), config.aws_region.as_str());
        Sandbox::open(&dir(globals, config), account, region).await.map_err(|error| self::error(&error))
    }

    /// What the sandbox says, with what to do.
    pub(crate) fn error(error: &SandboxError) -> CommandError {
        match error {
            SandboxError::Locked { .. } => CommandError::from_error(Exit::Locked, error)
                .hint("wait for it to end, or stop it: `rcm sandbox serve` holds the sandbox until Ctrl-C"),
            SandboxError::Unreadable { .. } => CommandError::from_error(Exit::Damaged, error)
                .hint("start over with an empty one: rcm sandbox reset --partner NAME"),
            SandboxError::Io { source, .. } => CommandError::from_error(Exit::Failed, error).hint(disk(source)),
            _ => CommandError::from_error(Exit::Failed, error),
        }
    }
}

/// Who runs this, for the lock.
fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().filter_map(|name| env::var(name).ok());
    named.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}

const PROFILE: &str = "RCM_ENDPOINT_PROFILE";

/// The fields that an emulator is known not to report. Real AWS reports everything, so it is never asked for less.
fn unreported(globals: &Globals) -> Result<BTreeSet<(String, String)>, CommandError> {
    let Some(path) = env::var_os(PROFILE).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        return Ok(BTreeSet::new());
    };
    let overridden = env::vars_os().any(|(name, value)| {
        name.to_str().is_some_and(|name| name == "AWS_ENDPOINT_URL" || name.starts_with("AWS_ENDPOINT_URL_"))
            && !value.is_empty()
    });
    if globals.sandbox || !overridden {
        let message = format!("{PROFILE} is for emulators, and this command would not go to one");
        return Err(CommandError::new(Exit::Usage, message).hint(format!("set AWS_ENDPOINT_URL, or unset {PROFILE}")));
    }
    let broken = |why: String| CommandError::new(Exit::Usage, format!("{PROFILE}: {}: {why}", path.display()));
    let text = std::fs::read(&path).map_err(|error| broken(error.to_string()))?;
    let pairs: BTreeSet<(String, String)> = serde_json::from_slice(&text).map_err(|error| {
        broken(error.to_string()).hint("it is a JSON list of pairs: [[\"ec2/vpc\", \"dns_support\"], …]")
    })?;
    Ok(pairs)
}

/// Makes the commands that a person types next, with the options that this one had.
#[derive(Debug, Clone, Default)]
pub(crate) struct Next {
    options: String,
}

impl Next {
    /// Of this command's options.
    pub(crate) fn of(globals: &Globals) -> Self {
        let mut next = Self::default();
        globals.partner.iter().for_each(|partner| next.add("--partner", partner));
        globals.env.iter().for_each(|env| next.add("--env", env));
        next.directories(globals);
        next.sandbox(globals.sandbox);
        next
    }

    /// Of the same directories, with another partner and all else as it is by itself.
    pub(crate) fn with(globals: &Globals, partner: &str, sandbox: bool) -> Self {
        let mut next = Self::default();
        next.add("--partner", partner);
        next.directories(globals);
        next.sandbox(sandbox);
        next
    }

    fn add(&mut self, option: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = write!(self.options, " {option} {}", quoted(value));
    }

    fn directories(&mut self, globals: &Globals) {
        let dirs =
            [("--partners-dir", &globals.partners_dir, "partners"), ("--state-dir", &globals.state_dir, "state")];
        for (option, dir, default) in dirs {
            if dir.as_os_str() != default {
                self.add(option, &dir.to_string_lossy());
            }
        }
    }

    fn sandbox(&mut self, sandbox: bool) {
        if sandbox {
            self.options.push_str(" --sandbox");
        }
    }

    /// `rcm VERB --partner acme …`
    pub(crate) fn command(&self, verb: &str) -> String {
        format!("rcm {verb}{}", self.options)
    }
}

/// As a shell takes it.
pub(crate) fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', "'\\''"))
    }
}
