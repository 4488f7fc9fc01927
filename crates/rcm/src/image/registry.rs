//! A registry: the [OCI distribution protocol](https://github.com/opencontainers/distribution-spec/blob/main/spec.md).

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{
    HeaderMap, Method, Request, Response, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE, WWW_AUTHENTICATE},
};
use rcm_aws::Secret;
use serde::Deserialize;
use tokio::time::{Instant, timeout};

use super::{
    Blob, Digest, ImageError, Reference,
    auth::{Challenge, Login, token_url},
    body::{Counter, body},
    http::{Http, whole},
    manifest::{DOCKER_INDEX, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST},
    reference::is_loopback,
};

/// How long a registry may take to answer what is asked at once.
const ANSWERS_WITHIN: Duration = Duration::from_mins(1);
/// For how long nothing may move while a layer is on its way.
const SILENCE: Duration = Duration::from_mins(2);
/// How often that is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How often a redirect is followed.
const HOPS: usize = 5;

/// A registry and who we are there.
#[derive(Debug)]
pub struct Registry {
    http: Http,
    /// `https://HOST`
    url: String,
    login: Option<Login>,
    rights: &'static str,
    /// The header that was good last, and for which repository.
    granted: Mutex<Option<(String, Arc<Secret>)>>,
}

/// A manifest as it is there.
pub(super) struct Found {
    pub(super) bytes: Bytes,
    pub(super) media_type: String,
}

/// An upload that has begun.
#[derive(Debug, Clone)]
pub(super) struct Session {
    location: String,
    /// How many bytes the registry has.
    pub(super) offset: u64,
}

/// One request.
struct Ask<'a> {
    method: Method,
    url: String,
    repository: &'a str,
    headers: Vec<(http::HeaderName, String)>,
    body: Bytes,
}

impl Registry {
    /// The registry that a reference is in, to read from.
    pub fn of(reference: &Reference, login: Option<Login>) -> Self {
        Self::new(reference.base_url(), login, "pull")
    }

    /// The registry that answers at `url`, to write to.
    ///
    /// # Errors
    /// A URL without TLS, but for one of this machine.
    pub fn to_push(url: &str, login: Option<Login>) -> Result<Self, ImageError> {
        let host = url.split_once("://").map_or(url, |(_, host)| host);
        if url.starts_with("https://") || is_loopback(host) {
            return Ok(Self::new(url.trim_end_matches('/').to_owned(), login, "pull,push"));
        }
        Err(ImageError::Denied {
            registry: url.to_owned(),
            why: "passwords and images are sent under TLS alone".into(),
        })
    }

    fn new(url: String, login: Option<Login>, rights: &'static str) -> Self {
        Self { http: Http::new(), url, login, rights, granted: Mutex::default() }
    }

