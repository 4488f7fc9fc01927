//! What batched reads share.

use std::collections::{BTreeSet, HashMap};

use rcm_engine::model::{Fault, Id, Known, Observed, Resource};

/// Puts the items of a batched answer into the order of the ids that were asked for; `None` where one is missing.
pub(super) fn in_order<T, O>(
    ids: &[&Id],
    items: Vec<T>,
    id_of: impl Fn(&T) -> Option<&str>,
    observe: impl Fn(&T) -> Observed<O>,
) -> Vec<Option<Observed<O>>> {
    let by_id: HashMap<&str, &T> = items.iter().filter_map(|item| Some((id_of(item)?, item))).collect();
    ids.iter().map(|id| by_id.get(id.as_str()).map(|item| observe(item))).collect()
}

/// Reads one by one: where a batched call fails as a whole, or does not tell everything.
pub(super) async fn each<R: Resource>(
    known: &[Known<'_, R::Cloud>],
) -> Result<Vec<Option<Observed<R::Outputs>>>, Fault> {
    futures::future::try_join_all(known.iter().map(|known| R::read(&known.cx, known.id))).await
}

/// What to ask for where AWS lists by the beginning of a name: the names up to and including the deployment's own `word`, so
/// that neighbours share a question and a stranger's thousands are not listed.
pub(super) fn stems<'n>(names: impl IntoIterator<Item = &'n str>, word: &str) -> BTreeSet<&'n str> {
    let stem = |name: &'n str| name.find(word).map_or(name, |start| &name[..start + word.len()]);
    names.into_iter().map(stem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_deployment_share_a_question() {
        let names = ["/ecs/acme-rcm-prod", "/ecs/acme-rcm-prod-web", "/aws/rds/instance/acme-rcm-prod-db", "/odd"];
        let stems: Vec<_> = stems(names, "acme-rcm-prod").into_iter().collect();
        assert_eq!(stems, ["/aws/rds/instance/acme-rcm-prod", "/ecs/acme-rcm-prod", "/odd"]);
    }
}
