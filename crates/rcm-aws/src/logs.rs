//! What applications have written, as CloudWatch Logs keeps it.

use jiff::Timestamp;
use rcm_engine::model::Fault;
use serde::Serialize;

use crate::{
    Aws,
    classify::{fault, missing},
};

/// A line, or several, that a task has written at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogEvent {
    /// When, to the millisecond, by the clock of whoever wrote it.
    pub at: Timestamp,
    /// Which stream: `api/api/TASK` on ECS.
    pub stream: String,
    /// What: whatever the application wrote.
    pub message: String,
    /// What CloudWatch Logs knows it by; no two events of a group have the same.
    pub id: String,
}

/// A part of the events that were asked for. It may have none of them although more follow.
#[derive(Debug)]
pub struct LogPage {
    /// In the order of their times.
    pub events: Vec<LogEvent>,
    /// What to ask the next page by; `None` on the last one.
    pub next: Option<String>,
}

impl Aws {
    /// A page of a log group's events since a time, those that the pattern matches
    /// ([FilterLogEvents](https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html)).
    pub async fn log_events(
        &self,
        group: &str,
        since: Timestamp,
        pattern: Option<&str>,
        next: Option<String>,
    ) -> Result<LogPage, Fault> {
        const CALL: &str = "FilterLogEvents";
        let request = self.logs.filter_log_events().log_group_name(group).start_time(since.as_millisecond());
        let request = request.set_filter_pattern(pattern.map(str::to_owned)).set_next_token(next);
        let answer = request.send().await.map_err(fault("logs", CALL))?;
        let events = answer.events.unwrap_or_default().into_iter().map(|event| {
            let at = event.timestamp.and_then(|at| Timestamp::from_millisecond(at).ok());
            Ok(LogEvent {
                at: at.ok_or_else(|| missing("logs", CALL, "timestamp"))?,
                stream: event.log_stream_name.unwrap_or_default(),
                message: event.message.unwrap_or_default(),
                id: event.event_id.ok_or_else(|| missing("logs", CALL, "eventId"))?,
            })
        });
        Ok(LogPage { events: events.collect::<Result<_, Fault>>()?, next: answer.next_token })
    }
}
