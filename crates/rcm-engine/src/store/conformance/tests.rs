//! The shipped backends keep to every rule, and one that breaks a rule is caught by it.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use super::check;
use crate::store::{Backend, Directory, Document, Held, Holder, Lease, Lost, Memory, Owner, Refused, Sighting, Tail};

#[test]
fn a_directory_and_memory_keep_to_every_rule() {
    let dir = tempfile::tempdir().unwrap();
    let on_disk = check(|| Arc::new(Directory::new(dir.path())));
    assert_eq!(on_disk, []);
    let place = Memory::new();
    let in_memory = check(|| Arc::new(place.clone()));
    assert_eq!(in_memory, []);
}

/// What is wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// A line is there when the next one comes.
    AppendsLate,
    /// Every third line gets lost.
    LosesALine,
    /// Two lines change places.
    Disorders,
    /// A document is written in two pieces.
    WritesHalf,
    /// Each handle reads what it has read before.
    RemembersReads,
    KeepsHalfALine,
    CreatesOver,
    RemovesNothing,
    /// Looks at the partner alone.
    MixesEnvironments,
    NamesAllEnvironments,
    LetsEverybodyIn,
    /// Whoever waits for silence is let in whatever is to be seen.
    IgnoresSignsOfLife,
    /// Its tokens are always the same.
    RepeatsTokens,
    /// Whoever was taken over may hold, and tokens are not looked at.
    DoesNotFence,
    /// Whoever was taken over is never told.
    DoesNotTell,
    /// Says that a lease is held, and lets others take it, and whoever had it write.
    HoldsNothing,
    /// A lease that was taken over gives the heir's back.
    GivesAnothersBack,
}

const FLAWS: &[(Flaw, &str)] = &[
    (Flaw::AppendsLate, "lines are read in their order, each as soon as it was added"),
    (Flaw::LosesALine, "lines are read in their order, each as soon as it was added"),
    (Flaw::Disorders, "lines are read in their order, each as soon as it was added"),
    (Flaw::WritesHalf, "a document is replaced whole"),
    (Flaw::RemembersReads, "what is written is read as it was written, by everybody"),
    (Flaw::KeepsHalfALine, "half a line is cut off before others are added"),
    (Flaw::CreatesOver, "what is created takes nothing's place"),
    (Flaw::RemovesNothing, "what is removed is gone, and may be written again"),
    (Flaw::MixesEnvironments, "a document is its owner's alone"),
    (Flaw::NamesAllEnvironments, "the environments of a partner are those with a state"),
    (Flaw::LetsEverybodyIn, "of several who take the lease at the same time one gets it"),
    (Flaw::IgnoresSignsOfLife, "whoever shows signs of life is not taken for silent"),
    (Flaw::RepeatsTokens, "each token is greater than all before"),
    (Flaw::DoesNotFence, "whoever was taken over changes nothing any more"),
    (Flaw::DoesNotTell, "whoever is silent is taken over once, and learns of it"),
    (Flaw::HoldsNothing, "a change under a lease that is held comes before a taking over, or not at all"),
    (Flaw::GivesAnothersBack, "whoever was taken over gives nothing back"),
];

#[test]
fn a_backend_that_breaks_a_rule_is_caught_by_that_rule() {
    for (flaw, rule) in FLAWS {
        let (place, seen) = (Memory::new(), Arc::default());
        let broken = check(|| Arc::new(Flawed { place: place.clone(), seen: Arc::clone(&seen), flaw: *flaw }));
        assert!(broken.iter().any(|broken| broken.rule == *rule), "{flaw:?} is not seen by {rule:?}: {broken:#?}");
    }
}

#[test]
fn what_the_flaws_are_put_into_has_none_of_its_own() {
    let (place, seen) = (Memory::new(), Arc::default());
    let broken = check(|| Arc::new(Flawed { place: place.clone(), seen: Arc::clone(&seen), flaw: Flaw::None }));
    assert_eq!(broken, []);
}

type Seen = Arc<Mutex<std::collections::BTreeMap<(Owner, Document), Vec<u8>>>>;

/// Memory with something wrong.
#[derive(Debug, Clone)]
struct Flawed {
    place: Memory,
    seen: Seen,
    flaw: Flaw,
}

impl Flawed {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn owner(&self, owner: &Owner) -> Owner {
        let environment = if self.is(Flaw::MixesEnvironments) { "all" } else { &owner.environment };
        Owner::new(&owner.partner, environment)
    }

    /// A token that is always good.
    fn token(&self, token: u64) -> u64 {
        let blind = [Flaw::DoesNotFence, Flaw::HoldsNothing, Flaw::RepeatsTokens, Flaw::LetsEverybodyIn];
        if blind.contains(&self.flaw) { u64::MAX } else { token }
    }
}

impl Backend for Flawed {
    fn read(&self, owner: &Owner, document: &Document) -> io::Result<Option<Vec<u8>>> {
        let read = self.place.read(&self.owner(owner), document)?;
        let mut seen = self.seen.lock().unwrap();
        let key = (owner.clone(), document.clone());
        match read {
            Some(bytes) if self.is(Flaw::RemembersReads) => Ok(Some(seen.entry(key).or_insert(bytes).clone())),
            read => Ok(read),
        }
    }

