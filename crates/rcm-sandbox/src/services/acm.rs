//! Certificate Manager: public certificates validated by DNS, without any cryptography.
//!
//! | Operation | As on AWS |
//! |---|---|
//! | `RequestCertificate` | one certificate per idempotency token, domains and hour |
//! | `DescribeCertificate` | the validation record appears at the second describe, the certificate is issued a few later |
//! | `ListCertificates` | filters by status, key and usage (RSA 1024 and 2048 by default), pages |
//! | `DeleteCertificate` | refused while anything uses the certificate |
//! | `UpdateCertificateOptions` | yes |
//! | `AddTagsToCertificate`, `ListTagsForCertificate`, `RemoveTagsFromCertificate` | yes |
//!
//! Times are polls: with the default of two, a certificate is `PENDING_VALIDATION` in three describes and `ISSUED` in the
//! fourth. Nobody has to publish the validation record: the sandbox takes it for published. For a domain that ends in `.invalid` it
//! does not: the certificate stays `PENDING_VALIDATION` until the record is in a public zone of the sandbox's Route 53.
//!
//! API: <https://docs.aws.amazon.com/acm/latest/APIReference/Welcome.html>.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::arn::arn;
use crate::countdown::Countdown;
use crate::emulator::{Emulated, Emulator};
use crate::json::{self, input, without_nulls};
use crate::neighbours;
use crate::page::page;
use crate::service::{ApiRequest, ApiResponse, Context, Hold, Tags};
use crate::time::now;
use crate::wire::{self, Fault};

/// For how long, in seconds, an idempotency token is remembered.
const TOKEN_LIFE: f64 = 3600.0;
/// For how long, in seconds, an issued certificate is valid: 13 months.
const VALIDITY: f64 = 395.0 * 86_400.0;
const USAGES: [&str; 2] = ["DIGITAL_SIGNATURE", "KEY_ENCIPHERMENT"];
const EXTENDED_USAGES: [&str; 2] = ["TLS_WEB_SERVER_AUTHENTICATION", "TLS_WEB_CLIENT_AUTHENTICATION"];

/// All certificates of the account, by ARN.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Acm {
    certificates: BTreeMap<String, Certificate>,
}

