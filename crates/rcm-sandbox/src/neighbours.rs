//! What a service of the cloud learns from another one, through that one's own API.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::json::one_or_many;
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::services::ROUTE53_API;

/// A subnet as far as other services care.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// `subnet-…`
    pub(crate) id: String,
    /// `vpc-…`
    pub(crate) vpc: String,
    /// `us-east-1a`
    pub(crate) zone: String,
}

/// The subnets that EC2 knows of those in `ids`, in the order of `ids`.
pub(crate) async fn subnets(cx: &Context, ids: &[String]) -> Vec<Subnet> {
    let mut form = vec![("Action", "DescribeSubnets".to_owned())];
    form.extend(ids.first().map(|_| ("Filter.1.Name", "subnet-id".to_owned())));
    let names: Vec<String> = (1..=ids.len()).map(|number| format!("Filter.1.Value.{number}")).collect();
    form.extend(names.iter().map(String::as_str).zip(ids.iter().cloned()));
    let found = ec2(cx, &form).await;
    let of = |element: &Element| {
        Some(Subnet {
            id: element.text("subnetId")?,
            vpc: element.text("vpcId")?,
            zone: element.text("availabilityZone")?,
        })
    };
    let known: Vec<Subnet> = items(&found, "subnetSet").filter_map(of).collect();
    ids.iter().filter_map(|id| known.iter().find(|subnet| subnet.id == *id).cloned()).collect()
}

/// The VPC of a security group, if EC2 knows the group.
pub(crate) async fn security_group_vpc(cx: &Context, group: &str) -> Option<String> {
    let found = ec2(
        cx,
        &[
            ("Action", "DescribeSecurityGroups".to_owned()),
            ("Filter.1.Name", "group-id".to_owned()),
            ("Filter.1.Value.1", group.to_owned()),
        ],
    )
    .await;
    let group = items(&found, "securityGroupInfo").find(|item| item.text("groupId").as_deref() == Some(group))?;
    group.text("vpcId")
}

/// The default security group of a VPC.
pub(crate) async fn default_security_group(cx: &Context, vpc: &str) -> Option<String> {
    let found = ec2(
        cx,
        &[
            ("Action", "DescribeSecurityGroups".to_owned()),
            ("Filter.1.Name", "vpc-id".to_owned()),
            ("Filter.1.Value.1", vpc.to_owned()),
        ],
    )
    .await;
    let default = |item: &&Element| {
        item.text("groupName").as_deref() == Some("default") && item.text("vpcId").as_deref() == Some(vpc)
    };
    items(&found, "securityGroupInfo").find(default)?.text("groupId")
}

/// Whether an internet gateway is attached to a VPC.
pub(crate) async fn has_internet_gateway(cx: &Context, vpc: &str) -> bool {
    let found = ec2(cx, &[("Action", "DescribeInternetGateways".to_owned())]).await;
    items(&found, "internetGatewaySet").any(|gateway| {
        let attachments = gateway.children.iter().filter(|child| child.name == "attachmentSet");
        attachments.flat_map(|set| &set.children).any(|item| item.text("vpcId").as_deref() == Some(vpc))
    })
}

/// The status of a certificate, if ACM knows it. Listing is no poll: it moves nothing on.
pub(crate) async fn certificate_status(cx: &Context, arn: &str) -> Option<String> {
    let every_key = ["RSA_1024", "RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1"];
    let input = json!({"Includes": {"keyTypes": every_key}, "MaxItems": 1000});
    let list = ask_json(cx, "acm", "ListCertificates", input).await?;
    let certificates = list.get("CertificateSummaryList")?.as_array()?;
    let certificate = certificates.iter().find(|certificate| certificate["CertificateArn"] == *arn)?;
    certificate["Status"].as_str().map(str::to_owned)
}

