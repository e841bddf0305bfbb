//! One process of submission, without the process: its workers over its own store.

use std::{collections::BTreeMap, sync::Arc};

use jiff::SignedDuration;
use moka_core::entropy::SeededEntropy;
use moka_db::Database;
use moka_process::Tasks;
use moka_submission::{
    domain::verdict::Patience,
    journal::Journal,
    launcher::Launcher,
    metrics::Metrics,
    store::{SqlStore, Store, fleet::FleetStore},
    workers::{
        Clusters, LiveAttempts, Pace, Workers, deadline_lane, gauge, launch_lane, poll_fleet,
    },
};
use tokio::{sync::watch, time::Duration};

use crate::{
    clock::MachineClock, dice::Dice, faulty_launcher::FaultyLauncher,
    faulty_scheduler::FaultyScheduler, faulty_store::FaultyStore,
};

/// How long names are kept: longer than any create is under way.
const RETENTION: Duration = Duration::from_mins(10);

/// What a replica is started with, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) database: Database,
    pub(crate) clock: MachineClock,
    pub(crate) dice: Dice,
    pub(crate) clusters: BTreeMap<String, FaultyLauncher>,
}

/// A running replica.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) holder: String,
    tasks: Tasks,
}

impl Machine {
    /// A store of its own, and the tasks that it lives in.
    pub(crate) async fn store(&self, tasks: &Tasks) -> Arc<SqlStore> {
        let (database, clock) = (self.database.clone(), Arc::new(self.clock.clone()));
        Arc::new(SqlStore::open(database, clock, tasks).await.unwrap())
    }

    pub(crate) async fn start(&self, holder: &str) -> Replica {
        let tasks = Tasks::default();
        let sql = self.store(&tasks).await;
        let store: Arc<dyn Store> = Arc::new(FaultyStore {
            store: Arc::clone(&sql) as _,
            dice: self.dice.clone(),
        });
        let journal = Journal {
            store: Arc::clone(&store),
            metrics: Metrics::default(),
            live: LiveAttempts::default(),
        };
        let (fleet_sender, fleet) = watch::channel(Arc::new(sql.fleet().await.unwrap()));
        let clusters = Clusters::new(8);
        for (name, launcher) in &self.clusters {
            clusters.set(name, Arc::new(launcher.clone()));
        }
        let workers = Workers {
            store,
            journal,
            scheduler: Arc::new(FaultyScheduler {
                dice: self.dice.clone(),
            }),
            fleet_store: Arc::clone(&sql) as _,
            fleet,
            clusters,
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(self.dice.below(u64::MAX))),
            holder: holder.to_owned(),
            tasks: tasks.clone(),
            stop: tasks.stop().clone(),
            pace: pace(),
        };
        tasks.spawn("fleet", poll_fleet(sql, fleet_sender, workers.stop.clone()));
        for (name, launcher) in &self.clusters {
            let launcher: Arc<dyn Launcher> = Arc::new(launcher.clone());
            workers.start_cluster(name, &launcher);
        }
        tasks.spawn("gauge", gauge(workers.clone()));
        tasks.spawn("deadlines", deadline_lane(workers.clone()));
        tasks.spawn("launch", launch_lane(workers));
        Replica {
            holder: holder.to_owned(),
            tasks,
        }
    }
}

impl Replica {
    /// It dies: each of its tasks is gone at its next await.
    pub(crate) fn die(self) {
        self.tasks.abort();
    }

    /// Its own failure, which nothing may cause.
    pub(crate) fn has_failed(&self) -> bool {
        self.tasks.stop().is_cancelled()
    }
}

fn pace() -> Pace {
    Pace {
        namespace: "spark-jobs".to_owned(),
        with_sidecar: false,
        launch_concurrency: 8,
        lease: Duration::from_secs(30),
        reconcile: Duration::from_secs(20),
        sweep: Duration::from_mins(1),
        patience: Patience {
            // Longer than the operator takes and the clocks are off, together.
            driver_appearance: SignedDuration::from_secs(90),
            image_pull: SignedDuration::from_mins(5),
        },
        retention: RETENTION,
        tombstone_retention: RETENTION,
        event_retention: Duration::from_hours(24),
        audit_retention: Duration::from_hours(24),
    }
}
