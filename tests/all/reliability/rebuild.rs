//! A state that is lost is made again from the cloud, and nothing is different from one that never was.

use std::fs;
use std::path::Path;

use rcm::engine::{
    model::{Address, Id},
    plan::{Action, Depth},
    store::{Record, write_atomically},
};
use rcm::{Error, Goal};

use super::canon::{difference, inventory, present};
use super::stage::{Stage, acme, everything, on_app_runner, play, provisioned};
use super::world::{Disk, scratch};

fn address(text: &str) -> Address {
    Address::new(text).unwrap()
}

fn lose_the_state(stage: &Stage) {
    fs::remove_dir_all(stage.state_dir()).unwrap();
}

/// What a destroy of `file` leaves on `disk`.
fn destroyed(disk: &Disk, file: &str) -> Vec<String> {
    inventory(&play(disk, async |stage| drop(stage.run(file, &Goal::destroy()).await)))
}

/// Rebuilds the lost state of `disk`: nothing is written to AWS, and nothing is to be done afterwards.
fn rebuilt(disk: &Disk, file: &str) -> Disk {
    play(disk, async |stage| {
        let known = stage.state().await;
        lose_the_state(stage);
        let (rebuilt, backup) = stage.rcm(file, Depth::Quick).await.rebuild(false).await.unwrap();
        let calls = stage.wire.calls().mutating();
        assert!(calls.is_empty(), "it only looks:\n{calls}");
        assert_eq!(backup, None);
        assert_eq!((rebuilt.missing, rebuilt.unwanted, rebuilt.unplaced), (vec![], vec![], vec![]));
        for record in known.records() {
            // A record carries no tag, so nothing tells how many there were before it.
            let untold = record.kind == "route53/record";
            let again = if untold {
                rebuilt.state.resources.get(&record.address)
            } else {
                rebuilt.state.record(&record.address, record.generation)
            };
            let again =
                again.unwrap_or_else(|| panic!("{} (generation {}) is not found", record.address, record.generation));
            let facts = |record: &Record| {
                let mut dependencies = record.dependencies.clone();
                dependencies.sort();
                (
                    record.id.clone(),
                    record.phase,
                    record.spec.clone(),
                    record.inputs.clone(),
                    record.outputs.clone(),
                    dependencies,
                )
            };
            assert_eq!(facts(again), facts(record), "{}", record.address);
        }
        assert_eq!(rebuilt.state.records().count(), known.records().count());
        assert!(stage.rcm(file, Depth::Full).await.drift().await.unwrap().is_empty());
        let plan = stage.plan(file).await;
        assert!(plan.is_empty(), "{:#?}", plan.forward);
    })
}

#[test]
fn a_lost_state_is_made_again_from_the_cloud_and_destroys_what_the_lost_one_would_have() {
    for file in [acme(), everything(), on_app_runner(), include_str!("../../../partners/acme.toml").to_owned()] {
        let disk = provisioned(&file);
        let again = rebuilt(&disk, &file);
        let difference = difference(&destroyed(&disk, &file), &destroyed(&again, &file));
        assert!(difference.is_empty(), "{difference}");
    }
}

#[test]
fn what_was_replaced_is_found_by_its_generation() {
    let before = provisioned(&acme());
    // Another image, another certificate: new generations of what is behind them.
    let file = acme().replace(&"0".repeat(64), &"1".repeat(64)).replace("rcm.acme.com", "app.acme.com");
    let disk = play(&before, async |stage| {
        let replaced = stage.provision(&file).await.plan.counts()["replace"];
        assert!(replaced >= 2, "{replaced}");
        let state = stage.state().await;
        assert_eq!(state.resources[&address("compute/task-definition")].generation, 2);
    });
    let again = rebuilt(&disk, &file);
    // A state made anew knows nothing of what was deleted before.
    let difference = difference(&present(&destroyed(&disk, &file)), &present(&destroyed(&again, &file)));
    assert!(difference.is_empty(), "{difference}");
}

