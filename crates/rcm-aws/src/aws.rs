//! The clients of all services, each made once, when it is needed, and shared.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

pub use aws_config::SdkConfig;
use aws_config::{BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3control::config::endpoint::{Endpoint, EndpointFuture, Params, ResolveEndpoint};
pub use aws_smithy_runtime_api::client::{http::SharedHttpClient, interceptors::SharedInterceptor};
use rcm_engine::{model::Fault, store::Fence};

use crate::{
    classify::{absent, fault},
    fence::Fenced,
    once::OnceOnly,
    record::{Recorded, Recorder},
    resources::route53_record::DnsChanges,
};

/// How to reach AWS. Everything that is `None` comes from the SDK's own chain: environment, profiles, roles, metadata.
#[derive(Debug, Clone, Default)]
pub struct Connect {
    /// The region; always the partner file's.
    pub region: String,
    /// A profile of the shared configuration files.
    pub profile: Option<String>,
    /// A role to assume from whatever credentials are found.
    pub role_arn: Option<String>,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Another way to send requests than over the network, and then with made-up credentials: the sandbox.
    pub in_process: Option<SharedHttpClient>,
    /// The embedding program's own configuration, with its credentials, retries and time-outs. Then nothing is looked for, and profile
    /// and role mean nothing.
    pub sdk: Option<SdkConfig>,
    /// What stops every request once the lock is lost that they are sent under.
    pub fence: Fence,
    /// Who is told of every request that changes something.
    pub recorder: Recorder,
}

/// The Price List API answers there for all Regions
/// ([endpoints](https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html#price-list-query-api-endpoints)).
const PRICE_LIST: &str = "us-east-1";

/// A client that is made when it is first asked for. A run needs few of all that there are, and all of them together took 44 MiB before
/// anything was sent (dev profile, 2026-11-28).
pub type Lazy<C> = Arc<LazyLock<C, Box<dyn FnOnce() -> C + Send>>>;

fn lazily<C>(make: impl FnOnce() -> C + Send + 'static) -> Lazy<C> {
    Arc::new(LazyLock::new(Box::new(make)))
}

/// The clients. Cheap to keep, not to make: one for each process and partner.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each field is the client of the service that it names")]
pub struct Aws {
    pub access_analyzer: Lazy<aws_sdk_accessanalyzer::Client>,
    pub account: Lazy<aws_sdk_account::Client>,
    pub acm: Lazy<aws_sdk_acm::Client>,
    pub apprunner: Lazy<aws_sdk_apprunner::Client>,
    pub autoscaling: Lazy<aws_sdk_applicationautoscaling::Client>,
    pub backup: Lazy<aws_sdk_backup::Client>,
    pub cloudtrail: Lazy<aws_sdk_cloudtrail::Client>,
    pub cloudwatch: Lazy<aws_sdk_cloudwatch::Client>,
    pub config: Lazy<aws_sdk_config::Client>,
    pub ec2: Lazy<aws_sdk_ec2::Client>,
    pub ecr: Lazy<aws_sdk_ecr::Client>,
    pub ecs: Lazy<aws_sdk_ecs::Client>,
    pub elb: Lazy<aws_sdk_elasticloadbalancingv2::Client>,
    pub guardduty: Lazy<aws_sdk_guardduty::Client>,
    pub iam: Lazy<aws_sdk_iam::Client>,
    pub kms: Lazy<aws_sdk_kms::Client>,
    pub logs: Lazy<aws_sdk_cloudwatchlogs::Client>,
    pub pricing: Lazy<aws_sdk_pricing::Client>,
    pub quotas: Lazy<aws_sdk_servicequotas::Client>,
    pub rds: Lazy<aws_sdk_rds::Client>,
    pub route53: Lazy<aws_sdk_route53::Client>,
    pub s3: Lazy<aws_sdk_s3::Client>,
    pub s3control: Lazy<aws_sdk_s3control::Client>,
    pub secrets: Lazy<aws_sdk_secretsmanager::Client>,
    pub securityhub: Lazy<aws_sdk_securityhub::Client>,
    pub sns: Lazy<aws_sdk_sns::Client>,
    pub sts: Lazy<aws_sdk_sts::Client>,
    pub wafv2: Lazy<aws_sdk_wafv2::Client>,
    pub(crate) dns_changes: DnsChanges,
    /// Who gives out the credentials that requests are signed with.
    pub(crate) credentials: Option<SharedCredentialsProvider>,
    sdk: SdkConfig,
    fence: Fence,
    recorder: Recorder,
}

/// A request that can be tuned before it is sent.
type WhoAmI = aws_sdk_sts::client::customize::CustomizableOperation<
    aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput,
    aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityError,
    aws_sdk_sts::operation::get_caller_identity::builders::GetCallerIdentityFluentBuilder,
>;

/// Who AWS says we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Twelve digits.
    pub account: String,
    /// The ARN of the user or assumed role.
    pub arn: String,
}

