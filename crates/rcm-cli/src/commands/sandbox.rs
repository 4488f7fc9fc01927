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
            store::{Holder, Store, StoreError},
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

    /// Deletes the partner's cloud, and the sandbox state of every environment that lives in it.
    pub(super) async fn reset(globals: &Globals) -> Result<Exit, CommandError> {
        let config = session::config(globals)?;
        let cloud = sandbox::dir(globals, &config);
        let states = states_in(globals, &config);
        let mut locks = Vec::new();
        for store in &states {
            let holder = Holder::this_process("", Next::of(globals).command("sandbox reset"));
            let lock = store.lock(&holder, Duration::ZERO, &Events::none()).await;
            locks.push(lock.map_err(|error| CommandError::of(&error.into(), &Next::of(globals)))?);
        }
        // The states first: a cloud without its state can be provisioned into anew, as `find` sees what is there.
        for store in &states {
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

    /// The sandbox states of the partner's account and region: this environment's, and those of others that share the cloud.
    fn states_in(globals: &Globals, config: &PartnerConfig) -> Vec<Store> {
        let root = globals.state_dir.join("sandbox");
        let mut found = vec![Store::new(&root, &config.partner, &config.environment)];
        let partners = std::fs::read_dir(&root).into_iter().flatten().flatten();
        for partner in partners.filter(|entry| entry.path().is_dir()) {
            let files = std::fs::read_dir(partner.path()).into_iter().flatten().flatten();
            for file in files.filter_map(|file| file.file_name().into_string().ok()) {
                let Some(environment) = file.strip_suffix(".json") else { continue };
                let (partner, own) = (partner.file_name(), (config.partner.as_str(), config.environment.as_str()));
                let Some(partner) = partner.to_str().filter(|partner| (*partner, environment) != own) else { continue };
                let store = Store::new(&root, partner, environment);
                if lives_in(&store, config) {
                    found.push(store);
                }
            }
        }
        found
    }

    fn lives_in(store: &Store, config: &PartnerConfig) -> bool {
        let place = (config.aws_account_id.as_str(), config.aws_region.as_str());
        let state = store.load().ok().flatten();
        state.is_some_and(|state| (state.deployment.account.as_str(), state.deployment.region.as_str()) == place)
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
