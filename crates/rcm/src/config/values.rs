//! The types of single values: each knows what it accepts, and says what is allowed when it does not.

use std::fmt;
use std::str::FromStr;

use ipnet::Ipv4Net;

use super::nearest::nearest;

/// Why a value is refused, and what is allowed instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What is wrong with the value.
    pub message: String,
    /// What to write instead, where there is more to say than what the setting takes.
    pub help: Option<String>,
}

impl Refusal {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Refusal { message: message.into(), help: None }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Refusal { help: Some(help.into()), ..self }
    }
}

/// Declares a checked text: a `String` that can only be had through `FromStr`.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text as it stands in the file.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Refusal;

            fn from_str(text: &str) -> Result<Self, Refusal> {
                $check(text).map(|()| $name(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_text!(
    /// An AWS account number: twelve digits, of which the first may be 0.
    AccountId, account_id
);
checked_text!(
    /// An AWS Region in the commercial or the GovCloud partition, such as `us-east-1`.
    Region, region
);
checked_text!(
    /// A colour as `#RRGGBB`.
    HexColor, hex_color
);
checked_text!(
    /// A container image pinned by digest: `repository@sha256:…`. A tag can be moved, so what it named before cannot be gone back to.
    ImageRef, image_ref
);
checked_text!(
    /// The id of a Route 53 hosted zone, such as `Z0123456789ABCDEFGHIJ`.
    HostedZoneId, hosted_zone_id
);
checked_text!(
    /// The ARN of a Lambda function, without a version.
    FunctionArn, function_arn
);
checked_text!(
    /// The ARN of the IAM role to assume in the partner's account.
    RoleArn, role_arn
);

/// The size of an environment: what every setting is that the file leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// The smallest thing that behaves like production: one database instance, one task.
    Development,
    /// A standby database in a second zone, two tasks and more under load.
    Production,
    /// Twice that, and nothing shared between zones.
    HighAvailability,
}

impl Tier {
    /// Every tier, smallest first.
    pub const ALL: [Tier; 3] = [Tier::Development, Tier::Production, Tier::HighAvailability];
    /// The names of [`Tier::ALL`], in the same order.
    pub(super) const NAMES: &'static [&'static str] = &["development", "production", "high-availability"];

    /// The tier's name in a partner file.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let found = Tier::ALL.into_iter().find(|tier| tier.as_str() == text);
        found.ok_or_else(|| one_of("tier", text, Tier::NAMES))
    }
}

/// What the application runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compute {
    /// ECS on Fargate.
    Ecs,
    /// App Runner, for accounts that had it before AWS closed it to new customers.
    AppRunner,
}

impl Compute {
    pub(super) const NAMES: &'static [&'static str] = &["ecs", "apprunner"];
}

impl FromStr for Compute {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "ecs" => Ok(Compute::Ecs),
            "apprunner" => Ok(Compute::AppRunner),
            _ => Err(one_of("compute", text, Compute::NAMES)),
        }
    }
}

/// What the web application firewall before the load balancer does with what its rules find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waf {
    /// There is none.
    Off,
    /// It counts and logs it, and lets it through.
    Count,
    /// It stops it.
    Block,
}

impl Waf {
    pub(super) const NAMES: &'static [&'static str] = &["off", "count", "block"];
}

impl FromStr for Waf {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "off" => Ok(Waf::Off),
            "count" => Ok(Waf::Count),
            "block" => Ok(Waf::Block),
            _ => Err(one_of("firewall", text, Waf::NAMES)),
        }
    }
}

/// How a registry searches images for known weaknesses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageScanning {
    /// ECR's own, when an image is pushed.
    Basic,
    /// Amazon Inspector's, also when a weakness becomes known later.
    Enhanced,
}

impl ImageScanning {
    pub(super) const NAMES: &'static [&'static str] = &["basic", "enhanced"];
}

impl FromStr for ImageScanning {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        match text {
            "basic" => Ok(ImageScanning::Basic),
            "enhanced" => Ok(ImageScanning::Enhanced),
            _ => Err(one_of("image_scanning", text, ImageScanning::NAMES)),
        }
    }
}

/// A [security policy](https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html) of an
/// Application Load Balancer. All of them speak TLS 1.3, and 1.2 with forward secrecy and authenticated ciphers alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TlsPolicy(&'static str);

impl TlsPolicy {
    pub(super) const NAMES: &'static [&'static str] = &[
        "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
        "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-2023-04",
        "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
        "ELBSecurityPolicy-TLS13-1-2-Res-FIPS-PQ-2025-09",
    ];

    /// As AWS calls it.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl FromStr for TlsPolicy {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let known = Self::NAMES.iter().find(|name| **name == text);
        known.map(|name| TlsPolicy(name)).ok_or_else(|| one_of("TLS policy", text, Self::NAMES))
    }
}

/// A major version of PostgreSQL. Minor versions are RDS's to choose and to upgrade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PostgresVersion(u8);

