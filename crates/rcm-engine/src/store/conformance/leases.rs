//! One holder at a time, and nothing from whoever was one before.

use std::{sync::Arc, thread};

use super::{Document, Lease, Owner, Rule, Sighting, Trial, expect, holder, said, soon};
use crate::store::Lost;

pub(super) const RULES: &[Rule] = &[
    Rule { name: "there is one holder, who is named, until the lease is given back", attempt: one_holder },
    Rule { name: "of several who take the lease at the same time one gets it", attempt: race },
    Rule { name: "each token is greater than all before", attempt: tokens },
    Rule { name: "whoever shows signs of life is not taken for silent", attempt: alive },
    Rule { name: "whoever is silent is taken over once, and learns of it", attempt: taken_over },
    Rule { name: "whoever was taken over changes nothing any more", attempt: fenced },
    Rule { name: "a change under a lease that is held comes before a taking over, or not at all", attempt: held },
    Rule { name: "whoever was taken over gives nothing back", attempt: given_back_late },
    Rule { name: "a lease is of one owner", attempt: apart },
];

fn one_holder(trial: &Trial<'_>) -> Result<(), String> {
    let named = || trial.open().holder(&trial.owner).map_err(said("holder"));
    let is_free = || expect(named()?.is_none(), || "there is a holder, and nobody has the lease".to_owned());
    is_free()?;
    let first = trial.take("first")?;
    first.check().map_err(|lost| format!("check of a new lease: {lost}"))?;
    let seen = trial.seen()?;
    let is_first = |by: Option<&super::Holder>| by.is_some_and(|by| by.user == "first");
    expect(is_first(seen.holder.as_ref()), || format!("it is refused for {:?}, and the first has it", seen.holder))?;
    expect(seen.token == first.token(), || format!("token {} is seen of {}", seen.token, first.token()))?;
    let by = named()?;
    expect(is_first(by.as_ref()), || format!("the holder is {by:?}, and the first has the lease"))?;
    first.check().map_err(|lost| format!("check after others have looked: {lost}"))?;
    first.give_back();
    drop(first);
    let second = trial.try_take("second", None)?;
    expect(second.is_ok(), || "it was given back, and is not free".to_owned())?;
    drop(second);
    if soon(|| Ok(named()?.is_none()))? { Ok(()) } else { is_free() }
}

fn race(trial: &Trial<'_>) -> Result<(), String> {
    let takes = || trial.try_take("one of them", None);
    let taken: Vec<_> = thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(takes)).collect();
        all.into_iter().map(|one| one.join().unwrap_or_else(|_| Err("take has panicked".to_owned()))).collect()
    });
    let mut leases = Vec::new();
    for one in taken {
        leases.extend(one?.ok());
    }
    expect(leases.len() == 1, || format!("{} of 8 have the lease", leases.len()))
}

fn tokens(trial: &Trial<'_>) -> Result<(), String> {
    let mut last = 0;
    for _ in 0..5 {
        let lease = trial.take("one of them")?;
        expect(lease.token() > last, || format!("token {} comes after {last}", lease.token()))?;
        last = lease.token();
    }
    Ok(())
}

fn alive(trial: &Trial<'_>) -> Result<(), String> {
    let first = trial.take("first")?;
    let before = trial.seen()?;
    let again = trial.seen()?;
    expect(before == again, || format!("without a sign of life {before:?} has become {again:?}"))?;
    let differs = soon(|| {
        first.renew().map_err(|lost| format!("renew: {lost}"))?;
        Ok(trial.seen()? != before)
    })?;
    expect(differs, || "a sign of life is not seen".to_owned())?;
    let taken = trial.try_take("heir", Some(&before))?;
    expect(taken.is_err(), || "it was taken over from somebody who shows signs of life".to_owned())?;
    first.check().map_err(|lost| format!("check: {lost}"))
}

/// A lease that was taken over, and the one that took its place because this was all there was to be seen.
struct Succession {
    first: Arc<dyn Lease>,
    heir: Arc<dyn Lease>,
    silent: Sighting,
}

