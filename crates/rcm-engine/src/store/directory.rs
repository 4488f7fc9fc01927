//! The backend that is this machine's disk: `<dir>/<partner>/<environment>.json`, with its journal, its lock and the rest beside it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Backend, Document, Holder, Lease, Owner, Refused, Sighting, Tail,
    atomic::{sync_dir, write_atomically},
    lock::{self, FileLease},
};

/// A directory on a file system that locks (`flock`) and renames as POSIX has it.
///
/// Nobody can take a lease while it is held, so tokens need not be compared.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The directory `root`, which is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Backend for Directory {
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>> {
        match std::fs::read(self.locate(owner, document)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn exists(&self, owner: &Owner, document: &Document) -> io::Result<bool> {
        self.locate(owner, document).try_exists()
    }

    fn replace(&self, owner: &Owner, document: &Document, bytes: &[u8], _token: u64) -> io::Result<()> {
        write_atomically(&self.locate(owner, document), bytes)
    }

    fn create(&self, owner: &Owner, document: &Document, bytes: &[u8]) -> io::Result<bool> {
        let path = self.locate(owner, document);
        if path.try_exists()? { Ok(false) } else { write_atomically(&path, bytes).map(|()| true) }
    }

    fn extend(&self, owner: &Owner, document: &Document, whole: u64, _token: u64) -> io::Result<Arc<dyn Tail>> {
        let file = open(&self.locate(owner, document), whole)?;
        Ok(Arc::new(FileTail { file, end: AtomicU64::new(whole) }))
    }

    fn remove(&self, owner: &Owner, document: &Document, _token: u64) -> io::Result<()> {
        let path = self.locate(owner, document);
        match std::fs::remove_file(&path) {
            Ok(()) => path.parent().map_or(Ok(()), sync_dir),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn environments(&self, partner: &str) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(self.root.join(partner)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name with a dot in it is that of something beside a state: a head, a certificate.
            let name = entry?.file_name().to_str().and_then(|name| name.strip_suffix(".json").map(str::to_owned));
            names.extend(name.filter(|name| !name.contains('.')));
        }
        Ok(names)
    }

    fn take(&self, owner: &Owner, holder: &Holder, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, Refused> {
        let path = self.locate(owner, &Document::Lock);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|source| Refused::Io { path: parent.to_owned(), source })?;
        }
        Ok(Arc::new(FileLease::take(&path, holder, silent)?))
    }

    fn holder(&self, owner: &Owner) -> io::Result<Option<Holder>> {
        lock::holder(&self.locate(owner, &Document::Lock))
    }

    fn locate(&self, owner: &Owner, document: &Document) -> PathBuf {
        self.root.join(&owner.partner).join(&owner.environment).with_added_extension(document.to_string())
    }

    fn is_near(&self) -> bool {
        true
    }
}

/// The end of a file.
#[derive(Debug)]
struct FileTail {
    file: File,
    /// How many bytes are what was added with success, and what was there before.
    end: AtomicU64,
}

impl Tail for FileTail {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let end = self.end.load(Ordering::Relaxed);
        let mut file = &self.file;
        if let Err(error) = file.seek(SeekFrom::Start(end)).and_then(|_| file.write_all(lines)) {
            // Half a line would be in the way of the next one. If it stays all the same, the next one is written over it.
            file.set_len(end).ok();
            return Err(error);
        }
        self.end.store(end + u64::try_from(lines.len()).unwrap_or_default(), Ordering::Relaxed);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Opens a file that its owner alone can read, and cuts off what is behind its first `whole` bytes.
fn open(path: &Path, whole: u64) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let fresh = !path.exists();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if file.metadata()?.len() > whole {
        file.set_len(whole)?;
    }
    if let Some(parent) = path.parent().filter(|_| fresh) {
        sync_dir(parent)?;
    }
    Ok(file)
}
