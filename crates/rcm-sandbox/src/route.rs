//! Whose request is it? Both ways in carry AWS's signature, whose credential scope names the service and the region.

use bytes::Bytes;
use http::Uri;

use crate::service::{ApiRequest, ApiResponse};
use crate::wire::{self, Fault, Params};

/// A request that has found its service.
pub(crate) struct Arrival {
    /// As the credential scope names it: `ec2`, `elasticloadbalancing`, `s3`, …
    pub(crate) service: String,
    /// `CreateVpc`; for services whose operations are a method and a path, these two.
    pub(crate) operation: String,
    /// Whether the service's state has to be saved before the answer goes out.
    pub(crate) mutates: bool,
    /// The request as the service sees it: an absolute URI `https://{service}.{region}.amazonaws.com/…`, S3 path-style, the
    /// body free of transfer encodings.
    pub(crate) request: ApiRequest,
}

/// The part of a signature that matters here.
struct Scope {
    region: String,
    service: String,
}

/// Services with one endpoint for all regions sign for their home region.
const GLOBAL: [&str; 5] = ["account", "iam", "pricing", "route53", "sts"];

/// Services whose operations are a method and a path.
const REST: [&str; 7] = ["access-analyzer", "account", "backup", "guardduty", "route53", "s3", "securityhub"];

/// Those of them that speak JSON.
const REST_JSON: [&str; 5] = ["access-analyzer", "account", "backup", "guardduty", "securityhub"];

/// Operations that change nothing begin with one of these, in all services the sandbox plays.
const READING: [&str; 11] =
    ["Describe", "Get", "List", "Head", "Lookup", "Search", "Filter", "Simulate", "BatchGet", "BatchCheck", "Decode"];

/// Reads the signature and brings the request into the one shape that services see, or refuses it as AWS would.
pub(crate) fn arrive(request: ApiRequest, region: &str) -> Result<Arrival, ApiResponse> {
    let Some(scope) = scope(&request) else {
        let fault = Fault::new("MissingAuthenticationToken", "Request is missing Authentication Token").status(403);
        return Err(refuse(&request, &fault));
    };
    if scope.region != region && !GLOBAL.contains(&scope.service.as_str()) {
        let message = format!("this sandbox plays the region {region}, and the request is signed for {}", scope.region);
        return Err(refuse(&request, &Fault::new("SignatureDoesNotMatch", message).status(403)));
    }
    let Some(uri) = canonical_uri(&request, &scope.service, region) else {
        return Err(refuse(&request, &Fault::new("InvalidURI", "Couldn't parse the specified URI.")));
    };
    let body = if is_chunked(&request) { unchunk(&request.body) } else { request.body.clone() };
    let request = ApiRequest { uri, body, ..request };
    let operation = operation(&scope.service, &request);
    let mutates = mutates(&scope.service, &operation);
    Ok(Arrival { service: scope.service, operation, mutates, request })
}

/// An error before any service could answer, in the format that the request speaks.
pub(crate) fn refuse(request: &ApiRequest, fault: &Fault) -> ApiResponse {
    let speaks_json = scope(request).is_some_and(|scope| REST_JSON.contains(&scope.service.as_str()));
    if request.headers.contains_key("x-amz-target") || speaks_json {
        return fault.json();
    }
    match header(request, "content-type") {
        _ if header(request, "smithy-protocol").is_some() => fault.cbor(),
        Some(kind) if kind.starts_with("application/x-www-form-urlencoded") => fault.query(),
        _ if request.uri.contains(crate::services::ROUTE53_API) => fault.query(),
        _ => fault.s3(),
    }
}

/// `Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261123/us-east-1/ec2/aws4_request, …`, or the same in the query of a
/// presigned URL.
fn scope(request: &ApiRequest) -> Option<Scope> {
    let credential = match header(request, "authorization") {
        Some(authorization) => authorization.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned(),
        None => {
            let query = request.uri.split_once('?')?.1;
            Params::parse(query.as_bytes()).get("X-Amz-Credential")?.to_owned()
        }
    };
    let mut parts = credential.rsplit('/').skip(1);
    let (service, region) = (parts.next()?, parts.next()?);
    Some(Scope { region: region.to_owned(), service: service.to_owned() })
}

fn operation(service: &str, request: &ApiRequest) -> String {
    if REST.contains(&service) {
        let path = request.uri.split_once(".amazonaws.com").map_or("", |(_, target)| target);
        return format!("{} {}", request.method, path.split('?').next().unwrap_or_default());
    }
    if let Some(target) = header(request, "x-amz-target") {
        return target.rsplit('.').next().unwrap_or(target).to_owned();
    }
    if let Some(operation) = crate::services::rpc_operation(&request.uri) {
        return operation.to_owned();
    }
    Params::parse(&request.body).get("Action").unwrap_or_default().to_owned()
}

fn mutates(service: &str, operation: &str) -> bool {
    match REST.contains(&service) {
        true => !["GET ", "HEAD ", "OPTIONS "].iter().any(|method| operation.starts_with(method)),
        false => !READING.iter().any(|verb| operation.starts_with(verb)),
    }
}

