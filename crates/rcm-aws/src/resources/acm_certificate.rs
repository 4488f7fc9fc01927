//! A public TLS certificate, validated by DNS.
//!
//! API: [RequestCertificate](https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html),
//! [DescribeCertificate](https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html).
//!
//! Surprises: the DNS records that prove the domain appear some seconds after the request. Then ACM waits up to 72 hours for
//! somebody to make them; a certificate that has timed out or failed never recovers, and stays until somebody deletes it. The
//! records have to stay, or the certificate is not renewed. Nothing about a certificate can be changed, but two for one domain
//! may live side by side. The idempotency token holds for an hour. DescribeCertificate writes `RSA-2048` where
//! RequestCertificate takes `RSA_2048`, and lists the domain among its alternative names. ListCertificates leaves out all but
//! RSA certificates unless told not to.

use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateSummary, DomainStatus, DomainValidation, Filters, KeyAlgorithm, Tag, ValidationMethod,
};
use rcm_engine::model::{Actions, Deployment, Fault, Id, Observed, Owned, Pace, Readiness, Resource};
use serde::{Deserialize, Serialize};

use crate::{
    Aws,
    classify::{absent, fault, missing, unbuilt},
    identity,
};

type Cx<'a> = rcm_engine::model::Cx<'a, Aws>;

/// What a certificate should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The domain (`rcm.acme.com`).
    pub domain: String,
    /// Further domains that it is good for.
    pub alternative_names: Vec<String>,
    /// The algorithm of its key (`RSA_2048`, `EC_prime256v1`).
    pub key_algorithm: String,
}

/// What AWS gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outputs {
    /// `arn:aws:acm:…:certificate/…`
    pub certificate_arn: String,
    /// How far it is (`PENDING_VALIDATION`, `ISSUED`).
    pub status: String,
    /// The records that prove the domains, now and at each renewal.
    pub validation_records: Vec<Record>,
}

/// A DNS record for a person to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The domain that it proves.
    pub domain: String,
    /// The name of the record.
    pub name: String,
    /// Its type (`CNAME`).
    #[serde(rename = "type")]
    pub kind: String,
    /// Its value.
    pub value: String,
}

/// A TLS certificate.
pub struct Certificate;

impl Resource for Certificate {
    type Cloud = Aws;
    type Spec = Spec;
    type Outputs = Outputs;
    const KIND: &'static str = "acm/certificate";
    const REPLACE_ON: &'static [&'static str] = &["domain", "alternative_names", "key_algorithm"];
    const TAGGED: bool = true;
    const PACE: Pace = Pace::slow(600, 3600);

    async fn create(cx: &Cx<'_>, spec: &Spec) -> Result<Id, Fault> {
        let names = (!spec.alternative_names.is_empty()).then(|| spec.alternative_names.clone());
        let request = cx.cloud.acm.request_certificate().domain_name(&spec.domain).set_subject_alternative_names(names);
        let request = request.key_algorithm(spec.key_algorithm.as_str().into());
        let request = request.validation_method(ValidationMethod::Dns).idempotency_token(&cx.identity.token);
        let answer = request.set_tags(Some(tags(cx)?)).send().await.map_err(fault("acm", "RequestCertificate"))?;
        answer.certificate_arn.map(Id::from).ok_or_else(|| missing("acm", "RequestCertificate", "CertificateArn"))
    }

    async fn ready(cx: &Cx<'_>, id: &Id) -> Result<Readiness, Fault> {
        let certificate = describe(cx.cloud, id).await?;
        let pending = || Readiness::Pending("not visible yet".into());
        Ok(certificate.as_ref().map_or_else(pending, readiness))
    }

    async fn read(cx: &Cx<'_>, id: &Id) -> Result<Option<Observed<Outputs>>, Fault> {
        Ok(describe(cx.cloud, id).await?.map(|certificate| observe(id, &certificate)))
    }

    async fn find(cx: &Cx<'_>, spec: &Spec) -> Result<Option<Id>, Fault> {
        let mut ours = all(cx.cloud).await?;
        ours.retain(|certificate| certificate.domain_name() == Some(&spec.domain));
        // One that has failed is there to be taken away: only what could be used goes before it.
        ours.sort_by_key(|certificate| !is_usable(certificate));
        for arn in ours.into_iter().filter_map(|certificate| certificate.certificate_arn) {
            if identity::owns(cx.identity, pairs(&tags_of(cx.cloud, &arn).await?)) {
                return Ok(Some(Id::from(arn)));
            }
        }
        Ok(None)
    }

    async fn delete(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        let request = cx.cloud.acm.delete_certificate().certificate_arn(id.as_str());
        request.send().await.map(drop).map_err(fault("acm", "DeleteCertificate"))
    }

    async fn list(aws: &Aws, deployment: &Deployment) -> Result<Vec<Owned>, Fault> {
        let mut found = Vec::new();
        for arn in all(aws).await?.into_iter().filter_map(|certificate| certificate.certificate_arn) {
            let tags = tags_of(aws, &arn).await?;
            found.extend(identity::belongs(deployment, arn, pairs(&tags)));
        }
        Ok(found)
    }

    async fn claim(cx: &Cx<'_>, id: &Id) -> Result<(), Fault> {
        identity::unclaimed(cx.identity, pairs(&tags_of(cx.cloud, id.as_str()).await?))?;
        let request = cx.cloud.acm.add_tags_to_certificate().certificate_arn(id.as_str()).set_tags(Some(tags(cx)?));
        request.send().await.map(drop).map_err(fault("acm", "AddTagsToCertificate"))
    }

    fn actions() -> Actions {
        Actions {
            write: &["acm:RequestCertificate", "acm:AddTagsToCertificate"],
            read: &["acm:DescribeCertificate", "acm:ListCertificates", "acm:ListTagsForCertificate"],
            delete: &["acm:DeleteCertificate"],
        }
    }
}

