//! What App Runner sells, and where.
//! <https://docs.aws.amazon.com/apprunner/latest/dg/architecture.html>,
//! <https://docs.aws.amazon.com/general/latest/gr/apprunner.html>

/// The most instances of a service.
pub(super) const MOST_INSTANCES: u32 = 25;

/// Each CPU size with the memory that goes with it, in MiB.
pub(super) const SIZES: [(u32, &[u32]); 5] = [
    (256, &[512, 1024]),
    (512, &[1024]),
    (1024, &[2048, 3072, 4096]),
    (2048, &[4096, 6144]),
    (4096, &[8192, 10_240, 12_288]),
];

/// The Regions that have it. AWS adds none any more.
pub(super) const REGIONS: [&str; 11] = [
    "ap-northeast-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "us-east-1",
    "us-east-2",
    "us-west-2",
];

/// Whether an instance of that size is sold.
pub(super) fn sells(cpu: u32, memory: u32) -> bool {
    SIZES.iter().any(|(size, memories)| *size == cpu && memories.contains(&memory))
}

/// Every size, for people.
pub(super) fn sizes() -> String {
    let memories = |memories: &[u32]| memories.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let sizes = SIZES.iter().map(|(cpu, of)| format!("ecs_cpu = {cpu} with ecs_memory {}", memories(of)));
    sizes.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fargate;

    #[test]
    fn every_size_is_sold_by_fargate_too_but_those_in_between() {
        assert!(sells(256, 512) && sells(4096, 12_288) && !sells(256, 2048) && !sells(512, 2048));
        let common = |(cpu, memories): &(u32, &[u32])| {
            let fargate = fargate::memory_for(*cpu);
            memories.iter().all(|memory| fargate.is_some_and(|sizes| sizes.allows(*memory)))
        };
        assert!(SIZES.iter().all(common), "what runs here runs on ECS");
    }
}
