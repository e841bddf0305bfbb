//! A set of task indices, one bit each.

/// Largest index that is kept: Spark's own limit is far lower, and a damaged line must not cost
/// gigabytes.
const LARGEST: usize = 16 << 20;

#[derive(Debug, Default, Clone)]
pub(super) struct Indices {
    words: Vec<u64>,
}

impl Indices {
    pub(super) fn insert(&mut self, index: i32) {
        let Some(index) = usize::try_from(index)
            .ok()
            .filter(|index| *index <= LARGEST)
        else {
            return;
        };
        let word = index / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (index % 64);
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        if self.words.len() < other.words.len() {
            self.words.resize(other.words.len(), 0);
        }
        for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
            *mine |= theirs;
        }
    }

    pub(super) fn len(&self) -> i32 {
        let ones: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        i32::try_from(ones).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_distinct_indices(
            first in proptest::collection::vec(0_i32..500, 0..50),
            second in proptest::collection::vec(0_i32..2000, 0..50),
        ) {
            let mut union = Indices::default();
            let mut other = Indices::default();
            for index in &first { union.insert(*index); }
            for index in &second { other.insert(*index); }
            union.add_all(&other);
            let expected: BTreeSet<_> = first.iter().chain(&second).collect();
            prop_assert_eq!(union.len(), i32::try_from(expected.len()).unwrap());
        }
    }

    #[test]
    fn absurd_indices_cost_nothing() {
        let mut indices = Indices::default();
        indices.insert(-1);
        indices.insert(i32::MAX);
        assert_eq!((indices.len(), indices.words.len()), (0, 0));
    }
}
