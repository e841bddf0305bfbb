//! Somebody who sees everything that is told and everything that runs, and believes neither.

use std::collections::{BTreeMap, BTreeSet};

use moka_core::{ApplicationId, AttemptName};
use moka_submission::{
    domain::{
        application::{Application, Event},
        exit::ExitCategory,
        state::ApplicationState,
    },
    launcher::SimulatedCluster,
    store::{ChangeFilter, Store},
};

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    after: i64,
    states: BTreeMap<ApplicationId, ApplicationState>,
    events: BTreeMap<ApplicationId, Vec<Event>>,
}

impl Witness {
    /// Reads what is new, and checks that nothing is missing, doubled or out of order.
    pub(crate) async fn read(&mut self, store: &dyn Store) {
        loop {
            let filter = ChangeFilter::default();
            // A slow database is no matter here.
            let Ok(changes) = store.changes(&filter, self.after, 200).await else {
                return;
            };
            for change in changes.matching {
                let event = change.event;
                assert!(event.sequence > self.after, "told twice: {event:?}");
                self.after = event.sequence;
                let before = self.states.insert(event.application_id, event.state);
                assert_eq!(before, event.previous_state, "not in order: {event:?}");
                self.events
                    .entry(event.application_id)
                    .or_default()
                    .push(event);
            }
            let all_read = changes.through >= changes.last;
            self.after = self.after.max(changes.through);
            if all_read {
                return;
            }
        }
    }

    pub(crate) fn final_count(&self) -> usize {
        let states = self.states.values();
        states.filter(|state| state.is_final()).count()
    }

    /// What runs now, over all clusters.
    pub(crate) fn check_drivers(&self, clusters: &BTreeMap<String, SimulatedCluster>) {
        let mut live = BTreeMap::<ApplicationId, Vec<(&str, AttemptName)>>::new();
        for (cluster, contents) in clusters {
            for (name, driver) in contents.drivers() {
                if !driver.has_ended() {
                    live.entry(name.application_id)
                        .or_default()
                        .push((cluster, name));
                }
            }
        }
        for (id, drivers) in live {
            assert!(
                drivers.len() == 1,
                "more than one driver lives: {drivers:?}"
            );
            let state = self.states.get(&id);
            assert!(
                state.is_some_and(|state| !state.is_final()),
                "{state:?}, and yet {drivers:?} lives"
            );
        }
    }

    /// Whether nothing of the attempts is left but what only keeps their names.
    pub(crate) fn left_over(clusters: &BTreeMap<String, SimulatedCluster>) -> Vec<String> {
        let mut left = Vec::new();
        for (cluster, contents) in clusters {
            for (name, object) in contents.objects() {
                if object.has_finalizer || object.delete_time.is_some() {
                    left.push(format!("{name} in {cluster}: {object:?}"));
                }
            }
            for (name, driver) in contents.drivers() {
                if driver.has_finalizer || !driver.has_ended() {
                    left.push(format!("{name} in {cluster}: {driver:?}"));
                }
            }
        }
        left
    }

    /// The whole story of one application, once everything is over.
    pub(crate) async fn check_story(&self, store: &dyn Store, story: &Story<'_>) {
        let application = story.application;
        let told = &self.events[&application.id];
        let kept = store.events(application.id, 0, 1000).await.unwrap();
        assert_eq!(*told, kept, "a watch and the history differ");
        assert_eq!(told.last().unwrap().state, application.state);
        assert!(application.state.is_final(), "{application:?}");
        story.check();
    }
}

/// An application, and what truly happened to it.
pub(crate) struct Story<'a> {
    pub(crate) application: &'a Application,
    pub(crate) clusters: &'a BTreeMap<String, SimulatedCluster>,
    pub(crate) was_cancelled: bool,
    /// Attempts of which people deleted something.
    pub(crate) deleted: &'a BTreeSet<AttemptName>,
}

impl Story<'_> {
    fn check(&self) {
        let application = self.application;
        let count = application.attempts.len();
        for (index, attempt) in application.attempts.iter().enumerate() {
            let name = AttemptName::new(application.id, attempt.number);
            for (cluster, contents) in self.clusters {
                let launched = contents.launched(name).len();
                let placed_here = *cluster == attempt.placement.cluster;
                assert!(
                    launched <= usize::from(placed_here),
                    "{launched} objects of {name} in {cluster}, placed in {:?}",
                    attempt.placement.cluster
                );
            }
            let exit = attempt
                .exit
                .as_ref()
                .unwrap_or_else(|| panic!("no exit: {attempt:?}"));
            let ends = self.ends(name);
            assert!(ends.len() <= 1, "{name} ran {} times", ends.len());
            let succeeded = ends == [0];
            let is_last = index + 1 == count;
            assert!(
                is_last || !succeeded,
                "{name} succeeded, and yet another followed"
            );
            match exit.category {
                ExitCategory::Success => assert!(succeeded, "{name} did not succeed: {exit:?}"),
                ExitCategory::Deleted => {
                    assert!(
                        self.deleted.contains(&name),
                        "nobody deleted {name}: {attempt:?}"
                    );
                }
                ExitCategory::Cancelled => assert!(self.was_cancelled, "nobody cancelled {name}"),
                _ => assert!(!succeeded, "{name} succeeded: {exit:?}"),
            }
        }
        match application.state {
            ApplicationState::Succeeded => {
                let last = application.attempts.last().unwrap();
                assert_eq!(last.exit.as_ref().unwrap().category, ExitCategory::Success);
            }
            ApplicationState::Cancelled => assert!(self.was_cancelled, "{application:?}"),
            _ => {}
        }
    }

    fn ends(&self, name: AttemptName) -> Vec<i32> {
        let clusters = self.clusters.values();
        clusters
            .flat_map(|contents| contents.exit_codes(name))
            .collect()
    }
}
