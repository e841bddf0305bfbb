//! The memory of one cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use moka_core::AttemptName;
use tokio::time::Instant;

use super::{
    Backlog,
    entry::{Attention, Entry, Record},
};
use crate::{
    domain::{
        application::{Application, Attempt},
        noted::Noted,
        observation::{DriverView, ObjectView, Observation},
        state::ApplicationState,
        verdict::Patience,
    },
    launcher::Sighting,
    workers::inbox::Sender,
};

/// How long the creator of an object has to tell its uid, before somebody else looks.
const CREATOR_PAUSE: Duration = Duration::from_secs(3);

/// A cluster's memory. Clones share it.
#[derive(Debug, Clone)]
pub(in crate::workers) struct ClusterMemory(Arc<Mutex<Memory>>);

impl ClusterMemory {
    pub(super) fn new(memory: Memory) -> Self {
        Self(Arc::new(Mutex::new(memory)))
    }

    pub(in crate::workers) fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is remembered of an attempt.
#[derive(Debug, Clone)]
pub(in crate::workers) struct Known {
    /// What the watches saw last.
    pub(in crate::workers) observation: Observation,
    /// What the database says.
    pub(in crate::workers) record: Record,
    /// Since when a change waits for being looked at.
    pub(in crate::workers) changed: Option<Instant>,
}

/// What is remembered of a cluster.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a source or the lease, and told by itself"
)]
#[derive(Debug)]
pub(in crate::workers) struct Memory {
    patience: Patience,
    to_examine: Sender,
    to_end: Sender,
    /// Whether this process watches the cluster.
    is_watched: bool,
    entries: BTreeMap<AttemptName, Entry>,
    /// Those whose objects the back end has not looked at, oldest first.
    unseen: BTreeSet<(Timestamp, AttemptName)>,
    /// Which of the three sources have told everything: absence means something only after all.
    objects_listed: bool,
    drivers_listed: bool,
    records_listed: bool,
}

impl Memory {
    pub(super) fn new(patience: Patience, to_examine: Sender, to_end: Sender) -> Self {
        Self {
            patience,
            to_examine,
            to_end,
            is_watched: false,
            entries: BTreeMap::new(),
            unseen: BTreeSet::new(),
            objects_listed: false,
            drivers_listed: false,
            records_listed: false,
        }
    }

    /// This process watches the cluster from now on.
    pub(in crate::workers) fn begin(&mut self) {
        self.is_watched = true;
    }

    /// Forgets everything: another process watches the cluster from now on.
    pub(in crate::workers) fn clear(&mut self) {
        self.is_watched = false;
        self.entries.clear();
        self.unseen.clear();
        self.objects_listed = false;
        self.drivers_listed = false;
        self.records_listed = false;
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn backlog(&self) -> Option<Backlog> {
        self.objects_listed.then(|| Backlog {
            objects: self.unseen.len(),
            oldest_create_time: self.unseen.first().map(|(time, _)| *time),
        })
    }

    /// Takes in what a watch saw, and names who has to look at it.
    pub(in crate::workers) fn saw(&mut self, sighting: Sighting, now: Timestamp) {
        match sighting {
            Sighting::Objects(all) => {
                let gone = self.not_in(&all, |entry| entry.object.is_some());
                self.objects_listed = true;
                for (name, object) in all {
                    self.saw_object(name, Some(object), now);
                }
                for name in gone {
                    self.saw_object(name, None, now);
                }
                self.look_at_everything(now);
            }
            Sighting::Drivers(all) => {
                let gone = self.not_in(&all, |entry| entry.driver.is_some());
                self.drivers_listed = true;
                for (name, driver) in all {
                    self.saw_driver(name, Some(driver), now);
                }
                for name in gone {
                    self.saw_driver(name, None, now);
                }
                self.look_at_everything(now);
            }
            Sighting::Object(name, object) => self.saw_object(name, object, now),
            Sighting::Driver(name, driver) => self.saw_driver(name, driver, now),
            Sighting::Interrupted { .. } => {}
        }
    }

    fn not_in<V>(
        &self,
        all: &[(AttemptName, V)],
        is_known: impl Fn(&Entry) -> bool,
    ) -> Vec<AttemptName> {
        let there: BTreeSet<AttemptName> = all.iter().map(|(name, _)| *name).collect();
        let known = self.entries.iter().filter(|(_, entry)| is_known(entry));
        let gone = known.filter(|(name, _)| !there.contains(name));
        gone.map(|(name, _)| *name).collect()
    }

    fn saw_object(&mut self, name: AttemptName, object: Option<ObjectView>, now: Timestamp) {
        self.change(name, now, |entry| entry.object = object.map(Box::new));
    }

    fn saw_driver(&mut self, name: AttemptName, driver: Option<DriverView>, now: Timestamp) {
        self.change(name, now, |entry| entry.driver = driver.map(Box::new));
    }

    /// What was written down of an application's current attempt.
    pub(super) fn wrote(&mut self, application: &Application, attempt: &Attempt) {
        if !self.is_watched {
            return;
        }
        let name = AttemptName::new(application.id, attempt.number);
        let is_over = application.state.is_final()
            || application.state == ApplicationState::RetryWait
            || attempt.exit.is_some();
        if is_over {
            self.is_over(name, attempt.uid.as_deref());
        } else {
            self.is_live(name, Noted::of(attempt));
        }
    }

    /// What the database says of a live attempt, which may be a little old.
    pub(in crate::workers) fn is_live(&mut self, name: AttemptName, noted: Noted) {
        let is_ending = noted.is_ending;
        let entry = self.entries.entry(name).or_default();
        match &mut entry.record {
            Record::Live(known) => known.merge(noted),
            record => *record = Record::Live(noted),
        }
        if is_ending {
            self.to_end.send(name);
        }
    }

    /// The database says that an attempt is over.
    pub(in crate::workers) fn is_over(&mut self, name: AttemptName, uid: Option<&str>) {
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.record = Record::Over {
                uid: uid.map(Into::into),
            };
            entry.changed = None;
        }
        self.settle(name);
    }