impl Aws {
    /// Loads configuration and makes the clients. Sends nothing, unless the SDK's credential chain has to.
    pub async fn connect(connect: &Connect) -> Self {
        Self::from_config(&load(connect).await, &connect.fence, &connect.recorder)
    }

    /// The clients for a configuration of the embedding program's own.
    pub fn from_config(sdk: &SdkConfig, fence: &Fence, recorder: &Recorder) -> Self {
        let endpoint = sdk.endpoint_url().map(str::to_owned);
        let path_style = endpoint.is_some();
        macro_rules! client {
            ($service:ident) => {
                client!($service, |config| config)
            };
            ($service:ident, |$config:ident| $more:expr) => {{
                let (sdk, fence, recorder) = (sdk.clone(), fence.clone(), recorder.clone());
                lazily(move || {
                    let $config = $service::config::Builder::from(&sdk)
                        .interceptor(OnceOnly)
                        .interceptor(Fenced(fence.clone()))
                        .interceptor(Recorded(recorder, fence));
                    $service::Client::from_conf($more.build())
                })
            }};
        }
        Self {
            access_analyzer: client!(aws_sdk_accessanalyzer),
            account: client!(aws_sdk_account),
            acm: client!(aws_sdk_acm),
            apprunner: client!(aws_sdk_apprunner),
            autoscaling: client!(aws_sdk_applicationautoscaling),
            backup: client!(aws_sdk_backup),
            cloudtrail: client!(aws_sdk_cloudtrail),
            cloudwatch: client!(aws_sdk_cloudwatch),
            config: client!(aws_sdk_config),
            ec2: client!(aws_sdk_ec2),
            ecr: client!(aws_sdk_ecr),
            ecs: client!(aws_sdk_ecs),
            elb: client!(aws_sdk_elasticloadbalancingv2),
            guardduty: client!(aws_sdk_guardduty),
            iam: client!(aws_sdk_iam),
            kms: client!(aws_sdk_kms),
            logs: client!(aws_sdk_cloudwatchlogs),
            pricing: client!(aws_sdk_pricing, |config| config.region(Region::new(PRICE_LIST))),
            quotas: client!(aws_sdk_servicequotas),
            rds: client!(aws_sdk_rds),
            route53: client!(aws_sdk_route53),
            s3: client!(aws_sdk_s3, |config| config.force_path_style(path_style)),
            s3control: client!(aws_sdk_s3control, |config| match endpoint {
                Some(url) => config.endpoint_resolver(AsNamed(url)),
                None => config,
            }),
            secrets: client!(aws_sdk_secretsmanager),
            securityhub: client!(aws_sdk_securityhub),
            sns: client!(aws_sdk_sns),
            sts: client!(aws_sdk_sts),
            wafv2: client!(aws_sdk_wafv2),
            dns_changes: DnsChanges::default(),
            credentials: sdk.credentials_provider(),
            sdk: sdk.clone(),
            fence: fence.clone(),
            recorder: recorder.clone(),
        }
    }

    /// What the clients are made of: for a client of another service, that a program with kinds of its own makes.
    pub fn sdk_config(&self) -> &SdkConfig {
        &self.sdk
    }

    /// What each of the clients does beside sending: creates are sent once, nothing is sent under a lock that is lost, and the audit
    /// log is told of what changes something. A client that a program makes for kinds of its own is to have them too:
    /// `for more in aws.interceptors() { config.push_interceptor(more); }`
    pub fn interceptors(&self) -> [SharedInterceptor; 3] {
        let (fence, recorder) = (self.fence.clone(), self.recorder.clone());
        [
            SharedInterceptor::new(OnceOnly),
            SharedInterceptor::new(Fenced(fence.clone())),
            SharedInterceptor::new(Recorded(recorder, fence)),
        ]
    }

    /// Asks AWS who we are ([GetCallerIdentity](https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html)).
    pub async fn caller(&self) -> Result<Caller, Fault> {
        self.caller_through(|request| request).await
    }

