//! Places that cannot be written to, and disks that are full: nothing that was known is lost.

use std::{fs, process::Command, time::Duration};

use rcm::engine::store::{Phase, write_atomically};
use rcm_testkit::{Moto, Ran, Running, inventory};

use crate::bench::{ACME, Bench, assert_nothing_is_double};

/// Runs `rcm` where no file can grow beyond so many blocks of 512 bytes, as if the disk were full.
fn on_a_full_disk(bench: &Bench, blocks: u32, arguments: &str) -> Ran {
    let rcm = bench.command(arguments);
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(format!("ulimit -f {blocks} && exec \"$0\" \"$@\""))
        .arg(rcm.get_program())
        .args(rcm.get_args());
    shell.env_clear().envs(rcm.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(rcm.get_current_dir().unwrap());
    Running::start(&mut shell).finish(Duration::from_secs(120))
}

/// Small enough that the journal of a whole provision does not fit.
const BLOCKS: u32 = 64;

#[test]
fn a_disk_that_fills_up_in_a_run_loses_nothing_that_is_known() {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    let ran = on_a_full_disk(&bench, BLOCKS, "provision --yes").expect_code(1);
    for text in ["prod.journal.jsonl: File too large", "nothing more is sent to the cloud"] {
        assert!(ran.stderr.contains(text), "does not say {text:?}: {}", ran.transcript());
    }
    // Whether the snapshot fits depends on how much was under way when the journal did not: what is known is in one of them.
    let journal_has_it = ran.stderr.contains("prod.json: File too large");
    let says_what_next = ran.stderr.contains("run the same command again once this is mended");
    assert!(says_what_next || !journal_has_it, "{}", ran.transcript());
    assert_eq!(bench.store().is_unfinished().unwrap(), journal_has_it, "{}", ran.transcript());
    let known = bench.rcm_state().resources.len();
    assert!((1..53).contains(&known), "{known} resources: not the middle");

    let _ = bench.run("provision --yes").expect_code(0);
    let _ = bench.run("plan --detailed-exitcode").expect_code(0);
    assert_nothing_is_double(&inventory(&moto.endpoint()));
}

#[test]
fn a_state_that_cannot_be_written_stays_as_it_was_and_the_journal_has_the_rest() {
    let moto = Moto::start();
    let bench = Bench::at(&moto.endpoint());
    let _ = bench.run("provision --yes").expect_code(0);
    let before = fs::read_to_string(bench.store().state_path()).unwrap();
    bench.partner("acme", &format!("{ACME}\necs_max_count = 12\n"));
    // There is room for some more lines of the audit log, and none for a state.
    let log = fs::metadata(bench.store().audit_path()).unwrap().len();
    let blocks = u32::try_from(log / 512).unwrap() + 16;
    assert!(u64::from(blocks) * 512 < before.len() as u64, "{log} bytes of log, {} of state", before.len());
    let ran = on_a_full_disk(&bench, blocks, "provision --yes").expect_code(1);
    assert!(ran.stderr.contains("prod.json: File too large"), "{}", ran.transcript());
    assert_eq!(fs::read_to_string(bench.store().state_path()).unwrap(), before);
    let state = bench.rcm_state();
    let target = state.resources.values().find(|record| record.kind == "autoscaling/target").unwrap();
    assert_eq!((&target.spec["max"], target.phase), (&12.into(), Phase::Ready), "{:#}", target.spec);

    let again = bench.run("provision --yes").expect_code(0);
    assert!(again.stdout.contains("Nothing was changed."), "{}", again.transcript());
    assert!(!bench.store().journal_path().exists(), "the snapshot has it now");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_named_before_anything_is_sent() {
    let bench = Bench::new();
    let blocked = bench.rcm.state_dir();
    write_atomically(&blocked, b"in the way").unwrap();
    for arguments in ["provision --yes", "provision --yes --sandbox", "destroy --yes"] {
        let ran = bench.run(arguments).expect_code(1);
        assert!(ran.stderr.contains(blocked.to_str().unwrap()), "{}", ran.transcript());
        assert!(ran.stderr.contains("another directory with --state-dir"), "{}", ran.transcript());
    }
    assert_eq!(fs::read(&blocked).unwrap(), b"in the way");
    let out = bench.file("acme.toml/graph.dot");
    let ran = Bench::new().run(&format!("graph --out {out}")).expect_code(1);
    assert!(ran.stderr.contains(&format!("cannot write {out}")), "{}", ran.transcript());
}
