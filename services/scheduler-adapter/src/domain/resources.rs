//! Amounts and limits as YuniKorn counts them.

use std::collections::BTreeMap;

use moka_core::PodSize;

/// YuniKorn's resource maps: the name of a resource and its quantity. Memory is in bytes, `vcore`
/// in millicores.
pub type ResourceMap = BTreeMap<String, i64>;

/// What something holds or asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// CPU in thousandths of a core.
    pub cpu_millicores: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Number of pods.
    pub pods: i64,
}

impl Amount {
    /// Reads YuniKorn's map; what it leaves out is zero.
    pub fn of_map(map: &ResourceMap) -> Self {
        let quantity = |name| map.get(name).copied().unwrap_or_default();
        Self {
            cpu_millicores: quantity("vcore"),
            memory_bytes: quantity("memory"),
            pods: quantity("pods"),
        }
    }

    /// A driver and its executors together; saturates.
    pub fn of_gang(driver: PodSize, executor: PodSize, executor_count: u32) -> Self {
        let PodSize {
            cpu_millicores,
            memory_bytes,
        } = driver + executor.times(executor_count);
        Self {
            cpu_millicores,
            memory_bytes,
            pods: i64::from(executor_count) + 1,
        }
    }
}

/// How much something may hold. A dimension without a limit is `None`; zero means nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limit {
    /// CPU in thousandths of a core.
    pub cpu_millicores: Option<i64>,
    /// Memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Number of pods.
    pub pods: Option<i64>,
}

impl Limit {
    /// No limit in any dimension.
    pub const NONE: Self = Self {
        cpu_millicores: None,
        memory_bytes: None,
        pods: None,
    };

    /// Reads YuniKorn's map; what it leaves out is not limited.
    pub fn of_map(map: &ResourceMap) -> Self {
        let quantity = |name| map.get(name).copied();
        Self {
            cpu_millicores: quantity("vcore"),
            memory_bytes: quantity("memory"),
            pods: quantity("pods"),
        }
    }

    /// The stricter of both in every dimension.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        let least = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        Self {
            cpu_millicores: least(self.cpu_millicores, other.cpu_millicores),
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            pods: least(self.pods, other.pods),
        }
    }

    /// What is left when `used` is taken off; below zero when more is used than allowed.
    #[must_use]
    pub fn without(self, used: Amount) -> Self {
        let rest = |limit: Option<i64>, used| limit.map(|limit| limit.saturating_sub(used));
        Self {
            cpu_millicores: rest(self.cpu_millicores, used.cpu_millicores),
            memory_bytes: rest(self.memory_bytes, used.memory_bytes),
            pods: rest(self.pods, used.pods),
        }
    }

    /// Whether `amount` fits in every dimension.
    pub fn holds(self, amount: Amount) -> bool {
        self.pairs(amount)
            .into_iter()
            .all(|(limit, asked)| limit.is_none_or(|limit| asked <= limit))
    }

    /// Each dimension's limit beside the amount's.
    pub fn pairs(self, amount: Amount) -> [(Option<i64>, i64); 3] {
        [
            (self.cpu_millicores, amount.cpu_millicores),
            (self.memory_bytes, amount.memory_bytes),
            (self.pods, amount.pods),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(cpu: Option<i64>, memory: Option<i64>, pods: Option<i64>) -> Limit {
        Limit {
            cpu_millicores: cpu,
            memory_bytes: memory,
            pods,
        }
    }

    #[test]
    fn missing_quantities_are_no_limit_but_no_amount_either() {
        let map = ResourceMap::from([("vcore".to_owned(), 6000)]);
        assert_eq!(Limit::of_map(&map), limit(Some(6000), None, None));
        assert_eq!(
            Amount::of_map(&map),
            Amount {
                cpu_millicores: 6000,
                ..Amount::default()
            }
        );
    }

    #[test]
    fn the_stricter_limit_wins_in_each_dimension() {
        let parent = limit(Some(6000), Some(100), None);
        let child = limit(Some(7000), Some(50), Some(3));
        assert_eq!(parent.min(child), limit(Some(6000), Some(50), Some(3)));
        assert_eq!(parent.min(Limit::NONE), parent);
    }

    #[test]
    fn zero_is_a_limit() {
        let gang = Amount::of_gang(
            PodSize {
                cpu_millicores: 1,
                memory_bytes: 1,
            },
            PodSize::default(),
            0,
        );
        assert!(!limit(Some(0), None, None).holds(gang));
        assert!(Limit::NONE.holds(gang));
        assert_eq!(gang.pods, 1);
    }
}