/// The same, as if AWS had added the zone `us-east-1a` only later.
fn in_other_zones(disk: &Disk) -> Disk {
    fn rewrite(dir: &Path) {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                rewrite(&path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            write_atomically(&path, text.replace("us-east-1a", "us-east-1f").as_bytes()).unwrap();
        }
    }
    let dir = scratch();
    disk.write(dir.path());
    rewrite(dir.path());
    Disk::read(dir.path())
}

#[test]
fn zones_are_those_that_the_subnets_are_in_and_not_the_first_of_the_region() {
    let disk = in_other_zones(&provisioned(&acme()));
    play(&disk, async |stage| {
        let state = stage.state().await;
        assert_eq!(state.resources[&address("network/subnet/private-a")].spec["zone"], "us-east-1f");
    });
    rebuilt(&disk, &acme());
}

#[test]
fn what_the_partner_file_does_not_describe_goes_with_the_next_run_as_it_would_have_gone() {
    let two = format!("{}\nnat_gateways = 2\n", acme());
    let disk = provisioned(&two);
    play(&disk, async |stage| {
        let expected = stage.plan(&acme()).await;
        lose_the_state(stage);
        let (rebuilt, _) = stage.rcm(&acme(), Depth::Quick).await.rebuild(false).await.unwrap();
        let mut deleted: Vec<_> = expected.cleanup.iter().map(|step| step.address.clone()).collect();
        let mut unwanted = rebuilt.unwanted.clone();
        deleted.sort();
        unwanted.sort();
        assert_eq!(unwanted, deleted);
        let nat = &rebuilt.state.resources[&address("network/nat/b")];
        assert!(nat.dependencies.contains(&address("network/nat-address/b")), "{:?}", nat.dependencies);
        let report = stage.provision(&acme()).await;
        assert_eq!(report.plan.counts()["delete"], deleted.len());
        assert!(stage.plan(&acme()).await.is_empty());
        assert!(stage.rcm(&acme(), Depth::Full).await.drift().await.unwrap().is_empty());
    });
}

#[test]
fn what_differs_from_the_partner_file_is_changed_by_the_next_run() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        lose_the_state(stage);
        let file = format!("{}\necs_cpu = 2048\necs_memory = 4096\n", acme()).replace(&"0".repeat(64), &"1".repeat(64));
        stage.rcm(&file, Depth::Quick).await.rebuild(false).await.unwrap();
        let plan = stage.plan(&file).await;
        let definition = plan.forward.iter().find(|step| step.address.as_str() == "compute/task-definition").unwrap();
        let Action::Replace { changes } = &definition.action else { panic!("{definition:?}") };
        let fields: Vec<_> = changes.iter().map(|change| &*change.field).collect();
        // What the container may write to is in its memory, and grows with it.
        assert_eq!(fields, ["container", "cpu", "image", "memory"]);
    });
}

#[test]
fn what_is_gone_is_made_by_the_next_run() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        at.aws.ecr.delete_repository().repository_name(at.id("storage/repository/web")).send().await.unwrap();
        lose_the_state(stage);
        let (rebuilt, _) = stage.rcm(&acme(), Depth::Quick).await.rebuild(false).await.unwrap();
        assert_eq!(rebuilt.missing, [address("storage/repository/web")]);
        let plan = stage.provision(&acme()).await.plan;
        assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("create", 1)]);
    });
}

#[test]
fn a_state_that_is_there_is_replaced_only_by_force_and_kept_beside_the_new_one() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let path = stage.state_dir().join("acme/prod.json");
        let old = fs::read(&path).unwrap();
        let serial = stage.state().await.serial;
        let rcm = stage.rcm(&acme(), Depth::Quick).await;
        let refused = rcm.rebuild(false).await;
        assert!(matches!(refused, Err(Error::StateExists(_))), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), old);

        let (_, backup) = rcm.rebuild(true).await.unwrap();
        let backup = backup.unwrap();
        assert_eq!(backup.file_name().unwrap().to_str().unwrap(), format!("prod.json.backup-{serial}"));
        assert_eq!(fs::read(&backup).unwrap(), old);
        assert!(stage.plan(&acme()).await.is_empty());

        // Also one that cannot be read any more, and neither copy takes the other's place.
        for _ in 0..2 {
            let new = fs::read(&path).unwrap();
            write_atomically(&path, &new[..new.len() / 2]).unwrap();
            let (_, backup) = rcm.rebuild(true).await.unwrap();
            assert!(backup.unwrap().to_str().unwrap().contains("prod.json.backup-damaged"));
            assert!(stage.plan(&acme()).await.is_empty());
        }
        let copies = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().contains("backup"));
        assert_eq!(copies.count(), 3);
    });
}

