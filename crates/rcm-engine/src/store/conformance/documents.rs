//! What is written is there, whole, in order, and for its owner alone.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use super::{Document, Owner, PATIENCE, Rule, Trial, expect, said};
use crate::store::Copied;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "what was never written is not there", attempt: absent },
    Rule { name: "what is written is read as it was written, by everybody", attempt: read_back },
    Rule { name: "a document is its owner's alone", attempt: apart },
    Rule { name: "a document is replaced whole", attempt: whole },
    Rule { name: "what is created takes nothing's place", attempt: created_once },
    Rule { name: "what is removed is gone, and may be written again", attempt: removed },
    Rule { name: "lines are read in their order, each as soon as it was added", attempt: in_order },
    Rule { name: "half a line is cut off before others are added", attempt: torn },
    Rule { name: "whoever comes later adds behind what is there", attempt: extended },
    Rule { name: "the environments of a partner are those with a state", attempt: environments },
];

/// More than a page, a block or a packet has.
const LARGE: usize = 300_000;

fn changed() -> [Document; 4] {
    [Document::State, Document::Journal, Document::Audit, Document::AuditHead]
}

fn created() -> [Document; 4] {
    let backup = |of, number| Document::Backup { of, serial: "7".into(), number };
    let certificate = Document::Certificate { name: "destroyed-20260101T000000.000Z".into(), format: "json" };
    [backup(Copied::State, 1), backup(Copied::State, 2), backup(Copied::Journal, 1), certificate]
}

fn absent(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    for document in changed().iter().chain(&created()) {
        trial.reads(document, None)?;
        let there = trial.open().exists(&trial.owner, document).map_err(said("exists"))?;
        expect(!there, || format!("`{document}` is said to be there"))?;
    }
    trial.open().remove(&trial.owner, &Document::Journal, lease.token()).map_err(said("remove of what is not there"))
}

fn read_back(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    let every_byte: Vec<u8> = (0..LARGE).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
    for bytes in [b"one".as_slice(), &every_byte, b"", b"another\n"] {
        for document in changed() {
            let bytes = [bytes, document.to_string().as_bytes()].concat();
            let replaced = trial.open().replace(&trial.owner, &document, &bytes, lease.token());
            replaced.map_err(said("replace"))?;
            trial.reads(&document, Some(&bytes))?;
            let there = trial.open().exists(&trial.owner, &document).map_err(said("exists"))?;
            expect(there, || format!("`{document}` is said not to be there"))?;
        }
    }
    // None has taken another's place.
    for document in changed() {
        trial.reads(&document, Some(format!("another\n{document}").as_bytes()))?;
    }
    trial.open().replace(&trial.owner, &Document::State, b"", lease.token()).map_err(said("replace"))?;
    trial.reads(&Document::State, Some(b""))
}

fn apart(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    trial.open().replace(&trial.owner, &Document::State, b"ours", lease.token()).map_err(said("replace"))?;
    let Owner { partner, environment } = &trial.owner;
    for other in [Owner::new(partner, "other"), Owner::new(format!("{partner}-{environment}"), environment)] {
        let seen = trial.open().read(&other, &Document::State).map_err(said("read"))?;
        expect(seen.is_none(), || format!("{other} has what is of {}", trial.owner))?;
    }
    Ok(())
}

fn whole(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    let versions = [vec![b'a'; LARGE], vec![b'b'; LARGE / 2]];
    let replace = |version: &[u8]| {
        let backend = trial.open();
        backend.replace(&trial.owner, &Document::State, version, lease.token()).map_err(said("replace"))
    };
    replace(&versions[0])?;
    let (over, looks, deadline) = (AtomicBool::new(false), AtomicUsize::new(0), Instant::now() + PATIENCE);
    thread::scope(|scope| {
        let look = || {
            while !over.load(Ordering::SeqCst) {
                looks.fetch_add(1, Ordering::SeqCst);
                let seen = trial.read(&Document::State)?.unwrap_or_default();
                expect(versions.contains(&seen), || {
                    format!("while it was replaced, {} bytes were read that are no version of it", seen.len())
                })?;
            }
            Ok(())
        };
        let reader = scope.spawn(look);
        let seen_enough = || reader.is_finished() || looks.load(Ordering::SeqCst) >= 40 || Instant::now() >= deadline;
        let versions = versions.iter().cycle().enumerate();
        let replaced = versions.take_while(|(at, _)| *at < 40 || !seen_enough()).try_for_each(|(_, to)| replace(to));
        over.store(true, Ordering::SeqCst);
        replaced?;
        reader.join().unwrap_or_else(|_| Err("the reader has panicked".to_owned()))
    })
}

