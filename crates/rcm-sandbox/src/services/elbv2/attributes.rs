//! Attributes of load balancers and target groups: AWS's keys, defaults and checks.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Elbv2, invalid};
use crate::json::one_or_many;
use crate::neighbours;
use crate::service::Context;
use crate::wire::{Fault, Params, Xml};

/// Key to value.
pub(super) type Attributes = BTreeMap<String, String>;

const ANY_LOAD_BALANCER: [(&str, &str); 5] = [
    ("deletion_protection.enabled", "false"),
    ("access_logs.s3.enabled", "false"),
    ("access_logs.s3.bucket", ""),
    ("access_logs.s3.prefix", ""),
    ("zonal_shift.config.enabled", "false"),
];

const APPLICATION: [(&str, &str); 18] = [
    ("client_keep_alive.seconds", "3600"),
    ("connection_logs.s3.bucket", ""),
    ("connection_logs.s3.enabled", "false"),
    ("connection_logs.s3.prefix", ""),
    ("health_check_logs.s3.bucket", ""),
    ("health_check_logs.s3.enabled", "false"),
    ("health_check_logs.s3.prefix", ""),
    ("idle_timeout.timeout_seconds", "60"),
    ("ipv6.deny_all_igw_traffic", "false"),
    ("load_balancing.cross_zone.enabled", "true"),
    ("routing.http.desync_mitigation_mode", "defensive"),
    ("routing.http.drop_invalid_header_fields.enabled", "false"),
    ("routing.http.preserve_host_header.enabled", "false"),
    ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", "false"),
    ("routing.http.xff_client_port.enabled", "false"),
    ("routing.http.xff_header_processing.mode", "append"),
    ("routing.http2.enabled", "true"),
    ("waf.fail_open.enabled", "false"),
];

const NETWORK: [(&str, &str); 3] = [
    ("dns_record.client_routing_policy", "any_availability_zone"),
    ("ipv6.deny_all_igw_traffic", "false"),
    ("load_balancing.cross_zone.enabled", "false"),
];

const TARGET_GROUP: [(&str, &str); 8] = [
    ("deregistration_delay.timeout_seconds", "300"),
    ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
    ("stickiness.enabled", "false"),
    ("stickiness.type", "lb_cookie"),
    ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
    ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
];

const HTTP_TARGET_GROUP: [(&str, &str); 6] = [
    ("load_balancing.algorithm.anomaly_mitigation", "off"),
    ("load_balancing.algorithm.type", "round_robin"),
    ("slow_start.duration_seconds", "0"),
    ("stickiness.app_cookie.cookie_name", ""),
    ("stickiness.app_cookie.duration_seconds", "86400"),
    ("stickiness.lb_cookie.duration_seconds", "86400"),
];

const TCP_TARGET_GROUP: [(&str, &str); 4] = [
    ("deregistration_delay.connection_termination.enabled", "false"),
    ("preserve_client_ip.enabled", "true"),
    ("proxy_protocol_v2.enabled", "false"),
    ("stickiness.type", "source_ip"),
];

/// The attributes of a new load balancer.
pub(super) fn of_load_balancer(kind: &str) -> Attributes {
    let own: &[_] = if kind == "application" { &APPLICATION } else { &NETWORK };
    defaults(&ANY_LOAD_BALANCER, own)
}

/// The attributes of a new target group.
pub(super) fn of_target_group(http: bool) -> Attributes {
    defaults(&TARGET_GROUP, if http { &HTTP_TARGET_GROUP } else { &TCP_TARGET_GROUP })
}