/// What the CNAME of that name says in the public zones of the account.
pub(crate) async fn cname(cx: &Context, name: &str) -> Option<String> {
    let zones = route53(cx, "hostedzone").await?;
    let holds = |zone: &&Element| {
        let is_private = zone.all("PrivateZone").iter().any(|private| private.text == "true");
        zone.text("Name").is_some_and(|zone| name.ends_with(&format!(".{zone}"))) && !is_private
    };
    for zone in items(&zones, "HostedZones").filter(holds) {
        let id = zone.text("Id")?;
        let path = format!("{}/rrset?name={name}&type=CNAME&maxitems=1", id.trim_start_matches('/'));
        let found = route53(cx, &path).await?;
        let is_it = |record: &&Element| {
            record.text("Name").as_deref() == Some(name) && record.text("Type").as_deref() == Some("CNAME")
        };
        if let Some(record) = items(&found, "ResourceRecordSets").find(is_it) {
            return record.all("Value").first().map(|value| value.text.clone());
        }
    }
    None
}

async fn route53(cx: &Context, path: &str) -> Option<Element> {
    let uri = format!("https://route53.{}.amazonaws.com{ROUTE53_API}{path}", cx.region);
    let request = ApiRequest { method: "GET".into(), uri, headers: http::HeaderMap::new(), body: "".into() };
    let answer = ask(cx, "route53", request).await?;
    (answer.status == 200).then(|| parsed(&answer.body))
}

/// Whether IAM knows a role of that name.
pub(crate) async fn role_exists(cx: &Context, name: &str) -> bool {
    ask_form(cx, "iam", "2010-05-08", &[("Action", "GetRole".to_owned()), ("RoleName", name.to_owned())])
        .await
        .is_some()
}

/// The trust policy of a role, and what its inline policies say, all in one text; nothing of one that is not there.
pub(crate) async fn role_policies(cx: &Context, name: &str) -> (Value, String) {
    let of = |action: &str| vec![("Action", action.to_owned()), ("RoleName", name.to_owned())];
    let document = |element: &Element| {
        let text = element.all("AssumeRolePolicyDocument").into_iter().chain(element.all("PolicyDocument")).next()?;
        urlencoding::decode(&text.text).ok().map(|text| text.into_owned())
    };
    let role = async |form: &[(&str, String)]| ask_form(cx, "iam", "2010-05-08", form).await;
    let Some(found) = role(&of("GetRole")).await else { return (Value::Null, String::new()) };
    let trust = document(&found).and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let names = role(&of("ListRolePolicies")).await.unwrap_or_default();
    let mut texts = String::new();
    for policy in items(&names, "PolicyNames") {
        let form = [of("GetRolePolicy"), vec![("PolicyName", policy.text.clone())]].concat();
        texts.extend(role(&form).await.as_ref().and_then(document));
    }
    (trust, texts)
}

/// Whether CloudWatch Logs has a log group of that name.
pub(crate) async fn log_group_exists(cx: &Context, name: &str) -> bool {
    let listed = ask_json(cx, "logs", "DescribeLogGroups", json!({"logGroupNamePrefix": name})).await;
    let is_it = |group: &Value| group["logGroupName"] == *name;
    listed.is_some_and(|answer| answer["logGroups"].as_array().is_some_and(|groups| groups.iter().any(is_it)))
}

/// Whether IAM knows a role of that name, which `service` may take on.
pub(crate) async fn role_trusts(cx: &Context, name: &str, service: &str) -> bool {
    let form = [("Action", "GetRole".to_owned()), ("RoleName", name.to_owned())];
    let found = ask_form(cx, "iam", "2010-05-08", &form).await.unwrap_or_default();
    found.all("AssumeRolePolicyDocument").iter().any(|document| document.text.contains(service))
}

/// The policy of a topic, as text; `None` if there is no such topic.
pub(crate) async fn topic_policy(cx: &Context, topic: &str) -> Option<String> {
    let form = [("Action", "GetTopicAttributes".to_owned()), ("TopicArn", topic.to_owned())];
    let found = ask_form(cx, "sns", "2010-03-31", &form).await?;
    let policy = items(&found, "Attributes").find(|entry| entry.text("key").as_deref() == Some("Policy"));
    Some(policy.and_then(|entry| entry.text("value")).unwrap_or_default())
}

