//! The time of day, in the forms that AWS writes it in.

use jiff::Timestamp;

/// Milliseconds since 1970.
pub(crate) fn milliseconds() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Seconds since 1970, as the awsJson protocols write times. To the millisecond, as AWS does: with more digits a number is
/// not always read back as it was written.
pub(crate) fn now() -> f64 {
    milliseconds() as f64 / 1000.0
}

/// Seconds in that many days.
pub(crate) fn days(days: i64) -> f64 {
    days as f64 * 86_400.0
}

/// Now, as the query protocols write times.
pub(crate) fn timestamp() -> String {
    format!("{:.3}", Timestamp::now())
}

/// Now, as HTTP's `Date` says it.
pub(crate) fn http_date() -> String {
    Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
