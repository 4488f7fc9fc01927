//! A store that is far away: whatever it is asked, an asynchronous client waits for the answer.

use std::{fmt, io, path::PathBuf, sync::Arc};

use rcm::engine::store::{Backend, Document, Held, Holder, Lease, Lost, Memory, Owner, Refused, Sighting, Tail};
use tokio::runtime::Handle;

/// Panics when it is asked on a thread of the runtime, which could do nothing else until the answer is there.
#[derive(Debug, Clone)]
pub(super) struct Distant {
    place: Memory,
    runtime: Handle,
}

impl Distant {
    /// `place`, as seen from afar.
    pub(super) fn new(place: &Memory) -> Self {
        Self { place: place.clone(), runtime: Handle::current() }
    }

    fn ask<T>(&self, ask: impl FnOnce(&Memory) -> T) -> T {
        self.wait();
        ask(&self.place)
    }

    fn wait(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }
}

impl Backend for Distant {
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>> {
        self.ask(|place| place.read(owner, document))
    }

    fn replace(&self, owner: &Owner, document: &Document, bytes: &[u8], token: u64) -> io::Result<()> {
        self.ask(|place| place.replace(owner, document, bytes, token))
    }

    fn create(&self, owner: &Owner, document: &Document, bytes: &[u8]) -> io::Result<bool> {
        self.ask(|place| place.create(owner, document, bytes))
    }

    fn extend(&self, owner: &Owner, document: &Document, whole: u64, token: u64) -> io::Result<Arc<dyn Tail>> {
        let part = self.ask(|place| place.extend(owner, document, whole, token))?;
        Ok(Arc::new(Far { part, from: self.clone() }))
    }

    fn remove(&self, owner: &Owner, document: &Document, token: u64) -> io::Result<()> {
        self.ask(|place| place.remove(owner, document, token))
    }

    fn environments(&self, partner: &str) -> io::Result<Vec<String>> {
        self.ask(|place| place.environments(partner))
    }

    fn take(&self, owner: &Owner, holder: &Holder, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, Refused> {
        let part = self.ask(|place| place.take(owner, holder, silent))?;
        Ok(Arc::new(Far { part, from: self.clone() }))
    }

    fn holder(&self, owner: &Owner) -> io::Result<Option<Holder>> {
        self.ask(|place| place.holder(owner))
    }

    fn locate(&self, owner: &Owner, document: &Document) -> PathBuf {
        self.place.locate(owner, document)
    }
}

/// A part of what is far away.
#[derive(Debug)]
struct Far<P: ?Sized + fmt::Debug> {
    from: Distant,
    part: Arc<P>,
}

impl Tail for Far<dyn Tail> {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        self.from.wait();
        self.part.append(lines)
    }

    fn sync(&self) -> io::Result<()> {
        self.from.wait();
        self.part.sync()
    }
}

impl Lease for Far<dyn Lease> {
    fn token(&self) -> u64 {
        self.part.token()
    }

    fn check(&self) -> Result<(), Lost> {
        self.part.check()
    }

    fn renew(&self) -> Result<(), Lost> {
        self.from.wait();
        self.part.renew()
    }

    fn hold(&self) -> Result<Held, Lost> {
        self.from.wait();
        self.part.hold()
    }

    fn give_back(&self) {
        self.from.wait();
        self.part.give_back();
    }
}
