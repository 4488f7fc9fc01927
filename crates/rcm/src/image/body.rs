//! The bytes of a blob on their way: from where they are, from any byte on, and counted as they go.

use std::{
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::{Blob, ImageError, Source};

/// How much is read at once.
const PIECE: usize = 128 << 10;
/// How many pieces are read ahead of the connection.
const AHEAD: usize = 4;

type Pieces = mpsc::Receiver<io::Result<Bytes>>;

/// How many bytes of a blob have been handed to the connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn add(&self, bytes: usize) {
        self.0.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The blob from `offset` on as a request's body, counted in `sent`.
pub(super) async fn body(blob: &Blob, offset: u64, sent: &Counter) -> Result<SdkBody, ImageError> {
    let mut pieces = match &blob.source {
        Source::Memory(bytes) => {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            memory(bytes.slice(from..))
        }
        Source::File(path, at) => file(Arc::clone(path), at + offset, blob.size.saturating_sub(offset)),
        Source::Registry(registry, repository) => incoming(registry.blob(repository, &blob.digest, offset).await?),
    };
    let counted = sent.clone();
    let frames = stream::poll_fn(move |cx| {
        pieces.poll_recv(cx).map(|piece| {
            piece.map(|piece| {
                piece.map(|bytes| {
                    counted.add(bytes.len());
                    Frame::data(bytes)
                })
            })
        })
    });
    Ok(SdkBody::from_body_1_x(StreamBody::new(frames)))
}

fn memory(bytes: Bytes) -> Pieces {
    let (tell, pieces) = mpsc::channel(1);
    // There is room for one, and nobody else sends.
    let _ = tell.try_send(Ok(bytes));
    pieces
}

fn file(path: Arc<PathBuf>, offset: u64, size: u64) -> Pieces {
    let (tell, pieces) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        let read = || -> io::Result<()> {
            let mut file = std::fs::File::open(path.as_ref())?;
            file.seek(SeekFrom::Start(offset))?;
            let mut rest = file.take(size);
            loop {
                let mut piece = vec![0; PIECE];
                let length = rest.read(&mut piece)?;
                piece.truncate(length);
                // Nobody listens any more where the connection was cut off.
                if length == 0 || tell.blocking_send(Ok(piece.into())).is_err() {
                    return Ok(());
                }
            }
        };
        if let Err(error) = read() {
            let _ = tell.blocking_send(Err(error));
        }
    });
    pieces
}

/// What another registry sends, passed on.
fn incoming(mut body: SdkBody) -> Pieces {
    let (tell, pieces) = mpsc::channel(AHEAD);
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let piece = match frame {
                Ok(frame) => match frame.into_data() {
                    Ok(data) => Ok(data),
                    Err(_) => continue,
                },
                Err(error) => Err(io::Error::other(error)),
            };
            let over = piece.is_err();
            if tell.send(piece).await.is_err() || over {
                return;
            }
        }
    });
    pieces
}
