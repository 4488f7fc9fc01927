//! `rcm permissions`: what whoever runs rcm has to be allowed.

use std::fs;

use rcm::permissions::{LONGEST, Policy};

use super::save;
use crate::{
    args::{Format, Globals, PermissionsArgs},
    error::{CommandError, Exit},
    session::{Needs, Session},
    terminal,
};

pub(super) async fn run(globals: &Globals, args: &PermissionsArgs) -> Result<Exit, CommandError> {
    let session = Session::open(globals, Needs::state_only("permissions"), |_| {}).await?;
    let verbs: Vec<_> = args.verb.iter().copied().map(Into::into).collect();
    let policies = session.environment.permissions(&verbs).map_err(|error| session.error(&error))?;
    if let Some(directory) = &args.out {
        let refused = |error| CommandError::new(Exit::Failed, format!("cannot make {}: {error}", directory.display()));
        fs::create_dir_all(directory).map_err(refused)?;
        for policy in &policies {
            save(&directory.join(format!("{}.json", policy.name)), pretty(&policy.document)?.as_bytes())?;
        }
    }
    terminal::out(&match (globals.output, &args.out) {
        (Format::Json, _) => pretty(&policies)?,
        (Format::Human, None) => printed(&policies)?,
        (Format::Human, Some(directory)) => {
            let line = |policy: &Policy| {
                format!("  {} ({} of {LONGEST} characters)\n", file(directory, policy), policy.characters)
            };
            let made = |policy: &Policy| {
                let (name, file) = (&policy.name, file(directory, policy));
                format!("  aws iam create-policy --policy-name {name} --policy-document file://{file}\n")
            };
            let written: String = policies.iter().map(line).collect();
            let next: String = policies.iter().map(made).collect();
            format!("Written:\n{written}To make them, and attach them to the role that runs rcm then:\n{next}")
        }
    })?;
    Ok(Exit::Done)
}

fn file(directory: &std::path::Path, policy: &Policy) -> String {
    directory.join(format!("{}.json", policy.name)).display().to_string()
}

/// One is a document and nothing else, as `aws iam create-policy` wants it; several are told apart by their names.
fn printed(policies: &[Policy]) -> Result<String, CommandError> {
    if let [one] = policies {
        return pretty(&one.document);
    }
    let each = |policy: &Policy| {
        Ok(format!("# {} ({} of {LONGEST} characters)\n{}", policy.name, policy.characters, pretty(&policy.document)?))
    };
    let texts: Result<Vec<String>, CommandError> = policies.iter().map(each).collect();
    Ok(texts?.join("\n"))
}

fn pretty(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value);
    let text = text.map_err(|error| CommandError::new(Exit::Failed, format!("no JSON can be made: {error}")))?;
    Ok(text + "\n")
}
