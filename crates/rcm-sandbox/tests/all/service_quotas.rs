//! Quotas.

use aws_sdk_servicequotas::Client;

use crate::support::{Cloud, code};

#[tokio::test]
async fn quotas_are_awss_defaults_until_more_is_granted() {
    let cloud = Cloud::new().await;
    let quotas = Client::new(&cloud.sdk());
    let first = quotas.list_service_quotas().service_code("vpc").max_results(2).send().await.unwrap();
    assert_eq!((first.quotas().len(), first.next_token()), (2, Some("2")));
    let pages = quotas.list_service_quotas().service_code("vpc").max_results(2).into_paginator().items().send();
    let all = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let vpcs = all.iter().find(|quota| quota.quota_code() == Some("L-F678F1CE")).unwrap();
    assert_eq!((vpcs.quota_name(), vpcs.value(), vpcs.adjustable()), (Some("VPCs per Region"), Some(5.0), true));
    let raise = |to| {
        let request = quotas.request_service_quota_increase().service_code("vpc").quota_code("L-F678F1CE");
        request.desired_value(to).send()
    };
    assert_eq!(code(raise(5.0).await), "IllegalArgumentException");
    raise(20.0).await.unwrap();
    drop(quotas);

    let cloud = cloud.reopen().await;

    let quotas = Client::new(&cloud.sdk());
    let own = quotas.get_service_quota().service_code("vpc").quota_code("L-F678F1CE").send().await.unwrap();
    let default = quotas.get_aws_default_service_quota().service_code("vpc").quota_code("L-F678F1CE");
    let default = default.send().await.unwrap();
    assert_eq!((own.quota.unwrap().value(), default.quota.unwrap().value()), (Some(20.0), Some(5.0)));
    let none = quotas.get_service_quota().service_code("vpc").quota_code("L-00000000").send().await;
    assert_eq!(code(none), "NoSuchResourceException");
    assert_eq!(
        code(quotas.list_aws_default_service_quotas().service_code("x").send().await),
        "NoSuchResourceException"
    );
}
