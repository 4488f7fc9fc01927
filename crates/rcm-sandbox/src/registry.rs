//! ECR's registry, which images are pushed to: the protocol of OCI on the loopback interface, in front of the service.
//!
//! It begins to listen when somebody asks for a token, and the token says where. As ECR it wants the user `AWS` and the token's password, takes a
//! layer in one piece (each further one is lost), and says `201` to it. Layers are verified and forgotten: kept is that they were there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

use crate::cloud::Cloud;
use crate::service::ApiRequest;

/// Whom the registry lets in: user and password, as ECR's token has them.
pub(crate) const LOGIN: &str = "AWS:sandbox";
/// Manifests are kilobytes.
const LARGEST_MANIFEST: usize = 4 << 20;

type Answer = Response<Full<Bytes>>;

/// An upload that has begun.
struct Upload {
    hash: Sha256,
    received: u64,
    /// Whether it has got its one piece.
    full: bool,
}

struct Registry {
    cloud: Weak<Cloud>,
    region: String,
    uploads: Mutex<BTreeMap<String, Upload>>,
}

/// Begins to listen, and says where.
pub(crate) fn start(cloud: &Arc<Cloud>) -> io::Result<String> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let url = format!("http://{}", listener.local_addr()?);
    let region = cloud.context().region.clone();
    let registry = Arc::new(Registry { cloud: Arc::downgrade(cloud), region, uploads: Mutex::default() });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let registry = Arc::clone(&registry);
            let service = service_fn(move |request| {
                let registry = Arc::clone(&registry);
                async move { Ok::<_, Infallible>(registry.answer(request).await) }
            });
            // A client that hangs up has what it wanted, or asks again.
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Ok(url)
}

impl Registry {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.headers().get("authorization").and_then(|sent| sent.to_str().ok()) != Some(&basic()) {
            let mut answer = error(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required");
            answer.headers_mut().insert("www-authenticate", http::HeaderValue::from_static("Basic realm=\"ecr\""));
            return answer;
        }
        let path = request.uri().path().trim_start_matches("/v2/").to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let method = request.method().as_str().to_owned();
        let (repository, rest) = match ["/blobs/uploads/", "/blobs/", "/manifests/"].iter().find_map(|kind| {
            let (repository, rest) = path.split_once(kind)?;
            Some((repository.to_owned(), (*kind, rest.to_owned())))
        }) {
            Some(found) => found,
            None => return plain(StatusCode::OK),
        };
        match (method.as_str(), rest.0) {
            ("POST", "/blobs/uploads/") => self.begin(&repository).await,
            ("PATCH", "/blobs/uploads/") => self.receive(&repository, &rest.1, request.into_body()).await,
            ("PUT", "/blobs/uploads/") => self.end(&repository, &rest.1, &query).await,
            ("HEAD", "/blobs/") => match self.has(&repository, &rest.1).await {
                true => plain(StatusCode::OK),
                false => plain(StatusCode::NOT_FOUND),
            },
            ("GET" | "HEAD", "/manifests/") => self.manifest(&repository, &rest.1).await,
            ("PUT", "/manifests/") => self.put_manifest(&repository, &rest.1, request.into_body()).await,
            _ => {
                error(StatusCode::NOT_FOUND, "UNSUPPORTED", "the sandbox keeps no layers, and tells nothing of uploads")
            }
        }
    }

    async fn begin(&self, repository: &str) -> Answer {
        if let Err(refusal) = self.ecr("DescribeRepositories", &json!({"repositoryNames": [repository]})).await {
            return refusal;
        }
        let id = uuid::Uuid::new_v4().to_string();
        self.uploads().insert(id.clone(), Upload { hash: Sha256::new(), received: 0, full: false });
        located(StatusCode::ACCEPTED, &format!("/v2/{repository}/blobs/uploads/{id}"), 0)
    }

