//! What RDS asks of a read replica's source and of a master password. The partner file and the blueprint see to both, so this asks
//! nobody: it says that they are met, or that somebody has changed the blueprint so that they are not.

use rcm_aws::resources::{rds_instance::Instance, rds_replica::Replica, secrets_secret::Secret};
use rcm_engine::model::Resource;
use serde_json::Value;

use super::{Ahead, Check, Verdict};

/// How long RDS for PostgreSQL lets a master password be
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>). `/`, `'`, `"`, `@` and spaces are not
/// allowed; what rcm makes has letters and digits alone.
const PASSWORD: std::ops::RangeInclusive<u64> = 8..=128;

/// How many replicas an instance may have
/// (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PostgreSQL.Replication.ReadReplicas.html>).
const REPLICAS: usize = 15;

/// A bug of the blueprint's is mended by nobody else.
const MEND: &str = "this is a mistake in rcm: crates/rcm/src/blueprint/database.rs";

pub(super) fn check(ahead: &Ahead<'_>) -> Vec<Check> {
    let replicas = ahead.makes(&[Replica::KIND]).then(|| self::replicas(ahead));
    let password = ahead.made_of(Instance::KIND).next().map(|step| self::password(ahead, &step.spec));
    replicas.into_iter().chain(password).collect()
}

fn replicas(ahead: &Ahead<'_>) -> Check {
    const NAME: &str = "database/replicas";
    let all = ahead.specs(Replica::KIND);
    let refused = all.iter().find_map(|replica| {
        let source = ahead.referred(replica, "source")?;
        let number = |spec: &Value, field: &str| spec.get(field).and_then(Value::as_i64).unwrap_or(0);
        if number(source, "backup_retention_days") == 0 {
            return Some("its source keeps no backups, and RDS makes replicas only of what does");
        }
        let smaller = number(replica, "allocated_storage") < number(source, "allocated_storage");
        smaller.then_some("it has less storage than its source")
    });
    match refused {
        Some(why) => Check::found(NAME, Verdict::Bad, why, MEND),
        None if all.len() > REPLICAS => Check::found(
            NAME,
            Verdict::Bad,
            format!("{} of one instance, which can have {REPLICAS}", all.len()),
            "set db_read_replicas to less",
        ),
        None => Check::good(NAME, "the source keeps backups, and each replica has its storage"),
    }
}

fn password(ahead: &Ahead<'_>, instance: &Value) -> Check {
    const NAME: &str = "database/password";
    let secret = ahead.referred(instance, "master_password");
    let length = secret.and_then(|secret| secret.get("value")?.get("generated")?.get("length")?.as_u64());
    match length {
        Some(length) if PASSWORD.contains(&length) => {
            Check::good(NAME, format!("{length} letters and digits, as RDS takes them"))
        }
        Some(length) => Check::found(NAME, Verdict::Bad, format!("{length} characters, and RDS takes 8 to 128"), MEND),
        None => Check::unseen(NAME, format!("it comes from no {} that the plan knows", Secret::KIND)),
    }
}
