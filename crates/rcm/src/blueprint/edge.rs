//! Where the world comes in: certificate, load balancer, listeners, DNS records.

use rcm_aws::resources::{
    acm_certificate::{self, Certificate},
    elb_listener::{self, Action, Listener},
    elb_load_balancer::{self, AccessLogs, LoadBalancer},
    elb_target_group::{self, HealthCheck, TargetGroup},
    route53_record::{self, Alias, Content, DnsRecord},
};
use rcm_engine::model::{Graph, Ref};

use super::{Blueprint, compute::CONTAINER_PORT, firewall, network::Network, security::Security, storage::Storage};
use crate::config::HostedZoneId;

/// The address of the record that proves the domain to Certificate Manager.
pub const PROOF: &str = "edge/record/validation";

/// What others need of this layer.
pub(super) struct Edge {
    pub(super) balancer: Ref<LoadBalancer>,
    pub(super) target_group: Ref<TargetGroup>,
    /// The listener that forwards to the service. ECS refuses a target group that no listener forwards to.
    pub(super) forwarding: Ref<Listener>,
}

pub(super) fn add(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    network: &Network,
    security: &Security,
    storage: &Storage,
) -> Edge {
    let balancer = graph.add::<LoadBalancer>("edge/load-balancer", balancer(plan, network, security, storage));
    // Its public addresses keep the internet gateway from being detached, so the gateway's routes have to outlive it.
    graph.after(&balancer, &network.internet);
    let firewall = firewall::add(graph, plan, security, &balancer);
    let target_group = graph.add::<TargetGroup>("edge/target-group", target_group(plan, network));
    let forward = Action::Forward(target_group.clone());
    let forwarding = match &plan.config.domain_name {
        None => listener(graph, plan, "http", &balancer, None, forward),
        Some(domain) => {
            let certificate = certificate(graph, domain);
            proof(graph, plan, domain, &certificate);
            listener(graph, plan, "http", &balancer, None, Action::RedirectToHttps);
            let https = listener(graph, plan, "https", &balancer, Some(certificate), forward);
            let alias = alias(graph, plan, domain, &balancer, &https);
            if let (Some(alias), Some(firewall)) = (&alias, &firewall) {
                graph.after(alias, firewall);
            }
            https
        }
    };
    Edge { balancer, target_group, forwarding }
}

fn certificate(graph: &mut Graph, domain: &str) -> Ref<Certificate> {
    let spec = acm_certificate::Spec {
        domain: domain.to_owned(),
        alternative_names: Vec::new(),
        key_algorithm: "RSA_2048".into(),
    };
    graph.add::<Certificate>("edge/certificate", spec)
}

/// The certificate's node waits until AWS has seen this record.
fn proof(graph: &mut Graph, plan: &Blueprint<'_>, domain: &str, certificate: &Ref<Certificate>) {
    let Some(zone) = plan.config.hosted_zone_id.as_ref().map(HostedZoneId::as_str).or(plan.proven_in) else { return };
    let content = Content::Proof(certificate.early());
    graph.add::<DnsRecord>(PROOF, record(zone, domain, content));
}

/// The domain leads to the load balancer only once that answers on HTTPS, and as long as it does.
fn alias(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    domain: &str,
    balancer: &Ref<LoadBalancer>,
    https: &Ref<Listener>,
) -> Option<Ref<DnsRecord>> {
    let zone = plan.config.hosted_zone_id.as_ref()?;
    let alias = Alias { dns_name: balancer.output("dns_name"), zone: balancer.output("hosted_zone_id") };
    let alias = graph.add::<DnsRecord>("edge/record/alias", record(zone.as_str(), domain, Content::Alias(alias)));
    graph.after(&alias, https);
    Some(alias)
}

fn record(zone: &str, domain: &str, content: Content) -> route53_record::Spec {
    route53_record::Spec { zone: zone.to_owned(), domain: domain.to_owned(), content }
}

fn balancer(
    plan: &Blueprint<'_>,
    network: &Network,
    security: &Security,
    storage: &Storage,
) -> elb_load_balancer::Spec {
    elb_load_balancer::Spec {
        name: plan.name("alb"),
        scheme: "internet-facing".into(),
        ip_address_type: "ipv4".into(),
        subnets: network.public.clone(),
        security_groups: security.balancer.iter().cloned().collect(),
        access_logs: Some(AccessLogs { bucket: storage.delivered_logs.clone(), prefix: String::new() }),
        deletion_protection: true,
        drop_invalid_headers: true,
        desync_mitigation: "defensive".into(),
        http2: true,
        idle_timeout: 60,
    }
}

fn target_group(plan: &Blueprint<'_>, network: &Network) -> elb_target_group::Spec {
    elb_target_group::Spec {
        name: plan.name("api"),
        port: CONTAINER_PORT,
        protocol: "HTTP".into(),
        vpc: network.vpc.clone(),
        target_type: "ip".into(),
        health_check: HealthCheck {
            path: "/health".into(),
            matcher: "200".into(),
            interval: 30,
            timeout: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        },
        deregistration_delay: 30,
    }
}

fn listener(
    graph: &mut Graph,
    plan: &Blueprint<'_>,
    name: &str,
    balancer: &Ref<LoadBalancer>,
    certificate: Option<Ref<Certificate>>,
    action: Action,
) -> Ref<Listener> {
    let tls = certificate.is_some();
    let spec = elb_listener::Spec {
        load_balancer: balancer.early(),
        port: if tls { 443 } else { 80 },
        protocol: if tls { "HTTPS" } else { "HTTP" }.into(),
        ssl_policy: tls.then(|| plan.config.tls_policy.as_str().to_owned()),
        certificate,
        action,
    };
    graph.add::<Listener>(&format!("edge/listener/{name}"), spec)
}
