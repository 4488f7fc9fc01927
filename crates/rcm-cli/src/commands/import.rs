//! `rcm import`: takes up a resource that exists.

use rcm::engine::{
    model::{Events, Id},
    plan::FieldChange,
    run::Cancel,
};
use serde_json::json;

use crate::{
    args::{Format, Globals, Import},
    error::{CommandError, Exit},
    render::{GREEN, json as lines, paint, value::short},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &Import) -> Result<Exit, CommandError> {
    signals::listen(Cancel::new(), Stake::new(true), |_| {})?;
    let needs = Needs { verb: "import", cloud: true, events: Events::none(), cancel: Cancel::new() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let Import { address, id } = args;
    let imported = session.environment.import(address, &Id::new(id.as_str())).await;
    let changes = imported.map_err(|error| session.error(&error))?;
    match globals.output {
        Format::Json => terminal::out(&lines::line(&json!({ "address": address, "id": id, "differs": changes })))?,
        Format::Human => {
            let title = paint(GREEN.bold(), &format!("{id} is {address} from now on, in the state and in its tags."));
            terminal::out(&format!("{title}\n{}", differences(&changes, &session)))?;
        }
    }
    Ok(Exit::Done)
}

fn differences(changes: &[FieldChange], session: &Session) -> String {
    if changes.is_empty() {
        return "  It is as the partner file says.\n".to_owned();
    }
    let line =
        |change: &FieldChange| format!("  {}: {} → {}\n", change.field, short(&change.before), short(&change.after));
    let lines: String = changes.iter().map(line).collect();
    format!("  The next provision changes of it:\n{lines}  = next: {}\n", session.next.command("plan --refresh full"))
}
