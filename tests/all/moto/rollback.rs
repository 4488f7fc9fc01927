//! A run that fails late, over the whole stack: what is printed, and what is left in the cloud.

use rcm_testkit::calls::{Fault, Recorder, Rule};
use rcm_testkit::{Moto, inventory};
use serde_json::Value;

use crate::bench::Bench;

/// The inventory without keys that AWS is about to delete: it never deletes one at once.
fn without_leaving_keys(mut seen: Value) -> Value {
    let keys = seen.pointer_mut("/kms/keys").and_then(Value::as_array_mut).unwrap();
    keys.retain(|key| key["KeyState"] != "PendingDeletion");
    seen
}

#[test]
fn a_first_run_that_fails_late_leaves_aws_as_it_was_and_says_what_and_why() {
    let moto = Moto::start();
    let recorder = Recorder::start(&moto.endpoint());
    let bench = Bench::at(&recorder.endpoint());
    let before = inventory(&moto.endpoint());
    recorder.trouble(Rule::new(Fault::refuse(400, "AccessDeniedException")).operation("CreateService").nth(1));

    let ran = bench.run("provision --yes").expect_code(1);
    for line in [
        "provision of acme/prod failed after",
        "  compute/service\n      ecs:CreateService: AccessDeniedException\n",
        "Everything that this run had done was undone: AWS is as it was before.",
        "(A key is deleted by AWS only after a waiting period",
        "= help: the credentials lack ecs:CreateService",
        "= next: mend it, then: rcm provision --partner acme",
    ] {
        assert!(ran.stdout.contains(line), "does not say {line:?}: {}", ran.transcript());
    }
    for line in ["compute/service                           failed", "undoing what this run has done: 50 steps"] {
        assert!(ran.stderr.contains(line), "does not say {line:?}: {}", ran.transcript());
    }
    assert_eq!(
        ran.stderr.matches("  undone").count(),
        50,
        "each once, and none that was never made: {}",
        ran.transcript()
    );
    assert_eq!(without_leaving_keys(inventory(&moto.endpoint())), before);
    assert_eq!(bench.rcm_state().resources.len(), 0);

    let _ = bench.run("provision --yes").expect_code(0);
    let _ = bench.run("plan --detailed-exitcode").expect_code(0);
}
