//! The task sizes that Fargate sells.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size>

/// The CPU sizes, in CPU units (1024 to a vCPU).
pub(super) const CPU_UNITS: [u32; 7] = [256, 512, 1024, 2048, 4096, 8192, 16384];

/// The memory sizes of one CPU size, in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Memory {
    /// These and no others.
    OneOf(&'static [u32]),
    /// From the first to the last, both included, by steps.
    Steps { first: u32, last: u32, step: u32 },
}

/// What memory is sold with a CPU size; `None` where there is no such size.
pub(super) fn memory_for(cpu: u32) -> Option<Memory> {
    let steps = |first, last, step| Memory::Steps { first, last, step };
    Some(match cpu {
        256 => Memory::OneOf(&[512, 1024, 2048]),
        512 => steps(1024, 4096, 1024),
        1024 => steps(2048, 8192, 1024),
        2048 => steps(4096, 16_384, 1024),
        4096 => steps(8192, 30_720, 1024),
        8192 => steps(16_384, 61_440, 4096),
        16_384 => steps(32_768, 122_880, 8192),
        _ => return None,
    })
}

impl Memory {
    /// Whether this much memory is sold.
    pub(super) fn allows(self, memory: u32) -> bool {
        match self {
            Memory::OneOf(sizes) => sizes.contains(&memory),
            Memory::Steps { first, last, step } => {
                (first..=last).contains(&memory) && (memory - first).is_multiple_of(step)
            }
        }
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Memory::OneOf(sizes) => f.write_str(&sizes.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")),
            Memory::Steps { first, last, step } => write!(f, "{first} to {last} in steps of {step}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_size_has_its_memory_sizes() {
        let table: Vec<String> =
            CPU_UNITS.iter().map(|&cpu| format!("{cpu}: {}", memory_for(cpu).expect("a size that is sold"))).collect();
        assert_eq!(
            table,
            [
                "256: 512, 1024, 2048",
                "512: 1024 to 4096 in steps of 1024",
                "1024: 2048 to 8192 in steps of 1024",
                "2048: 4096 to 16384 in steps of 1024",
                "4096: 8192 to 30720 in steps of 1024",
                "8192: 16384 to 61440 in steps of 4096",
                "16384: 32768 to 122880 in steps of 8192",
            ]
        );
    }

    #[test]
    fn only_what_is_in_the_table_is_allowed() {
        let sold = |cpu, memory| memory_for(cpu).is_some_and(|sizes| sizes.allows(memory));
        assert!(sold(256, 512) && sold(1024, 8192) && sold(8192, 20_480) && sold(16_384, 122_880));
        assert!(!sold(256, 4096), "more than 256 units can have");
        assert!(!sold(1024, 2500), "between two steps");
        assert!(!sold(8192, 17_408), "a step of 1024 where they are 4096 apart");
        assert!(!sold(16_384, 16_384), "less than 16 vCPU come with");
    }
}
