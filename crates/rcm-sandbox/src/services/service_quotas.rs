//! Service Quotas: how much of something an account may have, as far as deployments like ours come near it.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `ListServiceQuotas`, `ListAWSDefaultServiceQuotas` | in pages; AWS's documented defaults, and what was granted since |
//! | `GetServiceQuota`, `GetAWSDefaultServiceQuota` | `NoSuchResourceException` for what is not there |
//! | `RequestServiceQuotaIncrease` | more than there is, and of what can be raised; granted at once, where AWS takes hours |
//!
//! The other services hold to none of it: whoever asks for more than the quota gets it.
//!
//! API: <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input};
use crate::page::page;
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::Fault;

/// Service, code, name and default: the endpoints and quotas pages of each service in the General Reference
/// (<https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html>). All of these can be raised.
const QUOTAS: &[(&str, &str, &str, f64)] = &[
    ("acm", "L-F141DD1D", "ACM certificates", 2500.0),
    ("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0),
    ("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", 50.0),
    ("elasticloadbalancing", "L-B22855CB", "Target Groups per Region", 3000.0),
    ("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", 6.0),
    ("kms", "L-C2F1777E", "Customer Master Keys (CMKs)", 100_000.0),
    ("rds", "L-7ADDB58A", "Total storage for all DB instances", 100_000.0),
    ("rds", "L-7B6409FD", "DB instances", 40.0),
    ("s3", "L-DC2B2D3D", "General purpose buckets", 10_000.0),
    ("secretsmanager", "L-2F66C23C", "Secrets", 500_000.0),
    ("vpc", "L-1B52E74A", "Gateway VPC endpoints per Region", 20.0),
    ("vpc", "L-29B6F2EB", "Interface VPC endpoints per VPC", 50.0),
    ("vpc", "L-A4707A72", "Internet gateways per Region", 5.0),
    ("vpc", "L-E79EC296", "VPC security groups per Region", 2500.0),
    ("vpc", "L-F678F1CE", "VPCs per Region", 5.0),
    ("vpc", "L-FE5A380F", "NAT gateways per Availability Zone", 5.0),
];

/// What was granted beyond the defaults, by `service/code`.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct ServiceQuotas {
    granted: BTreeMap<String, f64>,
}

impl Emulated for ServiceQuotas {
    const NAME: &'static str = "servicequotas";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        json::respond(request, |operation, input| emulator.lock().operate(cx, operation, input))
    }
}

impl ServiceQuotas {
    fn operate(&mut self, cx: &Context, operation: &str, input: &Input) -> Answer {
        match operation {
            "ListServiceQuotas" => self.list(cx, input, false),
            "ListAWSDefaultServiceQuotas" => self.list(cx, input, true),
            "GetServiceQuota" => Ok(json!({"Quota": self.shown(cx, asked(input)?, false)})),
            "GetAWSDefaultServiceQuota" => Ok(json!({"Quota": self.shown(cx, asked(input)?, true)})),
            "RequestServiceQuotaIncrease" => self.raise(cx, input),
            other => json::unknown_operation(other),
        }
    }

    fn list(&self, cx: &Context, input: &Input, defaults: bool) -> Answer {
        let service = need(input, "ServiceCode")?;
        let of_service: Vec<_> = QUOTAS.iter().filter(|quota| quota.0 == service).collect();
        if of_service.is_empty() {
            return Err(missing());
        }
        let size = input.number("MaxResults").and_then(|size| usize::try_from(size).ok());
        let (shown, next) = page(of_service, input.text("NextToken"), size);
        let shown: Vec<Value> = shown.into_iter().map(|quota| self.shown(cx, quota, defaults)).collect();
        Ok(json::without_nulls(json!({"Quotas": shown, "NextToken": next})))
    }

    fn raise(&mut self, cx: &Context, input: &Input) -> Answer {
        let quota = asked(input)?;
        let wanted = input.value("DesiredValue").and_then(Value::as_f64).unwrap_or_default();
        if wanted <= self.value(quota, false) {
            let message = "The desired value must be greater than the current quota value.";
            return Err(Fault::new("IllegalArgumentException", message));
        }
        self.granted.insert(key(quota), wanted);
        let shown = self.shown(cx, quota, false);
        Ok(json!({"RequestedQuota": {
            "Id": uuid::Uuid::new_v4().simple().to_string(),
            "ServiceCode": shown["ServiceCode"], "ServiceName": shown["ServiceName"],
            "QuotaCode": shown["QuotaCode"], "QuotaName": shown["QuotaName"],
            "DesiredValue": wanted, "Status": "APPROVED", "GlobalQuota": false, "Unit": "None",
        }}))
    }

    fn value(&self, quota: &Quota, default: bool) -> f64 {
        self.granted.get(&key(quota)).filter(|_| !default).copied().unwrap_or(quota.3)
    }

    fn shown(&self, cx: &Context, quota: &Quota, default: bool) -> Value {
        let (service, code, name, _) = quota;
        let account = if default { "" } else { &cx.account };
        json!({
            "ServiceCode": service,
            "ServiceName": service,
            "QuotaArn": format!("arn:aws:servicequotas:{}:{account}:{service}/{code}", cx.region),
            "QuotaCode": code,
            "QuotaName": name,
            "Value": self.value(quota, default),
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
        })
    }
}

type Quota = (&'static str, &'static str, &'static str, f64);

fn key((service, code, ..): &Quota) -> String {
    format!("{service}/{code}")
}

fn need<'a>(input: &'a Input, member: &str) -> Result<&'a str, Fault> {
    input.text(member).ok_or_else(|| Fault::new("IllegalArgumentException", format!("{member} must not be null.")))
}

fn asked(input: &Input) -> Result<&'static Quota, Fault> {
    let (service, code) = (need(input, "ServiceCode")?, need(input, "QuotaCode")?);
    QUOTAS.iter().find(|quota| (quota.0, quota.1) == (service, code)).ok_or_else(missing)
}

fn missing() -> Fault {
    Fault::new("NoSuchResourceException", "The request failed because the specified resource doesn't exist.")
}
