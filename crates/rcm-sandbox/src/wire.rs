//! AWS's wire formats, as far as the services here speak them: awsQuery and EC2's dialect of it (form in, XML out) and
//! awsJson.
//!
//! ```text
//! let params = Params::parse(&request.body);             // Action=CreateVpc&CidrBlock=10.0.0.0%2F16&Tag.1.Key=…
//! params.action();  params.require("CidrBlock")?;  params.list("SubnetId");  params.structs("Filter");
//!
//! let mut xml = Xml::default();
//! xml.node("vpc", |vpc| { vpc.text("vpcId", &id).opt("ownerId", owner).list("tagSet", "item", tags, |item, tag| …); });
//! ec2_reply("CreateVpc", &xml)   or   query_reply("CreateDBInstance", RDS_NAMESPACE, Ok(xml))   or   json_reply(&value)
//!
//! Err(Fault::new("DBInstanceNotFound", "DBInstance acme not found.").status(404))   →   .ec2()  .query()  .json()  .s3()
//! ```

mod element;
mod params;
mod xml;

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

pub(crate) use self::element::Element;
pub(crate) use self::params::Params;
pub(crate) use self::xml::Xml;
use crate::service::{ApiRequest, ApiResponse};

const EC2_NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// An error as AWS sends it. `code` is the **wire code** (`DBInstanceNotFound`), not the name of the SDK's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    status: u16,
    code: Cow<'static, str>,
    message: String,
}

impl Fault {
    /// A fault of the caller: HTTP 400.
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into() }
    }

    /// With another HTTP status.
    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The wire code.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The message.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// As EC2 sends it.
    pub(crate) fn ec2(&self) -> ApiResponse {
        let id = request_id();
        let mut xml = Xml::default();
        xml.node("Response", |response| {
            response.node("Errors", |errors| {
                errors.node("Error", |error| {
                    error.text("Code", &self.code).text("Message", &self.message);
                });
            });
            response.text("RequestID", &id);
        });
        xml_response(self.status, xml.document(), &id)
    }

    /// As awsQuery services (RDS, ELB, IAM, STS) send it.
    pub(crate) fn query(&self) -> ApiResponse {
        let id = request_id();
        let mut xml = Xml::default();
        xml.node("ErrorResponse", |response| {
            response.node("Error", |error| {
                let blame = if self.status < 500 { "Sender" } else { "Receiver" };
                error.text("Type", blame).text("Code", &self.code).text("Message", &self.message);
            });
            response.text("RequestId", &id);
        });
        xml_response(self.status, xml.document(), &id)
    }

    /// As awsJson services (ECS, KMS, Logs, Secrets Manager, ECR, ACM, Application Auto Scaling) send it.
    pub(crate) fn json(&self) -> ApiResponse {
        json_response(self.status, &json!({ "__type": self.code, "message": self.message }))
    }

    /// As services that speak RPC v2 CBOR (CloudWatch) send it.
    pub(crate) fn cbor(&self) -> ApiResponse {
        cbor_reply(self.status, &json!({ "__type": self.code, "message": self.message }))
    }

    /// As S3 sends it.
    pub(crate) fn s3(&self) -> ApiResponse {
        let id = request_id();
        let mut xml = Xml::default();
        xml.node("Error", |error| {
            error.text("Code", &self.code).text("Message", &self.message).text("RequestId", &id);
        });
        xml_response(self.status, xml.document(), &id)
    }
}

/// `<{action}Response>` with `content` directly in it, as EC2 answers.
pub(crate) fn ec2_reply(action: &str, content: &Xml) -> ApiResponse {
    let id = request_id();
    let mut xml = Xml::default();
    xml.root(&format!("{action}Response"), EC2_NAMESPACE, |response| {
        response.text("requestId", &id).append(content);
    });
    xml_response(200, xml.document(), &id)
}

/// `<{action}Response><{action}Result>` with the content in it, or the refusal, as awsQuery services answer.
pub(crate) fn query_reply(action: &str, namespace: &str, answer: Result<Xml, Fault>) -> ApiResponse {
    let content = match answer {
        Ok(content) => content,
        Err(fault) => return fault.query(),
    };
    let id = request_id();
    let mut xml = Xml::default();
    xml.root(&format!("{action}Response"), namespace, |response| {
        response.node(&format!("{action}Result"), |result| {
            result.append(&content);
        });
        response.node("ResponseMetadata", |metadata| {
            metadata.text("RequestId", &id);
        });
    });
    xml_response(200, xml.document(), &id)
}

/// `<{root}>` with `content` directly in it, or the refusal, as Route 53 answers.
pub(crate) fn rest_reply(status: u16, namespace: &str, answer: Result<(&str, Xml), Fault>) -> ApiResponse {
    let (root, content) = match answer {
        Ok(answer) => answer,
        Err(fault) => return fault.query(),
    };
    let mut xml = Xml::default();
    xml.root(root, namespace, |response| {
        response.append(&content);
    });
    xml_response(status, xml.document(), &request_id())
}

/// The operation (`CreateCluster`) and the body of an awsJson request. A body that is not JSON is AWS's
/// `SerializationException`.
pub(crate) fn json_request(request: &ApiRequest) -> Result<(String, Value), Fault> {
    let target = header(&request.headers, "x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    if request.body.is_empty() {
        return Ok((operation, json!({})));
    }
    let body = serde_json::from_slice(&request.body)
        .map_err(|error| Fault::new("SerializationException", format!("the body is not JSON: {error}")))?;
    Ok((operation, body))
}

/// The answer of an awsJson service.
pub(crate) fn json_reply(value: &Value) -> ApiResponse {
    json_response(200, value)
}

/// The answer of a service that speaks RPC v2 CBOR.
pub(crate) fn cbor_reply(status: u16, value: &Value) -> ApiResponse {
    let mut answer = response(status, "application/cbor", crate::cbor::from_json(value), &request_id());
    answer.headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    answer
}

/// A request id as AWS gives them.
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The value of a header, where it is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn json_response(status: u16, value: &Value) -> ApiResponse {
    response(status, "application/x-amz-json-1.1", value.to_string(), &request_id())
}

fn xml_response(status: u16, document: String, id: &str) -> ApiResponse {
    response(status, "text/xml;charset=UTF-8", document, id)
}

fn response(status: u16, kind: &'static str, body: impl Into<bytes::Bytes>, id: &str) -> ApiResponse {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    ApiResponse { status, headers, body: body.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_wire_code_in_every_format() {
        let fault = Fault::new("DBInstanceNotFound", "no <acme> & co").status(404);
        for response in [fault.ec2(), fault.query(), fault.s3()] {
            let body = String::from_utf8(response.body.to_vec()).unwrap();
            assert!(
                body.contains("<Code>DBInstanceNotFound</Code><Message>no &lt;acme&gt; &amp; co</Message>"),
                "{body}"
            );
            assert_eq!(response.status, 404);
        }
        let json: Value = serde_json::from_slice(&fault.json().body).unwrap();
        assert_eq!(json, json!({ "__type": "DBInstanceNotFound", "message": "no <acme> & co" }));
    }
}