/// The record that proves `domain` for the certificate, once ACM knows it.
pub(super) async fn proof(aws: &Aws, certificate: &Id, domain: &str) -> Result<Option<Record>, Fault> {
    let certificate = describe(aws, certificate).await?;
    let options = certificate.as_ref().map(CertificateDetail::domain_validation_options).unwrap_or_default();
    Ok(options.iter().filter(|option| option.domain_name() == domain).find_map(record))
}

/// A certificate of this account and region that is proven by the same record as `domain` and is not `deployment`'s.
pub(super) async fn also_proven(aws: &Aws, deployment: &Deployment, domain: &str) -> Result<Option<String>, Fault> {
    let same = |name: &str| name.strip_prefix("*.").unwrap_or(name) == domain;
    for certificate in all(aws).await?.iter().filter(|certificate| is_usable(certificate)) {
        let mut names = certificate.domain_name().into_iter();
        let further = certificate.subject_alternative_name_summaries();
        if !(names.any(same) || further.iter().any(|name| same(name))) {
            continue;
        }
        let Some(arn) = certificate.certificate_arn() else { continue };
        if identity::belongs(deployment, arn, pairs(&tags_of(aws, arn).await?)).is_none() {
            return Ok(Some(arn.to_owned()));
        }
    }
    Ok(None)
}

fn tags(cx: &Cx<'_>) -> Result<Vec<Tag>, Fault> {
    let tag = |(key, value): (&str, String)| Tag::builder().key(key).value(value).build();
    identity::tags(cx.identity).into_iter().map(tag).collect::<Result<_, _>>().map_err(unbuilt("acm", "RequestCertificate"))
}

async fn describe(aws: &Aws, id: &Id) -> Result<Option<CertificateDetail>, Fault> {
    let request = aws.acm.describe_certificate().certificate_arn(id.as_str());
    let answer = absent(request.send().await.map_err(fault("acm", "DescribeCertificate")))?;
    Ok(answer.and_then(|answer| answer.certificate))
}

async fn all(aws: &Aws) -> Result<Vec<CertificateSummary>, Fault> {
    let every_key = KeyAlgorithm::values().iter().map(|key| KeyAlgorithm::from(*key)).collect();
    let request = aws.acm.list_certificates().includes(Filters::builder().set_key_types(Some(every_key)).build());
    let pages = request.into_paginator().items().send();
    pages.collect::<Result<_, _>>().await.map_err(fault("acm", "ListCertificates"))
}

