//! Traces for OpenTelemetry, if its environment variables ask for them: a run is a trace, and each step a span of it.
//!
//! Spans are made of the run's events, so that nothing but this module knows of them, and are sent once, when the run is over: what
//! becomes of them can neither delay a run nor fail it. They hold addresses, kinds, ids and error codes; never what a request or an
//! answer said.
//!
//! The encoding is OTLP over HTTP with JSON (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>), written here: the crates of
//! OpenTelemetry bring gRPC's and protobuf's with them.

mod export;
mod settings;
mod spans;

use std::{
    env,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use rcm::{PartnerConfig, engine::model::Events};
use settings::Settings;
use spans::Spans;

use crate::{
    error::{CommandError, Exit},
    terminal,
};

/// The one trace of this process, from the first environment that is opened on.
static TRACE: OnceLock<Option<Trace>> = OnceLock::new();

struct Trace {
    settings: Settings,
    spans: Mutex<Option<Spans>>,
}

impl Trace {
    fn begin(verb: &str, config: &PartnerConfig) -> Option<Self> {
        let settings = settings::read(|name| env::var(name).ok());
        let settings = settings.unwrap_or_else(|why| {
            terminal::tell(&format!("no trace is sent: {why}\n"));
            None
        })?;
        let attributes = [
            ("rcm.partner", config.partner.clone()),
            ("rcm.environment", config.environment.clone()),
            ("cloud.provider", "aws".to_owned()),
            ("cloud.account.id", config.aws_account_id.as_str().to_owned()),
            ("cloud.region", config.aws_region.as_str().to_owned()),
        ];
        let spans = Spans::begin(&format!("rcm {verb}"), settings.parent.as_ref(), attributes)?;
        Some(Self { settings, spans: Mutex::new(Some(spans)) })
    }

    fn spans(&self) -> MutexGuard<'_, Option<Spans>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same events, of which the trace is told too. Where no trace is wanted, these.
pub(crate) fn told(events: Events, verb: &str, config: &PartnerConfig) -> Events {
    match TRACE.get_or_init(|| Trace::begin(verb, config)) {
        None => events,
        Some(trace) => events.through(|event| {
            if let Some(spans) = &mut *trace.spans() {
                spans.event(event);
            }
        }),
    }
}

/// Ends the trace and sends it. What cannot be sent is one line on stderr.
pub(crate) async fn end(result: &Result<Exit, CommandError>) {
    let Some(trace) = TRACE.get().and_then(Option::as_ref) else { return };
    let Some(spans) = trace.spans().take() else { return };
    let exit = result.as_ref().map_or_else(|error| error.exit, |exit| *exit);
    if let Err(why) = export::send(&trace.settings, &spans.finish(exit)).await {
        terminal::tell(&format!("the trace was not sent: {why}\n"));
    }
}