/// The load balancers that send requests to a target group; `None` if there is no such group.
pub(crate) async fn load_balancers_of(cx: &Context, group: &str) -> Option<Vec<String>> {
    let form = [("Action", "DescribeTargetGroups".to_owned()), ("TargetGroupArns.member.1", group.to_owned())];
    let found = ask_form(cx, "elasticloadbalancing", "2015-12-01", &form).await?;
    Some(items(&found, "LoadBalancerArns").map(|arn| arn.text.clone()).collect())
}

/// The state of a load balancer (`active`, …); `None` if there is none of that ARN.
pub(crate) async fn load_balancer_state(cx: &Context, arn: &str) -> Option<String> {
    let form = [("Action", "DescribeLoadBalancers".to_owned()), ("LoadBalancerArns.member.1", arn.to_owned())];
    let found = ask_form(cx, "elasticloadbalancing", "2015-12-01", &form).await?;
    found.all("State").first()?.text("Code")
}

/// The policy of a key, named by id or ARN.
pub(crate) async fn key_policy(cx: &Context, key: &str) -> Option<Value> {
    let answer = ask_json(cx, "kms", "GetKeyPolicy", json!({"KeyId": key})).await?;
    serde_json::from_str(answer.get("Policy")?.as_str()?).ok()
}

/// The ARN of the KMS key that an id, alias or ARN names, if there is one that can encrypt.
pub(crate) async fn key_arn(cx: &Context, key: &str) -> Option<String> {
    let answer = ask_json(cx, "kms", "DescribeKey", json!({"KeyId": key})).await?;
    let metadata = answer.get("KeyMetadata")?;
    let usable = metadata["KeyState"].as_str().is_none_or(|state| state == "Enabled");
    metadata["Arn"].as_str().filter(|_| usable).map(str::to_owned)
}

/// Whether ECS runs a service of that name in that cluster.
pub(crate) async fn ecs_service_exists(cx: &Context, cluster: &str, service: &str) -> bool {
    let input = json!({"cluster": cluster, "maxResults": 100});
    let listed = ask_json(cx, "ecs", "ListServices", input).await;
    let ending = format!("/{service}");
    let is_it = |arn: &Value| arn.as_str().is_some_and(|arn| arn.ends_with(&ending));
    listed.and_then(|answer| Some(answer.get("serviceArns")?.as_array()?.iter().any(is_it))).unwrap_or(false)
}

