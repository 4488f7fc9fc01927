//! What the application has written, and what it writes now.

use std::{collections::BTreeSet, ops::ControlFlow, time::Duration};

use jiff::Timestamp;
use rcm_aws::{LogEvent, LogPage};
use rcm_engine::{
    model::{Address, Fault, FaultKind},
    store::State,
};

use super::Environment;
use crate::Error;

/// The IAM actions that looking at the logs needs.
pub const LOGS_ACTIONS: &[&str] = &["logs:FilterLogEvents"];

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);
/// How late an event may come to CloudWatch after the newest one that was seen, and is found all the same.
const OVERLAP: Duration = Duration::from_mins(1);
/// How far this machine's clock may be wrong: AWS takes no signature of one that is farther off.
const CLOCKS: Duration = Duration::from_mins(5);
/// How often a page is asked for anew, where AWS wants fewer calls or does not answer.
const TRIES: u32 = 10;
/// The longest pause before that.
const LONGEST: Duration = Duration::from_secs(30);

/// Where the output of ECS tasks goes.
const GROUP: &str = "storage/log-group/application";
/// App Runner has groups of its own.
const APP_RUNNER: &str = "compute/app-runner";

/// Which events are wanted.
#[derive(Debug, Clone)]
pub struct LogQuery {
    /// Those of this time and later.
    pub since: Timestamp,
    /// A [filter pattern](https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html) of CloudWatch Logs.
    pub pattern: Option<String>,
    /// Whether to go on with what comes, until somebody cancels.
    pub follow: bool,
}

impl Environment {
    /// Tells each event of the application's logs once, those of a look in the order of their times, until `tell` breaks off.
    /// Sends only calls that read, and takes no lock.
    ///
    /// Throttling is waited out. An event that reaches CloudWatch more than a minute after a newer one is not found by
    /// somebody who follows; whoever looks again finds it.
    ///
    /// # Errors
    /// Where there is no log group yet, or it cannot be read.
    pub async fn logs(
        &self,
        query: &LogQuery,
        mut tell: impl FnMut(&LogEvent) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let state = self.state_aside().await?;
        self.check_state(&state.deployment)?;
        let group = group(&state)?;
        self.check_account().await?;
        let mut known = query.follow.then(|| Known::since(query.since));
        let mut from = query.since;
        loop {
            let begun = Timestamp::now();
            let mut next = None;
            loop {
                let Some(page) = self.page(&group, from, query, next).await? else { return Ok(()) };
                for event in &page.events {
                    let is_new = known.as_mut().is_none_or(|known| known.is_new(event, begun));
                    if is_new && tell(event).is_break() {
                        return Ok(());
                    }
                }
                next = page.next;
                if next.is_none() {
                    break;
                }
            }
            let Some(known) = &mut known else { return Ok(()) };
            from = known.looked(begun);
            if tokio::time::timeout(EVERY, self.settings.cancel.cancelled()).await.is_ok() {
                return Ok(());
            }
        }
    }

    /// A page, however often it has to be asked for; `None` once somebody has cancelled.
    async fn page(
        &self,
        group: &str,
        since: Timestamp,
        query: &LogQuery,
        next: Option<String>,
    ) -> Result<Option<LogPage>, Fault> {
        let mut pause = EVERY;
        for tried in 1.. {
            match self.aws.log_events(group, since, query.pattern.as_deref(), next.clone()).await {
                Ok(page) => return Ok(Some(page)),
                Err(fault) if tried == TRIES || !may_pass(&fault) => return Err(fault),
                Err(fault) => tracing::debug!(%fault, "asked again"),
            }
            if tokio::time::timeout(pause, self.settings.cancel.cancelled()).await.is_ok() {
                break;
            }
            pause = (pause * 2).min(LONGEST);
        }
        Ok(None)
    }
}

fn may_pass(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Throttled | FaultKind::Transient)
}

/// The log group that the application writes to.
pub(super) fn group(state: &State) -> Result<String, Error> {
    let id = |address: &str| {
        let record = state.resources.get(&Address::new(address).ok()?)?;
        record.id.as_ref().map(ToString::to_string)
    };
    if let Some(group) = id(APP_RUNNER).as_deref().and_then(of_app_runner) {
        return Ok(group);
    }
    let address = Address::new(GROUP).map_err(|error| Fault::invalid("address", error.to_string()))?;
    id(GROUP).ok_or(Error::NotInState(address))
}

