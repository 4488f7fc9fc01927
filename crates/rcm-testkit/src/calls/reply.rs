//! AWS errors on the wire: read from an endpoint's answer, written in an endpoint's place.

use bytes::Bytes;
use http::{Response, StatusCode};
use rcm_sandbox::cbor;
use serde_json::{Value, json};

use super::operation::Protocol;

/// The error code of an answer, in whichever of the places the service's protocol puts it.
///
/// `type_header` is the value of `x-amzn-errortype`.
pub(super) fn error_code(status: u16, type_header: Option<&str>, body: &[u8]) -> Option<String> {
    if status < 400 {
        return None;
    }
    let code = type_header.map(str::to_owned).or_else(|| json_code(body)).or_else(|| xml_code(body))?;
    // "com.amazonaws.ecs#ClientException:http://…" says no more than "ClientException".
    let code = code.split(':').next().unwrap_or_default();
    Some(code.rsplit('#').next().unwrap_or_default().to_owned())
}

fn json_code(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok().or_else(|| cbor::to_json(body))?;
    ["__type", "code", "Code"].iter().find_map(|key| value[key].as_str()).map(str::to_owned)
}

fn xml_code(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, after) = text.split_once("<Code>")?;
    after.split_once("</Code>").map(|(code, _)| code.trim().to_owned())
}

/// An error as a service of this protocol sends it.
pub(super) fn refusal(protocol: Protocol, status: u16, code: &str, message: &str) -> Response<Bytes> {
    let error = format!("<Code>{code}</Code><Message>{}</Message>", message.replace('&', "&amp;").replace('<', "&lt;"));
    let document = json!({ "__type": code, "message": message });
    let (content_type, body) = match protocol {
        Protocol::Cbor => return answer(status, "application/cbor", cbor::from_json(&document)),
        Protocol::Json => ("application/x-amz-json-1.1", document.to_string()),
        Protocol::Query => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>rule</RequestId></ErrorResponse>"
            ),
        ),
        Protocol::Ec2 => (
            "text/xml",
            format!("<Response><Errors><Error>{error}</Error></Errors><RequestID>rule</RequestID></Response>"),
        ),
        Protocol::RestXml => ("application/xml", format!("<Error>{error}<RequestId>rule</RequestId></Error>")),
    };
    answer(status, content_type, body)
}

fn answer(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    if content_type == "application/cbor" {
        response.headers_mut().insert("smithy-protocol", http::HeaderValue::from_static("rpc-v2-cbor"));
    }
    response
}
