//! A kind and a blueprint of the program's own: those of the example `directory`.

#[path = "../../../crates/rcm/examples/directory/entry.rs"]
mod entry;

use std::{path::Path, sync::Arc};

use entry::{Directory, Entry, Row, Spec};
use rcm::{
    Environment, Error, Goal, Settings,
    aws::resources::{ec2_vpc::Vpc, elb_load_balancer::LoadBalancer},
    cost::Assumptions,
    engine::{
        model::{Address, Graph, GraphError, Ref, Registry, Resource},
        plan::Depth,
    },
    permissions::Verb,
};
use rcm_testkit::Running;

use super::{open, partner, settings};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

/// With an entry of the directory that says where the load balancer is.
fn entered(settings: Settings, directory: &Arc<Directory>) -> Settings {
    let directory = Arc::clone(directory);
    settings.with_kinds(move |_| Registry::new().with::<Entry>(&directory)).with_blueprint(|config, _, mut graph| {
        let host = Ref::<LoadBalancer>::to(address("edge/load-balancer")).output("dns_name");
        graph.add::<Entry>("directory/entry", Spec { name: config.prefix(), host });
        graph
    })
}

async fn acme(dir: &Path, directory: &Arc<Directory>) -> Environment {
    let settings = Settings { depth: Depth::Full, ..settings(dir).await };
    open("acme", entered(settings, directory)).await
}

