//! What batched reads share.

use std::collections::HashMap;

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
