//! Into a registry: what it does not have, several layers at once, each gone on with where it was cut off.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};

use super::{
    Blob, Digest, Image, ImageError, Registry,
    body::Counter,
    registry::{Session, TRIES, pause},
};

/// How many layers are on their way at once.
const AT_ONCE: usize = 4;

/// What happens while an image is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The registry has it already.
    Present {
        /// Which layer, or the configuration.
        digest: Digest,
        /// How many bytes need not be sent.
        size: u64,
    },
    /// It is on its way.
    Sending {
        /// Which.
        digest: Digest,
        /// How many bytes have left.
        sent: u64,
        /// Of how many.
        size: u64,
    },
    /// The registry has it now.
    Sent {
        /// Which.
        digest: Digest,
        /// How many bytes it has.
        size: u64,
    },
    /// It was cut off and is gone on with.
    Again {
        /// Which.
        digest: Digest,
        /// What went wrong.
        why: String,
        /// From which byte.
        from: u64,
    },
}

/// What a push has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The image's digest, which is what it is deployed by.
    pub digest: Digest,
    /// How many layers and configurations were sent.
    pub sent: usize,
    /// How many bytes those have.
    pub sent_bytes: u64,
    /// How many the registry had.
    pub present: usize,
    /// Whether the registry had the whole image already, under that tag.
    pub known: bool,
}

/// Where happenings go. Must not block.
pub(super) type Tell<'a> = &'a (dyn Fn(Happening) + Send + Sync);

/// Pushes `image` to `repository`, under `tag`, unless it is there.
///
/// # Errors
/// What the registry refuses; what does not pass after a few tries. What was sent stays there, so that another push goes on.
pub async fn push(
    image: &Image,
    registry: &Arc<Registry>,
    repository: &str,
    tag: &str,
    tell: Tell<'_>,
) -> Result<Pushed, ImageError> {
    let Image { digest, manifest, media_type, blobs } = image;
    let mut pushed = Pushed { digest: digest.clone(), sent: 0, sent_bytes: 0, present: blobs.len(), known: true };
    // What a registry has the manifest of it has the layers of.
    if registry.is(repository, tag, digest).await? {
        return Ok(pushed);
    }
    let (sent, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let one = async |blob: &Blob| {
        if registry.has(repository, &blob.digest).await? {
            tell(Happening::Present { digest: blob.digest.clone(), size: blob.size });
        } else {
            upload(registry, repository, blob, tell).await?;
            sent.fetch_add(1, Ordering::Relaxed);
            bytes.fetch_add(blob.size, Ordering::Relaxed);
            tell(Happening::Sent { digest: blob.digest.clone(), size: blob.size });
        }
        Ok::<_, ImageError>(())
    };
    // Boxed, since of futures that a closure makes of references the compiler does not see that they are `Send`.
    let all: Vec<BoxFuture<'_, _>> = blobs.iter().map(|blob| one(blob).boxed()).collect();
    stream::iter(all).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    registry.put_manifest(repository, tag, media_type, manifest).await?;
    (pushed.sent, pushed.sent_bytes) = (sent.into_inner(), bytes.into_inner());
    pushed.present = blobs.len() - pushed.sent;
    pushed.known = false;
    Ok(pushed)
}

/// Sends a blob, and goes on with it after what may pass.
async fn upload(registry: &Registry, repository: &str, blob: &Blob, tell: Tell<'_>) -> Result<(), ImageError> {
    let mut session: Option<Session> = None;
    for delay in TRIES {
        let error = match attempt(registry, repository, blob, &mut session, tell).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        session = match session.take() {
            Some(begun) if error.passes() => {
                pause(delay).await;
                registry.resume(repository, &begun).await
            }
            // A registry that has not kept what it said, as ECR's does with what is gone on with: then from the beginning.
            Some(begun)
                if begun.offset > 0 && matches!(error, ImageError::Answer { .. } | ImageError::NotFound { .. }) =>
            {
                None
            }
            None if error.passes() => {
                pause(delay).await;
                None
            }
            _ => return Err(error),
        };
        let from = session.as_ref().map_or(0, |session| session.offset);
        tell(Happening::Again { digest: blob.digest.clone(), why: error.to_string(), from });
    }
    attempt(registry, repository, blob, &mut session, tell).await
}

/// One try. `session` is what there is to go on with, before and after.
async fn attempt(
    registry: &Registry,
    repository: &str,
    blob: &Blob,
    session: &mut Option<Session>,
    tell: Tell<'_>,
) -> Result<(), ImageError> {
    let begun = match session.take() {
        Some(begun) => begun,
        None => registry.begin(repository).await?,
    };
    let sent = Counter::default();
    let moved = |sent| tell(Happening::Sending { digest: blob.digest.clone(), sent, size: blob.size });
    let begun = session.insert(begun);
    if begun.offset < blob.size {
        *begun = registry.patch(repository, begun, blob, &sent, &moved).await?;
    }
    registry.end(repository, begun, &blob.digest).await
}