impl PostgresVersion {
    pub(super) const NAMES: &'static [&'static str] = &["14", "15", "16", "17", "18"];

    /// The major version's number.
    pub fn major(self) -> u8 {
        self.0
    }

    /// The parameter group family of this version, such as `postgres17`.
    pub fn family(self) -> String {
        format!("postgres{}", self.0)
    }
}

impl fmt::Display for PostgresVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for PostgresVersion {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let known = || Self::NAMES.contains(&text).then(|| text.parse().ok()).flatten();
        match text.split_once('.') {
            None => known().map(PostgresVersion).ok_or_else(|| one_of("db_engine_version", text, Self::NAMES)),
            Some((major, _)) => Err(Refusal::new(format!("`{text}` names a minor version"))
                .help(format!("minor upgrades come by themselves; write db_engine_version = \"{major}\""))),
        }
    }
}

/// The refusal of a value that is not among the few that are allowed.
fn one_of(setting: &str, given: &str, allowed: &[&'static str]) -> Refusal {
    let list = allowed.join(", ");
    let help = match (allowed, nearest(given, allowed.iter().copied())) {
        ([only], _) => format!("use {setting} = \"{only}\""),
        (_, Some(near)) => format!("did you mean \"{near}\"? {setting} is one of {list}"),
        (_, None) => format!("{setting} is one of {list}"),
    };
    Refusal::new(format!("`{setting}` cannot be `{given}`")).help(help)
}

fn account_id(text: &str) -> Result<(), Refusal> {
    let is_number = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if is_number(text) {
        return Ok(());
    }
    let refusal = Refusal::new(format!("`{text}` is not an AWS account number"));
    let digits = text.replace(['-', ' '], "");
    if is_number(&digits) {
        Err(refusal.help(format!("write it without separators: \"{digits}\"")))
    } else {
        Err(refusal)
    }
}

/// Regions of the commercial and GovCloud partitions, for suggestions only: a newer one of the right shape is accepted.
/// <https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>
#[rustfmt::skip]
const REGIONS: &[&str] = &[
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
    "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7",
    "ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
    "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2",
    "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
];

const AREAS: &[&str] = &["af", "ap", "ca", "eu", "il", "me", "mx", "sa", "us", "us-gov"];
const COMPASS: &[&str] =
    &["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

impl Region {
    /// The partition that the Region's ARNs begin with: `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &'static str {
        if self.0.starts_with("us-gov-") { "aws-us-gov" } else { "aws" }
    }
}

fn region(text: &str) -> Result<(), Refusal> {
    let mut from_the_end = text.rsplitn(3, '-');
    let (number, direction, area) = (from_the_end.next(), from_the_end.next(), from_the_end.next());
    let numbered = number.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit() && b != b'0'));
    if numbered && direction.is_some_and(|d| COMPASS.contains(&d)) && area.is_some_and(|a| AREAS.contains(&a)) {
        return Ok(());
    }
    let refusal = Refusal::new(format!("`{text}` is not an AWS Region"));
    if text.starts_with("cn-") {
        return Err(refusal.help("the Regions in China are an AWS of their own, which rcm does not support"));
    }
    // An availability zone is a Region and a letter.
    match text.strip_suffix(|c: char| c.is_ascii_lowercase()) {
        Some(region) if REGIONS.contains(&region) => {
            Err(refusal.help(format!("that is an availability zone; its Region is \"{region}\"")))
        }
        _ => match nearest(text, REGIONS.iter().copied()) {
            Some(near) => Err(refusal.help(format!("did you mean \"{near}\"?"))),
            None => Err(refusal),
        },
    }
}

fn hex_color(text: &str) -> Result<(), Refusal> {
    let is_hex = |digits: &str| digits.bytes().all(|b| b.is_ascii_hexdigit());
    let refusal = || Refusal::new(format!("`{text}` is not a colour"));
    match text.strip_prefix('#') {
        Some(digits) if digits.len() == 6 && is_hex(digits) => Ok(()),
        Some(digits) if digits.len() == 3 && is_hex(digits) => {
            let long: String = digits.chars().flat_map(|c| [c, c]).collect();
            Err(refusal().help(format!("write all six digits: \"#{long}\"")))
        }
        None if text.len() == 6 && is_hex(text) => Err(refusal().help(format!("the # is missing: \"#{text}\""))),
        _ => Err(refusal()),
    }
}

