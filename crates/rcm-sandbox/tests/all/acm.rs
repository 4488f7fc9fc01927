//! Certificates: from the request to the validation to the end.

use aws_sdk_acm::Client;
use aws_sdk_acm::error::ProvideErrorMetadata;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateExport, CertificateOptions, CertificateStatus, DomainStatus, RecordType, Tag,
    ValidationMethod,
};

use crate::route53;
use crate::support::Cloud;

async fn request(acm: &Client, domain: &str, token: &str) -> String {
    let request = acm.request_certificate().domain_name(domain).validation_method(ValidationMethod::Dns);
    let request = request.subject_alternative_names(format!("*.{domain}")).idempotency_token(token);
    request.tags(tag("rcm:partner", "acme")).send().await.unwrap().certificate_arn.unwrap()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn describe(acm: &Client, arn: &str) -> CertificateDetail {
    acm.describe_certificate().certificate_arn(arn).send().await.unwrap().certificate.unwrap()
}

#[tokio::test]
async fn a_certificate_is_issued_after_its_record_has_been_seen() {
    let cloud = Cloud::with_polls(2).await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.com", "token1").await;

    let first = describe(&acm, &arn).await;
    assert_eq!(first.status, Some(CertificateStatus::PendingValidation));
    assert!(first.domain_validation_options().iter().all(|option| option.resource_record().is_none()));
    let second = describe(&acm, &arn).await;
    let options = second.domain_validation_options();
    assert_eq!(
        options.iter().map(|option| option.domain_name()).collect::<Vec<_>>(),
        ["rcm.acme.com", "*.rcm.acme.com"]
    );
    let record = options[0].resource_record().unwrap();
    assert!(record.name().starts_with('_') && record.name().ends_with(".rcm.acme.com."), "{record:?}");
    assert!(record.value().ends_with(".acm-validations.aws.") && *record.r#type() == RecordType::Cname);
    assert_eq!(options[1].resource_record(), Some(record), "a wildcard is validated by the record of its base domain");
    assert_eq!(second.status, Some(CertificateStatus::PendingValidation));
    describe(&acm, &arn).await;
    let issued = describe(&acm, &arn).await;
    assert_eq!(issued.status, Some(CertificateStatus::Issued));
    assert!(issued.issued_at().is_some() && issued.not_after().is_some());
    assert_eq!(issued.domain_validation_options()[0].validation_status, Some(DomainStatus::Success));
    assert_eq!(issued.subject_alternative_names(), ["rcm.acme.com", "*.rcm.acme.com"]);
}

#[tokio::test]
async fn nobody_validates_a_domain_that_ends_in_invalid() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.invalid", "token1").await;
    for _ in 0..20 {
        assert_eq!(describe(&acm, &arn).await.status, Some(CertificateStatus::PendingValidation));
    }
    drop(acm);
    let cloud = cloud.reopen().await;
    let acm = Client::new(&cloud.sdk());
    assert_eq!(describe(&acm, &arn).await.status, Some(CertificateStatus::PendingValidation));
}

#[tokio::test]
async fn but_the_record_in_a_public_zone_does() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.invalid", "token1").await;
    let record = describe(&acm, &arn).await.domain_validation_options()[0].resource_record().unwrap().clone();
    let route53 = aws_sdk_route53::Client::new(&cloud.sdk());
    let (name, value) = (record.name().to_owned(), record.value().to_owned());

    let private = route53::zone(&route53, "acme.invalid", true).await;
    route53::change(&route53, &private, "CREATE", route53::cname(&name, &value)).await.unwrap();
    assert_eq!(describe(&acm, &arn).await.status, Some(CertificateStatus::PendingValidation));
    let public = route53::zone(&route53, "acme.invalid", false).await;
    route53::change(&route53, &public, "CREATE", route53::cname(&name, "elsewhere.example.")).await.unwrap();
    assert_eq!(describe(&acm, &arn).await.status, Some(CertificateStatus::PendingValidation));
    route53::change(&route53, &public, "UPSERT", route53::cname(&name, &value)).await.unwrap();
    assert_eq!(describe(&acm, &arn).await.status, Some(CertificateStatus::Issued));
}

#[tokio::test]
async fn the_same_token_gives_the_same_certificate() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.com", "token1").await;
    assert_eq!(request(&acm, "rcm.acme.com", "token1").await, arn);
    assert_ne!(request(&acm, "rcm.acme.com", "token2").await, arn);
    assert_ne!(request(&acm, "other.acme.com", "token1").await, arn);
}

#[tokio::test]
async fn tags_and_options_change_and_outlive_the_process() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.com", "token1").await;
    acm.add_tags_to_certificate().certificate_arn(&arn).tags(tag("Project", "acme")).send().await.unwrap();
    let partner = Tag::builder().key("rcm:partner").build().unwrap();
    acm.remove_tags_from_certificate().certificate_arn(&arn).tags(partner).send().await.unwrap();
    let options = CertificateOptions::builder().export(CertificateExport::Enabled).build();
    acm.update_certificate_options().certificate_arn(&arn).options(options).send().await.unwrap();

    drop(acm);
    let cloud = cloud.reopen().await;
    let acm = Client::new(&cloud.sdk());

    let tags = acm.list_tags_for_certificate().certificate_arn(&arn).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("Project", "acme")]);
    let detail = describe(&acm, &arn).await;
    assert_eq!(detail.options().unwrap().export(), Some(&CertificateExport::Enabled));
}

#[tokio::test]
async fn the_list_can_be_narrowed_to_a_status() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let issued = request(&acm, "rcm.acme.com", "token1").await;
    request(&acm, "rcm.acme.invalid", "token1").await;
    describe(&acm, &issued).await;

    let list = acm.list_certificates().certificate_statuses(CertificateStatus::Issued).send().await.unwrap();

    let [summary] = list.certificate_summary_list() else { panic!("{list:?}") };
    assert_eq!(summary.certificate_arn(), Some(issued.as_str()));
    assert_eq!((summary.domain_name(), summary.in_use()), (Some("rcm.acme.com"), Some(false)));
    assert_eq!(acm.list_certificates().send().await.unwrap().certificate_summary_list().len(), 2);
}

#[tokio::test]
async fn a_deleted_certificate_is_not_found() {
    let cloud = Cloud::new().await;
    let acm = Client::new(&cloud.sdk());
    let arn = request(&acm, "rcm.acme.com", "token1").await;
    acm.delete_certificate().certificate_arn(&arn).send().await.unwrap();
    let refused = acm.describe_certificate().certificate_arn(&arn).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ResourceNotFoundException"));
}