fn created_once(trial: &Trial<'_>) -> Result<(), String> {
    for document in created() {
        for (bytes, is_new) in [("first", true), ("second", false)] {
            let made = trial.open().create(&trial.owner, &document, bytes.as_bytes()).map_err(said("create"))?;
            expect(made == is_new, || format!("create of `{document}` says {made} for the {bytes}"))?;
            trial.reads(&document, Some(b"first"))?;
        }
    }
    Ok(())
}

fn removed(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    for _ in 0..2 {
        let backend = trial.open();
        let tail = backend.extend(&trial.owner, &Document::Journal, 0, lease.token()).map_err(said("extend"))?;
        tail.append(b"line\n").and_then(|()| tail.sync()).map_err(said("append"))?;
        trial.reads(&Document::Journal, Some(b"line\n"))?;
        drop(tail);
        trial.open().remove(&trial.owner, &Document::Journal, lease.token()).map_err(said("remove"))?;
        trial.reads(&Document::Journal, None)?;
        backend.replace(&trial.owner, &Document::State, b"state", lease.token()).map_err(said("replace"))?;
    }
    trial.reads(&Document::State, Some(b"state"))
}

fn in_order(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    for document in [Document::Journal, Document::Audit] {
        let backend = trial.open();
        let tail = backend.extend(&trial.owner, &document, 0, lease.token()).map_err(said("extend"))?;
        let mut all = Vec::new();
        for number in 0..100 {
            // Several lines come at once where several steps have something to say.
            let lines = format!("{{\"line\":{number}}}\n").repeat(1 + number % 3);
            tail.append(lines.as_bytes()).map_err(said("append"))?;
            all.extend_from_slice(lines.as_bytes());
            trial.reads(&document, Some(&all))?;
        }
        tail.sync().map_err(said("sync"))?;
        drop(tail);
        trial.reads(&document, Some(&all))?;
    }
    Ok(())
}

fn torn(trial: &Trial<'_>) -> Result<(), String> {
    let lease = trial.take("first")?;
    let backend = trial.open();
    backend.replace(&trial.owner, &Document::Journal, b"a\nb\nhalf", lease.token()).map_err(said("replace"))?;
    let tail = trial.open().extend(&trial.owner, &Document::Journal, 4, lease.token()).map_err(said("extend"))?;
    trial.reads(&Document::Journal, Some(b"a\nb\n"))?;
    tail.append(b"c\n").map_err(said("append"))?;
    trial.reads(&Document::Journal, Some(b"a\nb\nc\n"))
}

fn extended(trial: &Trial<'_>) -> Result<(), String> {
    let mut all = Vec::new();
    for who in ["first", "second", "third"] {
        let lease = trial.take(who)?;
        let whole = u64::try_from(all.len()).unwrap_or(u64::MAX);
        let tail = trial.open().extend(&trial.owner, &Document::Audit, whole, lease.token());
        let tail = tail.map_err(said("extend"))?;
        trial.reads(&Document::Audit, Some(&all))?;
        let line = format!("{who}\n");
        tail.append(line.as_bytes()).and_then(|()| tail.sync()).map_err(said("append"))?;
        all.extend_from_slice(line.as_bytes());
        trial.reads(&Document::Audit, Some(&all))?;
    }
    Ok(())
}

fn environments(trial: &Trial<'_>) -> Result<(), String> {
    let backend = trial.open();
    let partner = &trial.owner.partner;
    let named = || {
        let mut named = trial.open().environments(partner).map_err(said("environments"))?;
        named.sort();
        Ok::<_, String>(named)
    };
    let none = named()?;
    expect(none.is_empty(), || format!("{none:?} are there before anything is"))?;
    for environment in ["dev", "prod", "empty"] {
        let owner = Owner::new(partner, environment);
        let refused = |_| format!("the lease of {owner} cannot be taken");
        let lease = backend.take(&owner, &super::holder("first"), None).map_err(refused)?;
        let document = if environment == "empty" { Document::AuditHead } else { Document::State };
        backend.replace(&owner, &document, b"{}", lease.token()).map_err(said("replace"))?;
    }
    let found = named()?;
    expect(found == ["dev", "prod"], || format!("{found:?} have a state, and not dev and prod"))
}