fn image_ref(text: &str) -> Result<(), Refusal> {
    const BY_DIGEST: &str = "pin it by its digest: repository@sha256:…; after a push, `docker inspect --format '{{index .RepoDigests 0}}' IMAGE` shows it";
    let Some((repository, digest)) = text.split_once('@') else {
        let what = if tag_of(text).is_some() { "names an image by its tag" } else { "names no particular image" };
        return Err(Refusal::new(format!("`{text}` {what}, which cannot be rolled back")).help(BY_DIGEST));
    };
    if tag_of(repository).is_some() {
        return Err(
            Refusal::new(format!("`{text}` has both a tag and a digest")).help("leave the tag out; the digest decides")
        );
    }
    let well_formed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    if repository.is_empty() || !repository.chars().all(well_formed) {
        return Err(Refusal::new(format!("`{repository}` is not an image repository")));
    }
    match digest.strip_prefix("sha256:") {
        Some(hex) if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) => Ok(()),
        _ => Err(Refusal::new("the image's digest is not sha256: and 64 lowercase hexadecimal digits").help(BY_DIGEST)),
    }
}

/// The tag of an image reference without digest; the `:` of a registry's port is no tag.
fn tag_of(reference: &str) -> Option<&str> {
    reference.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(_, tag)| tag)
}

/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_HostedZone.html>
fn hosted_zone_id(text: &str) -> Result<(), Refusal> {
    let is_id = |text: &str| {
        (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    if is_id(text) {
        return Ok(());
    }
    let refusal = Refusal::new(format!("`{text}` is not the id of a hosted zone"));
    match text.rsplit('/').next().filter(|id| is_id(id)) {
        Some(id) => Err(refusal.help(format!("it is the id alone: \"{id}\""))),
        None if text.contains('.') => Err(refusal.help("that is a name; `aws route53 list-hosted-zones` shows the id")),
        None => Err(refusal),
    }
}

impl FunctionArn {
    /// The Region that the function is in.
    pub fn region(&self) -> &str {
        self.0.split(':').nth(3).unwrap_or_default()
    }

    /// The account that the function is in.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }
}

fn function_arn(text: &str) -> Result<(), Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not the ARN of a Lambda function"));
    let parts: Vec<&str> = text.split(':').collect();
    let &["arn", "aws" | "aws-us-gov", "lambda", _, account, "function", name] = parts.as_slice() else {
        return Err(refusal());
    };
    account_id(account).map_err(|_| refusal())?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !name.is_empty() && name.chars().all(allowed) { Ok(()) } else { Err(refusal()) }
}

impl RoleArn {
    /// The account that the role is in.
    pub fn account(&self) -> &str {
        self.0.split(':').nth(4).unwrap_or_default()
    }

    /// The partition that the role is in: `aws` or `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.0.split(':').nth(1).unwrap_or_default()
    }
}

fn role_arn(text: &str) -> Result<(), Refusal> {
    let refusal = || Refusal::new(format!("`{text}` is not the ARN of an IAM role"));
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &["arn", "aws" | "aws-us-gov", "iam", "", account, resource] = parts.as_slice() else {
        return Err(refusal());
    };
    account_id(account).map_err(|_| refusal())?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/".contains(c);
    match resource.strip_prefix("role/") {
        Some(name) if !name.is_empty() && !name.ends_with('/') && name.chars().all(allowed) => Ok(()),
        _ => Err(refusal()),
    }
}

/// The block that AWS services and Docker use inside hosts; a VPC on it loses answers in ways that are hard to find.
const RESERVED: &str = "172.17.0.0/16";

/// A VPC's address block: private, and large enough for three tiers of subnets in three zones.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
pub(super) fn vpc_cidr(text: &str) -> Result<Ipv4Net, Refusal> {
    let block: Ipv4Net = text.parse().map_err(|_| Refusal::new(format!("`{text}` is not an IPv4 block")))?;
    let size = block.prefix_len();
    if block.addr() != block.network() {
        let help = format!("the block of that size around it is \"{}\"", block.trunc());
        return Err(Refusal::new(format!("`{text}` is an address inside a block, not a block")).help(help));
    }
    if size > 20 {
        let help = format!(
            "public, private and database subnets in each zone need a /20 or larger, for example \"{}/16\"",
            Ipv4Net::new(block.addr(), 16).map_or(block.addr(), |wider| wider.network()),
        );
        return Err(Refusal::new(format!("`{text}` is too small for a VPC with its subnets")).help(help));
    }
    if size < 16 {
        let help = format!("AWS allows a /16 at most: \"{}/16\"", block.addr());
        return Err(Refusal::new(format!("`{text}` is too large for a VPC")).help(help));
    }
    if !block.addr().is_private() {
        let help = "take it from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16";
        return Err(Refusal::new(format!("`{text}` is not private address space")).help(help));
    }
    match RESERVED.parse::<Ipv4Net>() {
        Ok(reserved) if overlap(&reserved, &block) => {
            Err(Refusal::new(format!("`{text}` overlaps {RESERVED}, which AWS services and Docker use for themselves"))
                .help("take another block, for example \"10.0.0.0/16\""))
        }
        _ => Ok(block),
    }
}

/// Whether two blocks share an address (of two blocks that do, one holds the other).
pub(super) fn overlap(a: &Ipv4Net, b: &Ipv4Net) -> bool {
    a.contains(b) || b.contains(a)
}
