//! A listener: what a load balancer does with requests on one port.
//!
//! API: [CreateListener](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html),
//! [ModifyListener](https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html).
//!
//! Surprises: the load balancer need not be active, its ARN is enough. A certificate has to be issued, and may be unknown
//! (`CertificateNotFound`) for minutes after it was. Listeners have no names and no client token; they are told apart by load
//! balancer and port.

use aws_sdk_elasticloadbalancingv2::types::{
    Action as LiveAction, ActionTypeEnum, Certificate as LiveCertificate, Listener as Live, RedirectActionConfig,
    RedirectActionStatusCodeEnum,
};
use rcm_engine::model::{Actions, Deployment, Fault, FaultKind, Id, Known, Observed, Owned, Ref, Resource};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    acm_certificate::Certificate,
    batch::{each, in_order},
    elb::{claim, listed, ours, tagged},
    elb_load_balancer::LoadBalancer,
    elb_target_group::TargetGroup,
};
use crate::{
    Aws,
    classify::{absent, fault, missing},
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

const SERVICE: &str = "elasticloadbalancing";

/// What a listener should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The load balancer; its ARN is enough, so the reference may be an early one.
    pub load_balancer: Ref<LoadBalancer>,
    /// The port it listens on.
    pub port: u16,
    /// What clients speak (`HTTP`, `HTTPS`).
    pub protocol: String,
    /// The TLS versions and ciphers (`ELBSecurityPolicy-TLS13-1-2-Res-2021-06`); `None` for `HTTP`.
    pub ssl_policy: Option<String>,
    /// The certificate; `None` for `HTTP`.
    pub certificate: Option<Ref<Certificate>>,
    /// What it does with every request.
    pub action: Action,
}

