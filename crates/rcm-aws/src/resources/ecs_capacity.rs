//! What tasks run on: Fargate, Fargate Spot, or some of each.
//!
//! [Fargate capacity providers](https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-capacity-providers.html):
//! they exist in every account and only have to be associated with the cluster. Spot takes tasks on Linux, on x86 from platform version
//! 1.3.0 on and on ARM from 1.4.0 on, but none on Windows.

use aws_sdk_ecs::types::{CapacityProviderStrategyItem, LaunchType, Service};
use rcm_engine::model::Fault;
use serde::{Deserialize, Serialize};

use crate::classify::unbuilt;

/// Tasks that run for as long as they are wanted.
pub const FARGATE: &str = "FARGATE";
/// Tasks that AWS may stop at two minutes' notice.
pub const FARGATE_SPOT: &str = "FARGATE_SPOT";

/// How many of a service's tasks a capacity provider takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// `FARGATE` or `FARGATE_SPOT`.
    pub provider: String,
    /// How many tasks it takes before any other; one of a strategy may have more than 0.
    pub base: i32,
    /// Its part of the others, relative to the other weights.
    pub weight: i32,
}

/// As AWS takes it.
pub(super) fn strategy(shares: &[Share], operation: &'static str) -> Result<Vec<CapacityProviderStrategyItem>, Fault> {
    let item = |share: &Share| {
        CapacityProviderStrategyItem::builder()
            .capacity_provider(&share.provider)
            .base(share.base)
            .weight(share.weight)
            .build()
            .map_err(unbuilt("ecs", operation))
    };
    shares.iter().map(item).collect()
}

/// As a service has it, in the order of providers. The launch type Fargate is what a strategy of `FARGATE` alone is.
pub(super) fn live(service: &Service) -> Option<Vec<Share>> {
    let mut shares: Vec<Share> = service.capacity_provider_strategy().iter().map(Share::from).collect();
    if shares.is_empty() {
        let fargate = service.launch_type() == Some(&LaunchType::Fargate);
        return fargate.then(|| vec![Share { provider: FARGATE.to_owned(), base: 0, weight: 1 }]);
    }
    shares.sort();
    Some(shares)
}

impl From<&CapacityProviderStrategyItem> for Share {
    fn from(item: &CapacityProviderStrategyItem) -> Self {
        Self { provider: item.capacity_provider().to_owned(), base: item.base(), weight: item.weight() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strategy_reads_back_as_it_was_wanted_and_a_launch_type_as_the_same_without_spot() {
        let share = |provider: &str, base, weight| Share { provider: provider.into(), base, weight };
        let wanted = vec![share(FARGATE, 1, 0), share(FARGATE_SPOT, 0, 1)];
        let mut items = strategy(&wanted, "CreateService").unwrap();
        items.reverse();
        let service = Service::builder().set_capacity_provider_strategy(Some(items)).build();
        assert_eq!(live(&service), Some(wanted));
        let service = Service::builder().launch_type(LaunchType::Fargate).build();
        assert_eq!(live(&service), Some(vec![share(FARGATE, 0, 1)]));
        assert_eq!(live(&Service::builder().build()), None);
    }
}
