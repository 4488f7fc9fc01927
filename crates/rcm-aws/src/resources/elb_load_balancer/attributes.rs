//! The spec's fields that a load balancer has as attributes: keys and values in text.

use std::collections::HashMap;

use aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute;
use rcm_engine::model::{Fault, Observed};
use serde_json::json;

use super::{Cx, Outputs, Spec};

const DELETION_PROTECTION: &str = "deletion_protection.enabled";
const DESYNC_MITIGATION: &str = "routing.http.desync_mitigation_mode";
const DROP_INVALID_HEADERS: &str = "routing.http.drop_invalid_header_fields.enabled";
const HTTP2: &str = "routing.http2.enabled";
const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";
const LOGS: &str = "access_logs.s3.enabled";
const LOGS_BUCKET: &str = "access_logs.s3.bucket";
const LOGS_PREFIX: &str = "access_logs.s3.prefix";

/// The attributes to set: all of them on a create, on an update those that change.
pub(super) fn changed(cx: &Cx<'_>, spec: &Spec) -> Result<Vec<LoadBalancerAttribute>, Fault> {
    let plain = [
        ("deletion_protection", DELETION_PROTECTION, spec.deletion_protection.to_string()),
        ("desync_mitigation", DESYNC_MITIGATION, spec.desync_mitigation.clone()),
        ("drop_invalid_headers", DROP_INVALID_HEADERS, spec.drop_invalid_headers.to_string()),
        ("http2", HTTP2, spec.http2.to_string()),
        ("idle_timeout", IDLE_TIMEOUT, spec.idle_timeout.to_string()),
    ];
    let plain = plain.into_iter().filter(|(field, ..)| cx.changes(field));
    let mut attributes: Vec<_> = plain.map(|(_, key, value)| attribute(key, value)).collect();
    if !cx.changes("access_logs") {
        return Ok(attributes);
    }
    match &spec.access_logs {
        None => attributes.push(attribute(LOGS, "false")),
        Some(logs) => attributes.extend([
            attribute(LOGS, "true"),
            attribute(LOGS_BUCKET, cx.id(&logs.bucket)?.as_str()),
            attribute(LOGS_PREFIX, &logs.prefix),
        ]),
    }
    Ok(attributes)
}

/// What makes a delete possible.
pub(super) fn unprotected() -> LoadBalancerAttribute {
    attribute(DELETION_PROTECTION, "false")
}

/// The live values. An attribute that the answer lacks is not seen.
pub(super) fn observe(seen: Observed<Outputs>, attributes: &[LoadBalancerAttribute]) -> Observed<Outputs> {
    let live: HashMap<_, _> = attributes.iter().filter_map(|found| Some((found.key()?, found.value()?))).collect();
    let seen = [
        ("deletion_protection", DELETION_PROTECTION),
        ("drop_invalid_headers", DROP_INVALID_HEADERS),
        ("http2", HTTP2),
    ]
    .into_iter()
    .filter_map(|(field, key)| Some((field, *live.get(key)? == "true")))
    .fold(seen, |seen, (field, on)| seen.see(field, on));
    let seen = match live.get(DESYNC_MITIGATION) {
        Some(mode) => seen.see("desync_mitigation", mode),
        None => seen,
    };
    let seen = match live.get(IDLE_TIMEOUT).and_then(|seconds| seconds.parse::<u16>().ok()) {
        Some(seconds) => seen.see("idle_timeout", seconds),
        None => seen,
    };
    match live.get(LOGS) {
        Some(&"true") => {
            let of = |key| live.get(key).copied().unwrap_or_default();
            seen.see("access_logs", json!({"bucket": of(LOGS_BUCKET), "prefix": of(LOGS_PREFIX)}))
        }
        Some(_) => seen.see("access_logs", None::<&str>),
        None => seen,
    }
}

fn attribute(key: &str, value: impl Into<String>) -> LoadBalancerAttribute {
    LoadBalancerAttribute::builder().key(key).value(value).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(attributes: &[LoadBalancerAttribute]) -> String {
        let outputs =
            Outputs { load_balancer_arn: String::new(), dns_name: String::new(), hosted_zone_id: String::new() };
        format!("{:?}", observe(Observed::new(outputs), attributes))
    }

    #[test]
    fn access_logs_read_as_the_bucket_and_prefix_that_they_go_to() {
        let on = seen(&[attribute(LOGS, "true"), attribute(LOGS_BUCKET, "logs-1"), attribute(LOGS_PREFIX, "alb")]);
        assert!(on.contains(r#""bucket": String("logs-1"), "prefix": String("alb")"#), "{on}");
        let off = seen(&[attribute(LOGS, "false"), attribute(LOGS_BUCKET, "")]);
        assert!(off.contains(r#""access_logs": Null"#), "{off}");
    }

    #[test]
    fn an_attribute_that_is_not_told_is_unknown() {
        assert!(!seen(&[attribute(HTTP2, "true")]).contains("idle_timeout"));
    }
}
