//! `rcm sandbox`: the AWS inside rcm.

use crate::{
    args::{Globals, SandboxArgs},
    error::{CommandError, Exit},
};

#[cfg(not(feature = "sandbox"))]
pub(super) async fn run(_: &Globals, _: &SandboxArgs) -> Result<Exit, CommandError> {
    Err(crate::session::no_sandbox())
}

#[cfg(feature = "sandbox")]
pub(super) async fn run(globals: &Globals, args: &SandboxArgs) -> Result<Exit, CommandError> {
    use crate::args::SandboxVerb;
    match args.verb {
        SandboxVerb::Reset => with_sandbox::reset(globals).await,
        SandboxVerb::Serve { port } => with_sandbox::serve(globals, port).await,
    }
}

#[cfg(feature = "sandbox")]
mod with_sandbox {
    use std::{io, net::Ipv4Addr, path::Path, time::Duration};

    use rcm::{
        PartnerConfig,
        engine::{
            model::Events,
            store::{Holder, State, Store, StoreError},
        },
    };
    use rcm_sandbox::Sandbox;

    use crate::{
        args::{Format, Globals},
        error::{CommandError, Exit},
        render::json,
        session::{self, Next, sandbox},
        signals, terminal,
    };

    /// Deletes the partner's cloud, and the sandbox state of each of the partner's environments that lives in it.
    pub(super) async fn reset(globals: &Globals) -> Result<Exit, CommandError> {
        let config = session::config(globals)?;
        let cloud = sandbox::dir(globals, &config);
        let Inhabitants { own, others } = inhabitants(globals, &config);
        if !others.is_empty() {
            refuse_what_can_be_read(globals, &config, &others).await?;
        }
        let mut locks = Vec::new();
        for store in &own {
            let holder = Holder::this_process("", Next::of(globals).command("sandbox reset"));
            let lock = store.lock(&holder, Duration::ZERO, &Events::none()).await;
            locks.push(lock.map_err(|error| CommandError::of(&error.into(), &Next::of(globals)))?);
        }
        // The states first: a cloud without its state can be provisioned into anew, as `find` sees what is there.
        for store in &own {
            [store.journal_path(), store.state_path()].iter().try_for_each(|path| remove(path))?;
        }
        if cloud.exists() {
            Sandbox::reset(&cloud).map_err(|error| sandbox::error(&error))?;
        }
        drop(locks);
        match globals.output {
            Format::Json => terminal::out(&json::line(&serde_json::json!({ "reset": cloud })))?,
            Format::Human => terminal::out(&format!("the sandbox in {} is empty\n", cloud.display()))?,
        }
        Ok(Exit::Done)
    }

    /// Whose sandbox states say that they live in the cloud of the partner's account and region.
    struct Inhabitants {
        /// Those of the partner, the environment that is named whether it has one or not.
        own: Vec<Store>,
        /// The environments of others that have something there, by name.
        others: Vec<String>,
    }

    fn inhabitants(globals: &Globals, config: &PartnerConfig) -> Inhabitants {
        let root = globals.state_dir.join("sandbox");
        let mut found =
            Inhabitants { own: vec![Store::new(&root, &config.partner, &config.environment)], others: Vec::new() };
        for (partner, environment) in states(&root) {
            let store = Store::new(&root, &partner, &environment);
            let is_own = partner == config.partner;
            let Some(state) = state_in(&store, config) else { continue };
            if is_own && environment != config.environment {
                found.own.push(store);
            } else if !is_own && state.records().next().is_some() {
                found.others.push(format!("{partner}/{environment}"));
            }
        }
        found.others.sort();
        found
    }

    /// Partner and environment of each state file below `root`.
    fn states(root: &Path) -> Vec<(String, String)> {
        let names = |dir: &Path| {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect::<Vec<_>>()
        };
        let of = |partner: String| {
            let environments = names(&root.join(&partner));
            let environments =
                environments.into_iter().filter_map(|file| file.strip_suffix(".json").map(str::to_owned));
            environments.map(|environment| (partner.clone(), environment)).collect::<Vec<_>>()
        };
        names(root).into_iter().flat_map(of).collect()
    }

    fn state_in(store: &Store, config: &PartnerConfig) -> Option<State> {
        let place = (config.aws_account_id.as_str(), config.aws_region.as_str());
        let state = store.load().ok().flatten()?;
        ((state.deployment.account.as_str(), state.deployment.region.as_str()) == place).then_some(state)
    }

    /// A cloud that others live in stays, but for one that cannot be read: that is lost to them too.
    async fn refuse_what_can_be_read(
        globals: &Globals,
        config: &PartnerConfig,
        others: &[String],
    ) -> Result<(), CommandError> {
        match sandbox::open(globals, config).await {
            Err(error) if error.exit == Exit::Damaged => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let (account, region) = (config.aws_account_id.as_str(), config.aws_region.as_str());
                let names = others.join(", ");
                let message =
                    format!("the sandbox of account {account}, {region} is also that of {names}; nothing was deleted");
                let alone = Next::with(globals, &config.partner, true).command("destroy --purge");
                Err(CommandError::new(Exit::Refused, message)
                    .hint(format!("to take this partner's away alone: {alone}")))
            }
        }
    }

    fn remove(path: &Path) -> Result<(), CommandError> {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                let error = StoreError::Io { path: path.to_owned(), source };
                Err(CommandError::from_error(Exit::Failed, &error))
            }
            _ => Ok(()),
        }
    }

    /// Answers HTTP until a signal.
    pub(super) async fn serve(globals: &Globals, port: u16) -> Result<Exit, CommandError> {
        let config = session::config(globals)?;
        let sandbox = sandbox::open(globals, &config).await?;
        let failed = |error: io::Error| {
            CommandError::new(Exit::Failed, format!("cannot listen on port {port}: {error}"))
                .hint("choose another with --port N, or --port 0 for any free one")
        };
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
        terminal::out(&greeting(globals.output, &config, &endpoint))?;
        sandbox.serve(listener, signals::first()).await.map_err(|error| sandbox::error(&error))?;
        Ok(Exit::Done)
    }

    fn greeting(format: Format, config: &PartnerConfig, endpoint: &str) -> String {
        let (account, region) = (config.aws_account_id.as_str(), config.aws_region.as_str());
        if format == Format::Json {
            return json::line(&serde_json::json!({ "endpoint": endpoint, "account": account, "region": region }));
        }
        format!(
            "The sandbox of {} (account {account}, {region}) answers on {endpoint} until Ctrl-C. To look at it:\n\n  \
             AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox AWS_REGION={region} \\\n    \
             aws --endpoint-url {endpoint} ec2 describe-vpcs\n\n",
            config.partner
        )
    }
}