#[derive(Serialize, Deserialize)]
struct Certificate {
    domain: String,
    /// The other names; the domain itself comes first.
    names: Vec<String>,
    method: String,
    key: String,
    transparency: String,
    export: String,
    token: Option<String>,
    created: f64,
    issued: Option<f64>,
    /// Until its validation records are there: one describe sees it without.
    recorded: Countdown,
    /// Until it is issued: one describe more than anything else takes, so that one sees the records.
    validated: Countdown,
    serial: String,
    tags: Tags,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Request {
    domain_name: String,
    validation_method: Option<String>,
    #[serde(default)]
    subject_alternative_names: Vec<String>,
    idempotency_token: Option<String>,
    /// Meant for validation by e-mail.
    #[serde(default, rename = "DomainValidationOptions")]
    _domain_validation_options: Vec<Value>,
    options: Option<Options>,
    #[serde(default)]
    tags: Vec<Tag>,
    key_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Options {
    certificate_transparency_logging_preference: Option<String>,
    export: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: String,
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Named {
    certificate_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tagging {
    certificate_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OptionsUpdate {
    certificate_arn: String,
    options: Options,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    #[serde(default)]
    certificate_statuses: Vec<String>,
    #[serde(default)]
    includes: Includes,
    next_token: Option<String>,
    max_items: Option<usize>,
    /// Certificates are listed in the order of their ARNs; AWS promises none unless asked.
    #[serde(rename = "SortBy")]
    _sort_by: Option<String>,
    #[serde(rename = "SortOrder")]
    _sort_order: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Includes {
    #[serde(default)]
    key_types: Vec<String>,
    #[serde(default)]
    key_usage: Vec<String>,
    #[serde(default)]
    extended_key_usage: Vec<String>,
}

impl Emulated for Acm {
    const NAME: &'static str = "acm";

    async fn answer(emulator: &Emulator<Self>, cx: &Context, request: &ApiRequest) -> ApiResponse {
        let world = World { users: users(cx).await, proven: proven(cx, emulator).await };
        let operate = |(operation, body): (String, _)| emulator.lock().operation(cx, &world, &operation, body);
        json::reply(wire::json_request(request).and_then(operate))
    }

    fn arrive(&mut self) {
        for certificate in self.certificates.values_mut() {
            certificate.recorded = Countdown::default();
            certificate.validated = Countdown::default();
            certificate.issue(&BTreeSet::new());
        }
    }
}

/// What other services know.
struct World {
    /// What uses any certificate.
    users: Vec<Hold>,
    /// Domains whose record is in Route 53, of those that wait for it.
    proven: BTreeSet<String>,
}

async fn proven(cx: &Context, emulator: &Emulator<Acm>) -> BTreeSet<String> {
    let mut proven = emulator.lock().unproven();
    for domain in proven.clone() {
        let record = validation_record(cx, &domain);
        let published = neighbours::cname(cx, record["Name"].as_str().unwrap_or_default()).await;
        if published.as_deref() != record["Value"].as_str() {
            proven.remove(&domain);
        }
    }
    proven
}

/// What uses any certificate.
async fn users(cx: &Context) -> Vec<Hold> {
    let mut holds = cx.holds().await;
    holds.retain(|hold| hold.resource.contains(":certificate/"));
    holds
}

fn users_of(users: &[Hold], arn: &str) -> Vec<String> {
    let mut holders: Vec<_> =
        users.iter().filter(|hold| hold.resource == arn).map(|hold| hold.holder.clone()).collect();
    holders.sort();
    holders.dedup();
    holders
}

impl Acm {
    /// Domains that nobody proves by himself and some certificate waits for.
    fn unproven(&self) -> BTreeSet<String> {
        let waiting = self.certificates.values().filter(|certificate| certificate.issued.is_none());
        waiting
            .flat_map(|certificate| &certificate.names)
            .map(|name| base(name).to_owned())
            .filter(|name| waits(name))
            .collect()
    }

    fn operation(&mut self, cx: &Context, world: &World, operation: &str, body: Value) -> Result<Value, Fault> {
        let users = &world.users;
        match operation {
            "RequestCertificate" => self.request(cx, input(body)?),
            "DescribeCertificate" => self.describe(cx, world, &input(body)?),
            "ListCertificates" => Ok(self.list(users, &input(body)?)),
            "DeleteCertificate" => self.delete(cx, users, &input(body)?),
            "UpdateCertificateOptions" => self.update_options(input(body)?),
            "AddTagsToCertificate" => self.add_tags(input(body)?),
            "ListTagsForCertificate" => self.list_tags(&input(body)?),
            "RemoveTagsFromCertificate" => self.remove_tags(input(body)?),
            other => Err(Fault::new("UnknownOperationException", format!("the sandbox does not play acm:{other}"))),
        }
    }

    fn certificate(&mut self, arn: &str) -> Result<&mut Certificate, Fault> {
        if !arn.contains(":certificate/") {
            return Err(Fault::new("InvalidArnException", format!("The ARN {arn} is not that of a certificate.")));
        }
        let missing = || Fault::new("ResourceNotFoundException", format!("Could not find certificate {arn}."));
        self.certificates.get_mut(arn).ok_or_else(missing)
    }

    fn request(&mut self, cx: &Context, request: Request) -> Result<Value, Fault> {
        let certificate = Certificate::requested(cx, request)?;
        let same = |other: &Certificate| {
            let recent = certificate.created - other.created < TOKEN_LIFE;
            let request = (&certificate.token, &certificate.domain, &certificate.names, &certificate.key);
            certificate.token.is_some() && recent && request == (&other.token, &other.domain, &other.names, &other.key)
        };
        if let Some((arn, _)) = self.certificates.iter().find(|(_, other)| same(other)) {
            return Ok(json!({"CertificateArn": arn}));
        }
        let arn = arn(cx, "acm", &format!("certificate/{}", uuid::Uuid::new_v4()));
        self.certificates.insert(arn.clone(), certificate);
        Ok(json!({"CertificateArn": arn}))
    }

    fn describe(&mut self, cx: &Context, world: &World, Named { certificate_arn }: &Named) -> Result<Value, Fault> {
        let certificate = self.certificate(certificate_arn)?;
        let recorded = certificate.recorded.poll();
        if certificate.validated.poll() {
            certificate.issue(&world.proven);
        }
        let users = users_of(&world.users, certificate_arn);
        Ok(json!({"Certificate": certificate.detail(cx, certificate_arn, recorded, &users)}))
    }

    fn list(&self, users: &[Hold], request: &List) -> Value {
        let wanted = |certificate: &Certificate| {
            let statuses = &request.certificate_statuses;
            (statuses.is_empty() || statuses.iter().any(|status| status == certificate.status()))
                && request.includes.lets_pass(&certificate.key)
        };
        let all: Vec<_> = self.certificates.iter().filter(|(_, certificate)| wanted(certificate)).collect();
        let (shown, next) = page(all, request.next_token.as_deref(), Some(request.max_items.unwrap_or(1000)));
        let in_use = |arn: &str| !users_of(users, arn).is_empty();
        let shown: Vec<Value> = shown.iter().map(|(arn, certificate)| certificate.summary(arn, in_use(arn))).collect();
        without_nulls(json!({"CertificateSummaryList": shown, "NextToken": next}))
    }

    fn delete(&mut self, cx: &Context, users: &[Hold], Named { certificate_arn }: &Named) -> Result<Value, Fault> {
        self.certificate(certificate_arn)?;
        if !users_of(users, certificate_arn).is_empty() {
            let message = format!("Certificate {certificate_arn} in account {} is in use.", cx.account);
            return Err(Fault::new("ResourceInUseException", message));
        }
        self.certificates.remove(certificate_arn);
        Ok(json!({}))
    }

    fn update_options(&mut self, update: OptionsUpdate) -> Result<Value, Fault> {
        let certificate = self.certificate(&update.certificate_arn)?;
        if let Some(transparency) = update.options.certificate_transparency_logging_preference {
            certificate.transparency = transparency;
        }
        if let Some(export) = update.options.export {
            certificate.export = export;
        }
        Ok(json!({}))
    }

    fn add_tags(&mut self, tagging: Tagging) -> Result<Value, Fault> {
        let certificate = self.certificate(&tagging.certificate_arn)?;
        let mut tags = certificate.tags.clone();
        tags.extend(tagging.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())));
        certificate.tags = checked(tags)?;
        Ok(json!({}))
    }

    fn list_tags(&mut self, Named { certificate_arn }: &Named) -> Result<Value, Fault> {
        let tags = &self.certificate(certificate_arn)?.tags;
        let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        Ok(json!({"Tags": tags}))
    }

    /// A tag given with a value goes only if it has that value.
    fn remove_tags(&mut self, tagging: Tagging) -> Result<Value, Fault> {
        let certificate = self.certificate(&tagging.certificate_arn)?;
        for tag in tagging.tags {
            if tag.value.is_none() || certificate.tags.get(&tag.key) == tag.value.as_ref() {
                certificate.tags.remove(&tag.key);
            }
        }
        Ok(json!({}))
    }
}

impl Includes {
    fn lets_pass(&self, key: &str) -> bool {
        let keys = match &self.key_types[..] {
            [] => key == "RSA_1024" || key == "RSA_2048",
            keys => keys.iter().any(|wanted| wanted == key),
        };
        let all_of = |wanted: &[String], own: &[&str]| {
            wanted.iter().all(|usage| usage == "ANY" || own.contains(&usage.as_str()))
        };
        keys && all_of(&self.key_usage, &USAGES) && all_of(&self.extended_key_usage, &EXTENDED_USAGES)
    }
}

impl Certificate {
    fn requested(cx: &Context, request: Request) -> Result<Certificate, Fault> {
        let domain = domain_name(&request.domain_name)?;
        let mut names = vec![domain.clone()];
        for name in &request.subject_alternative_names {
            let name = domain_name(name)?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let method = request.validation_method.unwrap_or_else(|| "EMAIL".to_owned());
        if method != "DNS" {
            return Err(invalid(format!("The sandbox validates by DNS only, not by {method}.")));
        }
        let tags = request.tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect();
        let (transparency, export) = match request.options {
            Some(options) => (options.certificate_transparency_logging_preference, options.export),
            None => (None, None),
        };
        Ok(Certificate {
            domain,
            names,
            method,
            key: request.key_algorithm.unwrap_or_else(|| "RSA_2048".to_owned()),
            transparency: transparency.unwrap_or_else(|| "ENABLED".to_owned()),
            export: export.unwrap_or_else(|| "DISABLED".to_owned()),
            token: request.idempotency_token,
            created: now(),
            issued: None,
            recorded: Countdown::new(cx.polls().min(1)),
            validated: Countdown::new(if cx.polls() == 0 { 0 } else { cx.polls() + 1 }),
            serial: serial(),
            tags: checked(tags)?,
        })
    }

    fn issue(&mut self, proven: &BTreeSet<String>) {
        let published = self.names.iter().map(|name| base(name)).all(|name| !waits(name) || proven.contains(name));
        if self.issued.is_none() && published {
            self.issued = Some(now());
        }
    }

    fn status(&self) -> &'static str {
        if self.issued.is_some() { "ISSUED" } else { "PENDING_VALIDATION" }
    }

    fn detail(&self, cx: &Context, arn: &str, recorded: bool, users: &[String]) -> Value {
        let usages: Vec<Value> = USAGES.iter().map(|usage| json!({"Name": usage})).collect();
        let extended = json!([
            {"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"},
            {"Name": "TLS_WEB_CLIENT_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.2"},
        ]);
        let issued = self.issued.is_some();
        without_nulls(json!({
            "CertificateArn": arn,
            "DomainName": self.domain,
            "SubjectAlternativeNames": self.names,
            "DomainValidationOptions":
                self.names.iter().map(|name| self.validation(cx, name, recorded)).collect::<Vec<_>>(),
            "Serial": issued.then_some(&self.serial),
            "Subject": format!("CN={}", self.domain),
            "Issuer": "Amazon",
            "CreatedAt": self.created,
            "IssuedAt": self.issued,
            "Status": self.status(),
            "NotBefore": self.issued,
            "NotAfter": self.expiry(),
            "KeyAlgorithm": self.key.replace("RSA_", "RSA-").replace("EC_", "EC-"),
            "SignatureAlgorithm": "SHA256WITHRSA",
            "InUseBy": users,
            "Type": "AMAZON_ISSUED",
            "KeyUsages": if issued { json!(usages) } else { json!([]) },
            "ExtendedKeyUsages": if issued { extended } else { json!([]) },
            "RenewalEligibility": self.renewal(!users.is_empty()),
            "Options": {
                "CertificateTransparencyLoggingPreference": self.transparency,
                "Export": self.export,
            },
        }))
    }

    fn summary(&self, arn: &str, in_use: bool) -> Value {
        let usages = if self.issued.is_some() { json!(USAGES) } else { json!([]) };
        let extended = if self.issued.is_some() { json!(EXTENDED_USAGES) } else { json!([]) };
        without_nulls(json!({
            "CertificateArn": arn,
            "DomainName": self.domain,
            "SubjectAlternativeNameSummaries": self.names,
            "HasAdditionalSubjectAlternativeNames": false,
            "Status": self.status(),
            "Type": "AMAZON_ISSUED",
            "KeyAlgorithm": self.key.replace("RSA_", "RSA-").replace("EC_", "EC-"),
            "KeyUsages": usages,
            "ExtendedKeyUsages": extended,
            "ExportOption": self.export,
            "InUse": in_use,
            "RenewalEligibility": self.renewal(in_use),
            "NotBefore": self.issued,
            "NotAfter": self.expiry(),
            "CreatedAt": self.created,
            "IssuedAt": self.issued,
        }))
    }

    fn expiry(&self) -> Option<f64> {
        self.issued.map(|issued| issued + VALIDITY)
    }

    /// A certificate renews itself only while something uses it.
    fn renewal(&self, in_use: bool) -> &'static str {
        if in_use && self.issued.is_some() { "ELIGIBLE" } else { "INELIGIBLE" }
    }

    fn validation(&self, cx: &Context, name: &str, recorded: bool) -> Value {
        let record = recorded.then(|| validation_record(cx, name));
        without_nulls(json!({
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationStatus": if self.issued.is_some() { "SUCCESS" } else { "PENDING_VALIDATION" },
            "ResourceRecord": record,
            "ValidationMethod": self.method,
        }))
    }
}

/// The record is the same for every certificate of an account for a domain, and a wildcard's is that of its base domain.
fn validation_record(cx: &Context, name: &str) -> Value {
    let base = base(name);
    let digest = Sha256::digest(format!("{}/{base}", cx.account));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let (label, target) = hex.split_at(32);
    let zone: String = label.bytes().take(10).map(|byte| char::from(b'a' + byte % 26)).collect();
    json!({
        "Name": format!("_{label}.{base}."),
        "Type": "CNAME",
        "Value": format!("_{target}.{zone}.acm-validations.aws."),
    })
}

/// The domain that a wildcard is below.
fn base(name: &str) -> &str {
    name.strip_prefix("*.").unwrap_or(name)
}

/// Whether the sandbox wants to see the record of this domain.
fn waits(domain: &str) -> bool {
    domain.ends_with(".invalid")
}

fn domain_name(name: &str) -> Result<String, Fault> {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|character| character.is_ascii_alphanumeric() || character == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && labels.contains('.') && labels.split('.').all(label) {
        return Ok(name.to_ascii_lowercase());
    }
    Err(invalid(format!("'{name}' is not a fully qualified domain name.")))
}

fn checked(tags: Tags) -> Result<Tags, Fault> {
    if tags.len() > 50 {
        return Err(Fault::new("TooManyTagsException", "A certificate has at most 50 tags."));
    }
    if tags.keys().any(|key| key.is_empty() || key.to_ascii_lowercase().starts_with("aws:")) {
        return Err(Fault::new("InvalidTagException", "A tag's key must not be empty or start with aws:."));
    }
    Ok(tags)
}

fn serial() -> String {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}
