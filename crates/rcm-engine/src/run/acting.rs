//! For which node a call is sent: known to whoever keeps a record of calls, without every call having to say it.

use std::future::Future;

use crate::model::Address;

tokio::task_local! {
    static ADDRESS: Address;
}

/// Lets `calls` be sent for `address`.
pub async fn acting_for<T>(address: &Address, calls: impl Future<Output = T>) -> T {
    ADDRESS.scope(address.clone(), calls).await
}

/// The node that the call which asks is sent for; `None` where it is for none, as when all of a kind is listed.
pub fn acts_for() -> Option<Address> {
    ADDRESS.try_with(Clone::clone).ok()
}