/// Services read the region from the host, and S3 the bucket from host or path; a request that came over HTTP has neither.
fn canonical_uri(request: &ApiRequest, service: &str, region: &str) -> Option<String> {
    let uri: Uri = request.uri.parse().ok()?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.host().or_else(|| header(request, "host")).unwrap_or_default();
    let bucket = if service == "s3" { bucket_in(host) } else { None };
    let bucket = bucket.map(|bucket| format!("/{bucket}")).unwrap_or_default();
    Some(format!("https://{service}.{region}.amazonaws.com{bucket}{target}"))
}

/// `acme-logs` in `acme-logs.s3.us-east-1.amazonaws.com` and in `acme-logs.localhost:4566`.
fn bucket_in(host: &str) -> Option<&str> {
    let host = host.rsplit_once(':').map_or(host, |(host, _port)| host);
    // S3 Control, whose hosts begin with the account.
    if host.contains(".s3-control.") {
        return None;
    }
    let bucket = match host.strip_suffix(".amazonaws.com") {
        Some(aws) => aws
            .find(".s3.")
            .or_else(|| aws.find(".s3-"))
            .or_else(|| aws.strip_suffix(".s3").map(str::len))
            .map(|end| &aws[..end]),
        None => host.strip_suffix(".localhost"),
    };
    bucket.filter(|bucket| !bucket.is_empty())
}

fn is_chunked(request: &ApiRequest) -> bool {
    header(request, "x-amz-content-sha256").is_some_and(|hash| hash.starts_with("STREAMING-"))
        || header(request, "content-encoding").is_some_and(|encoding| encoding.contains("aws-chunked"))
}

/// The content of an `aws-chunked` body: `SIZE[;chunk-signature=…]\r\n CONTENT \r\n` repeated, a chunk of size 0, trailers.
/// A body that is not in that form is passed on as it is.
fn unchunk(body: &Bytes) -> Bytes {
    let mut content = Vec::with_capacity(body.len());
    let mut rest: &[u8] = body;
    loop {
        let Some((size, after)) = chunk_head(rest) else { return body.clone() };
        if size == 0 {
            return content.into();
        }
        let Some(chunk) = after.get(..size) else { return body.clone() };
        content.extend_from_slice(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
}

fn chunk_head(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = std::str::from_utf8(&bytes[..end]).ok()?;
    let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
    Some((size, &bytes[end + 2..]))
}

fn header<'a>(request: &'a ApiRequest, name: &str) -> Option<&'a str> {
    wire::header(&request.headers, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, service: &str, headers: &[(&'static str, &str)]) -> ApiRequest {
        let mut map = http::HeaderMap::new();
        let credential =
            format!("AWS4-HMAC-SHA256 Credential=AKIA/20261123/us-east-1/{service}/aws4_request, SignedHeaders=host");
        map.insert("authorization", credential.parse().unwrap());
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        ApiRequest { method: method.to_owned(), uri: uri.to_owned(), headers: map, body: Bytes::new() }
    }

    #[test]
    fn a_bucket_is_found_in_the_host_and_in_the_path() {
        let uri = |uri: &str, host: &[(&'static str, &str)]| {
            arrive(request("GET", uri, "s3", host), "us-east-1").map(|arrival| arrival.request.uri).unwrap()
        };
        let canonical = "https://s3.us-east-1.amazonaws.com/acme-logs/a%2Fb?versionId=1";
        assert_eq!(uri("https://acme-logs.s3.us-east-1.amazonaws.com/a%2Fb?versionId=1", &[]), canonical);
        assert_eq!(uri("https://acme-logs.s3.amazonaws.com/a%2Fb?versionId=1", &[]), canonical);
        assert_eq!(uri("/acme-logs/a%2Fb?versionId=1", &[("host", "127.0.0.1:4566")]), canonical);
        assert_eq!(uri("/a%2Fb?versionId=1", &[("host", "acme-logs.localhost:4566")]), canonical);
        let control =
            "https://123456789012.s3-control.us-east-1.amazonaws.com/v20180820/configuration/publicAccessBlock";
        assert_eq!(uri(control, &[]), "https://s3.us-east-1.amazonaws.com/v20180820/configuration/publicAccessBlock");
    }

    #[test]
    fn a_request_for_another_region_is_refused_and_global_services_are_not() {
        assert_eq!(
            arrive(request("POST", "/", "ecs", &[]), "eu-west-1").err().map(|refusal| refusal.status),
            Some(403)
        );
        assert!(arrive(request("POST", "/", "iam", &[]), "eu-west-1").is_ok());
    }

    #[test]
    fn the_content_of_a_chunked_upload_is_what_arrives() {
        let body = Bytes::from_static(
            b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        );
        assert_eq!(unchunk(&body), Bytes::from_static(b"hello world"));
    }

    #[test]
    fn only_changes_are_saved() {
        assert!(mutates("route53", "POST /2013-04-01/hostedzone") && !mutates("guardduty", "GET /detector"));
        assert!(mutates("s3", "PUT /logs") && mutates("ec2", "CreateVpc") && mutates("ecr", "BatchDeleteImage"));
        assert!(!mutates("s3", "HEAD /logs") && !mutates("ec2", "DescribeVpcs") && !mutates("ecr", "BatchGetImage"));
    }
}
