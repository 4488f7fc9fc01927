//! A store that is far away: whatever it is asked, an asynchronous client waits for the answer.

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use rcm::engine::store::{Backend, Document, Held, Holder, Lease, Lost, Memory, Owner, Refused, Sighting, Tail};
use tokio::runtime::Handle;

/// Panics when it is asked on a thread of the runtime, which could do nothing else until the answer is there.
#[derive(Clone)]
pub(super) struct Distant {
    place: Memory,
    runtime: Handle,
    meanwhile: Arc<Mutex<Option<Act>>>,
}

type Act = Box<dyn FnOnce() + Send>;

impl Distant {
    /// `place`, as seen from afar.
    pub(super) fn new(place: &Memory) -> Self {
        Self { place: place.clone(), runtime: Handle::current(), meanwhile: Arc::default() }
    }

    /// What somebody else does once, as soon as something was read.
    pub(super) fn meanwhile(&self, act: impl FnOnce() + Send + 'static) {
        *self.meanwhile.lock().unwrap() = Some(Box::new(act));
    }

    fn ask<T>(&self, ask: impl FnOnce(&Memory) -> T) -> T {
        self.wait();
        ask(&self.place)
    }

    fn wait(&self) {
        self.runtime.block_on(tokio::task::yield_now());
    }
}

impl fmt::Debug for Distant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Distant({:?})", self.place)
    }
}

impl Backend for Distant {
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>> {
        let read = self.ask(|place| place.read(owner, document));
        let meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take();
        meanwhile.into_iter().for_each(|act| act());
        read
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