    fn replace(&self, owner: &Owner, document: &Document, bytes: &[u8], token: u64) -> io::Result<()> {
        let owner = self.owner(owner);
        if self.is(Flaw::WritesHalf) {
            self.place.replace(&owner, document, &bytes[..bytes.len() / 3], token)?;
            // Most of the time it is half written.
            let until = Instant::now() + Duration::from_millis(2);
            while Instant::now() < until {
                thread::yield_now();
            }
        }
        self.place.replace(&owner, document, bytes, self.token(token))
    }

    fn create(&self, owner: &Owner, document: &Document, bytes: &[u8]) -> io::Result<bool> {
        if self.is(Flaw::CreatesOver) {
            return self.place.replace(owner, document, bytes, u64::MAX).map(|()| true);
        }
        self.place.create(&self.owner(owner), document, bytes)
    }

    fn extend(&self, owner: &Owner, document: &Document, whole: u64, token: u64) -> io::Result<Arc<dyn Tail>> {
        let whole = if self.is(Flaw::KeepsHalfALine) { u64::MAX } else { whole };
        let tail = self.place.extend(&self.owner(owner), document, whole, self.token(token))?;
        Ok(Arc::new(FlawedTail { tail, added: Mutex::default(), flaw: self.flaw }))
    }

    fn remove(&self, owner: &Owner, document: &Document, token: u64) -> io::Result<()> {
        if self.is(Flaw::RemovesNothing) {
            return Ok(());
        }
        self.place.remove(&self.owner(owner), document, self.token(token))
    }

    fn environments(&self, partner: &str) -> io::Result<Vec<String>> {
        if self.is(Flaw::NamesAllEnvironments) {
            return Ok(["dev", "empty", "prod"].map(str::to_owned).into());
        }
        self.place.environments(partner)
    }

    fn take(&self, owner: &Owner, holder: &Holder, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, Refused> {
        let owner = self.owner(owner);
        let taken = self.place.take(&owner, holder, silent);
        let anyway = self.is(Flaw::LetsEverybodyIn) || self.is(Flaw::IgnoresSignsOfLife) && silent.is_some();
        let lease = match taken {
            Err(Refused::Held(seen)) if anyway => self.place.take(&owner, holder, Some(&seen))?,
            taken => taken?,
        };
        Ok(Arc::new(FlawedLease { lease: Some(lease), place: self.place.clone(), owner, flaw: self.flaw }))
    }

    fn holder(&self, owner: &Owner) -> io::Result<Option<Holder>> {
        self.place.holder(&self.owner(owner))
    }

    fn locate(&self, owner: &Owner, document: &Document) -> PathBuf {
        self.place.locate(owner, document)
    }
}

#[derive(Debug)]
struct FlawedTail {
    tail: Arc<dyn Tail>,
    added: Mutex<Vec<Vec<u8>>>,
    flaw: Flaw,
}

impl Tail for FlawedTail {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        let mut added = self.added.lock().unwrap();
        added.push(lines.to_vec());
        match (self.flaw, added.len()) {
            (Flaw::AppendsLate | Flaw::Disorders, 1) => Ok(()),
            (Flaw::AppendsLate, last) => self.tail.append(&added[last - 2]),
            (Flaw::Disorders, 2) => self.tail.append(&added.iter().rev().flatten().copied().collect::<Vec<u8>>()),
            (Flaw::LosesALine, number) if number.is_multiple_of(3) => Ok(()),
            _ => self.tail.append(lines),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.tail.sync()
    }
}

#[derive(Debug)]
struct FlawedLease {
    lease: Option<Arc<dyn Lease>>,
    place: Memory,
    owner: Owner,
    flaw: Flaw,
}

impl FlawedLease {
    fn honest(&self) -> &dyn Lease {
        &**self.lease.as_ref().unwrap()
    }
}

impl Lease for FlawedLease {
    fn token(&self) -> u64 {
        if self.flaw == Flaw::RepeatsTokens { 7 } else { self.honest().token() }
    }

    fn check(&self) -> Result<(), Lost> {
        if self.flaw == Flaw::DoesNotTell { Ok(()) } else { self.honest().check() }
    }

    fn renew(&self) -> Result<(), Lost> {
        if self.flaw == Flaw::DoesNotTell { self.honest().renew().or(Ok(())) } else { self.honest().renew() }
    }

    fn hold(&self) -> Result<Held, Lost> {
        match self.flaw {
            Flaw::DoesNotFence | Flaw::HoldsNothing => Ok(Held::by(())),
            _ => self.honest().hold(),
        }
    }
}

impl Drop for FlawedLease {
    fn drop(&mut self) {
        let token = self.honest().token();
        self.lease.take();
        if self.flaw != Flaw::GivesAnothersBack {
            return;
        }
        // Whoever has it now has it no more.
        let Err(Refused::Held(seen)) = self.place.take(&self.owner, &Holder::this_process("nobody", "test"), None)
        else {
            return;
        };
        if seen.token > token {
            drop(self.place.take(&self.owner, &Holder::this_process("nobody", "test"), Some(&seen)));
        }
    }
}