impl Succession {
    fn of(trial: &Trial<'_>) -> Result<Self, String> {
        let first = trial.take("first")?;
        let silent = trial.seen()?;
        let heir = trial.take_from("heir", Some(&silent))?;
        Ok(Self { first, heir, silent })
    }
}

fn taken_over(trial: &Trial<'_>) -> Result<(), String> {
    let Succession { first, heir, silent } = Succession::of(trial)?;
    expect(heir.token() > first.token(), || format!("token {} comes after {}", heir.token(), first.token()))?;
    match first.renew() {
        Err(Lost::Taken { by }) if by.user == "heir" => {}
        other => return Err(format!("renew of a lease that the heir has taken over: {other:?}")),
    }
    expect(first.check().is_err(), || "check of it, after renew has failed, lets everything out".to_owned())?;
    let late = trial.try_take("late", Some(&silent))?;
    expect(late.is_err(), || "it was taken over twice by one silence".to_owned())?;
    heir.check().and_then(|()| heir.renew()).map_err(|lost| format!("the heir's lease: {lost}"))
}

fn fenced(trial: &Trial<'_>) -> Result<(), String> {
    let (first, backend) = (trial.take("first")?, trial.open());
    let token = first.token();
    let (state, journal) = (Document::State, Document::Journal);
    backend.replace(&trial.owner, &state, b"first", token).map_err(said("replace"))?;
    let tail = backend.extend(&trial.owner, &journal, 0, token).map_err(said("extend"))?;
    tail.append(b"first\n").map_err(said("append"))?;
    let silent = trial.seen()?;
    let _heir = trial.take_from("heir", Some(&silent))?;
    let changes: [(&str, &dyn Fn() -> std::io::Result<()>); 4] = [
        ("replace", &|| backend.replace(&trial.owner, &state, b"late", token)),
        ("remove", &|| backend.remove(&trial.owner, &state, token)),
        ("append", &|| tail.append(b"late\n")),
        ("extend", &|| backend.extend(&trial.owner, &journal, 0, token).map(drop)),
    ];
    for (call, change) in changes {
        // As rcm does it: either of them has to stop it.
        let done = first.hold().is_ok_and(|_held| change().is_ok());
        expect(!done, || format!("{call} by whoever was taken over is done"))?;
        trial.reads(&state, Some(b"first"))?;
        trial.reads(&journal, Some(b"first\n"))?;
    }
    Ok(())
}

fn held(trial: &Trial<'_>) -> Result<(), String> {
    let (first, backend) = (trial.take("first")?, trial.open());
    backend.replace(&trial.owner, &Document::State, b"before", first.token()).map_err(said("replace"))?;
    let silent = trial.seen()?;
    let hold = first.hold().map_err(|lost| format!("hold: {lost}"))?;
    let heir = trial.try_take("heir", Some(&silent))?;
    let changed = backend.replace(&trial.owner, &Document::State, b"after", first.token());
    drop(hold);
    if heir.is_ok() {
        expect(changed.is_err(), || "it was taken over while it was held, and then changed".to_owned())?;
        return trial.reads(&Document::State, Some(b"before"));
    }
    changed.map_err(said("replace under a lease that is held"))?;
    trial.reads(&Document::State, Some(b"after"))?;
    // What was held is not held for ever.
    trial.take_from("heir", Some(&trial.seen()?)).map(drop)
}

fn given_back_late(trial: &Trial<'_>) -> Result<(), String> {
    let Succession { first, heir, .. } = Succession::of(trial)?;
    drop(first);
    let seen = trial.seen()?;
    expect(seen.token == heir.token(), || format!("token {} is seen of the heir's {}", seen.token, heir.token()))?;
    heir.check().map_err(|lost| format!("the heir's lease, once the first is dropped: {lost}"))
}

fn apart(trial: &Trial<'_>) -> Result<(), String> {
    let _lease = trial.take("first")?;
    let other = Owner::new(&trial.owner.partner, "other");
    let taken = trial.open().take(&other, &holder("second"), None);
    taken.map(drop).map_err(|_| format!("the lease of {other} is refused, and that of {} is taken", trial.owner))
}