/// How many tasks of ECS's services run behind a target group.
pub(crate) async fn tasks_behind(cx: &Context, group: &str) -> usize {
    let mut running = 0;
    let clusters = ask_json(cx, "ecs", "ListClusters", json!({})).await.unwrap_or_default();
    for cluster in clusters["clusterArns"].as_array().into_iter().flatten() {
        let listed = ask_json(cx, "ecs", "ListServices", json!({"cluster": cluster})).await.unwrap_or_default();
        if listed["serviceArns"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let input = json!({"cluster": cluster, "services": listed["serviceArns"]});
        let described = ask_json(cx, "ecs", "DescribeServices", input).await.unwrap_or_default();
        let services = described["services"].as_array().into_iter().flatten();
        let behind = services.filter(|service| {
            one_or_many(service.get("loadBalancers")).iter().any(|balancer| balancer["targetGroupArn"] == group)
        });
        running += behind.filter_map(|service| service["runningCount"].as_u64()).sum::<u64>();
    }
    usize::try_from(running).unwrap_or_default()
}

/// What S3 answers to `GET /bucket?subresource`.
pub(crate) async fn bucket(cx: &Context, bucket: &str, subresource: &str) -> Option<ApiResponse> {
    let uri = format!("https://s3.{}.amazonaws.com/{bucket}?{subresource}", cx.region);
    ask(cx, "s3", ApiRequest { method: "GET".into(), uri, headers: http::HeaderMap::new(), body: "".into() }).await
}

async fn ec2(cx: &Context, form: &[(&str, String)]) -> Element {
    ask_form(cx, "ec2", "2016-11-15", form).await.unwrap_or_default()
}

/// An operation of a neighbour that takes a form and gives XML; `None` when it refuses.
async fn ask_form(cx: &Context, service: &str, version: &str, form: &[(&str, String)]) -> Option<Element> {
    let encoded = form.iter().map(|(name, value)| format!("{name}={}", urlencoding::encode(value)));
    let body = format!("{}&Version={version}", encoded.collect::<Vec<_>>().join("&"));
    let mut headers = http::HeaderMap::new();
    let form_type = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(http::header::CONTENT_TYPE, form_type);
    let uri = format!("https://{service}.{}.amazonaws.com/", cx.region);
    let request = ApiRequest { method: "POST".into(), uri, headers, body: body.into() };
    let response = ask(cx, service, request).await.filter(|response| response.status == 200)?;
    Some(parsed(&response.body))
}

/// An awsJson operation of a neighbour; `None` when it refuses.
async fn ask_json(cx: &Context, service: &str, operation: &str, input: Value) -> Option<Value> {
    let mut headers = http::HeaderMap::new();
    headers.insert("x-amz-target", http::HeaderValue::from_str(&format!("{}.{operation}", target(service))).ok()?);
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/x-amz-json-1.1"));
    let uri = format!("https://{service}.{}.amazonaws.com/", cx.region);
    let request = ApiRequest { method: "POST".into(), uri, headers, body: input.to_string().into() };
    let response = ask(cx, service, request).await.filter(|response| response.status == 200)?;
    serde_json::from_slice(&response.body).ok()
}

fn target(service: &str) -> &str {
    match service {
        "acm" => "CertificateManager",
        "ecs" => "AmazonEC2ContainerServiceV20141113",
        "kms" => "TrentService",
        "logs" => "Logs_20140328",
        other => other,
    }
}

/// Sends a request to a neighbour, with the credential scope by which it knows account and region.
async fn ask(cx: &Context, service: &str, mut request: ApiRequest) -> Option<ApiResponse> {
    let neighbour = cx.services.iter().find(|candidate| candidate.name() == service)?;
    let scope = format!("{}/20260101/{}/{service}/aws4_request", cx.account, cx.region);
    let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    request.headers.insert(http::header::AUTHORIZATION, http::HeaderValue::from_str(&signed).ok()?);
    Some(neighbour.handle(cx, &request).await)
}

/// An XML element: its text, or its children.
#[derive(Debug, Default)]
struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn text(&self, child: &str) -> Option<String> {
        let found = self.children.iter().find(|candidate| candidate.name == child)?;
        Some(found.text.clone()).filter(|text| !text.is_empty())
    }

    /// Everything of that name below it, at any depth.
    fn all<'a>(&'a self, name: &str) -> Vec<&'a Element> {
        let below = self.children.iter().flat_map(|child| {
            let own = (child.name == name).then_some(child);
            own.into_iter().chain(child.all(name))
        });
        below.collect()
    }
}

/// What is in the sets of that name.
fn items<'a>(root: &'a Element, set: &str) -> impl Iterator<Item = &'a Element> {
    root.all(set).into_iter().flat_map(|set| &set.children)
}

fn parsed(body: &[u8]) -> Element {
    let text = String::from_utf8_lossy(body);
    let mut reader = Reader::from_str(&text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                let name = AsRef::<str>::as_ref(&start.local_name()).to_owned();
                open.push(Element { name, ..Element::default() });
            }
            Ok(Event::Text(text)) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(text.trim());
                }
            }
            Ok(Event::End(_)) if open.len() > 1 => {
                if let Some(done) = open.pop()
                    && let Some(parent) = open.last_mut()
                {
                    parent.children.push(done);
                }
            }
            Ok(Event::Eof) | Err(_) => break,
            Ok(_) => {}
        }
    }
    open.into_iter().next().unwrap_or_default()
}