    /// The manifest of a tag or a digest.
    pub(super) async fn manifest(&self, repository: &str, version: &str) -> Result<Found, ImageError> {
        let accepted = [OCI_INDEX, OCI_MANIFEST, DOCKER_INDEX, DOCKER_MANIFEST].join(", ");
        let ask = self.ask(Method::GET, repository, &format!("manifests/{version}")).header(ACCEPT, accepted);
        let answer = self.asked_again(&ask).await?;
        let what = || format!("{repository}:{version}");
        let answer = self.expect(&ask, answer, &[StatusCode::OK], what).await?;
        let media_type = text(answer.headers(), CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned();
        let bytes = self.read(answer.into_body()).await?;
        if let Some(digest) = Digest::parse(version) {
            verify(what(), digest, &bytes)?;
        }
        Ok(Found { bytes, media_type })
    }

    /// Whether this version is that manifest.
    pub(super) async fn is(&self, repository: &str, version: &str, digest: &Digest) -> Result<bool, ImageError> {
        match self.manifest(repository, version).await {
            Ok(found) => Ok(Digest::of(&found.bytes) == *digest),
            Err(ImageError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Puts a manifest under a tag.
    pub(super) async fn put_manifest(
        &self,
        repository: &str,
        tag: &str,
        media_type: &str,
        manifest: &Bytes,
    ) -> Result<(), ImageError> {
        let mut ask = self.ask(Method::PUT, repository, &format!("manifests/{tag}")).header(CONTENT_TYPE, media_type);
        ask.body = manifest.clone();
        let answer = self.asked_again(&ask).await?;
        let good = [StatusCode::CREATED, StatusCode::OK, StatusCode::ACCEPTED];
        self.expect(&ask, answer, &good, || format!("repository {repository}")).await.map(drop)
    }

    /// Whether the repository has this blob.
    pub(super) async fn has(&self, repository: &str, digest: &Digest) -> Result<bool, ImageError> {
        let ask = self.ask(Method::HEAD, repository, &format!("blobs/{digest}"));
        let answer = self.asked_again(&ask).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        // S3, where ECR and others send one to, does not allow a HEAD by the link that it was given for a GET.
        let there = [StatusCode::OK, StatusCode::TEMPORARY_REDIRECT, StatusCode::FOUND];
        self.expect(&ask, answer, &there, || format!("blob {digest}")).await.map(|_| true)
    }

    /// A blob from `offset` on, wherever the registry keeps it.
    pub(super) async fn blob(&self, repository: &str, digest: &Digest, offset: u64) -> Result<SdkBody, ImageError> {
        let mut ask = self.ask(Method::GET, repository, &format!("blobs/{digest}"));
        if offset > 0 {
            ask = ask.header(RANGE, format!("bytes={offset}-"));
        }
        let mut answer = self.asked(&ask).await?;
        for _ in 0..HOPS {
            if !answer.status().is_redirection() {
                break;
            }
            let url = resolved(&ask.url, &text(answer.headers(), LOCATION));
            // Whoever the registry sends us to, the link is the permission; our password is none of their business.
            let mut onward = Request::builder().method(Method::GET).uri(self.safe(&url)?);
            if offset > 0 {
                onward = onward.header(RANGE, format!("bytes={offset}-"));
            }
            answer = self.sent(onward.body(SdkBody::empty()).map_err(|error| self.no_answer(error))?).await?;
        }
        let good = if offset > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        Ok(self.expect(&ask, answer, &[good], || format!("blob {digest} in {repository}")).await?.into_body())
    }

    /// A configuration, read whole and verified.
    pub(super) async fn small_blob(&self, repository: &str, digest: &Digest, size: u64) -> Result<Bytes, ImageError> {
        let read = || async { self.read(self.blob(repository, digest, 0).await?).await };
        let bytes = again(read, |_| {}).await?;
        if u64::try_from(bytes.len()).ok() != Some(size) {
            return Err(ImageError::Unreadable {
                what: digest.to_string(),
                why: format!("{} bytes came", bytes.len()),
            });
        }
        verify(format!("the configuration in {repository}"), digest.clone(), &bytes)?;
        Ok(bytes)
    }

    /// Begins an upload.
    pub(super) async fn begin(&self, repository: &str) -> Result<Session, ImageError> {
        let ask = self.ask(Method::POST, repository, "blobs/uploads/").header(CONTENT_LENGTH, "0");
        let answer = self.asked(&ask).await?;
        let answer = self.expect(&ask, answer, &[StatusCode::ACCEPTED], || format!("repository {repository}")).await?;
        Ok(Session { location: resolved(&ask.url, &text(answer.headers(), LOCATION)), offset: 0 })
    }

    /// How far an upload has come that was cut off. `None` where the registry does not know, or has forgotten it.
    pub(super) async fn resume(&self, repository: &str, session: &Session) -> Option<Session> {
        let ask = Ask { url: session.location.clone(), ..self.ask(Method::GET, repository, "") };
        let answer = self.asked(&ask).await.ok()?;
        if ![StatusCode::NO_CONTENT, StatusCode::OK].contains(&answer.status()) {
            return None;
        }
        let location = text(answer.headers(), LOCATION);
        let location = if location.is_empty() { ask.url } else { resolved(&ask.url, &location) };
        Some(Session { location, offset: received(answer.headers())? })
    }

    /// Sends what the registry does not have yet of a blob, in one go, and returns the upload as it is then.
    ///
    /// Not in pieces: of those, ECR keeps only the first.
    pub(super) async fn patch(
        &self,
        repository: &str,
        session: &Session,
        blob: &Blob,
        sent: &Counter,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Session, ImageError> {
        let Session { location, offset } = session;
        sent.set(*offset);
        let mut request = Request::builder().method(Method::PATCH).uri(self.safe(location)?);
        request = request.header(CONTENT_TYPE, "application/octet-stream").header(CONTENT_LENGTH, blob.size - offset);
        if *offset > 0 {
            request = request.header(CONTENT_RANGE, format!("{offset}-{}", blob.size - 1));
        }
        if let Some(header) = self.header_for(repository).filter(|_| self.is_ours(location)) {
            request = request.header(AUTHORIZATION, header.expose());
        }
        let body = body(blob, *offset, sent).await?;
        let request = request.body(body).map_err(|error| self.no_answer(error))?;
        let answer = self.watched(request, sent, moved).await?;
        let ask = Ask { url: location.clone(), ..self.ask(Method::PATCH, repository, "") };
        // ECR says that it is created.
        let good = [StatusCode::ACCEPTED, StatusCode::CREATED, StatusCode::NO_CONTENT];
        let answer = self.expect(&ask, answer, &good, || "upload".into()).await?;
        let next = text(answer.headers(), LOCATION);
        let next = if next.is_empty() { location.clone() } else { resolved(location, &next) };
        Ok(Session { location: next, offset: received(answer.headers()).unwrap_or(blob.size) })
    }

    /// Ends an upload: the registry compares what it has with the digest.
    pub(super) async fn end(&self, repository: &str, session: &Session, digest: &Digest) -> Result<(), ImageError> {
        let join = if session.location.contains('?') { '&' } else { '?' };
        let url = format!("{}{join}digest={}", session.location, urlencoding::encode(digest.as_str()));
        let ask = Ask { url, ..self.ask(Method::PUT, repository, "").header(CONTENT_LENGTH, "0") };
        let answer =
            timeout(SILENCE, self.asked(&ask)).await.map_err(|_| self.no_answer("nothing for two minutes"))??;
        let good = [StatusCode::CREATED, StatusCode::NO_CONTENT, StatusCode::OK];
        self.expect(&ask, answer, &good, || "upload".into()).await.map(drop)
    }

    fn ask<'a>(&self, method: Method, repository: &'a str, path: &str) -> Ask<'a> {
        let url = format!("{}/v2/{repository}/{path}", self.url);
        Ask { method, url, repository, headers: Vec::new(), body: Bytes::new() }
    }

    /// Asks as often as it takes, within limits: for requests that may be sent twice.
    async fn asked_again(&self, ask: &Ask<'_>) -> Result<Response<SdkBody>, ImageError> {
        again(
            || async {
                let answer = self.asked(ask).await?;
                if answer.status().is_server_error() || answer.status() == StatusCode::TOO_MANY_REQUESTS {
                    return Err(self.refused(ask, answer, || "answer".into()).await);
                }
                Ok(answer)
            },
            |_| {},
        )
        .await
    }

    /// Asks, and says who we are where the registry wants to know.
    async fn asked(&self, ask: &Ask<'_>) -> Result<Response<SdkBody>, ImageError> {
        let answer = self.sent(self.request(ask)?).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || !self.is_ours(&ask.url) {
            return Ok(answer);
        }
        self.introduce(ask.repository, answer.headers()).await?;
        self.sent(self.request(ask)?).await
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<SdkBody>, ImageError> {
        let mut request = Request::builder().method(ask.method.clone()).uri(self.safe(&ask.url)?);
        for (name, value) in &ask.headers {
            request = request.header(name, value);
        }
        if let Some(header) = self.header_for(ask.repository).filter(|_| self.is_ours(&ask.url)) {
            request = request.header(AUTHORIZATION, header.expose());
        }
        request.body(SdkBody::from(ask.body.clone())).map_err(|error| self.no_answer(error))
    }

    async fn sent(&self, request: Request<SdkBody>) -> Result<Response<SdkBody>, ImageError> {
        let answer = timeout(ANSWERS_WITHIN, self.http.send(request)).await;
        answer.map_err(|_| self.no_answer("nothing for a minute"))?.map_err(|error| self.no_answer(error))
    }

    /// Sends a body, tells how far it has come, and gives up where nothing moves.
    async fn watched(
        &self,
        request: Request<SdkBody>,
        sent: &Counter,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Response<SdkBody>, ImageError> {
        let mut sending = Box::pin(self.http.send(request));
        let mut look = tokio::time::interval(LOOK);
        let (mut last, mut since) = (sent.get(), Instant::now());
        loop {
            tokio::select! {
                answer = &mut sending => {
                    moved(sent.get());
                    return answer.map_err(|error| self.no_answer(error));
                }
                _ = look.tick() => {
                    let now = sent.get();
                    if now != last {
                        (last, since) = (now, Instant::now());
                        moved(now);
                    } else if since.elapsed() > SILENCE {
                        return Err(self.no_answer("nothing has moved for two minutes"));
                    }
                }
            }
        }
    }

    /// Finds out who the registry wants us to be, and becomes that.
    async fn introduce(&self, repository: &str, headers: &HeaderMap) -> Result<(), ImageError> {
        let denied = |why: String| ImageError::Denied { registry: self.url.clone(), why };
        let mut asked = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok());
        let header = match (asked.find_map(Challenge::parse), &self.login) {
            (Some(Challenge::Basic), Some(login)) => login.header(),
            (Some(Challenge::Basic), None) => return Err(denied("it wants a user and a password".into())),
            (Some(Challenge::Bearer { realm, service }), login) => {
                let url = token_url(&realm, service.as_deref(), repository, self.rights);
                let url =
                    url.ok_or_else(|| denied(format!("it wants a password to be sent to {realm} without TLS")))?;
                self.token(&url, login.as_ref()).await?
            }
            (None, _) => return Err(denied("it wants a kind of authentication that rcm does not know".into())),
        };
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        *granted = Some((repository.to_owned(), Arc::new(header)));
        Ok(())
    }

    async fn token(&self, url: &str, login: Option<&Login>) -> Result<Secret, ImageError> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let fetch = || async {
            let mut request = Request::builder().method(Method::GET).uri(url);
            if let Some(login) = login {
                request = request.header(AUTHORIZATION, login.header().expose());
            }
            let answer = self.sent(request.body(SdkBody::empty()).map_err(|error| self.no_answer(error))?).await?;
            let (status, bytes) = (answer.status(), self.read(answer.into_body()).await?);
            match status {
                StatusCode::OK => Ok(bytes),
                status if status.is_server_error() => Err(self.no_answer(format!("its token server answers {status}"))),
                status => {
                    let who = login.map_or("nobody in particular", |login| login.user.as_str());
                    let why = format!("its token server answers {status} to {who}");
                    Err(ImageError::Denied { registry: self.url.clone(), why })
                }
            }
        };
        let bytes = again(fetch, |_| {}).await?;
        // Not what it says: there is a secret in it.
        let broken = || ImageError::Unreadable { what: "the token".into(), why: "it is no JSON with a token".into() };
        let Token { token, access_token } = serde_json::from_slice(&bytes).map_err(|_| broken())?;
        let token = token.or(access_token).ok_or_else(broken)?;
        Ok(Secret::new(format!("Bearer {token}")))
    }

    fn header_for(&self, repository: &str) -> Option<Arc<Secret>> {
        let granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.as_ref().filter(|(known, _)| known == repository).map(|(_, header)| Arc::clone(header))
    }

    /// Whether a URL is of the registry itself and not of somebody that it names.
    fn is_ours(&self, url: &str) -> bool {
        url.strip_prefix(self.url.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// A URL that may be sent to.
    fn safe(&self, url: &str) -> Result<Uri, ImageError> {
        let uri: Uri = url.parse().map_err(|_| self.no_answer("it names a place that is no URL"))?;
        let secure = uri.scheme_str() == Some("https");
        if secure || uri.authority().is_some_and(|host| is_loopback(host.as_str())) {
            return Ok(uri);
        }
        Err(ImageError::Denied { registry: self.url.clone(), why: "it names a place without TLS".into() })
    }

    async fn read(&self, body: SdkBody) -> Result<Bytes, ImageError> {
        let bytes = timeout(ANSWERS_WITHIN, whole(body)).await.map_err(|_| self.no_answer("half an answer"))?;
        bytes.map_err(|error| self.no_answer(error))
    }

    async fn expect(
        &self,
        ask: &Ask<'_>,
        answer: Response<SdkBody>,
        good: &[StatusCode],
        what: impl Fn() -> String,
    ) -> Result<Response<SdkBody>, ImageError> {
        if good.contains(&answer.status()) { Ok(answer) } else { Err(self.refused(ask, answer, what).await) }
    }

    async fn refused(&self, ask: &Ask<'_>, answer: Response<SdkBody>, what: impl Fn() -> String) -> ImageError {
        let (status, registry) = (answer.status(), self.url.clone());
        let message = said(&whole(answer.into_body()).await.unwrap_or_default());
        match status {
            StatusCode::NOT_FOUND => ImageError::NotFound { registry, what: what() },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = if message.is_empty() { format!("it answers {status}") } else { message };
                ImageError::Denied { registry, why }
            }
            status => {
                // Without what stands behind the question mark: uploads are identified by it.
                let path = ask.url.split('?').next().unwrap_or_default();
                let request = format!("{} {}", ask.method, path.strip_prefix(&registry).unwrap_or(path));
                ImageError::Answer { registry, request, status: status.as_u16(), message }
            }
        }
    }

    fn no_answer(&self, why: impl ToString) -> ImageError {
        ImageError::NoAnswer { registry: self.url.clone(), why: why.to_string() }
    }
}

impl Ask<'_> {
    fn header(mut self, name: http::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// How often something is tried that may pass, and how long is waited before each further try.
pub(super) const TRIES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(8)];

/// Tries until it works, fails for good, or has been tried often enough.
pub(super) async fn again<T, F: Future<Output = Result<T, ImageError>>>(
    work: impl Fn() -> F,
    tell: impl Fn(&ImageError),
) -> Result<T, ImageError> {
    for delay in TRIES {
        match work().await {
            Err(error) if error.passes() => tell(&error),
            done => return done,
        }
        pause(delay).await;
    }
    work().await
}

/// Between two tries of the same thing.
pub(super) async fn pause(delay: Duration) {
    tokio::time::sleep_until(Instant::now() + delay).await;
}

fn verify(what: String, digest: Digest, bytes: &[u8]) -> Result<(), ImageError> {
    let found = Digest::of(bytes);
    if found == digest { Ok(()) } else { Err(ImageError::Digest { what, digest, found }) }
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// How many bytes a registry says that it has: `Range: 0-1023` is 1024, and so is `bytes=0-1023`. Of none it says `0-0`, as of one.
fn received(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, RANGE);
    let last: u64 = range.rsplit_once('-')?.1.parse().ok()?;
    Some(if last == 0 { 0 } else { last + 1 })
}

/// A `Location` as a URL.
fn resolved(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let host = base.find("://").and_then(|at| base[at + 3..].find('/').map(|end| &base[..at + 3 + end]));
    format!("{}{location}", host.unwrap_or(base))
}

/// What a registry says in its errors.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Said>,
    }
    #[derive(Deserialize)]
    struct Said {
        code: String,
        #[serde(default)]
        message: String,
    }
    let errors = serde_json::from_slice::<Errors>(body).map(|said| said.errors).unwrap_or_default();
    let texts = errors.iter().map(|Said { code, message }| format!("{code}: {message}"));
    texts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_may_be_a_path() {
        let base = "https://registry/v2/api/blobs/uploads/";
        assert_eq!(
            resolved(base, "/v2/api/blobs/uploads/1?_state=x"),
            "https://registry/v2/api/blobs/uploads/1?_state=x"
        );
        assert_eq!(resolved(base, "https://other/1"), "https://other/1");
    }

    #[test]
    fn a_range_counts_from_nought() {
        let of = |range: &str| received(&HeaderMap::from_iter([(RANGE, range.parse().unwrap())]));
        assert_eq!((of("0-1023"), of("bytes=0-1023"), of("0-0"), of("?")), (Some(1024), Some(1024), Some(0), None));
    }

    #[test]
    fn a_password_is_for_the_registry_alone() {
        let registry = Registry::to_push("https://123.dkr.ecr.us-east-1.amazonaws.com", None).unwrap();
        assert!(registry.is_ours("https://123.dkr.ecr.us-east-1.amazonaws.com/v2/api/blobs/uploads/1"));
        assert!(!registry.is_ours("https://123.dkr.ecr.us-east-1.amazonaws.com.example.com/v2/"));
        assert!(!registry.is_ours("https://bucket.s3.amazonaws.com/layer"));
        assert!(registry.safe("http://bucket/layer").is_err());
        assert!(Registry::to_push("http://registry.example.com", None).is_err());
    }

    #[test]
    fn what_a_registry_says_is_said() {
        assert_eq!(said(br#"{"errors":[{"code":"DENIED","message":"no"}]}"#), "DENIED: no");
        assert_eq!(said(b"<html>"), "");
    }
}
