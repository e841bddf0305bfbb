//! What goes on in the clusters by itself: operators, kubelets and people.

use std::collections::{BTreeMap, BTreeSet};

use moka_core::AttemptName;
use moka_submission::{
    domain::observation::{Container, Owner},
    launcher::SimulatedCluster,
};
use tokio::time::{Duration, Instant};

use crate::dice::Dice;

/// An operator takes at most so long from an object to its driver.
const SUBMISSION: Duration = Duration::from_secs(15);

/// The operator, the kubelet and the people of one cluster.
pub(crate) struct Environment {
    pub(crate) cluster: SimulatedCluster,
    pub(crate) dice: Dice,
    /// Objects that the operator has read, and by when each gets a driver or is given up.
    submitting: BTreeMap<AttemptName, Instant>,
    /// Objects that the operator never reads again.
    done: BTreeSet<String>,
    /// Attempts of which people deleted something.
    pub(crate) deleted: BTreeSet<AttemptName>,
}

impl Environment {
    pub(crate) fn new(cluster: SimulatedCluster, dice: Dice) -> Self {
        Self {
            cluster,
            dice,
            submitting: BTreeMap::new(),
            done: BTreeSet::new(),
            deleted: BTreeSet::new(),
        }
    }

    /// What happens in a moment.
    pub(crate) fn step(&mut self) {
        self.operator();
        self.kubelet();
        if !self.dice.is_calm() {
            self.people();
        }
    }

    fn operator(&mut self) {
        for (name, object) in self.cluster.objects() {
            let is_new = object.owner == Owner::Attempt
                && object.delete_time.is_none()
                && !self.done.contains(&object.uid);
            if is_new && self.dice.happens(300) {
                self.done.insert(object.uid);
                let by = Instant::now() + self.dice.pause(15_000).min(SUBMISSION);
                self.submitting.insert(name, by);
            }
        }
        let now = Instant::now();
        let due: Vec<_> = self
            .submitting
            .iter()
            .filter(|(_, by)| **by <= now)
            .map(|(name, _)| *name)
            .collect();
        for name in due {
            self.submitting.remove(&name);
            if self.dice.breaks("a submission that fails", 50) {
                self.cluster
                    .set_object_state(name, "FAILED", "failed to run spark-submit");
            } else {
                // Also when the object is gone meanwhile: the operator has begun.
                self.cluster.create_driver(name);
                self.cluster.set_object_state(name, "SUBMITTED", "");
            }
        }
    }

    fn kubelet(&mut self) {
        for (name, driver) in self.cluster.drivers() {
            match driver.container {
                Container::Unknown if driver.delete_time.is_some() => {
                    self.cluster.end_driver(name, 137);
                }
                Container::Unknown if self.dice.happens(300) => self.cluster.run_driver(name),
                Container::Running { .. }
                    if driver.delete_time.is_some() && self.dice.happens(200) =>
                {
                    self.cluster.end_driver(name, 143);
                }
                Container::Running { .. } if driver.delete_time.is_some() => {}
                Container::Running { .. } if self.dice.happens(40) => {
                    let exit_code = [0, 0, 0, 1, 137][usize::try_from(self.dice.below(5)).unwrap()];
                    self.cluster.end_driver(name, exit_code);
                    let state = if exit_code == 0 {
                        "COMPLETED"
                    } else {
                        "FAILED"
                    };
                    if self.dice.happens(800) {
                        self.cluster.set_object_state(name, state, "");
                    }
                }
                _ => {}
            }
        }
    }

    fn people(&mut self) {
        for (name, object) in self.cluster.objects() {
            if object.has_finalizer
                && object.delete_time.is_none()
                && self.dice.breaks("an object deleted by hand", 1)
            {
                self.cluster.delete_object(name);
                self.deleted.insert(name);
            }
        }
        for (name, driver) in self.cluster.drivers() {
            if !driver.has_ended() && self.dice.breaks("a driver deleted by hand", 1) {
                self.cluster.delete_driver(name);
                self.deleted.insert(name);
            }
        }
    }
}
