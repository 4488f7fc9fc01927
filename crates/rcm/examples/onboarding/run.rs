//! One provision: what has happened in it so far, for those who watch now and those who come later, and how it ended.

use std::error::Error;

use futures::{Stream, StreamExt, stream};
use rcm::{
    Environment, Goal, PartnerConfig, Report, Settings,
    engine::{
        model::Events,
        plan::{Action, Plan},
        run::{Cancel, Outcome},
    },
};
use serde::Serialize;
use serde_json::json;
use tokio::{sync::watch, task::JoinError};

use crate::clouds::Clouds;

type Failure = Box<dyn Error + Send + Sync>;

/// A provision that is under way or over.
pub(crate) struct Run {
    pub(crate) cancel: Cancel,
    log: watch::Sender<Log>,
}

/// What has happened. Some hundreds of lines, and gone when the partner's next run begins.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    end: Option<End>,
}

/// How a run ended.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct End {
    /// `done`, `parked`, `cancelled`, `failed`; `refused` if nothing was begun.
    pub(crate) outcome: &'static str,
    /// What a person should know.
    pub(crate) notes: Vec<String>,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self { cancel: Cancel::new(), log: watch::Sender::default() }
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.log.borrow().end.clone()
    }

    /// Provisions, and writes down what happens. Ends when the run has.
    pub(crate) async fn provision(&self, config: PartnerConfig, settings: Settings, clouds: Clouds) {
        let (events, mut stream) = Events::stream();
        let settings = Settings { events, cancel: self.cancel.clone(), ..settings };
        // A task of its own: one that panics is a run that has failed, too. The stream ends with the environment.
        let run = tokio::spawn(provision(config, settings, clouds));
        while let Some(event) = stream.next().await {
            let line = serde_json::to_string(&event)
                .unwrap_or_else(|error| json!({ "unreadable": error.to_string() }).to_string());
            self.log.send_modify(|log| log.lines.push(line));
        }
        let end = End::of(run.await);
        self.log.send_modify(|log| log.end = Some(end));
    }

    /// Everything from the beginning, and what comes, as [server-sent events](https://html.spec.whatwg.org/multipage/server-sent-events.html):
    /// rcm's events as they are in its JSON, and at last one called `end`.
    pub(crate) fn messages(&self) -> impl Stream<Item = Result<String, std::convert::Infallible>> + use<> {
        stream::unfold(Some((self.log.subscribe(), 0)), |state| async {
            let (mut log, told) = state?;
            let (text, next) = {
                let log = log.wait_for(|log| log.lines.len() > told || log.end.is_some()).await.ok()?;
                let lines = log.lines[told..].iter().map(|line| format!("data: {line}\n\n"));
                let end = log.end.as_ref().map(|end| format!("event: end\ndata: {}\n\n", json!(end)));
                (lines.chain(end.clone()).collect(), end.is_none().then_some(log.lines.len()))
            };
            Some((Ok(text), next.map(|told| (log, told))))
        })
    }
}

async fn provision(config: PartnerConfig, settings: Settings, clouds: Clouds) -> Result<Report, Failure> {
    let settings = Settings { cloud: clouds.of(&config).await?, ..settings };
    let environment = Environment::open(config, settings).await?;
    Ok(environment.run(&Goal::provision(), only_makes).await?)
}

/// An onboarding makes things. Whatever else a plan has in mind is for a person to look at.
fn only_makes(plan: &Plan) -> bool {
    plan.steps().all(|step| matches!(step.action, Action::Create { .. } | Action::Adopt { .. } | Action::Complete))
}

impl End {
    fn of(run: Result<Result<Report, Failure>, JoinError>) -> Self {
        let refused = |why: String| Self { outcome: "refused", notes: vec![why] };
        let report = match run {
            Ok(Ok(report)) => report,
            Ok(Err(error)) => return refused(error.to_string()),
            Err(panic) => return Self { outcome: "failed", notes: vec![panic.to_string()] },
        };
        let (outcome, mut notes) = match report.outcome {
            Outcome::Done => ("done", Vec::new()),
            Outcome::Parked(waits) => {
                ("parked", waits.iter().map(|(at, what)| format!("{at} waits for {what}")).collect())
            }
            Outcome::Cancelled => ("cancelled", Vec::new()),
            Outcome::Failed { failures, .. } => {
                ("failed", failures.iter().map(|(at, fault)| format!("{at}: {fault}")).collect())
            }
        };
        notes.extend(report.notes);
        Self { outcome, notes }
    }
}
