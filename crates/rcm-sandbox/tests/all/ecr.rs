//! Repositories and their images.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageIdentifier, ImageScanningConfiguration, ImageTagMutability, Tag,
};

use crate::support::{Cloud, code};

const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test]
async fn a_repository_keeps_what_it_was_created_with() {
    let cloud = Cloud::new().await;
    let ecr = Client::new(&cloud.sdk());
    let key = "arn:aws:kms:us-east-1:123456789012:key/1234abcd";
    let encryption =
        EncryptionConfiguration::builder().encryption_type(EncryptionType::Kms).kms_key(key).build().unwrap();
    let created = ecr
        .create_repository()
        .repository_name("acme-rcm-prod-api")
        .encryption_configuration(encryption.clone())
        .image_tag_mutability(ImageTagMutability::Immutable)
        .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(true).build())
        .tags(tag("rcm:partner", "acme"))
        .send()
        .await
        .unwrap()
        .repository
        .unwrap();
    let policy = r#"{"rules":[]}"#;
    let name = "acme-rcm-prod-api";
    assert_eq!(code(ecr.get_lifecycle_policy().repository_name(name).send().await), "LifecyclePolicyNotFoundException");
    ecr.put_lifecycle_policy().repository_name(name).lifecycle_policy_text(policy).send().await.unwrap();
    drop(ecr);

    let cloud = cloud.reopen().await;

    let ecr = Client::new(&cloud.sdk());
    let read = ecr.describe_repositories().repository_names(name).send().await.unwrap().repositories.unwrap();
    assert_eq!(read, std::slice::from_ref(&created));
    assert_eq!(created.repository_uri(), Some("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api"));
    assert_eq!(created.encryption_configuration(), Some(&encryption));
    assert_eq!(created.image_tag_mutability(), Some(&ImageTagMutability::Immutable));
    assert!(created.image_scanning_configuration().unwrap().scan_on_push());
    let tags = ecr.list_tags_for_resource().resource_arn(created.repository_arn().unwrap()).send().await.unwrap();
    assert_eq!(tags.tags(), [tag("rcm:partner", "acme")]);
    let read = ecr.get_lifecycle_policy().repository_name(name).send().await.unwrap();
    assert_eq!(read.lifecycle_policy_text(), Some(policy));
}

#[tokio::test]
async fn one_unknown_name_fails_the_whole_description() {
    let cloud = Cloud::new().await;
    let ecr = Client::new(&cloud.sdk());
    for name in ["api", "web"] {
        ecr.create_repository().repository_name(format!("acme-{name}")).send().await.unwrap();
    }
    let create = ecr.create_repository().repository_name("acme-api").send().await;
    assert_eq!(code(create), "RepositoryAlreadyExistsException");
    let both = ecr.describe_repositories().repository_names("acme-web").repository_names("acme-api").send().await;
    assert_eq!(both.unwrap().repositories().len(), 2);
    let with_unknown =
        ecr.describe_repositories().repository_names("acme-web").repository_names("acme-none").send().await;
    assert_eq!(code(with_unknown), "RepositoryNotFoundException");
    assert_eq!(code(ecr.create_repository().repository_name("Acme").send().await), "InvalidParameterException");
}

#[tokio::test]
async fn a_repository_with_images_goes_only_by_force_and_tags_stay_where_they_are() {
    let cloud = Cloud::new().await;
    let ecr = Client::new(&cloud.sdk());
    ecr.create_repository()
        .repository_name("acme-api")
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await
        .unwrap();
    let put =
        |manifest: &str| ecr.put_image().repository_name("acme-api").image_manifest(manifest).image_tag("v1").send();
    let image = put(MANIFEST).await.unwrap().image.unwrap();
    let digest = image.image_id().unwrap().image_digest().unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    assert_eq!(code(put(MANIFEST).await), "ImageAlreadyExistsException");
    assert_eq!(code(put(&format!("{MANIFEST} ")).await), "ImageTagAlreadyExistsException");
    let listed = ecr.list_images().repository_name("acme-api").send().await.unwrap();
    assert_eq!(listed.image_ids()[0].image_tag(), Some("v1"));

    let delete = || ecr.delete_repository().repository_name("acme-api");
    assert_eq!(code(delete().send().await), "RepositoryNotEmptyException");
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let gone = ecr.batch_delete_image().repository_name("acme-api").image_ids(id).send().await.unwrap();
    assert_eq!((gone.image_ids().len(), gone.failures().len()), (1, 0));
    put(MANIFEST).await.unwrap();
    delete().force(true).send().await.unwrap();
    assert_eq!(code(delete().send().await), "RepositoryNotFoundException");
}

#[tokio::test]
async fn a_login_names_the_registry_of_the_account() {
    let cloud = Cloud::new().await;
    let token = Client::new(&cloud.sdk()).get_authorization_token().send().await.unwrap();
    let login = &token.authorization_data()[0];
    assert!(login.proxy_endpoint().unwrap().starts_with("http://127.0.0.1:"), "{:?}", login.proxy_endpoint());
}
