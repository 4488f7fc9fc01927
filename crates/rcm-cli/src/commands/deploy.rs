//! `rcm deploy`: pushes an image and rolls the service out on it, or goes back to the image before.

mod build;
mod pushing;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use rcm::{
    Component, Error, Goal, Origin,
    config::ImageRef,
    engine::{model::Events, run::Cancel},
    image::{Pushed, Reference},
};

use super::{
    run::{Asked, Consent, Job, approve, nobody_to_ask, show_plan},
    show::{Show, keep_telling},
};
use crate::{
    args::{Deploy, Format, Globals, ServiceArg},
    error::{CommandError, Exit},
    render::{deploy, json, report},
    session::{Needs, Session},
    signals::{self, Stake},
    terminal,
};

const VERB: &str = "deploy";

pub(super) async fn run(globals: &Globals, args: &Deploy) -> Result<Exit, CommandError> {
    let result = work(globals, args).await;
    if let Err(error) = &result
        && globals.output == Format::Json
    {
        terminal::out(&json::error(error))?;
    }
    result
}

async fn work(globals: &Globals, args: &Deploy) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let show = Arc::new(Show::new(globals.output));
    // A push that is cut off has changed nothing that runs; from the run's beginning on there is something to be careful about.
    let (cancel, stake) = (Cancel::new(), Stake::new(false));
    let (shown, followed, said) = (Arc::clone(&show), stake.clone(), Arc::clone(&show));
    let events = Events::to(move |event| {
        followed.follow(event);
        shown.event(event);
    });
    signals::listen(cancel.clone(), stake, move |line| said.say(line))?;
    tokio::spawn(keep_telling(Arc::clone(&show)));
    let needs = Needs { verb: VERB, cloud: true, events, cancel: cancel.clone() };
    let session = Session::open(globals, needs, |_| {}).await?;
    let (image, pushed) = chosen(globals, args, &session).await?;
    if args.service == ServiceArg::Web {
        let text = deploy::web(&image, &session.name());
        terminal::out(&match globals.output {
            Format::Human => text,
            Format::Json => json::pushed(&image, pushed.as_ref(), &text),
        })?;
        return Ok(Exit::Done);
    }
    let goal = Goal { accepted: args.risks.accepted(), ..Goal::deploy(image.clone()) };
    let job = Job { verb: VERB, goal, consent: Consent::Yes };
    let asked = Asked::default();
    let environment = &session.environment;
    let result = environment.deploy(&job.goal, |plan| approve(globals, &job, &session, &show, &asked, plan)).await;
    show.finish();
    let deployed = match result {
        Ok(deployed) => deployed,
        Err(_) if cancel.is_cancelled() => {
            return Err(CommandError::new(Exit::Stopped, "stopped before anything new was begun"));
        }
        Err(Error::Declined) if asked.nobody() => return Err(nobody_to_ask(&session, &job)),
        Err(error) => {
            if let Error::Blocked(plan) | Error::Breaches { plan, .. } = &error {
                show_plan(&session, &show, plan, "", true);
            }
            return Err(session.error(&error));
        }
    };
    let exit = report::exit(&deployed.report.outcome);
    let told = deploy::Told { image: &image, name: &session.name(), took: begun.elapsed(), next: &session.next };
    terminal::out(&match globals.output {
        Format::Human => deploy::report(&deployed, &told),
        Format::Json => json::deployed(&deployed, exit, &told, pushed.as_ref()),
    })?;
    Ok(exit)
}

/// The image to deploy, pushed if it has to be.
async fn chosen(
    globals: &Globals,
    args: &Deploy,
    session: &Session,
) -> Result<(ImageRef, Option<Pushed>), CommandError> {
    if args.rollback {
        let image = session.environment.last_good().await.map_err(|error| session.error(&error))?;
        return Ok((image, None));
    }
    let built;
    let origin = match (&args.image, &args.build) {
        (Some(image), _) => origin(image)?,
        (None, Some(context)) => {
            built = build::build(context)?;
            Origin::Archive(built.archive())
        }
        (None, None) => return Err(CommandError::new(Exit::Usage, "no image is named").hint("give --image FILE|REF")),
    };
    let component = match args.service {
        ServiceArg::Api => Component::Api,
        ServiceArg::Web => Component::Web,
    };
    let pushing = pushing::Pushing::new(globals.output);
    let result = session.environment.push(&origin, component, &|happening| pushing.tell(&happening)).await;
    pushing.finish();
    let (pushed, image) = result.map_err(|error| session.error(&error))?;
    if globals.output == Format::Human {
        terminal::tell(&deploy::pushed(&pushed, &image));
    }
    Ok((image, Some(pushed)))
}

/// A file that exists is an archive, anything else a reference; what looks like a file and is none says so.
fn origin(image: &str) -> Result<Origin, CommandError> {
    let path = Path::new(image);
    if path.is_file() {
        return Ok(Origin::Archive(PathBuf::from(path)));
    }
    let looks_like_a_file = image.starts_with(['/', '.', '~']) || image.ends_with(".tar");
    if path.is_dir() || looks_like_a_file {
        let what = if path.is_dir() { "is a directory" } else { "is not there" };
        return Err(CommandError::new(Exit::Failed, format!("{image} {what}")).hint(
            "--image takes an archive (`docker save IMAGE -o FILE`, `podman save --format oci-archive`, `skopeo copy … \
             oci-archive:FILE`) or a reference as in ghcr.io/acme/api:1.4; --build CONTEXT builds one",
        ));
    }
    Reference::parse(image).map(Origin::Registry).map_err(|error| {
        CommandError::from_error(Exit::Usage, &error).hint("a reference is written as in ghcr.io/acme/api:1.4")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_an_archive_and_anything_else_a_reference() {
        let dir = tempfile::tempdir().unwrap();
        let file = tempfile::NamedTempFile::new_in(dir.path()).unwrap();
        assert!(matches!(origin(file.path().to_str().unwrap()), Ok(Origin::Archive(_))));
        assert!(matches!(origin("ghcr.io/acme/api:1.4"), Ok(Origin::Registry(_))));
        let refused = |image: &str| origin(image).unwrap_err().to_string();
        assert!(refused(dir.path().to_str().unwrap()).contains("is a directory"));
        assert!(refused("./api.tar").starts_with("./api.tar is not there"));
        assert!(refused("Acme/API").contains("names no image"));
    }
}
