//! One file a verb.

mod completions;
mod compliance;
mod cost;
mod deploy;
mod destroy;
mod dns;
mod doctor;
mod drift;
mod exec;
mod graph;
mod history;
mod import;
mod init;
mod logs;
mod man;
mod open;
mod output;
mod permissions;
mod plan;
mod preflight;
mod provision;
mod rollback;
mod run;
mod sandbox;
mod saved;
mod secrets;
mod show;
mod state;
mod status;
mod validate;

use std::{future::Future, path::Path};

use rcm::engine::store::write_atomically;

use crate::{
    args::{AuditVerb, Cli, Verb},
    error::{CommandError, Exit},
    telemetry,
};

/// Does what was typed.
pub(crate) fn run(cli: &Cli) -> Result<Exit, CommandError> {
    let globals = &cli.globals;
    match &cli.verb {
        Verb::Init(args) => wait_for(init::run(globals, args)),
        Verb::Provision(args) => wait_for(provision::run(globals, args)),
        Verb::Deploy(args) => wait_for(deploy::run(globals, args)),
        Verb::Plan(args) => wait_for(plan::run(globals, args)),
        Verb::Preflight => wait_for(preflight::run(globals)),
        Verb::Destroy(args) => wait_for(destroy::run(globals, args)),
        Verb::Drift(args) => wait_for(drift::run(globals, args)),
        Verb::Compliance(args) => wait_for(compliance::run(globals, args)),
        Verb::Cost(args) => wait_for(cost::run(globals, args)),
        Verb::Permissions(args) => wait_for(permissions::run(globals, args)),
        Verb::Dns(args) => wait_for(dns::run(globals, args)),
        Verb::Status(args) => wait_for(status::run(globals, args)),
        Verb::Doctor => wait_for(doctor::run(globals)),
        Verb::Logs(args) => wait_for(logs::run(globals, args)),
        Verb::Exec(args) => wait_for(exec::run(globals, args)),
        Verb::Open(args) => wait_for(open::run(globals, args)),
        Verb::Import(args) => wait_for(import::run(globals, args)),
        Verb::Rollback => wait_for(rollback::run(globals)),
        Verb::History(args) => wait_for(history::run(globals, args)),
        Verb::Audit(args) => match args.verb {
            AuditVerb::Verify => wait_for(history::verify(globals)),
        },
        Verb::Secrets(args) => wait_for(secrets::run(globals, args)),
        Verb::Output(args) => wait_for(output::run(globals, args)),
        Verb::Graph(args) => wait_for(graph::run(globals, args)),
        Verb::State(args) => wait_for(state::run(globals, args)),
        Verb::Validate => wait_for(validate::run(globals)),
        Verb::Completions(args) => completions::run(args),
        Verb::Man(args) => man::run(args),
        Verb::Sandbox(args) => wait_for(sandbox::run(globals, args)),
    }
}

/// Two threads: one may be asking a person while the other listens for signals.
fn wait_for(work: impl Future<Output = Result<Exit, CommandError>>) -> Result<Exit, CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::new(Exit::Failed, format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(work);
    runtime.block_on(telemetry::end(&result));
    // A read of the terminal that nobody waits for any more must not keep the process.
    runtime.shutdown_background();
    result
}

/// Writes a file that somebody asked for, whole or not at all.
fn save(path: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    write_atomically(path, bytes)
        .map_err(|error| CommandError::new(Exit::Failed, format!("cannot write {}: {error}", path.display())))
}
