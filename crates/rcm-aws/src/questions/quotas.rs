//! How much of something the account may have.
//!
//! API: [ListServiceQuotas](https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html),
//! [ListAWSDefaultServiceQuotas](https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListAWSDefaultServiceQuotas.html).
//!
//! Surprise: for some quotas only AWS's default is known, and the list of the account's leaves them out.

use std::collections::BTreeMap;

use rcm_engine::model::Fault;

use crate::{Aws, classify::fault};

impl Aws {
    /// The quotas of a service (`vpc`) that have one of these `codes`: the account's, or AWS's default where it has none of its own.
    pub async fn quotas(&self, service: &str, codes: &[&str]) -> Result<BTreeMap<String, f64>, Fault> {
        let request = self.quotas.list_service_quotas().service_code(service).max_results(100);
        let pages = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let own = pages.map_err(fault("servicequotas", "ListServiceQuotas"))?;
        let mut found = among(codes, &own);
        if found.len() < codes.len() {
            let request = self.quotas.list_aws_default_service_quotas().service_code(service).max_results(100);
            let pages = request.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
            let defaults = among(codes, &pages.map_err(fault("servicequotas", "ListAWSDefaultServiceQuotas"))?);
            for (code, value) in defaults {
                found.entry(code).or_insert(value);
            }
        }
        Ok(found)
    }
}

fn among(codes: &[&str], quotas: &[aws_sdk_servicequotas::types::ServiceQuota]) -> BTreeMap<String, f64> {
    let asked = quotas.iter().filter_map(|quota| Some((quota.quota_code()?, quota.value()?)));
    asked.filter(|(code, _)| codes.contains(code)).map(|(code, value)| (code.to_owned(), value)).collect()
}
