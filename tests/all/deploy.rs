//! `rcm deploy` as one types it, against the sandbox and the registry that it has.

use serde_json::{Value, json};

use crate::bench::{ACME, Bench, lines};
use crate::registry::Sample;

/// The last line of a command that prints JSON.
fn result(ran: &rcm_testkit::Ran) -> Value {
    lines(&ran.stdout).pop().unwrap()
}

fn provisioned() -> Bench {
    let bench = Bench::new();
    let ran = bench.run("provision --yes --sandbox");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("no image has been deployed"), "{}", ran.stdout);
    bench
}

fn deploy(bench: &Bench, options: &str) -> rcm_testkit::Ran {
    bench.run(&format!("deploy {options} --yes --sandbox --output json"))
}

#[test]
fn an_archive_is_pushed_and_runs_and_the_image_before_can_be_gone_back_to() {
    let bench = provisioned();
    let (first, second) = (Sample::new(10, &[5_000, 20]), Sample::new(10, &[5_000, 30]));
    let file = |sample: &Sample| format!("--image {}", sample.path().display());
    let ran = deploy(&bench, &file(&first));
    let ended = result(&ran);
    assert_eq!((ran.code, &ended["outcome"]), (Some(0), &json!("done")), "{ran:?}");
    let digest = first.image().digest;
    let reference = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@{digest}");
    assert_eq!(ended["image"], json!(reference));
    assert_eq!((&ended["pushed"]["sent"], &ended["pushed"]["present"]), (&json!(3), &json!(0)));
    let state = bench.state_file();
    assert!(state.contains(&reference) && !state.contains("AWS:sandbox"));

    let again = result(&deploy(&bench, &file(&first)));
    assert_eq!((&again["pushed"]["sent"], &again["counts"]), (&json!(0), &json!({})), "{again}");
    let none = deploy(&bench, "--rollback");
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(result(&none)["error"]["message"].as_str().unwrap().starts_with("there is nothing to go back to"));

    let next = result(&deploy(&bench, &file(&second)));
    assert_eq!((&next["outcome"], &next["pushed"]["present"]), (&json!("done"), &json!(1)), "{next}");
    let plan = bench.run("plan --detailed-exitcode --sandbox");
    assert_eq!(plan.code, Some(0), "a provision would change nothing: {}", plan.stdout);
    let back = result(&deploy(&bench, "--rollback"));
    assert_eq!((&back["outcome"], &back["image"]), (&json!("done"), &json!(reference)), "{back}");
    let plan = bench.run("plan --detailed-exitcode --sandbox");
    assert_eq!(plan.code, Some(0), "{}", plan.stdout);
}

#[test]
fn an_image_in_the_partner_file_is_not_deployed_over() {
    let bench = provisioned();
    let image = format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/acme-rcm-prod-api@sha256:{}", "0".repeat(64));
    bench.partner("acme", &format!("{ACME}\napi_image = \"{image}\"\n"));
    let before = bench.state_file();
    let sample = Sample::new(11, &[10]);
    for options in [format!("--image {}", sample.path().display()), "--rollback".to_owned()] {
        let ran = deploy(&bench, &options);
        let error = &result(&ran)["error"];
        assert_eq!((ran.code, &error["kind"]), (Some(7), &json!("refused")), "{ran:?}");
        assert!(error["message"].as_str().unwrap().contains(&image), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("take api_image out of the file"), "{error}");
    }
    assert_eq!(bench.state_file(), before);
}

#[test]
fn the_web_application_is_pushed_and_nothing_is_rolled_out() {
    let bench = provisioned();
    let (before, sample) = (bench.state_file(), Sample::new(12, &[10]));
    let ran = bench.run(&format!("deploy --service web --sandbox --yes --image {}", sample.path().display()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("acme-rcm-prod-web@sha256:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("There is nothing to roll out"), "{}", ran.stdout);
    assert_eq!(bench.state_file(), before);
}

#[test]
fn what_cannot_be_deployed_says_what_to_do() {
    let bench = Bench::new();
    let image = Sample::new(13, &[10]);
    let ran = deploy(&bench, &format!("--image {}", image.path().display()));
    assert!(
        ran.code == Some(1) && result(&ran)["error"]["hint"].as_str().unwrap().contains("rcm provision"),
        "{ran:?}"
    );
    let ran = deploy(&bench, "--image ./nowhere.tar");
    assert!(result(&ran)["error"]["message"].as_str().unwrap().contains("is not there"), "{ran:?}");
    let ran = deploy(&bench, "--build ./nowhere");
    assert!(result(&ran)["error"]["message"].as_str().unwrap().contains("is no directory"), "{ran:?}");
    assert_eq!(bench.run("deploy --sandbox").code, Some(2));
}

#[test]
fn where_nothing_builds_it_is_said_what_to_install() {
    let bench = Bench::new().env("PATH", "/nowhere");
    let ran = deploy(&bench, "--build .");
    let error = &result(&ran)["error"];
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(error["message"].as_str().unwrap().contains("none of docker, podman and buildah"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("apt install buildah"), "{error}");
}
