//! Listeners and their default actions.

use serde::{Deserialize, Serialize};

use super::{Elbv2, invalid, tags};
use crate::arn::random_hex;
use crate::neighbours;
use crate::page::page;
use crate::service::{Context, Hold, Tags};
use crate::wire::{Fault, Params, Xml};

/// What AWS gives an HTTPS listener that names no policy.
const DEFAULT_SSL_POLICY: &str = "ELBSecurityPolicy-2016-08";

/// The policies of an Application Load Balancer, without their common prefix:
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>.
const SSL_POLICIES: [&str; 39] = [
    "2015-05",
    "2016-08",
    "FS-1-1-2019-08",
    "FS-1-2-2019-08",
    "FS-1-2-Res-2019-08",
    "FS-1-2-Res-2020-10",
    "FS-2018-06",
    "TLS-1-0-2015-04",
    "TLS-1-1-2017-01",
    "TLS-1-2-2017-01",
    "TLS-1-2-Ext-2018-06",
    "TLS13-1-0-2021-06",
    "TLS13-1-0-FIPS-2023-04",
    "TLS13-1-0-FIPS-PQ-2025-09",
    "TLS13-1-0-PQ-2025-09",
    "TLS13-1-1-2021-06",
    "TLS13-1-1-FIPS-2023-04",
    "TLS13-1-2-2021-06",
    "TLS13-1-2-Ext0-FIPS-2023-04",
    "TLS13-1-2-Ext0-FIPS-PQ-2025-09",
    "TLS13-1-2-Ext1-2021-06",
    "TLS13-1-2-Ext1-FIPS-2023-04",
    "TLS13-1-2-Ext1-FIPS-PQ-2025-09",
    "TLS13-1-2-Ext1-PQ-2025-09",
    "TLS13-1-2-Ext2-2021-06",
    "TLS13-1-2-Ext2-FIPS-2023-04",
    "TLS13-1-2-Ext2-FIPS-PQ-2025-09",
    "TLS13-1-2-Ext2-PQ-2025-09",
    "TLS13-1-2-FIPS-2023-04",
    "TLS13-1-2-FIPS-PQ-2025-09",
    "TLS13-1-2-PQ-2025-09",
    "TLS13-1-2-Res-2021-06",
    "TLS13-1-2-Res-FIPS-2023-04",
    "TLS13-1-2-Res-FIPS-PQ-2025-09",
    "TLS13-1-2-Res-PQ-2025-09",
    "TLS13-1-3-2021-06",
    "TLS13-1-3-FIPS-2023-04",
    "TLS13-1-3-FIPS-PQ-2025-09",
    "TLS13-1-3-PQ-2025-09",
];

