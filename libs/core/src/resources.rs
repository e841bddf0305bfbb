//! Sizes of pods.

use std::ops::Add;

/// What one pod asks for: the sum over its containers, sidecars included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodSize {
    /// CPU in thousandths of a core.
    pub cpu_millicores: i64,
    /// Memory in bytes, Spark's overhead included.
    pub memory_bytes: i64,
}

impl PodSize {
    /// The size of `count` such pods; saturates.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        let count = i64::from(count);
        Self {
            cpu_millicores: self.cpu_millicores.saturating_mul(count),
            memory_bytes: self.memory_bytes.saturating_mul(count),
        }
    }

    /// Whether both dimensions are at most those of `limit`.
    pub fn fits(self, limit: Self) -> bool {
        self.cpu_millicores <= limit.cpu_millicores && self.memory_bytes <= limit.memory_bytes
    }
}

impl Add for PodSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            cpu_millicores: self.cpu_millicores.saturating_add(other.cpu_millicores),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gang_is_the_sum_of_its_pods() {
        let driver = PodSize {
            cpu_millicores: 110,
            memory_bytes: 900,
        };
        let executor = PodSize {
            cpu_millicores: 100,
            memory_bytes: 800,
        };
        let gang = driver + executor.times(2);
        assert_eq!(
            gang,
            PodSize {
                cpu_millicores: 310,
                memory_bytes: 2500
            }
        );
        assert!(gang.fits(gang));
        assert!(!gang.fits(PodSize {
            cpu_millicores: 310,
            memory_bytes: 2499
        }));
    }
}