fn defaults(common: &[(&str, &str)], own: &[(&str, &str)]) -> Attributes {
    common.iter().chain(own).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// `attributes` with what the request changes.
fn changed(attributes: &Attributes, params: &Params, what: &str) -> Result<Attributes, Fault> {
    let mut changed = attributes.clone();
    for attribute in params.structs("Attributes.member") {
        let (key, value) = (attribute.require("Key")?, attribute.get("Value").unwrap_or_default());
        let Some(known) = changed.get_mut(key) else {
            return Err(invalid(format!("{what} attribute key '{key}' is not recognized")));
        };
        let boolean = known == "true" || known == "false";
        if boolean && value != "true" && value != "false" {
            return Err(invalid(format!("The value '{value}' of '{key}' must be 'true' or 'false'")));
        }
        check_range(key, value)?;
        value.clone_into(known);
    }
    Ok(changed)
}

fn check_range(key: &str, value: &str) -> Result<(), Fault> {
    let range = match key {
        "idle_timeout.timeout_seconds" => 1..=4000,
        "client_keep_alive.seconds" => 60..=604_800,
        "deregistration_delay.timeout_seconds" => 0..=3600,
        "slow_start.duration_seconds" => 0..=900,
        _ => return Ok(()),
    };
    if value.parse::<u32>().is_ok_and(|number| range.contains(&number)) {
        return Ok(());
    }
    Err(invalid(format!("The value of '{key}' must be between {} and {}", range.start(), range.end())))
}

fn shown(attributes: &Attributes) -> Xml {
    let mut xml = Xml::default();
    xml.list("Attributes", "member", attributes, |item, (key, value)| {
        item.text("Key", key).text("Value", value);
    });
    xml
}

impl Elbv2 {
    /// The attributes that the request's load balancer is to have.
    pub(super) fn changed_attributes(&mut self, params: &Params) -> Result<Attributes, Fault> {
        changed(&self.load_balancer(params)?.attributes, params, "Load balancer")
    }

    pub(super) fn modify_load_balancer_attributes(&mut self, params: &Params) -> Result<Xml, Fault> {
        let changed = self.changed_attributes(params)?;
        let balancer = self.load_balancer(params)?;
        balancer.attributes = changed;
        Ok(shown(&balancer.attributes))
    }

    pub(super) fn describe_load_balancer_attributes(&mut self, params: &Params) -> Result<Xml, Fault> {
        Ok(shown(&self.load_balancer(params)?.attributes))
    }

    pub(super) fn modify_target_group_attributes(&mut self, params: &Params) -> Result<Xml, Fault> {
        let group = self.target_group(params)?;
        group.attributes = changed(&group.attributes, params, "Target group")?;
        Ok(shown(&group.attributes))
    }

    pub(super) fn describe_target_group_attributes(&mut self, params: &Params) -> Result<Xml, Fault> {
        Ok(shown(&self.target_group(params)?.attributes))
    }
}

/// Refuses access logs that could not be delivered: the bucket must exist, be encrypted with SSE-S3 (not SSE-KMS), and let
/// the log delivery write.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>
pub(super) async fn check_access_logs(cx: &Context, attributes: &Attributes) -> Result<(), Fault> {
    let value = |key: &str| attributes.get(key).map(String::as_str).unwrap_or_default();
    if value("access_logs.s3.enabled") != "true" {
        return Ok(());
    }
    let bucket = value("access_logs.s3.bucket");
    if bucket.is_empty() {
        let message = "The value of 'access_logs.s3.bucket' must not be empty when access logs are enabled";
        return Err(Fault::new("InvalidConfigurationRequest", message));
    }
    let encryption = neighbours::bucket(cx, bucket, "encryption").await;
    let under_kms = encryption.is_none_or(|answer| String::from_utf8_lossy(&answer.body).contains("aws:kms"));
    let policy = neighbours::bucket(cx, bucket, "policy").await.filter(|answer| answer.status == 200);
    let writable = policy.is_some_and(|answer| lets_write(&answer.body, bucket));
    if under_kms || !writable {
        let message = format!("Access Denied for bucket: {bucket}. Please check S3bucket permission");
        return Err(Fault::new("InvalidConfigurationRequest", message));
    }
    Ok(())
}

/// Whether a bucket policy lets the log delivery put objects: as a service, or, in the older form, as an account of AWS.
fn lets_write(policy: &[u8], bucket: &str) -> bool {
    let Ok(policy) = serde_json::from_slice::<Value>(policy) else { return false };
    let allows = |statement: &Value| {
        let actions = ["s3:PutObject", "s3:Put*", "s3:*", "*"];
        let principal = &statement["Principal"];
        let service = "logdelivery.elasticloadbalancing.amazonaws.com";
        statement["Effect"] == "Allow"
            && texts(&statement["Action"]).iter().any(|action| actions.contains(action))
            && texts(&statement["Resource"]).iter().any(|resource| resource.contains(&format!(":::{bucket}/")))
            && (texts(&principal["Service"]).contains(&service) || !texts(&principal["AWS"]).is_empty())
    };
    one_or_many(policy.get("Statement")).iter().any(|statement| allows(statement))
}

fn texts(value: &Value) -> Vec<&str> {
    one_or_many(Some(value)).into_iter().filter_map(Value::as_str).collect()
}