    /// It is none of ours.
    pub(in crate::workers) fn forget(&mut self, name: AttemptName) {
        if let Some(entry) = self.entries.remove(&name)
            && let Some(since) = entry.unseen_since()
        {
            self.unseen.remove(&(since, name));
        }
    }

    /// Takes in everything that the database says is live. What it does not name may be over.
    pub(in crate::workers) fn listed(&mut self, live: &BTreeSet<AttemptName>, now: Timestamp) {
        self.records_listed = true;
        for (name, entry) in &self.entries {
            if matches!(entry.record, Record::Live(_)) && !live.contains(name) {
                self.to_examine.send(*name);
            }
        }
        self.look_at_everything(now);
    }

    /// What is remembered of an attempt. Its changes count as looked at.
    pub(in crate::workers) fn take(&mut self, name: AttemptName) -> Option<Known> {
        let entry = self.entries.get_mut(&name)?;
        Some(Known {
            observation: entry.observation(),
            record: entry.record.clone(),
            changed: entry.changed.take(),
        })
    }

    /// The uid of an attempt's driver, when the watches saw it end and saw that the back end knows
    /// the object: neither is ever taken back.
    pub(in crate::workers) fn ended_driver(&self, name: AttemptName) -> Option<String> {
        let entry = self.entries.get(&name)?;
        let driver = entry.driver.as_ref().filter(|driver| driver.has_ended())?;
        let is_known = entry
            .object
            .as_ref()
            .is_some_and(|object| !object.is_unseen());
        is_known.then(|| driver.uid.clone())
    }

    fn change(&mut self, name: AttemptName, now: Timestamp, change: impl FnOnce(&mut Entry)) {
        let entry = self.entries.entry(name).or_default();
        let before = entry.unseen_since();
        change(entry);
        let after = entry.unseen_since();
        if before != after {
            if let Some(before) = before {
                self.unseen.remove(&(before, name));
            }
            if let Some(after) = after {
                self.unseen.insert((after, name));
            }
        }
        if self.knows_everything()
            && let Some(entry) = self.entries.get_mut(&name)
        {
            let attention = entry.attention(self.patience, now);
            if attention != Attention::Nobody {
                entry.changed.get_or_insert_with(Instant::now);
            }
            self.call(name, attention);
        }
        self.settle(name);
    }

    fn knows_everything(&self) -> bool {
        self.objects_listed && self.drivers_listed && self.records_listed
    }

    fn look_at_everything(&self, now: Timestamp) {
        if self.knows_everything() {
            for (name, entry) in &self.entries {
                self.call(*name, entry.attention_at_times(self.patience, now));
            }
        }
    }

    fn call(&self, name: AttemptName, attention: Attention) {
        match attention {
            Attention::Nobody => {}
            Attention::Status => self.to_examine.send(name),
            Attention::Later => self
                .to_examine
                .send_at(name, Instant::now() + CREATOR_PAUSE),
            Attention::Ending => self.to_end.send(name),
        }
    }

    fn settle(&mut self, name: AttemptName) {
        if self.entries.get(&name).is_some_and(Entry::is_settled) {
            self.forget(name);
        }
    }
}
