//! Images into a real registry: with the authentication of ECR and that of Docker, cut off and gone on with, and only once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcm::aws::Secret;
use rcm::image::{Digest, Happening, Image, ImageError, Login, Platform, Pushed, Reference, push};
use rcm_testkit::{Front, Manners, Registry};
use serde_json::json;
use tempfile::TempDir;

const REPOSITORY: &str = "acme-rcm-prod-api";
/// Larger than what the connection buffers, so that half of it is on its way when it is cut off.
const LARGE: usize = 6 << 20;

/// An archive in a directory of its own, and what is in it.
pub(crate) struct Sample {
    dir: TempDir,
    layers: Vec<Vec<u8>>,
}

/// Bytes that repeat nowhere.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = seed;
    (0..length / 8 + 1).flat_map(|_| rcm_testkit::calls::next(&mut random).to_le_bytes()).take(length).collect()
}

impl Sample {
    pub(crate) fn new(seed: u64, sizes: &[usize]) -> Self {
        let layers: Vec<Vec<u8>> =
            sizes.iter().enumerate().map(|(at, size)| noise(seed + at as u64 + 1, *size)).collect();
        let dir = tempfile::tempdir().unwrap();
        let diffs: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
        let config = json!({"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": diffs}});
        let config = config.to_string().into_bytes();
        let described =
            |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "digest": Digest::of(bytes), "size": bytes.len()});
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": layers.iter().map(|layer| described("application/vnd.oci.image.layer.v1.tar", layer)).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string().into_bytes();
        let entry = described("application/vnd.oci.image.manifest.v1+json", &manifest);
        let index = json!({"schemaVersion": 2, "manifests": [entry]}).to_string().into_bytes();
        let mut archive = tar::Builder::new(std::fs::File::create(dir.path().join("image.tar")).unwrap());
        let mut add = |name: &str, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, content).unwrap();
        };
        add("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        add("index.json", &index);
        for blob in [&manifest, &config].into_iter().chain(&layers) {
            add(&format!("blobs/{}", Digest::of(blob).as_str().replace(':', "/")), blob);
        }
        archive.into_inner().unwrap().flush().unwrap();
        Self { dir, layers }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("image.tar")
    }

    pub(crate) fn image(&self) -> Image {
        Image::from_archive(&self.path(), &Platform::linux("amd64")).unwrap()
    }
}

fn login(password: &str) -> Option<Login> {
    Some(Login { user: Registry::USER.into(), password: Secret::new(password) })
}

/// Pushes, and says what happened.
async fn pushed(url: &str, login: Option<Login>, image: &Image) -> (Result<Pushed, ImageError>, Vec<Happening>) {
    let registry = Arc::new(rcm::image::Registry::to_push(url, login).unwrap());
    let happened = Mutex::new(Vec::new());
    let tell = |happening: Happening| happened.lock().unwrap().push(happening);
    let result = push(image, &registry, REPOSITORY, "rcm-test", &tell).await;
    (result, happened.into_inner().unwrap())
}

/// What the registry answers to a GET, by other eyes than rcm's.
fn fetched(host: &str, path: &str, authorization: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(host).unwrap();
    let accept = "application/vnd.oci.image.manifest.v1+json";
    write!(stream, "GET /v2/{REPOSITORY}/{path} HTTP/1.0\r\nHost: {host}\r\nAccept: {accept}\r\n{authorization}\r\n")
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (String::from_utf8_lossy(&answer[..end]).into_owned(), answer[end + 4..].to_vec())
}

/// The registry has the image, every byte of it.
#[track_caller]
fn has(registry: &Registry, image: &Image, sample: &Sample, authorization: &str) {
    let (head, manifest) = fetched(&registry.host(), "manifests/rcm-test", authorization);
    assert!(head.contains(" 200 "), "{head}");
    assert_eq!(Digest::of(&manifest), image.digest);
    for layer in &sample.layers {
        let (_, there) = fetched(&registry.host(), &format!("blobs/{}", Digest::of(layer)), authorization);
        assert!(there == *layer, "{} bytes of {}", there.len(), layer.len());
    }
}

fn writes(front: &Front) -> Vec<String> {
    let reads = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
    front.seen().into_iter().filter(|line| !reads(line)).collect()
}

/// `Authorization` for the user of [`Registry::with_password`].
const BASIC: &str = "Authorization: Basic QVdTOm5vdC1hLXNlY3JldA==\r\n";

