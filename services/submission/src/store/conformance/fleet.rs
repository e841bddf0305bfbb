//! What every store of clusters, projects' rules and strategies must do.

use std::time::Duration;

use jiff::SignedDuration;
use moka_core::clock::Clock as _;

use super::{LEASE, Suite, ended, placed};
use crate::{
    domain::{
        exit::ExitCategory,
        fleet::ClusterHealth,
        rules::{
            ClusterLimits, ClusterSettings, ClusterState, Defaults, OverridePolicy,
            StrategySettings,
        },
        state::ApplicationState,
    },
    store::{
        CleanUpStage, Store as _,
        fleet::{Error, FleetStore as _, Result},
    },
};

impl Suite {
    pub(super) async fn fleet(&self) -> Result<()> {
        self.a_cluster_is_registered_once_and_written_by_revision()
            .await?;
        self.concurrent_writers_of_a_cluster_do_not_overwrite_one_another()
            .await?;
        self.a_cluster_with_anything_in_it_is_drained_and_not_removed()
            .await?;
        self.rules_of_projects_come_and_go().await?;
        self.strategies_are_pages_by_project_and_workflow().await?;
        self.held_launches_come_back_without_a_failure().await?;
        self.workers_are_counted_while_they_live().await
    }

    async fn a_cluster_is_registered_once_and_written_by_revision(&self) -> Result<()> {
        let store = &self.store;
        let before = store.fleet_revision().await?;
        let settings = ClusterSettings {
            description: "the first".to_owned(),
            ..ClusterSettings::default()
        };
        let first = store.register_cluster("north", &settings, "a test").await?;
        assert_eq!(
            (first.state, first.revision),
            (ClusterState::Active, before + 1)
        );
        let again = ClusterSettings::default();
        let again = store.register_cluster("north", &again, "a test").await?;
        assert_eq!(again, first);
        assert_eq!(store.fleet_revision().await?, before + 1);
        let limits = ClusterLimits {
            launches_per_second: 5,
            ..ClusterLimits::default()
        };
        let settings = ClusterSettings { limits, ..settings };
        let written = store
            .write_cluster("north", &settings, first.revision, "a test")
            .await?;
        assert_eq!(written.settings, settings);
        assert_eq!(written.create_time, first.create_time);
        let stale = store
            .write_cluster("north", &again.settings, first.revision, "a test")
            .await;
        assert!(
            matches!(stale, Err(Error::RevisionConflict(found)) if found == written.revision),
            "{stale:?}"
        );
        let unknown = store.write_cluster("nowhere", &settings, 1, "a test").await;
        assert!(
            matches!(unknown, Err(Error::ClusterNotFound(_))),
            "{unknown:?}"
        );
        let fleet = store.fleet().await?;
        assert_eq!(fleet.revision, written.revision);
        assert_eq!(fleet.clusters["north"], written);
        assert_eq!(store.cluster("north").await?, Some(written));
        store.register_cluster("south", &settings, "a test").await?;
        let page = store.clusters(None, 1).await?;
        assert_eq!(page[0].name, "north");
        let page = store.clusters(Some("north"), 1).await?;
        assert_eq!(page[0].name, "south");
        Ok(())
    }

