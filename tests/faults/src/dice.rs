//! Chance that a seed repeats, and the count of what it broke.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// What the throws decide. Clones share the sequence.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    state: u64,
    calm: bool,
    faults: BTreeMap<&'static str, usize>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        let shared = Shared {
            state: seed,
            calm: false,
            faults: BTreeMap::new(),
        };
        Self {
            shared: Arc::new(Mutex::new(shared)),
        }
    }

    /// Whether something happens that happens in so many of a thousand cases.
    pub(crate) fn happens(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// [`Dice::happens`] for a fault: it is counted, and never happens in calm times.
    pub(crate) fn breaks(&self, fault: &'static str, per_mille: u64) -> bool {
        let happens = self.happens(per_mille);
        let mut shared = self.lock();
        if shared.calm || !happens {
            return false;
        }
        *shared.faults.entry(fault).or_default() += 1;
        true
    }

    /// Counts a fault that was decided otherwise.
    pub(crate) fn count(&self, fault: &'static str) {
        *self.lock().faults.entry(fault).or_default() += 1;
    }

    /// A number below a bound.
    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut shared = self.lock();
        // splitmix64
        shared.state = shared.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = shared.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// A pause of at most so many milliseconds.
    pub(crate) fn pause(&self, most_milliseconds: u64) -> Duration {
        Duration::from_millis(self.below(most_milliseconds))
    }

    /// From now on nothing breaks.
    pub(crate) fn calm_down(&self) {
        self.lock().calm = true;
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.lock().calm
    }

    /// How often each fault happened.
    pub(crate) fn faults(&self) -> BTreeMap<&'static str, usize> {
        self.lock().faults.clone()
    }

    /// All faults together.
    pub(crate) fn fault_count(&self) -> usize {
        self.lock().faults.values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