/// The group that App Runner makes for what the application writes
/// ([logs](https://docs.aws.amazon.com/apprunner/latest/dg/monitor-cwl.html)), from the service's ARN.
fn of_app_runner(arn: &str) -> Option<String> {
    let (name, id) = arn.split_once(":service/")?.1.split_once('/')?;
    Some(format!("/aws/apprunner/{name}/{id}/application"))
}

/// What was told already, as far as it can be seen again.
struct Known {
    /// Where the next look begins.
    from: Timestamp,
    newest: Option<Timestamp>,
    told: BTreeSet<(Timestamp, String)>,
}

impl Known {
    fn since(from: Timestamp) -> Self {
        Self { from, newest: None, told: BTreeSet::new() }
    }

    /// Whether an event that a look of `begun` has shown was not told yet; it counts as told from now on.
    fn is_new(&mut self, event: &LogEvent, begun: Timestamp) -> bool {
        let is_new = self.told.insert((event.at, event.id.clone()));
        // Of a time to come a clock says that is wrong: what others write until then is not to be missed.
        let newest = self.newest.max(Some(event.at)).unwrap_or(event.at);
        self.newest = Some(newest);
        self.forget(newest.min(begun).checked_sub(OVERLAP));
        is_new
    }

    /// A look of `begun` is over: where the next begins. Not where this one did, even if it has found nothing: of a long time in
    /// which nothing matches, all would be searched again and again.
    fn looked(&mut self, begun: Timestamp) -> Timestamp {
        self.forget(begun.checked_sub(CLOCKS));
        self.from
    }

    /// What is before that is not looked at any more.
    fn forget(&mut self, before: Result<Timestamp, jiff::Error>) {
        self.from = self.from.max(before.unwrap_or(self.from));
        self.told = self.told.split_off(&(self.from, String::new()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(second: i64, id: &str) -> LogEvent {
        let at = Timestamp::from_second(second).unwrap();
        LogEvent { at, stream: "api/api/1".into(), message: "hello".into(), id: id.into() }
    }

    #[test]
    fn a_late_event_is_told_once_and_a_clock_that_is_wrong_hides_nothing() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut known = Known::since(at(0));
        assert!(known.is_new(&event(100, "a"), at(110)) && !known.is_new(&event(100, "a"), at(110)));
        assert!(known.is_new(&event(100, "b"), at(110)), "of the same time");
        assert_eq!(known.from, at(40));
        assert!(known.is_new(&event(90, "late"), at(112)) && !known.is_new(&event(90, "late"), at(114)));
        assert!(known.is_new(&event(9_000, "ahead"), at(116)));
        assert_eq!(known.from, at(56), "a minute before the look and not before that event");
        assert!(known.is_new(&event(110, "c"), at(118)));
        assert!(known.is_new(&event(400, "d"), at(410)));
        assert_eq!(known.looked(at(420)), at(350), "the newest event decides where there is one");
        assert_eq!(known.looked(at(9_300)), at(9_000), "and this machine's clock where nothing matches");
        assert!(!known.is_new(&event(9_000, "ahead"), at(9_300)));
    }

    #[test]
    fn what_cannot_be_seen_again_need_not_be_known() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut known = Known::since(at(0));
        assert!(known.is_new(&event(110, "c"), at(118)) && known.is_new(&event(400, "d"), at(410)));
        assert_eq!(known.told.len(), 1, "{:?}", known.told);
    }

    #[test]
    fn app_runner_names_its_groups_by_the_service() {
        let arn = "arn:aws:apprunner:us-east-1:123456789012:service/acme-rcm-prod-api/8fe1e10304f84fd2b0df550fe98a71fa";
        let group = "/aws/apprunner/acme-rcm-prod-api/8fe1e10304f84fd2b0df550fe98a71fa/application";
        assert_eq!(of_app_runner(arn).as_deref(), Some(group));
    }
}