    async fn concurrent_writers_of_a_cluster_do_not_overwrite_one_another(&self) -> Result<()> {
        let found = self.store.cluster("north").await?;
        let revision = found.map_or(0, |cluster| cluster.revision);
        let write = |description: &'static str| async move {
            let settings = ClusterSettings {
                description: description.to_owned(),
                ..ClusterSettings::default()
            };
            self.store
                .write_cluster("north", &settings, revision, "a test")
                .await
        };
        let (first, second) = tokio::join!(write("one"), write("two"));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        Ok(())
    }

    async fn a_cluster_with_anything_in_it_is_drained_and_not_removed(&self) -> Result<()> {
        let store = &self.store;
        let id = self.accepted("team-fleet", "draining").await?;
        let placed = placed("north");
        store.record(id, None, &placed, "a test").await?;
        let pending = store.pending_in("north", None, 10).await?;
        assert_eq!(pending.iter().map(|one| one.id).collect::<Vec<_>>(), [id]);
        assert_eq!(store.pending_in("north", Some(id), 10).await?, []);
        let loads = store.loads().await?;
        assert_eq!(loads[&("north".to_owned(), ApplicationState::Launching)], 1);
        let removed = store.remove_cluster("north", "a test").await;
        assert!(
            matches!(removed, Err(Error::ClusterNotEmpty { .. })),
            "{removed:?}"
        );
        // A cluster that takes new attempts is not said to be drained.
        store.note_drained("north", "a test").await?;
        let state = ClusterState::Draining;
        let draining = store
            .set_cluster_state("north", state, "upgrade", "a test")
            .await?;
        assert_eq!(draining.state, ClusterState::Draining);
        let again = store
            .set_cluster_state("north", state, "upgrade", "a test")
            .await?;
        assert_eq!(again.revision, draining.revision);
        let moved = ClusterSettings {
            namespace: "elsewhere".to_owned(),
            ..draining.settings.clone()
        };
        let moved = store
            .write_cluster("north", &moved, draining.revision, "a test")
            .await;
        assert!(
            matches!(moved, Err(Error::ClusterNotEmpty { .. })),
            "{moved:?}"
        );
        let end = ended(ExitCategory::UserError);
        store.record(id, Some(1), &end, "a test").await?;
        assert_eq!(store.pending_in("north", None, 10).await?, []);
        store.note_drained("north", "a test").await?;
        let drained = store.cluster("north").await?;
        assert_eq!(
            drained.map(|cluster| cluster.state),
            Some(ClusterState::Drained)
        );
        // Its object, or a tombstone, is still there.
        let removed = store.remove_cluster("north", "a test").await;
        assert!(
            matches!(removed, Err(Error::ClusterNotEmpty { .. })),
            "{removed:?}"
        );
        self.health_is_kept_as_long_as_its_cluster().await?;
        store
            .set_clean_up(id, 1, CleanUpStage::Done, Duration::ZERO)
            .await?;
        store.remove_cluster("north", "a test").await?;
        assert_eq!(store.cluster("north").await?, None);
        assert!(!store.healths().await?.contains_key("north"));
        let removed = store.remove_cluster("north", "a test").await;
        assert!(
            matches!(removed, Err(Error::ClusterNotFound(_))),
            "{removed:?}"
        );
        let state = ClusterState::Active;
        let resumed = store
            .set_cluster_state("south", state, "", "a test")
            .await?;
        assert_eq!(resumed.state, ClusterState::Active);
        Ok(())
    }

    async fn health_is_kept_as_long_as_its_cluster(&self) -> Result<()> {
        let store = &self.store;
        let revision = store.fleet_revision().await?;
        let health = ClusterHealth {
            reachable: false,
            problem: "no route".to_owned(),
            unreachable_since: Some(self.clock.now()),
            circuit_open: true,
            live_attempts: 1,
            operator_backlog: 2,
            operator_lag_seconds: 3,
            observe_time: self.clock.now(),
            holder: "one".to_owned(),
        };
        for name in ["north", "nowhere"] {
            store.write_health(name, &health).await?;
        }
        let healths = store.healths().await?;
        assert_eq!(
            healths.into_iter().collect::<Vec<_>>(),
            [("north".to_owned(), health)]
        );
        assert_eq!(store.fleet_revision().await?, revision);
        Ok(())
    }

    async fn rules_of_projects_come_and_go(&self) -> Result<()> {
        let store = &self.store;
        let defaults = Defaults {
            queue: "root.demo".to_owned(),
            ..Defaults::default()
        };
        let policy = OverridePolicy {
            max_executors: 7,
            ..OverridePolicy::default()
        };
        let first = store
            .write_project("team-b", &defaults, &policy, 0, "a test")
            .await?;
        let twice = store
            .write_project("team-b", &defaults, &policy, 0, "a test")
            .await;
        assert!(
            matches!(twice, Err(Error::RevisionConflict(_))),
            "{twice:?}"
        );
        let policy = OverridePolicy::default();
        let second = store
            .write_project("team-b", &defaults, &policy, first.revision, "a test")
            .await?;
        assert!(second.revision > first.revision);
        assert_eq!(store.project("team-b").await?, Some(second.clone()));
        assert_eq!(store.fleet().await?.projects["team-b"], second);
        store
            .write_project("team-a", &defaults, &policy, 0, "a test")
            .await?;
        let page = store.projects(Some("team-a"), 10).await?;
        assert_eq!(page, [second]);
        store.delete_project("team-b", "a test").await?;
        let revision = store.fleet_revision().await?;
        store.delete_project("team-b", "a test").await?;
        assert_eq!(store.fleet_revision().await?, revision);
        assert_eq!(store.project("team-b").await?, None);
        store.delete_project("team-a", "a test").await
    }

    async fn strategies_are_pages_by_project_and_workflow(&self) -> Result<()> {
        let store = &self.store;
        let settings = StrategySettings {
            clusters: vec!["south".to_owned()],
            ..StrategySettings::default()
        };
        let names = [("a", "x/1"), ("a", "x/2"), ("b", "x/1")];
        for (project, workflow) in names {
            store
                .write_strategy(project, workflow, &settings, 0, "a test")
                .await?;
        }
        let key =
            |one: &crate::domain::rules::Strategy| (one.project.clone(), one.workflow.clone());
        let after = store.strategies(None, Some(("a", "x/1")), 10).await?;
        let found: Vec<_> = after.iter().map(key).collect();
        let expected = [("a", "x/2"), ("b", "x/1")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(found, expected);
        let of_one = store.strategies(Some("a"), None, 10).await?;
        assert_eq!(of_one.len(), 2);
        let several = store
            .strategies_of(&[
                ("b".to_owned(), "x/1".to_owned()),
                ("b".to_owned(), "x/2".to_owned()),
                ("a".to_owned(), "x/2".to_owned()),
            ])
            .await?;
        assert_eq!(several.len(), 2);
        let one = store.strategy("a", "x/1").await?;
        let revision = one.map_or(0, |strategy| strategy.revision);
        let stale = store
            .write_strategy("a", "x/1", &settings, revision + 1, "a test")
            .await;
        assert!(
            matches!(stale, Err(Error::RevisionConflict(_))),
            "{stale:?}"
        );
        store.delete_strategy("a", "x/1", "a test").await?;
        assert_eq!(store.strategy("a", "x/1").await?, None);
        store.delete_strategy("a", "x/1", "a test").await
    }

    async fn held_launches_come_back_without_a_failure(&self) -> Result<()> {
        let store = &self.store;
        let id = self.accepted("team-fleet", "held").await?;
        let is_there = |leased: Vec<crate::store::Launchable>| {
            leased
                .into_iter()
                .find(|one| one.application.id == id)
                .map(|one| one.failures)
        };
        let leased = store.lease_launches("one", LEASE, 100).await?;
        assert_eq!(is_there(leased), Some(0));
        // Another's lease stays.
        store.hold_launches(&[id], "two", Duration::ZERO).await?;
        assert_eq!(
            is_there(store.lease_launches("two", LEASE, 100).await?),
            None
        );
        let pause = Duration::from_secs(5);
        store.hold_launches(&[id], "one", pause).await?;
        assert_eq!(
            is_there(store.lease_launches("two", LEASE, 100).await?),
            None
        );
        self.clock.advance(SignedDuration::from_secs(5));
        let leased = store.lease_launches("two", LEASE, 100).await?;
        assert_eq!(is_there(leased), Some(0));
        Ok(())
    }

    async fn workers_are_counted_while_they_live(&self) -> Result<()> {
        let store = &self.store;
        assert_eq!(store.count_workers("one", LEASE).await?, 1);
        assert_eq!(store.count_workers("two", LEASE).await?, 2);
        assert_eq!(store.count_workers("one", LEASE).await?, 2);
        self.clock.advance(SignedDuration::from_secs(61));
        assert_eq!(store.count_workers("one", LEASE).await?, 1);
        Ok(())
    }
}
