//! Whatever an embedding program may wait for, it may wait for on any thread.

use std::{fs, ops::ControlFlow, time::Duration};

use rcm::{
    Component, Environment, ExecQuery, Goal, LogQuery, Origin, PartnerConfig, Place, Settings,
    aws::Secret,
    cost::Assumptions,
    engine::model::{Address, Id},
    resolver::Resolver,
};

fn assert_send<T: Send>(_: T) {}

/// Compiled, and never called.
#[expect(dead_code, reason = "that it compiles is all there is to it")]
fn all(environment: &Environment, config: PartnerConfig, settings: Settings, goal: &Goal, secret: Secret) {
    fn any<T>() -> T {
        unreachable!()
    }
    let (address, id): (&Address, &Id) = any();
    let (resolver, query): (Option<&Resolver>, &LogQuery) = any();
    let (session, place, assumptions): (&ExecQuery, &Place, &Assumptions) = any();
    assert_send(Environment::open(config, settings));
    assert_send(environment.plan(goal));
    assert_send(environment.preflight(goal));
    assert_send(environment.doctor(resolver));
    assert_send(environment.run(goal, |_| true));
    assert_send(environment.deploy(goal, |_| true));
    assert_send(environment.push(any::<&Origin>(), any::<Component>(), &|_| ()));
    assert_send(environment.last_good());
    assert_send(environment.dns(resolver));
    assert_send(environment.wait_for_dns(resolver, Duration::ZERO, |_| ()));
    assert_send(environment.drift());
    assert_send(environment.accept_drift());
    assert_send(environment.import(address, id));
    assert_send(environment.rename(address, address));
    assert_send(environment.logs(query, |_| ControlFlow::Continue(())));
    assert_send(environment.place_for_session(session));
    assert_send(environment.open_session(place, "/bin/sh"));
    assert_send(environment.cost_live(assumptions));
    assert_send(environment.compliance());
    assert_send(environment.rebuild(false));
    assert_send(environment.roll_back(|_| true));
    assert_send(environment.secrets());
    assert_send(environment.rotate_secret("jwt-secret"));
    assert_send(environment.set_secret("jwt-secret", secret));
    assert_send(environment.forget(address));
    assert_send(environment.lock_is_free());
    assert_send(environment.status());
}

#[test]
fn every_operation_is_in_the_list_of_those_that_may_be_waited_for_on_any_thread() {
    let listed = include_str!("sending.rs");
    let operations = fs::read_dir(rcm_testkit::root().join("crates/rcm/src/ops")).unwrap();
    let mut seen = 0;
    for file in operations.map(|file| file.unwrap().path()) {
        // A directory holds parts of one operation.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for name in text.lines().filter_map(|line| line.trim().strip_prefix("pub async fn ")) {
            let name = name.split(['(', '<']).next().unwrap();
            let is_listed = listed.contains(&format!("assert_send(environment.{name}(")) || name == "open";
            assert!(is_listed, "{name} of {} is not in `all`", file.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}
