//! Whether RDS sells the class of the database, and of its replicas, as they are to be and where.
//!
//! Nobody sells a Fargate task by zone: AWS has no question for that, so none is asked.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use rcm_aws::{
    questions::DatabaseOffer,
    resources::{ec2_subnet::Subnet, rds_instance::Instance, rds_replica::Replica},
};
use rcm_engine::{
    model::Resource,
    plan::{Action, Step},
};
use serde_json::Value;

use super::{Ahead, Check, Verdict, is_made, unseen};

/// Whether an offer has something that is wanted, and what is said of a class where none has it.
type Fit<'f> = (&'f dyn Fn(&DatabaseOffer) -> bool, String);

/// What is wanted of one class.
#[derive(Debug, Default)]
struct Wish {
    version: String,
    storage_type: String,
    storage: i32,
    multi_az: bool,
    replica: bool,
}

/// Asks for each class that the plan gives a database.
pub(super) async fn ask(ahead: &Ahead<'_>) -> Vec<Check> {
    let zones = zones(ahead);
    let looks = wishes(ahead).into_iter().map(|(class, wish)| {
        let zones = &zones;
        async move {
            let name = format!("database/class/{class}");
            let aws = &ahead.environment.aws;
            match aws.database_offers("postgres", &class).await {
                Err(fault) => unseen(name, &fault),
                // Said of no class at all, it says nothing of this one.
                Ok(offers) if offers.is_empty() => match aws.sells("postgres").await {
                    Ok(true) => not_sold(name, &class, ahead.region()),
                    Ok(false) => Check::unseen(name, "AWS lists no class of instance for postgres here"),
                    Err(fault) => unseen(name, &fault),
                },
                Ok(offers) => judge(name, &class, &wish, &offers, zones),
            }
        }
    });
    join_all(looks).await
}

/// What the plan wants, by class: of what is made, and of what gets another class.
fn wishes(ahead: &Ahead<'_>) -> BTreeMap<String, Wish> {
    let mut wishes: BTreeMap<String, Wish> = BTreeMap::new();
    for step in ahead.plan.forward.iter().filter(|step| is_new(step)) {
        let text = |field: &str| step.spec.get(field).and_then(Value::as_str).map(str::to_owned);
        let Some(class) = text("instance_class") else { continue };
        let source = ahead.referred(&step.spec, "source");
        let version = text("major_version").or_else(|| Some(source?.get("major_version")?.as_str()?.to_owned()));
        let wish = wishes.entry(class).or_default();
        let storage = step.spec.get("allocated_storage").and_then(Value::as_i64);
        wish.version = version.unwrap_or_default();
        wish.storage_type = text("storage_type").unwrap_or_default();
        wish.storage = wish.storage.max(storage.and_then(|gib| i32::try_from(gib).ok()).unwrap_or(0));
        wish.multi_az |= step.spec.get("multi_az").and_then(Value::as_bool).unwrap_or(false);
        wish.replica |= step.kind == Replica::KIND;
    }
    wishes
}

fn is_new(step: &Step) -> bool {
    let database = [Instance::KIND, Replica::KIND].contains(&step.kind.as_str());
    let other_class = match &step.action {
        Action::Update { changes } => changes.iter().any(|change| change.field == "instance_class"),
        _ => false,
    };
    database && (is_made(step) || other_class)
}

/// The zones of the database's subnets.
fn zones(ahead: &Ahead<'_>) -> BTreeSet<String> {
    let subnets = ahead.specs(Subnet::KIND).into_iter().filter_map(|spec| spec.get("zone")?.as_str());
    subnets.map(str::to_owned).collect()
}

fn not_sold(name: String, class: &str, region: &str) -> Check {
    let evidence = format!("RDS does not sell {class} for PostgreSQL in {region}");
    Check::found(name, Verdict::Bad, evidence, list(region))
}

fn list(region: &str) -> String {
    format!(
        "set db_instance_class to one of: aws rds describe-orderable-db-instance-options --engine postgres --vpc --region {region} \
         --query 'OrderableDBInstanceOptions[].DBInstanceClass'"
    )
}