#[test]
fn where_nothing_is_nothing_is_made() {
    play(&Disk::default(), async |stage| {
        let error = stage.rcm(&acme(), Depth::Quick).await.rebuild(false).await.unwrap_err();
        assert!(matches!(error, Error::NothingThere { .. }), "{error:?}");
        assert!(!stage.state_dir().join("acme/prod.json").exists());
    });
}

#[test]
fn every_kind_of_resource_can_be_forgotten_and_imported() {
    let file = everything();
    let disk = provisioned(&file);
    play(&disk, async |stage| {
        let rcm = stage.rcm(&file, Depth::Full).await;
        let state = stage.state().await;
        for record in state.resources.values() {
            rcm.forget(&record.address).await.unwrap();
            let differs = rcm.import(&record.address, record.id.as_ref().unwrap()).await;
            let differs = differs.unwrap_or_else(|error| panic!("{}: {error}", record.address));
            assert!(differs.is_empty(), "{}: {differs:?}", record.address);
        }
        assert!(stage.plan(&file).await.is_empty());
        assert!(rcm.drift().await.unwrap().is_empty());
    });
}

#[test]
fn what_somebody_else_has_made_is_imported_changed_and_found_again() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        let address = address("storage/log-group/application");
        let name = at.id(address.as_str());
        at.aws.logs.delete_log_group().log_group_name(&name).send().await.unwrap();
        at.aws.logs.create_log_group().log_group_name(&name).send().await.unwrap();
        let rcm = stage.rcm(&acme(), Depth::Full).await;
        rcm.forget(&address).await.unwrap();

        let differs = rcm.import(&address, &Id::new(name.as_str())).await.unwrap();
        let mut fields: Vec<_> = differs.iter().map(|change| &*change.field).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["kms_key", "retention_days"]);
        let plan = stage.provision(&acme()).await.plan;
        assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("update", 1)]);
        assert!(stage.plan(&acme()).await.is_empty());
        lose_the_state(stage);
        let (rebuilt, _) = rcm.rebuild(false).await.unwrap();
        assert!(rebuilt.state.resources.contains_key(&address), "it carries our tags now");
    });
}

#[test]
fn what_cannot_become_what_the_partner_file_wants_is_not_imported() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let at = stage.at().await;
        let rcm = stage.rcm(&acme(), Depth::Full).await;
        let import = async |address: &str, id: &str| {
            let before = stage.state().await;
            let error = rcm.import(&self::address(address), &Id::new(id)).await.unwrap_err();
            assert_eq!(stage.state().await, before, "a refused import changes nothing");
            error
        };
        let forget = async |address: &str| rcm.forget(&self::address(address)).await.unwrap();

        let error = import("network/subnet/private-z", "subnet-1").await;
        assert!(matches!(error, Error::NotWanted(_)), "{error:?}");
        let error = import("network/vpc", "vpc-1").await;
        assert!(matches!(error, Error::Known { .. }), "{error:?}");

        forget("network/subnet/private-a").await;
        let error = import("network/subnet/private-a", "subnet-0").await;
        assert!(matches!(error, Error::NotThere { .. }), "{error:?}");
        let error = import("network/subnet/private-a", &at.id("network/subnet/public-a")).await;
        assert!(matches!(error, Error::Known { .. }), "{error:?}");
        forget("network/subnet/public-a").await;
        let error = import("network/subnet/private-a", &at.id("network/subnet/public-a")).await;
        let Error::Unlike { fields, .. } = error else { panic!("{error:?}") };
        assert_eq!(fields.iter().map(|change| &*change.field).collect::<Vec<_>>(), ["cidr"]);

        forget("network/vpc").await;
        let error = import("network/subnet/private-a", &at.id("network/subnet/private-a")).await;
        let Error::Unlike { fields, .. } = error else { panic!("{error:?}") };
        assert_eq!(fields.iter().map(|change| &*change.field).collect::<Vec<_>>(), ["vpc"], "the VPC is not known yet");

        at.aws.s3.create_bucket().bucket("somebody-elses").send().await.unwrap();
        forget("storage/bucket/logs").await;
        let error = import("storage/bucket/logs", "somebody-elses").await;
        assert!(matches!(error, Error::Unlike { ref fields, .. } if fields.is_empty()), "{error:?}");

        let repository = at.id("storage/repository/web");
        let owner = aws_sdk_ecr::types::Tag::builder().key("rcm:partner").value("other").build().unwrap();
        let arn = format!("arn:aws:ecr:us-east-1:123456789012:repository/{repository}");
        at.aws.ecr.tag_resource().resource_arn(arn).tags(owner).send().await.unwrap();
        forget("storage/repository/web").await;
        let error = import("storage/repository/web", &repository).await;
        assert!(error.to_string().contains("rcm:partner says other"), "{error}");
    });
}

