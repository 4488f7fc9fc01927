//! This machine: its clock, and the credentials that it has.

use jiff::{SignedDuration, Timestamp};
use rcm_aws::{Aws, Caller};
use rcm_engine::model::{Fault, FaultKind};

use crate::{Check, Verdict};

/// A clock that is this far off will soon be too far off.
const NOTICED: SignedDuration = SignedDuration::from_mins(1);
/// AWS takes no request whose signature is older or newer:
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html>.
const REFUSED: SignedDuration = SignedDuration::from_mins(5);
/// A first provision takes longer.
const SHORT: SignedDuration = SignedDuration::from_mins(15);

const SET_CLOCK: &str = "set this machine's clock by NTP, as in: sudo timedatectl set-ntp true";
const SIGN_IN: &str = "get new credentials the way these came, as in: aws sso login";

/// Who we are, if AWS takes the credentials, and what there is to say of clock and credentials.
pub(super) async fn look(aws: &Aws) -> (Result<Caller, Fault>, Vec<Check>) {
    let ((caller, ahead), end) = tokio::join!(aws.caller_and_clock(), aws.credentials_end());
    let now = Timestamp::now();
    (caller.clone(), vec![judge_clock(ahead), judge_credentials(caller.as_ref().map(|_| ()), end, now)])
}

fn judge_clock(ahead: Option<SignedDuration>) -> Check {
    let check = "here/clock";
    let Some(ahead) = ahead else { return Check::unseen(check, "no answer of AWS has said what time it is there") };
    let side = if ahead.is_negative() { "behind" } else { "ahead of" };
    let evidence = format!("{} seconds {side} AWS's", ahead.abs().as_secs());
    match ahead.abs() {
        off if off > REFUSED => {
            let evidence = format!("{evidence}; AWS takes no request that is more than 5 minutes off");
            Check::found(check, Verdict::Bad, evidence, SET_CLOCK)
        }
        off if off > NOTICED => Check::found(check, Verdict::Warn, evidence, SET_CLOCK),
        _ => Check::good(check, evidence),
    }
}

fn judge_credentials(caller: Result<(), &Fault>, end: Result<Option<Timestamp>, Fault>, now: Timestamp) -> Check {
    let check = "here/credentials";
    let bad = |evidence: String| Check::found(check, Verdict::Bad, evidence, SIGN_IN);
    let end = match (caller, end) {
        (Err(_), Err(none)) => return bad(format!("there are none, so nothing was asked: {none}")),
        (Err(silent), Ok(_)) if matches!(silent.kind, FaultKind::Transient | FaultKind::Throttled) => {
            let evidence = format!("AWS does not answer, so nothing else was asked: {silent}");
            return Check::found(
                check,
                Verdict::Bad,
                evidence,
                "see to this machine's way to AWS: network, proxy, DNS",
            );
        }
        (Err(refused), Ok(_)) => return bad(format!("AWS does not take them, so nothing else was asked: {refused}")),
        (Ok(()), Err(none)) => return Check::unseen(check, none.to_string()),
        (Ok(()), Ok(end)) => end,
    };
    let Some(end) = end else { return Check::good(check, "AWS takes them; they do not say when they end") };
    let left = end.duration_since(now);
    match left {
        left if left <= SignedDuration::ZERO => bad(format!("they ended at {end:.0}")),
        left if left < SHORT => {
            let evidence = format!("they end in {} minutes, at {end:.0}: a run may take longer", left.as_mins());
            Check::found(check, Verdict::Warn, evidence, SIGN_IN)
        }
        _ => Check::good(check, format!("AWS takes them until {end:.0}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_bad_when_aws_would_refuse_it_and_worth_a_word_before() {
        let verdict = |seconds| judge_clock(Some(SignedDuration::from_secs(seconds))).verdict;
        assert_eq!([0, -60, 60].map(verdict), [Verdict::Ok; 3]);
        assert_eq!([-61, 61, 300].map(verdict), [Verdict::Warn; 3]);
        assert_eq!([-301, 301, 86_400].map(verdict), [Verdict::Bad; 3]);
        assert_eq!(judge_clock(None).verdict, Verdict::Unknown);
        assert!(judge_clock(Some(SignedDuration::from_secs(-301))).evidence.starts_with("301 seconds behind AWS's"));
    }

    #[test]
    fn credentials_that_end_soon_are_worth_a_word_and_those_that_ended_are_bad() {
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let until = |end: &str| judge_credentials(Ok(()), Ok(end.parse().ok()), now);
        assert_eq!(until("2026-11-28T12:15:00Z").verdict, Verdict::Ok);
        assert_eq!(until("2026-11-28T12:14:59Z").verdict, Verdict::Warn);
        assert_eq!(until("2026-11-28T12:00:00Z").verdict, Verdict::Bad);
        assert!(until("").evidence.contains("do not say when they end"));
        let fault = |kind, code| Fault::ours(kind, "GetCallerIdentity", code, "no");
        let bad = judge_credentials(Err(&fault(FaultKind::Denied, "ExpiredToken")), Ok(None), now);
        assert!(bad.verdict == Verdict::Bad && bad.evidence.contains("AWS does not take them"), "{bad:?}");
        let silent = judge_credentials(Err(&fault(FaultKind::Transient, "Timeout")), Ok(None), now);
        assert!(silent.verdict == Verdict::Bad && silent.evidence.contains("AWS does not answer"), "{silent:?}");
    }
}
