//! The journal: what a run is about to do, has done, and has failed to do, each on disk before the next thing happens.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::mpsc,
    thread::JoinHandle,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::state::Record;
use crate::model::{Address, Fault, Id, Remnant};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// The first line: which snapshot it continues, and who writes.
    Opened {
        /// The lineage of the state.
        lineage: Uuid,
        /// The serial of the snapshot that it continues.
        serial: u64,
        /// The command that runs.
        command: String,
        /// When it began.
        at: Timestamp,
    },
    /// A mutation is about to be sent.
    Begin {
        /// What it will do.
        intent: Intent,
        /// Whether it undoes something that this run did.
        #[serde(default)]
        undo: bool,
    },
    /// The resource exists and this is its id.
    Minted {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The id.
        id: Id,
    },
    /// The resource is as its spec says.
    Done {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The spec with references replaced.
        inputs: Value,
        /// What the cloud gave.
        outputs: Value,
    },
    /// The step failed.
    Failed {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// How.
        fault: Fault,
    },
    /// The step waits for somebody outside and was left.
    Parked {
        /// The node.
        address: Address,
        /// What it waits for.
        what: String,
    },
    /// The resource does not exist: deleted, undone, or never made.
    Gone {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// `destroy` has kept the resource.
    Retained {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
    },
    /// A delete has left this in the cloud on purpose.
    Left {
        /// What and whose.
        remnant: Remnant,
    },
    /// The resource is known under another address from now on.
    Moved {
        /// The old address.
        from: Address,
        /// The new one.
        to: Address,
    },
}

/// What a mutation will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "intent", rename_all = "kebab-case")]
pub enum Intent {
    /// Make this.
    Create(Box<Record>),
    /// Bring it in line with this spec.
    Update {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// The new spec.
        spec: Value,
        /// The new orderings.
        dependencies: Vec<Address>,
        /// When.
        at: Timestamp,
    },
    /// Take it away.
    Delete {
        /// The node.
        address: Address,
        /// Its generation.
        generation: u32,
        /// When.
        at: Timestamp,
    },
}

/// Reads a journal. A last line that a crash has torn is left out; a broken line before it is an error that names the line.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, (usize, String)> {
    let text = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err((0, error.to_string())),
    };
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate();
    lines.map(|(at, line)| serde_json::from_slice(line).map_err(|error| (at + 1, error.to_string()))).collect()
}

type Request = (Vec<u8>, oneshot::Sender<Result<(), String>>);

/// Appends to the journal from a thread of its own. Entries that come together share one fsync.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Goes on at the end of the last whole line of `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = prepare(path)?;
        let (queue, requests) = mpsc::channel();
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || serve(file, &requests))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Returns when the entry is on disk.
    pub(super) async fn append(&self, entry: &Entry) -> Result<(), String> {
        let mut line = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let (answer, written) = oneshot::channel();
        let queue = self.queue.as_ref().ok_or("the journal is closed")?;
        queue.send((line, answer)).map_err(|_| "the journal's thread is gone")?;
        written.await.map_err(|_| "the journal's thread is gone".to_owned())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already failed every append that waited for it.
            let _ = thread.join();
        }
    }
}

fn prepare(path: &Path) -> io::Result<File> {
    let directory = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
    let fresh = !path.exists();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let text = std::fs::read(path)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64)?;
    file.seek(SeekFrom::End(0))?;
    if fresh {
        super::atomic::sync_dir(&directory)?;
    }
    Ok(file)
}

fn serve(mut file: File, requests: &mpsc::Receiver<Request>) {
    let mut broken: Option<String> = None;
    while let Ok(first) = requests.recv() {
        let batch: Vec<Request> = std::iter::once(first).chain(requests.try_iter()).collect();
        if broken.is_none() {
            let bytes: Vec<u8> = batch.iter().flat_map(|(line, _)| line).copied().collect();
            broken = file.write_all(&bytes).and_then(|()| file.sync_data()).err().map(|error| error.to_string());
        }
        // After a failed write the file may end in half a line: nothing more may follow it.
        let result = broken.clone().map_or(Ok(()), Err);
        for (_, answer) in batch {
            let _ = answer.send(result.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(address: &str) -> Entry {
        Entry::Gone { address: Address::new(address).unwrap(), generation: 1 }
    }

    #[tokio::test]
    async fn what_is_appended_is_read_back_and_a_torn_line_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let writer = Writer::open(&path).unwrap();
        writer.append(&gone("a")).await.unwrap();
        writer.append(&gone("b")).await.unwrap();
        drop(writer);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"entry\":\"gone\",\"addr").unwrap();
        assert_eq!(read(&path).unwrap(), [gone("a"), gone("b")]);
        let writer = Writer::open(&path).unwrap();
        writer.append(&gone("c")).await.unwrap();
        drop(writer);
        assert_eq!(read(&path).unwrap(), [gone("a"), gone("b"), gone("c")]);
    }

    #[test]
    fn a_broken_line_in_the_middle_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        crate::store::write_atomically(&path, b"{\"entry\":\"gone\",\"address\":\"a\",\"generation\":1}\nnonsense\n")
            .unwrap();
        assert_eq!(read(&path).unwrap_err().0, 2);
    }
}
