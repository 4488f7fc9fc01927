//! What is to be undone, and how that went, for people.

use std::time::Duration;

use rcm::{RolledBack, engine::store::Undo};

use super::{BOLD, GREEN, RED, YELLOW, count, duration, paint, report::failure, table::table};
use crate::session::Next;

/// What would be undone.
pub(crate) fn plan(undo: &[Undo], name: &str) -> String {
    let line = |undo: &Undo| {
        let (sign, what) = match undo {
            Undo::Create { .. } => ("-", "made by that run: is deleted"),
            Undo::Adopt { .. } => ("^", "was there before: stays, and rcm forgets it"),
            Undo::Update { .. } => ("~", "changed by that run: is put back"),
        };
        [sign.to_owned(), undo.key().0.to_string(), what.to_owned()]
    };
    let title = format!("The last run of {name} did not come to its end. To undo of it:");
    let lines: Vec<[String; 3]> = undo.iter().rev().map(line).collect();
    format!("{}\n{}", paint(BOLD, &title), table("  ", &lines))
}

/// How it went.
pub(crate) fn report(ended: &RolledBack, name: &str, took: Duration, next: &Next) -> String {
    if ended.undone.is_empty() {
        let title = paint(GREEN.bold(), &format!("There is nothing to undo in {name}."));
        return format!("{title} The last run came to its end, or was undone.\n");
    }
    if ended.interrupted {
        let title = paint(YELLOW.bold(), &format!("Stopped the rollback of {name}."));
        let rest = next.command("rollback");
        return format!("{title} What is not undone stays, and is known; to undo the rest: {rest}\n");
    }
    let undone = count(ended.undone.len() - ended.left.len(), "step");
    if ended.left.is_empty() {
        let title = paint(GREEN.bold(), &format!("Rolled {name} back in {}", duration(took)));
        return format!("{title}: {undone} undone. AWS is as it was before that run.\n");
    }
    let title = paint(RED.bold(), &format!("rollback of {name} is stuck after {}", duration(took)));
    let left: String = ended.left.iter().map(|(address, fault)| failure(address, fault)).collect();
    let again = next.command("rollback");
    format!(
        "{title}: {undone} undone, but not these, which still exist and are known:\n{left}  = next: mend it, then: {again}\n"
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use rcm::engine::model::{Address, Fault};

    use super::*;
    use crate::args::Cli;

    fn made(address: &str) -> Undo {
        Undo::Create { address: Address::new(address).unwrap(), generation: 1 }
    }

    #[test]
    fn what_is_left_is_named_with_the_command_that_tries_again() {
        let fault = Fault::invalid("DeleteVpc", "has dependencies");
        let left = vec![(Address::new("network/vpc").unwrap(), fault)];
        let ended =
            RolledBack { undone: vec![made("network/vpc"), made("network/subnet/public-a")], left, interrupted: false };
        let next = Next::of(&Cli::parse_from(["rcm", "rollback", "--partner", "acme"]).globals);
        let text = report(&ended, "acme/prod", Duration::from_secs(3), &next);
        let text = anstream::adapter::strip_str(&text).to_string();
        for part in
            ["is stuck after", "1 step undone", "  network/vpc\n", "next: mend it, then: rcm rollback --partner acme"]
        {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn what_was_made_last_is_undone_first() {
        let text = plan(&[made("network/vpc"), made("network/subnet/public-a")], "acme/prod");
        assert!(text.find("public-a").unwrap() < text.find("network/vpc").unwrap(), "{text}");
    }
}
