//! Amounts and limits as YuniKorn counts them.

use std::collections::BTreeMap;

use moka_core::PodSize;

/// YuniKorn's resource maps: the name of a resource and its quantity. Memory is in bytes, `vcore`
/// in millicores.
pub type ResourceMap = BTreeMap<String, i64>;

/// What something holds or asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Amount {
    /// CPU in thousandths of a core.
    pub cpu_millicores: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
    /// Number of pods.
    pub pods: i64,
    /// Extended resources, such as `nvidia.com/gpu`, by name.
    pub extended: ResourceMap,
}

impl Amount {
    /// Reads YuniKorn's map; what it leaves out is zero.
    pub fn of_map(map: &ResourceMap) -> Self {
        let quantity = |name| map.get(name).copied().unwrap_or_default();
        Self {
            cpu_millicores: quantity("vcore"),
            memory_bytes: quantity("memory"),
            pods: quantity("pods"),
            extended: extended(map),
        }
    }

    /// A driver and its executors together; saturates.
    pub fn of_gang(driver: &PodResources, executor: &PodResources, executor_count: u32) -> Self {
        let PodSize {
            cpu_millicores,
            memory_bytes,
        } = driver.size + executor.size.times(executor_count);
        let mut extended = driver.extended.clone();
        if executor_count > 0 {
            for (name, quantity) in &executor.extended {
                let sum = extended.entry(name.clone()).or_default();
                *sum = sum.saturating_add(quantity.saturating_mul(executor_count.into()));
            }
        }
        Self {
            cpu_millicores,
            memory_bytes,
            pods: i64::from(executor_count) + 1,
            extended,
        }
    }
}

/// What one whole pod asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodResources {
    /// CPU and memory.
    pub size: PodSize,
    /// Extended resources by name.
    pub extended: ResourceMap,
}

/// How much something may hold. A dimension without a limit is `None`, or missing among the
/// extended ones; zero means nothing at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limit {
    /// CPU in thousandths of a core.
    pub cpu_millicores: Option<i64>,
    /// Memory in bytes.
    pub memory_bytes: Option<i64>,
    /// Number of pods.
    pub pods: Option<i64>,
    /// Extended resources by name.
    pub extended: ResourceMap,
}

/// One dimension of a limit beside the same one of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension<'a> {
    /// What is counted.
    pub unit: &'a str,
    /// At most so many.
    pub limit: Option<i64>,
    /// So many are asked for.
    pub asked: i64,
}

impl Limit {
    /// No limit in any dimension.
    pub const NONE: Self = Self {
        cpu_millicores: None,
        memory_bytes: None,
        pods: None,
        extended: ResourceMap::new(),
    };

    /// Reads YuniKorn's map; what it leaves out is not limited.
    pub fn of_map(map: &ResourceMap) -> Self {
        let quantity = |name| map.get(name).copied();
        Self {
            cpu_millicores: quantity("vcore"),
            memory_bytes: quantity("memory"),
            pods: quantity("pods"),
            extended: extended(map),
        }
    }

    /// The stricter of both in every dimension.
    #[must_use]
    pub fn min(&self, other: &Self) -> Self {
        let least = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).min();
        let mut extended = self.extended.clone();
        for (name, limit) in &other.extended {
            let own = extended.entry(name.clone()).or_insert(*limit);
            *own = (*own).min(*limit);
        }
        Self {
            cpu_millicores: least(self.cpu_millicores, other.cpu_millicores),
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            pods: least(self.pods, other.pods),
            extended,
        }
    }

    /// What is left when `used` is taken off; below zero when more is used than allowed.
    #[must_use]
    pub fn without(&self, used: &Amount) -> Self {
        let rest = |limit: Option<i64>, used| limit.map(|limit| limit.saturating_sub(used));
        let mut extended = self.extended.clone();
        for (name, limit) in &mut extended {
            *limit = limit.saturating_sub(used.extended.get(name).copied().unwrap_or_default());
        }
        Self {
            cpu_millicores: rest(self.cpu_millicores, used.cpu_millicores),
            memory_bytes: rest(self.memory_bytes, used.memory_bytes),
            pods: rest(self.pods, used.pods),
            extended,
        }
    }

    /// Whether `amount` fits in every dimension.
    pub fn holds(&self, amount: &Amount) -> bool {
        self.dimensions(amount)
            .iter()
            .all(|dimension| dimension.limit.is_none_or(|limit| dimension.asked <= limit))
    }

    /// Each dimension that `amount` has.
    pub fn dimensions<'a>(&self, amount: &'a Amount) -> Vec<Dimension<'a>> {
        let of = |unit, limit, asked| Dimension { unit, limit, asked };
        let mut all = vec![
            of("millicores", self.cpu_millicores, amount.cpu_millicores),
            of("bytes of memory", self.memory_bytes, amount.memory_bytes),
            of("pods", self.pods, amount.pods),
        ];
        let extended = amount.extended.iter();
        all.extend(extended.map(|(name, asked)| {
            let limit = self.extended.get(name).copied();
            of(name.as_str(), limit, *asked)
        }));
        all
    }
}

/// Those resources of a map that have a vendor's domain before their name.
fn extended(map: &ResourceMap) -> ResourceMap {
    let named = map.iter().filter(|(name, _)| name.contains('/'));
    named
        .map(|(name, quantity)| (name.clone(), *quantity))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(cpu: Option<i64>, memory: Option<i64>, pods: Option<i64>) -> Limit {
        Limit {
            cpu_millicores: cpu,
            memory_bytes: memory,
            pods,
            extended: ResourceMap::new(),
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
        assert_eq!(parent.min(&child), limit(Some(6000), Some(50), Some(3)));
        assert_eq!(parent.min(&Limit::NONE), parent);
    }

    #[test]
    fn zero_is_a_limit() {
        let pod = PodResources {
            size: PodSize {
                cpu_millicores: 1,
                memory_bytes: 1,
            },
            extended: ResourceMap::new(),
        };
        let gang = Amount::of_gang(&pod, &PodResources::default(), 0);
        assert!(!limit(Some(0), None, None).holds(&gang));
        assert!(Limit::NONE.holds(&gang));
        assert_eq!(gang.pods, 1);
    }

    #[test]
    fn extended_resources_are_summed_and_limited_by_name() {
        let gpus = |count| ResourceMap::from([("nvidia.com/gpu".to_owned(), count)]);
        let pod = |count| PodResources {
            size: PodSize::default(),
            extended: gpus(count),
        };
        let gang = Amount::of_gang(&pod(1), &pod(2), 3);
        assert_eq!(gang.extended, gpus(7));
        let at_most = |count| Limit {
            extended: gpus(count),
            ..Limit::NONE
        };
        assert!(at_most(7).holds(&gang));
        assert!(!at_most(6).holds(&gang));
        assert!(Limit::NONE.holds(&gang), "what has no limit is not limited");
        assert_eq!(at_most(9).min(&at_most(8)), at_most(8));
        assert_eq!(Limit::NONE.min(&at_most(8)), at_most(8));
        assert_eq!(at_most(9).without(&gang), at_most(2));
        let without_executors = Amount::of_gang(&PodResources::default(), &pod(2), 0);
        assert!(without_executors.extended.is_empty());
    }
}