    async fn receive(&self, repository: &str, id: &str, mut body: Incoming) -> Answer {
        let Some(mut upload) = self.uploads().remove(id) else {
            return error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "the upload is not known");
        };
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return plain(StatusCode::BAD_REQUEST) };
            if let (Some(data), false) = (frame.data_ref(), upload.full) {
                upload.hash.update(data);
                upload.received += data.len() as u64;
            }
        }
        upload.full = true;
        let received = upload.received;
        self.uploads().insert(id.to_owned(), upload);
        located(StatusCode::CREATED, &format!("/v2/{repository}/blobs/uploads/{id}"), received)
    }

    async fn end(&self, repository: &str, id: &str, query: &str) -> Answer {
        let Some(upload) = self.uploads().remove(id) else {
            return error(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "the upload is not known");
        };
        let claimed = query.split('&').find_map(|pair| pair.strip_prefix("digest=")).unwrap_or_default();
        let claimed = claimed.replace("%3A", ":");
        let digits: String = upload.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if claimed != format!("sha256:{digits}") {
            return error(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the content is not what its digest says");
        }
        let input = json!({"repositoryName": repository, "uploadId": id, "layerDigests": [claimed]});
        match self.ecr("CompleteLayerUpload", &input).await {
            Ok(_) => plain(StatusCode::CREATED),
            Err(refusal) => refusal,
        }
    }

    async fn has(&self, repository: &str, digest: &str) -> bool {
        let input = json!({"repositoryName": repository, "layerDigests": [digest]});
        let answer = self.ecr("BatchCheckLayerAvailability", &input).await.unwrap_or_default();
        answer["layers"][0]["layerAvailability"] == "AVAILABLE"
    }

    async fn manifest(&self, repository: &str, version: &str) -> Answer {
        let member = if version.starts_with("sha256:") { "imageDigest" } else { "imageTag" };
        let input = json!({"repositoryName": repository, "imageIds": [{member: version}]});
        let found = match self.ecr("BatchGetImage", &input).await {
            Ok(answer) => answer["images"][0].clone(),
            Err(refusal) => return refusal,
        };
        let Some(manifest) = found["imageManifest"].as_str() else {
            return error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found");
        };
        let mut answer = Response::new(Full::new(Bytes::from(manifest.to_owned())));
        if let Ok(kind) = found["imageManifestMediaType"].as_str().unwrap_or_default().parse() {
            answer.headers_mut().insert("content-type", kind);
        }
        answer
    }

    async fn put_manifest(&self, repository: &str, tag: &str, body: Incoming) -> Answer {
        let Ok(body) = Limited::new(body, LARGEST_MANIFEST).collect().await else {
            return plain(StatusCode::PAYLOAD_TOO_LARGE);
        };
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        let manifest: Value = serde_json::from_str(&text).unwrap_or_default();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        for blob in layers.iter().chain([&manifest["config"]]) {
            let digest = blob["digest"].as_str().unwrap_or_default();
            if !self.has(repository, digest).await {
                return error(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", &format!("{digest} has not been pushed"));
            }
        }
        let input = json!({"repositoryName": repository, "imageManifest": text, "imageTag": tag});
        match self.ecr("PutImage", &input).await {
            Ok(_) => plain(StatusCode::CREATED),
            Err(refusal) => refusal,
        }
    }

    /// Asks the service behind, as anybody would.
    async fn ecr(&self, operation: &str, input: &Value) -> Result<Value, Answer> {
        let gone = || error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "the sandbox is closed");
        let cloud = self.cloud.upgrade().ok_or_else(gone)?;
        let scope = format!("AWS4-HMAC-SHA256 Credential=AWS/20260101/{}/ecr/aws4_request", self.region);
        let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", scope), ("x-amz-target", target)] {
            headers.insert(name, value.parse().map_err(|_| gone())?);
        }
        let body = Bytes::from(input.to_string());
        let answer = cloud.answer(ApiRequest { method: "POST".into(), uri: "/".into(), headers, body }).await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(said);
        }
        let kind = said["__type"].as_str().unwrap_or("UNKNOWN");
        let status = if kind.contains("NotFound") { StatusCode::NOT_FOUND } else { StatusCode::BAD_REQUEST };
        Err(error(status, kind, said["message"].as_str().unwrap_or_default()))
    }

    fn uploads(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Upload>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(LOGIN))
}

fn plain(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn error(status: StatusCode, code: &str, message: &str) -> Answer {
    let body = json!({"errors": [{"code": code, "message": message}]}).to_string();
    let mut answer = Response::new(Full::new(Bytes::from(body)));
    *answer.status_mut() = status;
    answer
}

fn located(status: StatusCode, location: &str, received: u64) -> Answer {
    let mut answer = plain(status);
    let range = format!("0-{}", received.saturating_sub(1));
    for (name, value) in [("location", location), ("range", &range)] {
        // Paths and numbers are what headers may hold.
        if let Ok(value) = value.parse() {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}
