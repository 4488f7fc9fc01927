//! The contract of [`Backend`], tried: for whoever writes one.
//!
//! ```
//! use std::sync::Arc;
//! use rcm_engine::store::{Backend, Memory, conformance};
//!
//! let place = Memory::new();
//! let broken = conformance::check(|| Arc::new(place.clone()));
//! assert!(broken.is_empty(), "{broken:#?}");
//! ```
//!
//! What cannot be tried from outside is not tried: that a change outlives the machine, and that a lease of a process that is dead
//! comes free.

mod documents;
mod leases;
#[cfg(test)]
mod tests;

use std::{
    fmt, io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::{Backend, Document, Holder, Lease, Owner, Refused, Sighting};

/// How long a backend may take for what is to happen soon.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that a backend has to keep to.
struct Rule {
    name: &'static str,
    attempt: fn(&Trial<'_>) -> Result<(), String>,
}

/// A rule that is not kept to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which, in words.
    pub rule: &'static str,
    /// What has shown it.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.why)
    }
}

/// The rules that a backend does not keep to; none if all is well. Takes some seconds at most where all is well, and waits for the backend
/// on the thread that it is called on and on threads of its own: from a runtime, call it by
/// [`spawn_blocking`](tokio::task::spawn_blocking).
///
/// `open` gives a handle on one and the same place each time, as each process has one of its own. Everything is of partners whose names
/// begin with `conformance-` and are not used again; what is written for them stays there.
pub fn check(open: impl Fn() -> Arc<dyn Backend> + Sync) -> Vec<Broken> {
    let id = Uuid::new_v4().simple().to_string();
    let rules = documents::RULES.iter().chain(leases::RULES).enumerate();
    let broken = rules.filter_map(|(at, rule)| {
        let owner = Owner::new(format!("conformance-{id}-{at}"), "dev");
        let why = (rule.attempt)(&Trial { open: &open, owner }).err()?;
        Some(Broken { rule: rule.name, why })
    });
    broken.collect()
}

/// A place where nothing is yet of `owner`, or of other environments of that partner.
struct Trial<'a> {
    open: &'a (dyn Fn() -> Arc<dyn Backend> + Sync),
    owner: Owner,
}

impl Trial<'_> {
    /// As another process sees it.
    fn open(&self) -> Arc<dyn Backend> {
        (self.open)()
    }

    fn read(&self, document: &Document) -> Result<Option<Vec<u8>>, String> {
        self.open().read(&self.owner, document).map_err(said("read"))
    }

    /// Whether another process reads this.
    fn reads(&self, document: &Document, wanted: Option<&[u8]>) -> Result<(), String> {
        let found = self.read(document)?;
        let show = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) if bytes.len() > 100 => format!("{} bytes", bytes.len()),
            Some(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
            None => "nothing".to_owned(),
        };
        expect(found.as_deref() == wanted, || {
            format!("`{document}` is {} and not {}", show(found.as_deref()), show(wanted))
        })
    }

    fn try_take(&self, who: &str, silent: Option<&Sighting>) -> Result<Result<Arc<dyn Lease>, Sighting>, String> {
        match self.open().take(&self.owner, &holder(who), silent) {
            Ok(lease) => Ok(Ok(lease)),
            Err(Refused::Held(seen)) => Ok(Err(seen)),
            Err(Refused::Io { path, source }) => Err(format!("take: {}: {source}", path.display())),
        }
    }

    /// A lease that is free, or soon will be.
    fn take(&self, who: &str) -> Result<Arc<dyn Lease>, String> {
        self.take_from(who, None)
    }

    /// The same, or one of somebody who is `silent`.
    fn take_from(&self, who: &str, silent: Option<&Sighting>) -> Result<Arc<dyn Lease>, String> {
        let mut taken = None;
        soon(|| {
            taken = self.try_take(who, silent)?.ok();
            Ok(taken.is_some())
        })?;
        taken.ok_or_else(|| format!("{who} cannot take the lease, which is free"))
    }

    /// What is seen of a lease that somebody has.
    fn seen(&self) -> Result<Sighting, String> {
        match self.try_take("somebody else", None)? {
            Ok(_) => Err("a second holder was let in".to_owned()),
            Err(seen) => Ok(seen),
        }
    }
}

fn holder(who: &str) -> Holder {
    Holder::this_process(who, "conformance")
}

fn expect(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

fn said(call: &'static str) -> impl Fn(io::Error) -> String {
    move |error| format!("{call}: {error}")
}

/// Whether it comes to be so before patience ends.
fn soon(mut so: impl FnMut() -> Result<bool, String>) -> Result<bool, String> {
    let deadline = Instant::now() + PATIENCE;
    while !so()? {
        if Instant::now() >= deadline {
            return Ok(false);
        }
        #[expect(clippy::disallowed_methods, reason = "the pause between two polls, which have a deadline")]
        thread::sleep(Duration::from_millis(5));
    }
    Ok(true)
}