/// Whether it is or may yet be issued.
fn is_usable(certificate: &CertificateSummary) -> bool {
    matches!(certificate.status(), Some(CertificateStatus::PendingValidation | CertificateStatus::Issued))
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Vec<Tag>, Fault> {
    let request = aws.acm.list_tags_for_certificate().certificate_arn(arn);
    let answer = absent(request.send().await.map_err(fault("acm", "ListTagsForCertificate")))?;
    Ok(answer.and_then(|answer| answer.tags).unwrap_or_default())
}

fn pairs(tags: &[Tag]) -> impl Iterator<Item = (&str, &str)> {
    tags.iter().filter_map(|tag| Some((tag.key(), tag.value()?)))
}

fn readiness(certificate: &CertificateDetail) -> Readiness {
    match certificate.status() {
        Some(CertificateStatus::Issued) => Readiness::Ready,
        None => Readiness::Pending("requested".into()),
        Some(CertificateStatus::PendingValidation) => awaiting(certificate),
        Some(over) => {
            let why = certificate.failure_reason().map(|reason| format!(": {}", reason.as_str())).unwrap_or_default();
            Readiness::Failed(format!("the certificate is {over}{why}; it never recovers, and the next provision requests a new one"))
        }
    }
}

/// What a person has to do, once ACM knows it for every domain.
fn awaiting(certificate: &CertificateDetail) -> Readiness {
    let options = certificate.domain_validation_options();
    if options.is_empty() || options.iter().any(|option| record(option).is_none()) {
        return Readiness::Pending("waiting for the validation records".into());
    }
    let unproven = options.iter().filter(|option| option.validation_status() != Some(&DomainStatus::Success));
    let records = distinct(unproven.filter_map(record));
    if records.is_empty() {
        return Readiness::Pending("validated, being issued".into());
    }
    Readiness::Awaiting {
        what: format!("DNS validation of {}", certificate.domain_name().unwrap_or_default()),
        details: serde_json::json!(records),
    }
}

fn record(option: &DomainValidation) -> Option<Record> {
    let record = option.resource_record()?;
    Some(Record {
        domain: option.domain_name().to_owned(),
        name: record.name().to_owned(),
        kind: record.r#type().as_str().to_owned(),
        value: record.value().to_owned(),
    })
}

/// A domain and its wildcard are proven by one and the same record.
fn distinct(records: impl Iterator<Item = Record>) -> Vec<Record> {
    let mut names = std::collections::BTreeSet::new();
    records.filter(|record| names.insert(record.name.clone())).collect()
}

fn observe(id: &Id, certificate: &CertificateDetail) -> Observed<Outputs> {
    let domain = certificate.domain_name();
    let names = certificate.subject_alternative_names().iter().filter(|name| Some(name.as_str()) != domain);
    let outputs = Outputs {
        certificate_arn: id.to_string(),
        status: certificate.status().map(ToString::to_string).unwrap_or_default(),
        validation_records: distinct(certificate.domain_validation_options().iter().filter_map(record)),
    };
    Observed::new(outputs)
        .see("domain", domain)
        .see("alternative_names", names.collect::<Vec<_>>())
        .see("key_algorithm", certificate.key_algorithm().map(|key| key.as_str().replace('-', "_")))
}

#[cfg(test)]
mod tests {
    use aws_sdk_acm::types::{FailureReason, RecordType, ResourceRecord};

    use super::*;

    fn option(domain: &str, recorded: bool) -> DomainValidation {
        let name = format!("_x.{}", domain.trim_start_matches("*."));
        let record = ResourceRecord::builder().name(name).r#type(RecordType::Cname).value("_y.acm-validations.aws.");
        let record = recorded.then(|| record.build().unwrap());
        DomainValidation::builder().domain_name(domain).set_resource_record(record).build().unwrap()
    }

    fn pending(options: Vec<DomainValidation>) -> CertificateDetail {
        CertificateDetail::builder()
            .domain_name("rcm.acme.com")
            .subject_alternative_names("rcm.acme.com")
            .subject_alternative_names("*.rcm.acme.com")
            .key_algorithm("RSA-2048".into())
            .status(CertificateStatus::PendingValidation)
            .set_domain_validation_options(Some(options))
            .build()
    }

    #[test]
    fn a_person_is_asked_once_the_records_are_known() {
        let early = readiness(&pending(vec![option("rcm.acme.com", false)]));
        assert!(matches!(early, Readiness::Pending(_)));
        let then = readiness(&pending(vec![option("rcm.acme.com", true), option("*.rcm.acme.com", true)]));
        let record = serde_json::json!({
            "domain": "rcm.acme.com", "name": "_x.rcm.acme.com", "type": "CNAME", "value": "_y.acm-validations.aws.",
        });
        let what = "DNS validation of rcm.acme.com".to_owned();
        assert_eq!(then, Readiness::Awaiting { what, details: serde_json::json!([record]) });
    }

    #[test]
    fn a_certificate_that_failed_says_why() {
        let failed = CertificateDetail::builder().status(CertificateStatus::Failed).failure_reason(FailureReason::CaaError);
        assert!(matches!(readiness(&failed.build()), Readiness::Failed(why) if why.contains("CAA_ERROR")));
    }

    #[test]
    fn the_domain_is_not_its_own_alternative_and_the_algorithm_is_spelt_as_requested() {
        let seen = format!("{:?}", observe(&Id::from("arn"), &pending(vec![])));
        assert!(seen.contains(r#"Array [String("*.rcm.acme.com")]"#), "{seen}");
        assert!(seen.contains("RSA_2048"), "{seen}");
    }
}
