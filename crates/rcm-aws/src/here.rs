//! What of this machine decides whether AWS listens to it: its clock, and its credentials.

use std::sync::{Arc, Mutex, PoisonError};

use aws_credential_types::provider::{ProvideCredentials, error::CredentialsError};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::FinalizerInterceptorContextRef, dyn_dispatch_hint},
        orchestrator::HttpResponse,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::{DateTime, config_bag::ConfigBag, date_time::Format};
use jiff::{SignedDuration, Timestamp};
use rcm_engine::model::{Fault, FaultKind};

use crate::{Aws, Caller};

/// Notes how far this machine's clock is before that of whoever answers: an HTTP answer says when it was made
/// ([RFC 9110, Date](https://www.rfc-editor.org/rfc/rfc9110#name-date)).
#[derive(Debug, Clone, Default)]
struct Clocks(Arc<Mutex<Option<SignedDuration>>>);

impl Clocks {
    fn ahead(&self) -> Option<SignedDuration> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Clocks {
    fn name(&self) -> &'static str {
        "Clocks"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(theirs) = context.response().and_then(date) {
            let ahead = Timestamp::now().duration_since(theirs);
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
        }
        Ok(())
    }
}

fn date(response: &HttpResponse) -> Option<Timestamp> {
    let date = DateTime::from_str(response.headers().get("date")?, Format::HttpDate).ok()?;
    Timestamp::from_second(date.secs()).ok()
}

impl Aws {
    /// Who we are, as [`caller`](Self::caller) asks, and how far this machine's clock is ahead of AWS's, to a second or two: known
    /// also where AWS refuses, unless it does not answer.
    pub async fn caller_and_clock(&self) -> (Result<Caller, Fault>, Option<SignedDuration>) {
        let clocks = Clocks::default();
        let caller = self.caller_through(|request| request.interceptor(clocks.clone())).await;
        (caller, clocks.ahead())
    }

    /// When the credentials end, as whoever gives them out says; `None` where that does not say.
    ///
    /// # Errors
    /// Where there are none.
    pub async fn credentials_end(&self) -> Result<Option<Timestamp>, Fault> {
        let Some(provider) = &self.credentials else { return Ok(None) };
        let credentials = provider.provide_credentials().await.map_err(|error| none_given(&error))?;
        Ok(credentials.expiry().and_then(|end| Timestamp::try_from(end).ok()))
    }
}

fn none_given(error: &CredentialsError) -> Fault {
    let mut why = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        why.push_str(&format!(": {source}"));
        cause = source.source();
    }
    Fault::ours(FaultKind::Denied, "credentials", "NoCredentials", why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aws::Connect, counter::Counter};

    #[tokio::test]
    async fn an_answer_says_how_far_the_clock_is_off_also_when_it_is_a_refusal() {
        let (day, hour) = (SignedDuration::from_hours(24), SignedDuration::from_hours(1));
        for (date, least, most) in [
            (Some("Sat, 01 Jan 2000 00:00:00 GMT"), Some(day), Some(SignedDuration::MAX)),
            (Some("Sat, 01 Jan 2400 00:00:00 GMT"), Some(SignedDuration::MIN), Some(-hour)),
            (None, None, None),
        ] {
            let body = r#"<ErrorResponse><Error><Code>RequestTimeTooSkewed</Code></Error></ErrorResponse>"#;
            let counter = Counter::answering(403, body).at(date);
            let connect =
                Connect { region: "us-east-1".into(), in_process: Some(counter.client()), ..Connect::default() };
            let (caller, ahead) = Aws::connect(&connect).await.caller_and_clock().await;
            assert_eq!(caller.unwrap_err().code, "RequestTimeTooSkewed");
            assert!(ahead >= least && ahead <= most, "{ahead:?} for {date:?}");
        }
    }
}
