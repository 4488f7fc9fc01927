//! From the formats of older rcms to this one's.

use serde_json::{Map, Value};

use super::STATE_VERSION;

/// Turns a state of one format into the next one; why not, if it cannot. The number of the format is not its business.
type Migration = fn(&mut Map<String, Value>) -> Result<(), String>;

/// One migration a format that has a successor: the number of the format that it starts from, and what it does.
///
/// To change the format: raise [`STATE_VERSION`], add a line for the number that it had, and keep a state of the old format for
/// a test. Nothing here ever goes.
const MIGRATIONS: &[(u32, Migration)] = &[
    #[cfg(test)]
    (0, tests::records_in_a_list),
];

/// The state in this rcm's format.
pub(super) fn migrate(state: Value, from: u32) -> Result<Value, String> {
    let Value::Object(mut state) = state else { return Err("it is no object".into()) };
    for version in from..STATE_VERSION {
        let known = MIGRATIONS.iter().find(|(number, _)| *number == version);
        let (_, migration) = known.ok_or_else(|| format!("this rcm does not know format {version}"))?;
        migration(&mut state)?;
        state.insert("version".into(), (version + 1).into());
    }
    Ok(state.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::{
        model::{Address, Deployment, Events},
        store::{Entry, Holder, Ledger, Store, StoreError, write_atomically},
    };

    /// There never was a format 0: the seam is tried with one that had its records in a list.
    pub(super) fn records_in_a_list(state: &mut Map<String, Value>) -> Result<(), String> {
        let Some(Value::Array(records)) = state.remove("records") else { return Err("it has no records".into()) };
        let keyed =
            records.into_iter().map(|record| (record["address"].as_str().unwrap_or_default().to_owned(), record));
        state.insert("resources".into(), keyed.collect::<Map<_, _>>().into());
        Ok(())
    }

    fn deployment() -> Deployment {
        Deployment {
            project: "acme-rcm".into(),
            partner: "acme".into(),
            environment: "prod".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            partition: "aws".into(),
        }
    }

    fn old(version: u32) -> Value {
        json!({
            "version": version,
            "lineage": "6d8972f3-efc8-437c-92d1-6270f29a66e7",
            "serial": 7,
            "deployment": deployment(),
            "records": [{
                "address": "network/vpc", "kind": "ec2/vpc", "generation": 1, "token": "", "id": "vpc-1", "phase": "ready",
                "spec": {}, "inputs": {}, "outputs": {}, "dependencies": [], "since": "2026-01-01T00:00:00Z",
            }],
        })
    }

    async fn ledger(store: &Store) -> Ledger {
        let holder = Holder::this_process("somebody", "rcm");
        let lock = store.lock(&holder, Duration::ZERO, &Events::none()).await.unwrap();
        Ledger::open(store.clone(), lock, "rcm", &deployment()).unwrap()
    }

    #[tokio::test]
    async fn a_state_of_an_older_format_is_read_and_kept_beside_the_first_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let text = old(0).to_string();
        write_atomically(&store.state_path(), text.as_bytes()).unwrap();
        let state = store.load().unwrap().unwrap();
        assert_eq!((state.version, state.serial, state.resources.len()), (STATE_VERSION, 7, 1));
        assert_eq!(std::fs::read_to_string(store.state_path()).unwrap(), text, "reading writes nothing");

        let ledger = self::ledger(&store).await;
        ledger.append(Entry::Gone { address: Address::new("network/vpc").unwrap(), generation: 1 }).await.unwrap();
        drop(ledger);
        assert!(store.load().unwrap().unwrap().resources.is_empty(), "a run that is cut off is gone on with");
        self::ledger(&store).await.checkpoint().unwrap();
        let backup = store.state_path().with_added_extension("backup-7");
        assert_eq!(std::fs::read_to_string(backup).unwrap(), text);
        let saved: Value = serde_json::from_slice(&std::fs::read(store.state_path()).unwrap()).unwrap();
        assert_eq!((&saved["version"], &saved["serial"]), (&json!(STATE_VERSION), &json!(8)));
        assert_eq!(
            std::fs::read_dir(store.state_path().parent().unwrap()).unwrap().count(),
            4,
            "state, backup, lock and guard"
        );
    }

    #[test]
    fn what_cannot_be_migrated_is_an_error_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path(), "acme", "prod");
        let mut broken = old(0);
        broken["records"] = json!(null);
        write_atomically(&store.state_path(), broken.to_string().as_bytes()).unwrap();
        let error = store.load().unwrap_err();
        assert!(matches!(&error, StoreError::Older { found: 0, why, .. } if why == "it has no records"), "{error}");
        write_atomically(&store.state_path(), old(0).to_string().as_bytes()).unwrap();
        write_atomically(&store.journal_path(), b"{}\n").unwrap();
        assert!(matches!(store.load().unwrap_err(), StoreError::Unfinished { found: 0, .. }));
        write_atomically(&store.state_path(), old(STATE_VERSION + 1).to_string().as_bytes()).unwrap();
        assert!(matches!(store.load().unwrap_err(), StoreError::Newer { .. }));
    }
}
