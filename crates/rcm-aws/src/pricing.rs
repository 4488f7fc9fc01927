//! What AWS asks for things now, by its [Price List API](https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html).
//!
//! Surprises: it answers in three Regions for all of them, so its client is of one of these, whatever the partner's Region is. A product
//! comes as JSON in a string.

use aws_sdk_pricing::types::{Filter, FilterType};
use rcm_engine::model::Fault;

use crate::{
    Aws,
    classify::{fault, unbuilt},
};

/// Products that have what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Products {
    /// Each as AWS writes it: JSON with `product`, `terms` and `publicationDate`.
    pub found: Vec<String>,
    /// Whether there are more of them.
    pub more: bool,
}

impl Aws {
    /// The products of a service whose attributes are these
    /// ([GetProducts](https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html)): the first page.
    pub async fn products(&self, service: &str, attributes: &[(String, String)]) -> Result<Products, Fault> {
        const CALL: &str = "GetProducts";
        let filter = |(field, value): &(String, String)| {
            let filter = Filter::builder().r#type(FilterType::TermMatch).field(field).value(value);
            filter.build().map_err(unbuilt("pricing", CALL))
        };
        let filters = attributes.iter().map(filter).collect::<Result<_, _>>()?;
        let request = self.pricing.get_products().service_code(service).set_filters(Some(filters));
        let answer = request.format_version("aws_v1").send().await.map_err(fault("pricing", CALL))?;
        Ok(Products { more: answer.next_token().is_some(), found: answer.price_list.unwrap_or_default() })
    }
}