#[tokio::test]
async fn with_a_password_as_ecr_has_it_an_image_is_pushed_once() {
    let registry = Registry::with_password();
    let front = Front::before(&registry, Manners::default());
    let sample = Sample::new(1, &[200_000, 70_000, 3]);
    let image = sample.image();
    let (first, happened) = pushed(&front.url(), login(Registry::PASSWORD), &image).await;
    let first = first.unwrap();
    assert_eq!((first.sent, first.present, first.digest), (4, 0, image.digest.clone()));
    assert_eq!(happened.iter().filter(|what| matches!(what, Happening::Sent { .. })).count(), 4);
    has(&registry, &image, &sample, BASIC);

    let before = writes(&front).len();
    let (second, _) = pushed(&front.url(), login(Registry::PASSWORD), &image).await;
    let second = second.unwrap();
    assert_eq!((second.sent, second.present), (0, 4));
    assert_eq!(writes(&front).len(), before, "nothing was sent: {:?}", front.seen());

    // Another image that shares a layer sends only what is new.
    let other = Sample::new(1, &[200_000, 50]);
    let (third, happened) = pushed(&front.url(), login(Registry::PASSWORD), &other.image()).await;
    assert_eq!(third.unwrap().present, 1);
    let shared = Digest::of(&sample.layers[0]);
    assert!(happened.iter().any(|what| matches!(what, Happening::Present { digest, .. } if *digest == shared)));
}

#[tokio::test]
async fn a_wrong_password_is_denied_at_once_and_not_told() {
    let registry = Registry::with_password();
    let image = Sample::new(2, &[10]).image();
    for login in [login("hunter2"), None] {
        let (result, _) = pushed(&registry.url(), login, &image).await;
        let error = result.unwrap_err();
        assert!(matches!(error, ImageError::Denied { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn with_dockers_tokens_an_image_is_copied_from_one_registry_to_another() {
    let (from, to) = (Registry::open(), Registry::open());
    let user = ("somebody".to_owned(), "not-a-secret".to_owned());
    let front = Front::before(&to, Manners { token: Some(user), ..Manners::default() });
    let sample = Sample::new(3, &[300_000, 5]);
    pushed(&from.url(), None, &sample.image()).await.0.unwrap();

    let reference = Reference::parse(&format!("{}/{REPOSITORY}:rcm-test", from.host())).unwrap();
    let source = Arc::new(rcm::image::Registry::of(&reference, None));
    let image = Image::from_registry(&source, &reference, &Platform::linux("amd64")).await.unwrap();
    assert_eq!(image.digest, sample.image().digest);
    let somebody = || Some(Login { user: "somebody".into(), password: Secret::new("not-a-secret") });
    let (result, _) = pushed(&front.url(), somebody(), &image).await;
    assert_eq!(result.unwrap().sent, 3);
    has(&to, &image, &sample, "");
    assert!(front.seen().iter().any(|line| line == "GET /token"), "{:?}", front.seen());

    let stranger = Some(Login { user: "somebody".into(), password: Secret::new("hunter2") });
    let error = pushed(&front.url(), stranger, &image).await.0.unwrap_err();
    assert!(matches!(error, ImageError::Denied { .. }) && !error.to_string().contains("hunter2"), "{error}");
    let arm = Image::from_registry(&source, &reference, &Platform::linux("arm64")).await.unwrap_err();
    assert!(matches!(arm, ImageError::Platform { .. }), "{arm}");
}

#[tokio::test]
async fn an_upload_that_is_cut_off_goes_on_where_the_registry_says() {
    let registry = Registry::open();
    let manners = Manners { cut_after: Some(LARGE / 2), remembers: true, ..Manners::default() };
    let front = Front::before(&registry, manners);
    let sample = Sample::new(4, &[LARGE]);
    let image = sample.image();
    let (result, happened) = pushed(&front.url(), None, &image).await;
    result.unwrap();
    let again = happened.iter().find_map(|what| match what {
        Happening::Again { from, .. } => Some(*from),
        _ => None,
    });
    assert_eq!(again, Some(LARGE as u64 / 2), "{:?}", front.seen());
    has(&registry, &image, &sample, "");
}

/// As Debian's does, which cancels what was cut off.
#[tokio::test]
async fn where_the_registry_does_not_say_an_upload_begins_again() {
    let registry = Registry::open();
    let front = Front::before(&registry, Manners { cut_after: Some(LARGE / 2), ..Manners::default() });
    let sample = Sample::new(5, &[LARGE]);
    let image = sample.image();
    let (result, happened) = pushed(&front.url(), None, &image).await;
    result.unwrap();
    assert!(happened.iter().any(|what| matches!(what, Happening::Again { from: 0, .. })), "{happened:?}");
    has(&registry, &image, &sample, "");
}

/// Nothing answers: that is said within the tries that there are, and nothing hangs.
#[tokio::test]
async fn a_registry_that_is_not_there_is_an_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (result, _) = pushed(&format!("http://127.0.0.1:{port}"), None, &Sample::new(6, &[10]).image()).await;
    assert!(matches!(result.unwrap_err(), ImageError::NoAnswer { .. }));
}