    /// The same, with more to be done on the way.
    pub(crate) async fn caller_through(&self, tune: impl FnOnce(WhoAmI) -> WhoAmI) -> Result<Caller, Fault> {
        let request = tune(self.sts.get_caller_identity().customize());
        let answer = request.send().await.map_err(fault("sts", "GetCallerIdentity"))?;
        Ok(Caller {
            account: answer.account().unwrap_or_default().to_owned(),
            arn: answer.arn().unwrap_or_default().to_owned(),
        })
    }
}

/// A hosted zone of Route 53.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedZone {
    /// The domain that it holds the records of, without the dot at its end.
    pub name: String,
    /// Whether only VPCs see it.
    pub private: bool,
}

impl HostedZone {
    /// Whether `domain` is the zone's own or below it.
    pub fn holds(&self, domain: &str) -> bool {
        domain == self.name || domain.strip_suffix(&self.name).is_some_and(|below| below.ends_with('.'))
    }
}

impl Aws {
    /// The account's hosted zone of that id
    /// ([GetHostedZone](https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetHostedZone.html)).
    pub async fn hosted_zone(&self, id: &str) -> Result<Option<HostedZone>, Fault> {
        let sent = self.route53.get_hosted_zone().id(id).send().await.map_err(fault("route53", "GetHostedZone"));
        let zone = absent(sent)?.and_then(|answer| answer.hosted_zone);
        Ok(zone.map(|zone| HostedZone {
            name: zone.name().trim_end_matches('.').to_lowercase(),
            private: zone.config().is_some_and(|config| config.private_zone()),
        }))
    }
}

impl Aws {
    /// The names of the region's availability zones that this account can use now, sorted
    /// ([DescribeAvailabilityZones](https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html)).
    /// Local zones and wavelength zones are left out: RDS and load balancers are not in them.
    pub async fn availability_zones(&self) -> Result<Vec<String>, Fault> {
        let filter = |name: &str, value: &str| aws_sdk_ec2::types::Filter::builder().name(name).values(value).build();
        let request = self.ec2.describe_availability_zones();
        let request = request.filters(filter("state", "available")).filters(filter("zone-type", "availability-zone"));
        let answer = request.send().await.map_err(fault("ec2", "DescribeAvailabilityZones"))?;
        let mut zones: Vec<String> =
            answer.availability_zones().iter().filter_map(|zone| zone.zone_name()).map(str::to_owned).collect();
        zones.sort();
        Ok(zones)
    }
}

/// Sends everything to one URL: S3 Control puts the account id in front of the host (`123456789012.127.0.0.1`), which resolves at AWS
/// and nowhere else, and an endpoint that somebody names is used as it is.
#[derive(Debug)]
struct AsNamed(String);

impl ResolveEndpoint for AsNamed {
    fn resolve_endpoint<'a>(&'a self, _: &'a Params) -> EndpointFuture<'a> {
        EndpointFuture::ready(Ok(Endpoint::builder().url(self.0.clone()).build()))
    }
}

async fn load(connect: &Connect) -> SdkConfig {
    if let Some(sdk) = &connect.sdk {
        // A client without it panics when it is made.
        let version = sdk.behavior_version().unwrap_or_else(BehaviorVersion::latest);
        let region = Region::new(connect.region.clone());
        return sdk.clone().into_builder().region(region).behavior_version(version).build();
    }
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .operation_timeout(Duration::from_mins(2))
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(connect.region.clone()))
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(5));
    if let Some(client) = &connect.in_process {
        let made_up = aws_credential_types::Credentials::new("sandbox", "sandbox", None, None, "rcm-sandbox");
        return loader.http_client(client.clone()).credentials_provider(made_up).load().await;
    }
    if let Some(profile) = &connect.profile {
        loader = loader.profile_name(profile);
    }
    let base = loader.load().await;
    match &connect.role_arn {
        Some(role) => assume(base, role, connect.external_id.as_deref()).await,
        None => base,
    }
}

async fn assume(base: SdkConfig, role: &str, external_id: Option<&str>) -> SdkConfig {
    let mut provider = aws_config::sts::AssumeRoleProvider::builder(role).session_name("rcm").configure(&base);
    if let Some(external_id) = external_id {
        provider = provider.external_id(external_id);
    }
    let credentials = SharedCredentialsProvider::new(provider.build().await);
    base.into_builder().credentials_provider(credentials).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_holds_its_domain_and_what_is_below_and_nothing_that_only_ends_alike() {
        let zone = HostedZone { name: "acme.com".into(), private: false };
        assert!(zone.holds("acme.com") && zone.holds("rcm.acme.com") && zone.holds("a.rcm.acme.com"));
        assert!(!zone.holds("notacme.com") && !zone.holds("com") && !zone.holds("acme.com.org"));
    }
}