#[test]
fn what_has_moved_is_known_by_its_new_address_everywhere() {
    // Two gateways, of which the partner file comes to want one: the second is to be the one that stays.
    let two = format!("{}\nnat_gateways = 2\n", acme());
    let disk = provisioned(&two);
    play(&disk, async |stage| {
        let rcm = stage.rcm(&two, Depth::Full).await;
        let (from, to) = (address("network/nat-address/b"), address("network/nat-address/a"));
        let refused = rcm.rename(&from, &to).await;
        assert!(matches!(refused, Err(Error::Known { .. })), "{refused:?}");
        let refused = rcm.rename(&from, &address("network/vpc")).await;
        assert!(matches!(refused, Err(Error::Known { .. })), "{refused:?}");
        let refused = rcm.rename(&from, &address("network/nat-address/z")).await;
        assert!(matches!(refused, Err(Error::NotWanted(_))), "{refused:?}");
        rcm.forget(&address("network/nat/a")).await.unwrap();
        rcm.forget(&to).await.unwrap();
        let refused = rcm.rename(&address("network/nat/b"), &to).await;
        assert!(matches!(refused, Err(Error::OtherKind { .. })), "{refused:?}");

        let ids = stage.at().await;
        let id = ids.id("network/nat-address/b");
        rcm.rename(&from, &to).await.unwrap();
        let state = stage.state().await;
        assert!(!state.resources.contains_key(&from));
        assert_eq!(state.resources[&to].id.as_ref().unwrap().as_str(), id);
        let nat = &state.resources[&address("network/nat/b")];
        assert_eq!(nat.spec["address"]["$ref"], "network/nat-address/a", "who refers to it follows");
        let owned = stage.rcm(&two, Depth::Full).await.drift().await.unwrap();
        let orphan = |id: &str| owned.added.iter().any(|added| added.owned.id.as_str() == id);
        assert!(!orphan(&id), "{owned:?}");
        let missing = rcm.rename(&from, &to).await;
        assert!(matches!(missing, Err(Error::NotInState(_))), "{missing:?}");
    });
}

#[test]
fn what_is_forgotten_stays_in_the_cloud() {
    let disk = provisioned(&acme());
    play(&disk, async |stage| {
        let rcm = stage.rcm(&acme(), Depth::Full).await;
        let (serial, group) = (stage.state().await.serial, address("storage/repository/web"));
        rcm.forget(&group).await.unwrap();
        assert!(stage.wire.calls().is_empty(), "forgetting asks AWS nothing");
        let state = stage.state().await;
        assert_eq!((state.resources.contains_key(&group), state.serial), (false, serial + 1));
        let again = rcm.forget(&group).await;
        assert!(matches!(again, Err(Error::NotInState(_))), "{again:?}");
        // It holds data, so the next run looks for it and takes it up again.
        let plan = stage.provision(&acme()).await.plan;
        assert_eq!(plan.counts().into_iter().collect::<Vec<_>>(), [("adopt", 1)]);
    });
}