#[derive(Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) arn: String,
    pub(super) load_balancer: String,
    settings: Settings,
    pub(super) tags: Tags,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Settings {
    protocol: String,
    port: u16,
    ssl_policy: Option<String>,
    certificates: Vec<String>,
    actions: Vec<Action>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Action {
    order: Option<u32>,
    content: Content,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
enum Content {
    Forward {
        /// Target groups and their weights.
        groups: Vec<(String, u32)>,
        stickiness: Option<u32>,
    },
    Redirect {
        protocol: String,
        port: String,
        host: String,
        path: String,
        query: String,
        status: String,
    },
    FixedResponse {
        status: String,
        content_type: Option<String>,
        body: Option<String>,
    },
}

/// Refuses certificates that ACM does not know or has not issued.
pub(super) async fn check_certificates(cx: &Context, params: &Params) -> Result<(), Fault> {
    for certificate in params.structs("Certificates.member") {
        let arn = certificate.require("CertificateArn")?;
        if arn.contains(":iam:") {
            continue;
        }
        match neighbours::certificate_status(cx, arn).await.as_deref() {
            Some("ISSUED") => {}
            Some(_) => {
                let message = format!(
                    "The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a \
                     supported key size."
                );
                return Err(Fault::new("UnsupportedCertificate", message));
            }
            None => return Err(Fault::new("CertificateNotFound", format!("Certificate '{arn}' not found"))),
        }
    }
    Ok(())
}

impl Settings {
    /// What the request says, over what was there before.
    fn of(params: &Params, old: Option<&Settings>) -> Result<Settings, Fault> {
        let protocol = params.get("Protocol").map(str::to_owned).or(old.map(|old| old.protocol.clone()));
        let protocol = protocol.ok_or_else(|| invalid("A listener protocol must be specified"))?;
        let port = params.parsed("Port")?.or(old.map(|old| old.port));
        let port = port.filter(|port| *port > 0).ok_or_else(|| invalid("A listener port must be specified"))?;
        let mut actions = Vec::new();
        for action in params.structs("DefaultActions.member") {
            actions.push(Action::of(&action)?);
        }
        if actions.is_empty() {
            actions = old.map(|old| old.actions.clone()).unwrap_or_default();
        }
        let given = params.structs("Certificates.member");
        let mut certificates: Vec<String> =
            given.iter().filter_map(|item| item.get("CertificateArn").map(str::to_owned)).collect();
        if certificates.is_empty() {
            certificates = old.map(|old| old.certificates.clone()).unwrap_or_default();
        }
        let ssl_policy = params.get("SslPolicy").map(str::to_owned).or(old.and_then(|old| old.ssl_policy.clone()));
        let secure = protocol == "HTTPS" || protocol == "TLS";
        let ssl_policy = ssl_policy.or(secure.then(|| DEFAULT_SSL_POLICY.to_owned()));
        // A listener that becomes an HTTP one sheds what it had as an HTTPS one; an HTTP one cannot be given it.
        let shed = !secure && given.is_empty() && params.get("SslPolicy").is_none();
        let settings = Settings {
            protocol,
            port,
            ssl_policy: ssl_policy.filter(|_| !shed),
            certificates: if shed { Vec::new() } else { certificates },
            actions,
        };
        settings.refuse_nonsense(secure)?;
        Ok(settings)
    }

    fn refuse_nonsense(&self, secure: bool) -> Result<(), Fault> {
        if self.actions.is_empty() {
            return Err(invalid("At least one default action must be specified"));
        }
        if !["HTTP", "HTTPS", "TCP", "TLS", "UDP", "TCP_UDP"].contains(&self.protocol.as_str()) {
            return Err(Fault::new("UnsupportedProtocol", format!("'{}' is not a listener protocol", self.protocol)));
        }
        if secure && self.certificates.is_empty() {
            let message = format!("A certificate must be specified for {} listeners", self.protocol);
            return Err(invalid(message));
        }
        if !secure && (!self.certificates.is_empty() || self.ssl_policy.is_some()) {
            let message = format!("Certificates and SSL policies cannot be specified for {} listeners", self.protocol);
            return Err(invalid(message));
        }
        let known = |policy: &str| {
            policy.strip_prefix("ELBSecurityPolicy-").is_some_and(|policy| SSL_POLICIES.contains(&policy))
        };
        match &self.ssl_policy {
            Some(policy) if !known(policy) => {
                Err(Fault::new("SSLPolicyNotFound", format!("SSL policy '{policy}' not found")))
            }
            _ => Ok(()),
        }
    }

    fn groups(&self) -> impl Iterator<Item = &str> {
        self.actions
            .iter()
            .flat_map(|action| match &action.content {
                Content::Forward { groups, .. } => groups.as_slice(),
                _ => &[],
            })
            .map(|(group, _)| group.as_str())
    }
}

impl Action {
    fn of(params: &Params) -> Result<Action, Fault> {
        let content = match params.require("Type")? {
            "forward" => forward(params)?,
            "redirect" => redirect(&params.within("RedirectConfig"))?,
            "fixed-response" => {
                let config = params.within("FixedResponseConfig");
                Content::FixedResponse {
                    status: config.require("StatusCode")?.to_owned(),
                    content_type: config.get("ContentType").map(str::to_owned),
                    body: config.get("MessageBody").map(str::to_owned),
                }
            }
            other => {
                let message = format!("the sandbox does not play actions of type '{other}'");
                return Err(Fault::new("InvalidLoadBalancerAction", message));
            }
        };
        Ok(Action { order: params.parsed("Order")?, content })
    }

    fn show(&self, xml: &mut Xml) {
        match &self.content {
            Content::Forward { groups, stickiness } => {
                xml.text("Type", "forward");
                if let [(group, _)] = groups.as_slice() {
                    xml.text("TargetGroupArn", group);
                }
                xml.node("ForwardConfig", |config| {
                    config.list("TargetGroups", "member", groups, |xml, (group, weight)| {
                        xml.text("TargetGroupArn", group).text("Weight", weight);
                    });
                    config.node("TargetGroupStickinessConfig", |xml| {
                        xml.text("Enabled", stickiness.is_some()).opt("DurationSeconds", *stickiness);
                    });
                });
            }
            Content::Redirect { protocol, port, host, path, query, status } => {
                xml.text("Type", "redirect").node("RedirectConfig", |config| {
                    config.text("Protocol", protocol).text("Port", port).text("Host", host);
                    config.text("Path", path).text("Query", query).text("StatusCode", status);
                });
            }
            Content::FixedResponse { status, content_type, body } => {
                xml.text("Type", "fixed-response").node("FixedResponseConfig", |config| {
                    config.text("StatusCode", status).opt("ContentType", content_type.as_ref());
                    config.opt("MessageBody", body.as_ref());
                });
            }
        }
        xml.opt("Order", self.order);
    }
}

fn forward(params: &Params) -> Result<Content, Fault> {
    let config = params.within("ForwardConfig");
    let mut groups = Vec::new();
    for group in config.structs("TargetGroups.member") {
        groups.push((group.require("TargetGroupArn")?.to_owned(), group.parsed("Weight")?.unwrap_or(1)));
    }
    if let (true, Some(group)) = (groups.is_empty(), params.get("TargetGroupArn")) {
        groups.push((group.to_owned(), 1));
    }
    if groups.is_empty() {
        return Err(invalid("A target group must be specified for a forward action"));
    }
    let sticky = config.within("TargetGroupStickinessConfig");
    let stickiness = match sticky.parsed("Enabled")? {
        Some(true) => Some(sticky.parsed("DurationSeconds")?.unwrap_or(3600)),
        _ => None,
    };
    Ok(Content::Forward { groups, stickiness })
}

/// What a redirect does not name stays as the client asked for it.
fn redirect(config: &Params) -> Result<Content, Fault> {
    let or = |name: &str, default: &str| config.get(name).unwrap_or(default).to_owned();
    let (protocol, port, host) = (or("Protocol", "#{protocol}"), or("Port", "#{port}"), or("Host", "#{host}"));
    let (path, query) = (or("Path", "/#{path}"), or("Query", "#{query}"));
    let status = config.require("StatusCode")?.to_owned();
    if status != "HTTP_301" && status != "HTTP_302" {
        return Err(invalid(format!("Redirect status code '{status}' must be HTTP_301 or HTTP_302")));
    }
    if [&protocol, &port, &host, &path] == ["#{protocol}", "#{port}", "#{host}", "/#{path}"] {
        let message = "A redirect must change the protocol, the port, the host or the path";
        return Err(Fault::new("InvalidLoadBalancerAction", message));
    }
    Ok(Content::Redirect { protocol, port, host, path, query, status })
}

impl Listener {
    pub(super) fn forwards_to(&self, group: &str) -> bool {
        self.settings.groups().any(|own| own == group)
    }

    /// A certificate is used by the load balancer, as ACM's `InUseBy` has it.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let hold = |certificate: &String| Hold { holder: self.load_balancer.clone(), resource: certificate.clone() };
        self.settings.certificates.iter().map(hold).collect()
    }

    fn show(&self, xml: &mut Xml) {
        let settings = &self.settings;
        xml.text("ListenerArn", &self.arn)
            .text("LoadBalancerArn", &self.load_balancer)
            .text("Protocol", &settings.protocol)
            .text("Port", settings.port)
            .opt("SslPolicy", settings.ssl_policy.as_ref())
            .list("Certificates", "member", &settings.certificates, |xml, certificate| {
                xml.text("CertificateArn", certificate);
            })
            .list("DefaultActions", "member", &settings.actions, |xml, action| action.show(xml));
        if settings.protocol == "HTTPS" {
            xml.node("MutualAuthentication", |xml| {
                xml.text("Mode", "off");
            });
        }
    }

    fn shown(&self) -> Xml {
        let mut xml = Xml::default();
        xml.list("Listeners", "member", [self], |xml, listener| listener.show(xml));
        xml
    }
}

impl Elbv2 {
    pub(super) fn create_listener(&mut self, params: &Params) -> Result<Xml, Fault> {
        let balancer = self.load_balancer(params)?.arn.clone();
        let settings = Settings::of(params, None)?;
        self.check_groups(&settings, &balancer)?;
        let known =
            |listener: &&Listener| listener.load_balancer == balancer && listener.settings.port == settings.port;
        if let Some(known) = self.listeners.values().find(known) {
            return if known.settings == settings { Ok(known.shown()) } else { Err(duplicate(&balancer)) };
        }
        let arn = format!("{}/{}", balancer.replace(":loadbalancer/", ":listener/"), random_hex(16));
        let listener = Listener { arn: arn.clone(), load_balancer: balancer, settings, tags: tags(params)? };
        let shown = listener.shown();
        self.listeners.insert(arn, listener);
        Ok(shown)
    }

    /// A target group must exist, and belongs to one load balancer at a time.
    fn check_groups(&self, settings: &Settings, balancer: &str) -> Result<(), Fault> {
        for group in settings.groups() {
            self.check_target_group(group)?;
            let other =
                self.listeners.values().find(|other| other.forwards_to(group) && other.load_balancer != balancer);
            if other.is_some() {
                let message = format!(
                    "The following target groups cannot be associated with more than one load balancer: {group}"
                );
                return Err(Fault::new("TargetGroupAssociationLimit", message));
            }
        }
        Ok(())
    }

    fn listener(&self, params: &Params) -> Result<&Listener, Fault> {
        let arn = params.require("ListenerArn")?;
        self.listeners.get(arn).ok_or_else(|| not_found(arn))
    }

    pub(super) fn describe_listeners(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arns = params.list("ListenerArns.member");
        if params.get("LoadBalancerArn").is_some() {
            self.load_balancer(params)?;
        } else if arns.is_empty() {
            return Err(invalid("Either listener ARNs or a load balancer ARN must be specified"));
        }
        if let Some(missing) = arns.iter().find(|arn| !self.listeners.contains_key(**arn)) {
            return Err(not_found(missing));
        }
        let balancer = params.get("LoadBalancerArn");
        let wanted = |listener: &&Listener| {
            (arns.is_empty() || arns.contains(&listener.arn.as_str()))
                && balancer.is_none_or(|balancer| balancer == listener.load_balancer)
        };
        let found: Vec<_> = self.listeners.values().filter(wanted).collect();
        let (shown, next) = page(found, params.get("Marker"), params.parsed("PageSize")?);
        let mut xml = Xml::default();
        xml.list("Listeners", "member", shown, |xml, listener| listener.show(xml));
        xml.opt("NextMarker", next);
        Ok(xml)
    }

    pub(super) fn modify_listener(&mut self, params: &Params) -> Result<Xml, Fault> {
        let listener = self.listener(params)?;
        let (arn, balancer) = (listener.arn.clone(), listener.load_balancer.clone());
        let settings = Settings::of(params, Some(&listener.settings))?;
        self.check_groups(&settings, &balancer)?;
        let taken = |other: &Listener| {
            other.load_balancer == balancer && other.settings.port == settings.port && other.arn != arn
        };
        if self.listeners.values().any(taken) {
            return Err(duplicate(&balancer));
        }
        let Some(listener) = self.listeners.get_mut(&arn) else { return Err(not_found(&arn)) };
        listener.settings = settings;
        Ok(listener.shown())
    }

    pub(super) fn delete_listener(&mut self, params: &Params) -> Result<Xml, Fault> {
        let arn = self.listener(params)?.arn.clone();
        self.listeners.remove(&arn);
        Ok(Xml::default())
    }
}

fn duplicate(balancer: &str) -> Fault {
    Fault::new(
        "DuplicateListener",
        format!("A listener already exists on this port for this load balancer '{balancer}'"),
    )
}

fn not_found(arn: &str) -> Fault {
    Fault::new("ListenerNotFound", format!("Listener '{arn}' not found"))
}
