//! The Price List API: a few products, by their attributes.
//!
//! They are written by hand in AWS's shape, at prices of nobody's, and not made from rcm's own table: who asks gets what AWS could
//! answer, more than one product and none included.
//!
//! API: <https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_pricing_GetProducts.html>

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::emulator::{Emulated, Emulator};
use crate::json::{self, Answer, Input, without_nulls};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::Fault;

/// The products, in us-east-1.
const PRODUCTS: &str = include_str!("pricing/products.json");

/// Nothing is ever changed.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Pricing {}

impl Emulated for Pricing {
    const NAME: &'static str = "pricing";

    async fn answer(_: &Emulator<Self>, _: &Context, request: &ApiRequest) -> ApiResponse {
        json::reply(operation(request))
    }
}

fn operation(request: &ApiRequest) -> Answer {
    let (operation, input) = Input::of(request)?;
    match operation.as_str() {
        "GetProducts" => products(&input),
        other => json::unknown_operation(other),
    }
}

fn products(input: &Input) -> Answer {
    let service = input.need("ServiceCode")?;
    let broken = |error: serde_json::Error| Fault::new("InternalErrorException", format!("products.json: {error}"));
    let all: Vec<Value> = serde_json::from_str(PRODUCTS).map_err(broken)?;
    let matches = |product: &&Value| {
        product["serviceCode"] == service && input.objects("Filters").iter().all(|filter| has(product, filter))
    };
    let found = all.iter().filter(matches).map(Value::to_string).collect();
    let size = input.number("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let (shown, next) = crate::page::page(found, input.text("NextToken"), Some(size.clamp(1, 100)));
    Ok(without_nulls(json!({"FormatVersion": "aws_v1", "PriceList": shown, "NextToken": next})))
}

/// Whether an attribute of a product is what a filter asks for, to the letter.
fn has(product: &Value, filter: &Value) -> bool {
    let field = filter["Field"].as_str().unwrap_or_default();
    let value = match field {
        "productFamily" => &product["product"]["productFamily"],
        "ServiceCode" => &product["serviceCode"],
        _ => &product["product"]["attributes"][field],
    };
    filter["Type"] == "TERM_MATCH" && value == &filter["Value"]
}
