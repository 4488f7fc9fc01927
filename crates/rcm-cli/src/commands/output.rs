//! `rcm output`: what others need to know.

use rcm::Outputs;
use serde_json::Value;

use crate::{
    args::{Format, Globals, Output},
    error::{CommandError, Exit},
    render::{json, outputs},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &Output) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("output"), |_| {}).await?;
    let all = session.environment.outputs().map_err(|error| session.error(&error))?;
    let text = match (&args.name, globals.output) {
        (Some(name), Format::Human) => outputs::bare(one(&session, &all, name)?) + "\n",
        (Some(name), Format::Json) => json::line(one(&session, &all, name)?),
        (None, Format::Human) => outputs::outputs(&all, outputs::Label::Name),
        (None, Format::Json) => json::line(&all.to_json()),
    };
    terminal::out(&text)?;
    Ok(Exit::Done)
}

fn one<'o>(session: &Session, outputs: &'o Outputs, name: &str) -> Result<&'o Value, CommandError> {
    outputs.get(name).ok_or_else(|| {
        let known: Vec<&str> = outputs.0.iter().map(|output| output.name).collect();
        let error = CommandError::new(Exit::Failed, format!("{} has no output `{name}`", session.name()));
        if known.is_empty() { error } else { error.hint(format!("there are {}", known.join(", "))) }
    })
}
