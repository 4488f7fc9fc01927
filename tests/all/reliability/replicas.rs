//! Read replicas: they come after their source and go before it, and one that somebody has promoted is a database like any other.

use rcm::engine::plan::{Action, Depth, Plan};
use rcm::engine::store::State;
use rcm::{Error, Goal};

use super::canon::inventory;
use super::stage::{Stage, acme, play, provisioned};
use super::world::with_settings;

const FIRST: &str = "database/replica-1";

fn with_replicas(count: u32) -> String {
    with_settings(&acme(), &format!("db_read_replicas = {count}"))
}

/// The instances that were asked to go, in that order.
fn deleted(stage: &Stage) -> Vec<String> {
    let calls = stage.wire.calls().of("DeleteDBInstance");
    let name = |body: &str| {
        let (_, rest) = body.split_once("DBInstanceIdentifier=").unwrap();
        rest.split('&').next().unwrap().to_owned()
    };
    calls.iter().map(|call| name(&call.body)).collect()
}

async fn secret(stage: &Stage, name: &str) -> Option<String> {
    let answer = stage.aws().await.secrets.get_secret_value().secret_id(name).send().await;
    answer.ok().and_then(|answer| answer.secret_string)
}

/// Which secrets the newest revision of the task reads.
fn read_by_the_task(state: &State) -> Vec<String> {
    let task = &state.resources[&"compute/task-definition".parse().unwrap()];
    task.spec["container"]["secrets"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn replicas_go_before_their_source_so_that_aws_promotes_none() {
    let disk = provisioned(&with_replicas(2));
    let left = play(&disk, async |stage| {
        stage.run(&with_replicas(2), &Goal::destroy()).await;
        let mut deleted = deleted(stage);
        assert_eq!(deleted.pop().as_deref(), Some("acme-rcm-prod-db"));
        deleted.sort();
        assert_eq!(deleted, ["acme-rcm-prod-db-replica", "acme-rcm-prod-db-replica-2"]);
    });
    let instances: Vec<_> = inventory(&left).into_iter().filter(|line| line.starts_with("rds instances")).collect();
    assert!(instances.is_empty(), "{instances:?}");
}

#[test]
fn the_task_is_told_where_to_read_for_as_long_as_there_is_a_replica() {
    const URL: &str = "acme-rcm/database-reader-url";
    let disk = provisioned(&with_replicas(2));
    play(&disk, async |stage| {
        let url = secret(stage, URL).await.unwrap();
        assert!(url.contains("@acme-rcm-prod-db-replica.") && url.ends_with("/rcm?sslmode=require"), "another url");
        assert_eq!(read_by_the_task(&stage.state().await), ["DATABASE_READER_URL", "DATABASE_URL", "JWT_SECRET"]);
        let before = stage.wire.calls().len();
        let same = stage.rcm(&with_replicas(2), Depth::Quick).await.run(&Goal::provision(), |_| true).await.unwrap();
        assert!(same.plan.is_empty(), "{:#?}", same.plan);
        let hosts = same.outputs.get("database_reader_endpoints").unwrap().as_array().unwrap();
        assert_eq!(hosts.len(), 2);
        // As without replicas, and one for all of them; one is for the zone's records.
        let calls: Vec<_> = stage.wire.calls().iter().skip(before).map(|call| call.operation.to_string()).collect();
        assert!(calls.len() <= 32, "{} calls: {calls:#?}", calls.len());

        let none = stage.provision(&acme()).await;
        assert_eq!(none.outputs.get("database_reader_endpoints"), None);
        assert_eq!(read_by_the_task(&stage.state().await), ["DATABASE_URL", "JWT_SECRET"]);
        assert_eq!((secret(stage, URL).await, none.remnants.len()), (None, 0));

        // Its name is taken for a month: it is restored, and says where the new replica is.
        stage.provision(&with_replicas(1)).await;
        assert!(secret(stage, URL).await.is_some());
    });
}

fn blocked(plan: &Plan) -> Vec<(&str, &str)> {
    plan.blocked.iter().map(|blocked| (blocked.address.as_str(), &*blocked.why)).collect()
}

#[test]
fn one_that_was_promoted_is_not_replaced_or_deleted_unasked_and_then_with_a_final_snapshot() {
    let disk = provisioned(&with_replicas(1));
    play(&disk, async |stage| {
        let at = stage.at().await;
        at.aws.rds.promote_read_replica().db_instance_identifier(at.id(FIRST)).send().await.unwrap();
        stage.settle();

        let drift = stage.rcm(&with_replicas(1), Depth::Quick).await.drift().await.unwrap();
        let source: Vec<_> =
            drift.changed.iter().flat_map(|changed| &changed.fields).map(|field| &*field.field).collect();
        assert_eq!((source, drift.added.len()), (vec!["source"], 0));
        let story = "was promoted outside rcm, is a database of its own with data of its own, and would be";
        for (count, end) in [(1, "replaced by an empty one"), (0, "deleted")] {
            let plan = stage.plan(&with_replicas(count)).await;
            assert_eq!(blocked(&plan), [(FIRST, &*format!("{story} {end}"))]);
            let run = stage.rcm(&with_replicas(count), Depth::Full).await;
            let refused = run.run(&Goal::provision(), |_| true).await;
            assert!(matches!(refused, Err(Error::Blocked(_))), "{refused:?}");
        }

        let goal = Goal { may_lose: [FIRST.parse().unwrap()].into(), ..Goal::provision() };
        let report = stage.run(&with_replicas(1), &goal).await;
        assert!(report.plan.forward.iter().any(|step| matches!(step.action, Action::Replace { .. })));
        let [snapshot] = &report.remnants[..] else { panic!("{:?}", report.remnants) };
        assert!(snapshot.id.starts_with("acme-rcm-prod-db-replica-final-"), "{snapshot:?}");
        let url = secret(stage, "acme-rcm/database-reader-url").await.unwrap();
        assert!(url.contains("@acme-rcm-prod-db-replica-g2."), "another url");
        assert!(stage.plan(&with_replicas(1)).await.is_empty());
    });
}

#[test]
fn a_destroy_takes_a_final_snapshot_of_one_that_was_promoted_and_a_purge_takes_that_too() {
    let disk = provisioned(&with_replicas(1));
    play(&disk, async |stage| {
        let at = stage.at().await;
        at.aws.rds.promote_read_replica().db_instance_identifier(at.id(FIRST)).send().await.unwrap();
        stage.settle();
        let report = stage.run(&with_replicas(1), &Goal::destroy()).await;
        assert_eq!(report.remnants.len(), 2, "{:?}", report.remnants);
        let report = stage.run(&with_replicas(1), &Goal { purge: true, ..Goal::destroy() }).await;
        assert_eq!(report.remnants.len(), 0, "{:?}", report.remnants);
        let snapshots = at.aws.rds.describe_db_snapshots().send().await.unwrap();
        assert!(snapshots.db_snapshots().is_empty());
    });
}

#[test]
fn another_major_version_takes_the_replicas_along() {
    let old = with_settings(&with_replicas(1), "db_engine_version = \"16\"");
    let disk = provisioned(&old);
    play(&disk, async |stage| {
        let new = with_settings(&with_replicas(1), "db_engine_version = \"17\"");
        stage.provision(&new).await;
        assert!(stage.plan(&new).await.is_empty());
        let at = stage.at().await;
        let request = at.aws.rds.describe_db_instances().db_instance_identifier(at.id(FIRST));
        let replica = request.send().await.unwrap().db_instances.unwrap().remove(0);
        assert!(replica.engine_version().unwrap().starts_with("17."), "{replica:?}");
        let group = replica.db_parameter_groups()[0].db_parameter_group_name();
        assert_eq!(group, Some(&*at.id("database/parameter-group")));
    });
}
