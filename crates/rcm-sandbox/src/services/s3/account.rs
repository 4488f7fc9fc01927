//! S3 Control, as far as it is about the account: the block of public access for all of its buckets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{document, empty};
use crate::service::{ApiRequest, ApiResponse, Context};
use crate::wire::{self, Element, Fault, Xml};

/// What every path of S3 Control begins with.
const API: &str = "/v20180820/";
const SWITCHES: [&str; 4] = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];

/// The switches, if there is a block. What a request leaves out is off.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Block(BTreeMap<String, bool>);

/// The path of a request to S3 Control.
pub(super) fn path(request: &ApiRequest) -> Option<&str> {
    let (_, path) = request.uri.split_once(API)?;
    wire::header(&request.headers, "x-amz-account-id")?;
    Some(path)
}

impl Block {
    pub(super) fn answer(&mut self, cx: &Context, request: &ApiRequest, path: &str) -> ApiResponse {
        self.operate(cx, request, path).unwrap_or_else(|fault| fault.query())
    }

    fn operate(&mut self, cx: &Context, request: &ApiRequest, path: &str) -> Result<ApiResponse, Fault> {
        if wire::header(&request.headers, "x-amz-account-id") != Some(&cx.account) {
            return Err(Fault::new("AccessDenied", "Access Denied").status(403));
        }
        match (request.method.as_str(), path) {
            ("PUT", "configuration/publicAccessBlock") => self.put(request),
            ("GET", "configuration/publicAccessBlock") => self.get(),
            ("DELETE", "configuration/publicAccessBlock") => {
                self.0.clear();
                Ok(empty(204))
            }
            (method, _) => {
                let message = format!("the sandbox does not play {method} {API}{path}");
                Err(Fault::new("UnknownOperationException", message))
            }
        }
    }

    fn put(&mut self, request: &ApiRequest) -> Result<ApiResponse, Fault> {
        let text = std::str::from_utf8(&request.body).ok();
        let given = text.and_then(Element::parse).filter(|root| root.name == "PublicAccessBlockConfiguration");
        let given = given.ok_or_else(super::malformed_xml)?;
        let on = |switch: &str| (switch.to_owned(), given.text_of(switch) == Some("true"));
        self.0 = SWITCHES.into_iter().map(on).collect();
        Ok(empty(200))
    }

    fn get(&self) -> Result<ApiResponse, Fault> {
        if self.0.is_empty() {
            let message = "The public access block configuration was not found";
            return Err(Fault::new("NoSuchPublicAccessBlockConfiguration", message).status(404));
        }
        let mut xml = Xml::default();
        for (switch, on) in &self.0 {
            xml.text(switch, on);
        }
        Ok(document("PublicAccessBlockConfiguration", &xml))
    }
}