fn judge(name: String, class: &str, wish: &Wish, offers: &[DatabaseOffer], zones: &BTreeSet<String>) -> Check {
    let of_version = |offer: &&DatabaseOffer| {
        offer.version == wish.version || offer.version.starts_with(&format!("{}.", wish.version))
    };
    let found: Vec<&DatabaseOffer> = offers.iter().filter(of_version).collect();
    let bad = |why: String| {
        let mend = "set db_instance_class, db_engine_version or availability_zones otherwise".to_owned();
        Check::found(name.clone(), Verdict::Bad, format!("{class} {why}"), mend)
    };
    if found.is_empty() {
        return bad(format!("is not sold for PostgreSQL {}", wish.version));
    }
    let fits: [Fit<'_>; 5] = [
        (&|offer| offer.storage_type == wish.storage_type, format!("does not go with {} storage", wish.storage_type)),
        (&|offer| offer.encrypted, "cannot be encrypted".to_owned()),
        (&|offer| offer.multi_az || !wish.multi_az, "has no standby in another zone".to_owned()),
        (&|offer| offer.replica || !wish.replica, "cannot be a read replica".to_owned()),
        (&|offer| holds(offer, wish.storage), format!("does not go with {} GiB", wish.storage)),
    ];
    let mut left = found;
    for (fit, why) in fits {
        left.retain(|offer| fit(offer));
        if left.is_empty() {
            return bad(why);
        }
    }
    let sold: BTreeSet<&String> = left.iter().flat_map(|offer| &offer.zones).collect();
    let missing: Vec<&str> = zones.iter().filter(|zone| !sold.contains(zone)).map(String::as_str).collect();
    let needed = if wish.multi_az { 2 } else { 1 };
    let there = zones.len() - missing.len();
    let evidence = format!("{class} with PostgreSQL {} and {} storage", wish.version, wish.storage_type);
    if there < needed {
        return bad(format!("is sold in {there} of the zones {}", joined(zones)));
    }
    if missing.is_empty() {
        return Check::good(name, format!("{evidence} is sold in {}", joined(zones)));
    }
    let evidence = format!("{evidence} is not sold in {}: the database will stand in the others", missing.join(", "));
    Check::found(name, Verdict::Warn, evidence, "set db_instance_class to one that all zones have, if that matters")
}

fn holds(offer: &DatabaseOffer, storage: i32) -> bool {
    offer.least_storage.is_none_or(|least| least <= storage) && offer.most_storage.is_none_or(|most| storage <= most)
}

fn joined(zones: &BTreeSet<String>) -> String {
    zones.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(version: &str, zones: &[&str]) -> DatabaseOffer {
        DatabaseOffer {
            version: version.into(),
            storage_type: "gp3".into(),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            multi_az: true,
            encrypted: true,
            replica: true,
            least_storage: Some(20),
            most_storage: Some(65_536),
        }
    }

    fn wish() -> Wish {
        Wish { version: "17".into(), storage_type: "gp3".into(), storage: 100, multi_az: true, replica: false }
    }

    fn verdict(wish: &Wish, offers: &[DatabaseOffer]) -> Verdict {
        let zones = ["a", "b", "c"].map(str::to_owned).into();
        judge("database/class/db.t3.medium".into(), "db.t3.medium", wish, offers, &zones).verdict
    }

    #[test]
    fn a_class_is_sold_with_all_that_is_wanted_of_it_or_not_at_all() {
        let everywhere = [offer("17.6", &["a", "b", "c"])];
        assert_eq!(verdict(&wish(), &everywhere), Verdict::Ok);
        assert_eq!(verdict(&Wish { version: "16".into(), ..wish() }, &everywhere), Verdict::Bad);
        assert_eq!(verdict(&Wish { version: "1".into(), ..wish() }, &everywhere), Verdict::Bad, "17.6 is no 1");
        assert_eq!(verdict(&Wish { storage: 10, ..wish() }, &everywhere), Verdict::Bad);
        assert_eq!(verdict(&Wish { storage_type: "io2".into(), ..wish() }, &everywhere), Verdict::Bad);
        let alone = DatabaseOffer { multi_az: false, ..everywhere[0].clone() };
        assert_eq!(verdict(&wish(), std::slice::from_ref(&alone)), Verdict::Bad);
        assert_eq!(verdict(&Wish { multi_az: false, ..wish() }, &[alone]), Verdict::Ok);
        let clear = DatabaseOffer { encrypted: false, ..everywhere[0].clone() };
        assert_eq!(verdict(&wish(), &[clear]), Verdict::Bad);
    }

    #[test]
    fn a_zone_without_the_class_is_worth_a_word_and_all_but_one_are_too_many() {
        assert_eq!(verdict(&wish(), &[offer("17.6", &["a", "b"])]), Verdict::Warn);
        assert_eq!(verdict(&wish(), &[offer("17.6", &["a"])]), Verdict::Bad, "a standby needs another zone");
        assert_eq!(verdict(&Wish { multi_az: false, ..wish() }, &[offer("17.6", &["a"])]), Verdict::Warn);
    }
}