/// What a listener does with requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Sends them to the healthy targets of a group: `{"forward": …}`.
    Forward(Ref<TargetGroup>),
    /// Answers 301 with the same address under `https`, port 443.
    RedirectToHttps,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:elasticloadbalancing:…:listener/app/…`
    pub listener_arn: String,
}

/// A listener.
pub struct Listener;

impl Resource for Listener {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "elb/listener";
    const REPLACE_ON: &'static [&'static str] = &["load_balancer"];
    const TAGGED: bool = true;

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let request = cx.cloud.elb.create_listener().load_balancer_arn(cx.id(&spec.load_balancer)?.as_str());
        let request = request.port(spec.port.into()).protocol(spec.protocol.as_str().into());
        let request = request.set_ssl_policy(spec.ssl_policy.clone()).set_certificates(certificates(cx, spec)?);
        let request = request.default_actions(action(cx, &spec.action)?).set_tags(Some(tagged(cx.identity)));
        let answer = request.send().await.map_err(fault(SERVICE, "CreateListener"))?;
        let arn = answer.listeners().first().and_then(|listener| listener.listener_arn());
        arn.map(Id::from).ok_or_else(|| missing(SERVICE, "CreateListener", "ListenerArn"))
    }

    async fn configure(cx: &Cx<'_>, id: &Id, spec: &Spec) -> Result<(), Fault> {
        if cx.creating() {
            return Ok(());
        }
        let request = cx.cloud.elb.modify_listener().listener_arn(id.as_str());
        let request = request.port(spec.port.into()).protocol(spec.protocol.as_str().into());
        let request = request.set_ssl_policy(spec.ssl_policy.clone()).set_certificates(certificates(cx, spec)?);
        let request = request.default_actions(action(cx, &spec.action)?);
        request.send().await.map(drop).map_err(fault(SERVICE, "ModifyListener"))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(absent(describe(cx.cloud, &[id]).await)?.unwrap_or_default().first().map(observe))
    }

    async fn read_many(known: &[Known<'_, Aws>]) -> Result<Vec<Option<Observed<Outputs>>>, Fault> {
        let Some(first) = known.first() else { return Ok(Vec::new()) };
        let ids: Vec<_> = known.iter().map(|known| known.id).collect();
        match describe(first.cx.cloud, &ids).await {
            // One that is gone fails the others, and does not say which it is.
            Err(fault) if fault.kind == FaultKind::NotFound => each::<Self>(known).await,
            listeners => Ok(in_order(&ids, listeners?, |listener| listener.listener_arn(), observe)),
        }
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        // Without its load balancer there is no listener.
        let Ok(balancer) = cx.id(&spec.load_balancer) else { return Ok(None) };
        let request = cx.cloud.elb.describe_listeners().load_balancer_arn(balancer.as_str());
        let pages = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let listeners = absent(pages.map_err(fault(SERVICE, "DescribeListeners")))?.unwrap_or_default();
        let on_port = listeners.into_iter().filter(|listener| listener.port() == Some(spec.port.into()));
        let arns = on_port.filter_map(|listener| listener.listener_arn).collect();
        Ok(ours(cx.cloud, cx.identity, arns).await?.map(Id::from))
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.elb.delete_listener().listener_arn(id.as_str());
        request.send().await.map(drop).map_err(fault(SERVICE, "DeleteListener"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut arns = Vec::new();
        for balancer in LoadBalancer::list(aws, deployment).await? {
            let request = aws.elb.describe_listeners().load_balancer_arn(balancer.id.as_str());
            let pages = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            let listeners = absent(pages.map_err(fault(SERVICE, "DescribeListeners")))?.unwrap_or_default();
            arns.extend(listeners.into_iter().filter_map(|listener| listener.listener_arn));
        }
        listed(aws, deployment, arns).await
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        claim(cx, id).await
    }

    fn actions() -> Actions {
        Actions {
            write: &[
                "elasticloadbalancing:CreateListener",
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:ModifyListener",
                "acm:DescribeCertificate",
            ],
            read: &[
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTags",
            ],
            delete: &["elasticloadbalancing:DeleteListener"],
        }
    }
}

fn certificates(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Vec<LiveCertificate>>, Fault> {
    let Some(certificate) = &spec.certificate else { return Ok(None) };
    let arn = cx.id(certificate)?;
    Ok(Some(vec![LiveCertificate::builder().certificate_arn(arn.as_str()).build()]))
}

fn action(cx: &Cx<'_>, action: &Action) -> Result<LiveAction, Fault> {
    let built = match action {
        Action::Forward(target) => {
            LiveAction::builder().r#type(ActionTypeEnum::Forward).target_group_arn(cx.id(target)?.as_str()).build()
        }
        Action::RedirectToHttps => {
            LiveAction::builder().r#type(ActionTypeEnum::Redirect).redirect_config(to_https()).build()
        }
    };
    Ok(built)
}

/// Host, path and query stay as they are unless told otherwise.
fn to_https() -> RedirectActionConfig {
    let config = RedirectActionConfig::builder().protocol("HTTPS").port("443");
    config.status_code(RedirectActionStatusCodeEnum::Http301).build()
}

async fn describe(aws: &Aws, ids: &[&Id]) -> Result<Vec<Live>, Fault> {
    let arns = ids.iter().map(ToString::to_string).collect();
    let pages = aws.elb.describe_listeners().set_listener_arns(Some(arns)).into_paginator().items().send();
    pages.collect::<Result<Vec<_>, _>>().await.map_err(fault(SERVICE, "DescribeListeners"))
}

fn observe(listener: &Live) -> Observed<Outputs> {
    let certificate = listener.certificates().first().and_then(|certificate| certificate.certificate_arn());
    Observed::new(Outputs { listener_arn: listener.listener_arn().unwrap_or_default().to_owned() })
        .see("load_balancer", listener.load_balancer_arn())
        .see("port", listener.port())
        .see("protocol", listener.protocol().map(|protocol| protocol.as_str()))
        .see("ssl_policy", listener.ssl_policy())
        .see("certificate", certificate)
        .see("action", live_action(listener.default_actions()))
}

/// The live actions as a spec would say them, or in words that no spec says.
fn live_action(actions: &[LiveAction]) -> Value {
    let [action] = actions else { return json!(format!("{} actions", actions.len())) };
    let target = action.target_group_arn().or_else(|| match action.forward_config()?.target_groups() {
        [only] => only.target_group_arn(),
        _ => None,
    });
    let kind = action.r#type().map_or("none", |kind| kind.as_str());
    match (kind, target) {
        ("forward", Some(target)) => json!({"forward": target}),
        ("redirect", _) if action.redirect_config().is_some_and(keeps_all_but_https) => json!("redirect-to-https"),
        _ => json!(format!("another {kind}")),
    }
}

fn keeps_all_but_https(redirect: &RedirectActionConfig) -> bool {
    let kept = |live: Option<&str>, placeholder: &str| live.is_none_or(|live| live == placeholder);
    redirect.protocol() == Some("HTTPS")
        && redirect.port() == Some("443")
        && redirect.status_code() == Some(&RedirectActionStatusCodeEnum::Http301)
        && kept(redirect.host(), "#{host}")
        && kept(redirect.path(), "/#{path}")
        && kept(redirect.query(), "#{query}")
}

#[cfg(test)]
mod tests {
    use rcm_engine::model::Address;

    use super::*;

    fn redirect(config: RedirectActionConfig) -> Vec<LiveAction> {
        vec![LiveAction::builder().r#type(ActionTypeEnum::Redirect).redirect_config(config).build()]
    }

    #[test]
    fn live_actions_read_as_a_spec_would_say_them() {
        let target = Ref::<TargetGroup>::to(Address::new("edge/targets").unwrap());
        let spec = serde_json::to_value(Action::Forward(target)).unwrap();
        assert_eq!(spec, json!({"forward": {"$ref": "edge/targets"}}));
        let forward = LiveAction::builder().r#type(ActionTypeEnum::Forward).target_group_arn("arn:targets").build();
        assert_eq!(live_action(&[forward]), json!({"forward": "arn:targets"}));
        let spec = serde_json::to_value(Action::RedirectToHttps).unwrap();
        assert_eq!(live_action(&redirect(to_https())), spec);
    }

    #[test]
    fn a_redirect_elsewhere_is_drift() {
        let elsewhere = RedirectActionConfig::builder().protocol("HTTPS").port("443").host("example.com");
        let elsewhere = elsewhere.status_code(RedirectActionStatusCodeEnum::Http301).build();
        assert_eq!(live_action(&redirect(elsewhere)), json!("another redirect"));
        assert_eq!(live_action(&[]), json!("0 actions"));
    }
}
