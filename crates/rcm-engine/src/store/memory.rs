//! The backend that is this process's memory.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use super::{Backend, Document, Held, Holder, Lease, Lost, Owner, Refused, Sighting, Tail};

/// Documents and leases that live as long as the last copy of this. Copies are the same.
///
/// For tests, and for programs that bring what is in it to safety themselves: what a process that ends has kept here alone is lost, and
/// with it what rcm knows of the cloud. Nobody can take a lease while it is held, and nothing is changed by a token that is not the
/// greatest.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<Owner, Kept>>>);

/// All of one owner.
#[derive(Debug, Default)]
struct Kept {
    documents: BTreeMap<Document, Vec<u8>>,
    /// The last lease that was given.
    last: Option<Given>,
}

/// A lease that somebody has, or had as the last one.
#[derive(Debug)]
struct Given {
    by: Holder,
    token: u64,
    sign: SystemTime,
    /// How often it is held just now.
    held: usize,
    is_back: bool,
}

impl Given {
    fn seen(&self) -> Sighting {
        Sighting { holder: Some(self.by.clone()), token: self.token, sign: Some(self.sign) }
    }

    /// Shows a sign of life that is unlike the last one, whatever the clock says.
    fn renew(&mut self) {
        self.sign = SystemTime::now().max(self.sign + Duration::from_nanos(1));
    }
}

impl Memory {
    /// With nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn kept<T>(&self, owner: &Owner, look: impl FnOnce(&mut Kept) -> T) -> T {
        look(self.all().entry(owner.clone()).or_default())
    }

    /// Changes what is of `owner`, if `token` is that of the last lease.
    fn change<T>(&self, owner: &Owner, token: u64, change: impl FnOnce(&mut Kept) -> T) -> io::Result<T> {
        self.kept(owner, |kept| match &kept.last {
            Some(last) if token < last.token => {
                Err(io::Error::other(format!("the lock was taken over by {}", last.by)))
            }
            _ => Ok(change(kept)),
        })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Owner, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Memory {
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>> {
        Ok(self.kept(owner, |kept| kept.documents.get(document).cloned()))
    }

    fn replace(&self, owner: &Owner, document: &Document, bytes: &[u8], token: u64) -> io::Result<()> {
        self.change(owner, token, |kept| drop(kept.documents.insert(document.clone(), bytes.to_vec())))
    }

    fn create(&self, owner: &Owner, document: &Document, bytes: &[u8]) -> io::Result<bool> {
        Ok(self.kept(owner, |kept| {
            let is_new = !kept.documents.contains_key(document);
            kept.documents.entry(document.clone()).or_insert_with(|| bytes.to_vec());
            is_new
        }))
    }

    fn extend(&self, owner: &Owner, document: &Document, whole: u64, token: u64) -> io::Result<Arc<dyn Tail>> {
        self.change(owner, token, |kept| {
            kept.documents.entry(document.clone()).or_default().truncate(usize::try_from(whole).unwrap_or(usize::MAX));
        })?;
        Ok(Arc::new(MemoryTail { memory: self.clone(), owner: owner.clone(), document: document.clone(), token }))
    }

    fn remove(&self, owner: &Owner, document: &Document, token: u64) -> io::Result<()> {
        self.change(owner, token, |kept| drop(kept.documents.remove(document)))
    }

    fn environments(&self, partner: &str) -> io::Result<Vec<String>> {
        let has_state =
            |(owner, kept): &(&Owner, &Kept)| owner.partner == partner && kept.documents.contains_key(&Document::State);
        Ok(self.all().iter().filter(has_state).map(|(owner, _)| owner.environment.clone()).collect())
    }

    fn take(&self, owner: &Owner, holder: &Holder, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, Refused> {
        let token = self.kept(owner, |kept| {
            let last = kept.last.as_ref().filter(|last| !last.is_back || last.held > 0);
            if let Some(last) = last.filter(|last| last.held > 0 || silent != Some(&last.seen())) {
                return Err(Refused::Held(last.seen()));
            }
            let token = kept.last.as_ref().map_or(0, |last| last.token) + 1;
            kept.last = Some(Given { by: holder.clone(), token, sign: SystemTime::now(), held: 0, is_back: false });
            Ok(token)
        })?;
        Ok(Arc::new(MemoryLease { memory: self.clone(), owner: owner.clone(), token }))
    }

    fn holder(&self, owner: &Owner) -> io::Result<Option<Holder>> {
        Ok(self.kept(owner, |kept| kept.last.as_ref().filter(|last| !last.is_back).map(|last| last.by.clone())))
    }

    fn locate(&self, owner: &Owner, document: &Document) -> PathBuf {
        format!("memory:{owner}.{document}").into()
    }

    fn is_near(&self) -> bool {
        true
    }
}

/// The end of a document.
#[derive(Debug)]
struct MemoryTail {
    memory: Memory,
    owner: Owner,
    document: Document,
    token: u64,
}

impl Tail for MemoryTail {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        self.memory.change(&self.owner, self.token, |kept| {
            kept.documents.entry(self.document.clone()).or_default().extend_from_slice(lines);
        })
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A lease; given back when dropped.
#[derive(Debug)]
struct MemoryLease {
    memory: Memory,
    owner: Owner,
    token: u64,
}

impl MemoryLease {
    /// Does something with the lease if it is still this one.
    fn ours<T>(&self, act: impl FnOnce(&mut Given) -> T) -> Result<T, Lost> {
        self.memory.kept(&self.owner, |kept| match &mut kept.last {
            Some(last) if last.token == self.token => Ok(act(last)),
            Some(last) => Err(Lost::Taken { by: last.by.clone() }),
            None => Err(Lost::Gone { path: self.memory.locate(&self.owner, &Document::Lock) }),
        })
    }
}

impl Lease for MemoryLease {
    fn token(&self) -> u64 {
        self.token
    }

    fn check(&self) -> Result<(), Lost> {
        self.ours(|_| ())
    }

    fn renew(&self) -> Result<(), Lost> {
        self.ours(Given::renew)
    }

    fn hold(&self) -> Result<Held, Lost> {
        self.ours(|last| last.held += 1)?;
        Ok(Held::by(Hold { memory: self.memory.clone(), owner: self.owner.clone() }))
    }
}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        // If it is not ours any more, it is not ours to give back.
        self.ours(|last| last.is_back = true).ok();
    }
}

/// A lease that is held. While it lives, the last lease stays the last.
struct Hold {
    memory: Memory,
    owner: Owner,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.memory.kept(&self.owner, |kept| kept.last.iter_mut().for_each(|last| last.held -= 1));
    }
}