fn row(directory: &Directory) -> Row {
    directory.rows()["acme-rcm-dev"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_the_programs_own_comes_drifts_is_put_back_found_again_and_goes() {
    let (dir, directory) = (tempfile::tempdir().unwrap(), Arc::new(Directory::default()));
    let environment = acme(dir.path(), &directory).await;
    let report = environment.run(&Goal::provision(), |_| true).await.unwrap();
    let made = row(&directory);
    assert_eq!(Some(made.host.as_str()), report.outputs.get("alb_dns_name").unwrap().as_str());
    assert!(environment.plan(&Goal::provision()).await.unwrap().is_empty());

    directory.rows().get_mut("acme-rcm-dev").unwrap().host = "elsewhere.example.com".into();
    let drift = environment.drift().await.unwrap();
    let changed: Vec<&str> = drift.changed.iter().map(|changed| changed.address.as_str()).collect();
    assert_eq!(changed, ["directory/entry"]);
    environment.run(&Goal::provision(), |_| true).await.unwrap();
    assert_eq!(row(&directory), made);

    directory.rows().get_mut("acme-rcm-dev").unwrap().owner.0 = "globex".into();
    let untagged = environment.drift().await.unwrap().untagged;
    assert_eq!(untagged.len(), 1, "another's owner is told");
    directory.rows().insert("acme-rcm-dev".into(), made);

    let (rebuilt, _) = environment.rebuild(true).await.unwrap();
    assert_eq!(rebuilt.state.resources[&address("directory/entry")].kind, Entry::KIND);
    assert!(environment.plan(&Goal::provision()).await.unwrap().is_empty());

    environment.run(&Goal::destroy(), |_| true).await.unwrap();
    assert!(directory.rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_program_without_the_kind_says_that_it_lacks_it_and_changes_nothing() {
    let (dir, directory) = (tempfile::tempdir().unwrap(), Arc::new(Directory::default()));
    acme(dir.path(), &directory).await.run(&Goal::provision(), |_| true).await.unwrap();
    let plain = open("acme", settings(dir.path()).await).await;
    for goal in [Goal::provision(), Goal::destroy()] {
        let error = plain.run(&goal, |_| true).await.unwrap_err().to_string();
        assert!(error.contains("directory/entry") && error.contains("a program with kinds of its own"), "{error}");
    }
    assert_eq!(directory.rows().len(), 1);
    assert!(plain.state().unwrap().undo.is_empty());
}

#[tokio::test]
async fn what_is_not_known_of_a_kind_is_said_and_not_guessed() {
    let (dir, directory) = (tempfile::tempdir().unwrap(), Arc::new(Directory::default()));
    let environment = acme(dir.path(), &directory).await;
    let plain = open("acme", Settings::new(dir.path().join("state"))).await;
    let (with, without) =
        (environment.cost(&Assumptions::default()).unwrap(), plain.cost(&Assumptions::default()).unwrap());
    assert_eq!(with.monthly_usd, without.monthly_usd);
    let unpriced: Vec<_> = with.unpriced.iter().map(|it| (it.address.as_str(), it.what.as_str())).collect();
    assert_eq!(unpriced, [("directory/entry", "directory/entry")]);
    assert!(without.unpriced.is_empty());
    let policies = |environment: &Environment| environment.permissions(&[Verb::Provision]).unwrap();
    assert_eq!(policies(&environment), policies(&plain), "it asks AWS for nothing");
}

#[tokio::test]
async fn another_graph_can_stand_in_the_place_of_rcms() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path()).await.with_blueprint(|_, _, shipped| {
        let vpc = shipped.get(&address("network/vpc")).and_then(|node| serde_json::from_value(node.spec.clone()).ok());
        let mut graph = Graph::new();
        vpc.into_iter().for_each(|vpc| drop(graph.add::<Vpc>("network/vpc", vpc)));
        graph
    });
    let environment = open("acme", settings).await;
    let report = environment.run(&Goal::provision(), |_| true).await.unwrap();
    assert_eq!(report.plan.forward.len(), 1);
    assert!(report.outputs.get("vpc_id").is_some() && report.outputs.get("alb_dns_name").is_none());
    let gone = environment.run(&Goal::destroy(), |_| true).await.unwrap();
    assert_eq!(gone.plan.counts().into_iter().collect::<Vec<_>>(), [("delete", 1)]);
}

/// What is called as one of rcm's kinds.
struct Impostor;

impl Resource for Impostor {
    type Cloud = ();
    type Spec = ();
    type Outputs = ();
    const KIND: &'static str = Vpc::KIND;
    const REPLACE_ON: &'static [&'static str] = &[];
    async fn create(_: &Cx<'_>, (): &()) -> Result<Id, Fault> {
        Err(Fault::invalid("create", "never called"))
    }
    async fn read(_: &Cx<'_>, _: &Id) -> Result<Option<Observed<()>>, Fault> {
        Ok(None)
    }
    async fn find(_: &Cx<'_>, (): &()) -> Result<Option<Id>, Fault> {
        Ok(None)
    }
    async fn delete(_: &Cx<'_>, _: &Id) -> Result<(), Fault> {
        Ok(())
    }
    fn actions() -> Actions {
        Actions::default()
    }
}

type Cx<'a> = rcm::engine::model::Cx<'a, ()>;
use rcm::engine::model::{Actions, Fault, Id, Observed};

#[tokio::test]
async fn mistakes_in_kinds_and_blueprints_are_told_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let taken = Settings::new(dir.path()).with_kinds(|_| Registry::new().with::<Impostor>(&Arc::new(())));
    let error = Environment::open(partner("acme"), taken).await.err().unwrap();
    assert!(matches!(error, Error::KindTaken("ec2/vpc")), "{error}");

    let unregistered = Settings { kinds: None, ..entered(Settings::new(dir.path()), &Arc::default()) };
    let error = open("acme", unregistered).await.graph().unwrap_err();
    let Error::Graph(errors) = &error else { panic!("{error}") };
    assert_eq!(errors[..], [GraphError::Kind(address("directory/entry"), "directory/entry")]);

    let dangling = entered(Settings::new(dir.path()), &Arc::default()).with_blueprint(|_, _, mut graph| {
        let host = Ref::<Vpc>::to(address("network/nowhere")).output("vpc_id");
        graph.add::<Entry>("directory/entry", Spec { name: "acme".into(), host });
        graph
    });
    let error = open("acme", dangling).await.cost(&Assumptions::default()).unwrap_err().to_string();
    assert!(error.contains("directory/entry refers to network/nowhere, which is not in the graph"), "{error}");
}

#[test]
fn the_documentation_quotes_the_example() {
    let (docs, example) =
        (include_str!("../../../docs/embedding.md"), include_str!("../../../crates/rcm/examples/directory/main.rs"));
    let quoted = docs.split("```rust,ignore\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let unindented = |text: &str| text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    assert!(
        unindented(example).contains(unindented(quoted).trim_end()),
        "crates/rcm/examples/directory/main.rs has no\n{quoted}"
    );
}

#[test]
fn the_example_tells_what_it_does() {
    let mut example = std::process::Command::new(rcm_testkit::example("directory"));
    let ran = Running::start(example.env_clear()).finish(std::time::Duration::from_secs(60)).expect_code(0);
    for says in [
        "acme-rcm-dev answers at ",
        "somebody has changed directory/entry, and the next run will update it",
        "0 entries are left",
    ] {
        assert!(ran.stdout.contains(says), "does not say {says:?}: {}", ran.stdout);
    }
}
