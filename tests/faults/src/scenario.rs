//! One run: applications are submitted, everything breaks, and in the end everything is well.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use moka_core::{ApplicationId, AttemptName, clock::Clock as _, entropy::SeededEntropy};
use moka_db::{Database, PoolOptions};
use moka_process::Tasks;
use moka_submission::{
    domain::{
        exit::ExitCategory,
        lifecycle::Happening,
        rules::{ClusterSettings, ClusterState},
        spec::RetryRequest,
        submission::Submission,
    },
    launcher::SimulatedCluster,
    store::{Store, conformance::submission, fleet::FleetStore},
};
use tokio::time::{Duration, Instant, sleep};

use crate::{
    clock::MachineClock,
    dice::Dice,
    environment::Environment,
    faulty_launcher::FaultyLauncher,
    faulty_store::FaultyStore,
    replica::{Machine, Replica},
    virtual_time::SPEED,
    witness::{Story, Witness},
};

const CLUSTERS: [&str; 2] = ["east", "west"];
const REPLICAS: usize = 2;
/// How often anything happens in the clusters.
const MOMENT: Duration = Duration::from_millis(250);
/// How often watches list everything anew.
const RELIST: Duration = Duration::from_mins(2);
/// How long the faults go on at most.
const STORM: Duration = Duration::from_hours(1);
/// How many applications come at a time when there are not yet faults enough.
const MORE_APPLICATIONS: usize = 50;
/// How long everything may take to be well again.
const PATIENCE: Duration = Duration::from_mins(20);

/// What to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The empty database.
    pub url: String,
    /// Decides every fault, but not the order in which a database answers.
    pub seed: u64,
    /// How many applications there are at first.
    pub applications: usize,
    /// How many faults there are at least: more applications come until then, because a busy
    /// machine asks its database less often in the same time.
    pub faults: usize,
}

/// What a run has seen.
#[derive(Debug)]
pub struct Report {
    /// How often each fault happened.
    pub faults: BTreeMap<&'static str, usize>,
    /// How many applications there were.
    pub applications: usize,
    /// How many attempts they had.
    pub attempts: usize,
}

impl Report {
    /// All faults together.
    pub fn fault_count(&self) -> usize {
        self.faults.values().sum()
    }
}

impl Scenario {
    /// Runs it to its end.
    ///
    /// # Panics
    ///
    /// When an invariant does not hold.
    pub async fn run(&self) -> Report {
        let mut run = Run::begin(self).await;
        run.submit(self.applications);
        let began = Instant::now();
        while began.elapsed() < STORM {
            if run.witness.final_count() == run.applications {
                if run.dice.fault_count() >= self.faults {
                    break;
                }
                run.submit(MORE_APPLICATIONS);
            }
            run.moment().await;
            run.break_something().await;
        }
        run.calm_down().await;
        let calm = Instant::now();
        while !run.is_over() {
            assert!(calm.elapsed() < PATIENCE, "{}", run.what_is_left().await);
            run.moment().await;
        }
        run.end().await
    }
}

struct Run {
    dice: Dice,
    began: Instant,
    machines: Vec<Machine>,
    replicas: Vec<Option<Replica>>,
    clusters: BTreeMap<String, SimulatedCluster>,
    away: BTreeMap<String, Arc<AtomicBool>>,
    under_way: Arc<Mutex<usize>>,
    environments: Vec<Environment>,
    /// A store without faults, to look at.
    store: Arc<dyn Store>,
    fleet: Arc<dyn FleetStore>,
    witness: Witness,
    applications: usize,
    accepted: Arc<Mutex<BTreeSet<ApplicationId>>>,
    cancelled: Arc<Mutex<BTreeSet<ApplicationId>>>,
    network: Tasks,
    holders: usize,
}

impl Run {
    async fn begin(scenario: &Scenario) -> Self {
        let dice = Dice::new(scenario.seed);
        let began = Instant::now();
        let network = Tasks::default();
        let api_server_clock = MachineClock::new(began);
        let under_way = Arc::new(Mutex::new(0));
        let mut clusters = BTreeMap::new();
        let mut launchers = BTreeMap::new();
        let mut away = BTreeMap::new();
        for name in CLUSTERS {
            let cluster = SimulatedCluster::new(Arc::new(api_server_clock.clone()), RELIST);
            let is_away = Arc::new(AtomicBool::new(false));
            let launcher = FaultyLauncher {
                cluster: cluster.clone(),
                dice: dice.clone(),
                network: network.clone(),
                away: Arc::clone(&is_away),
                under_way: Arc::clone(&under_way),
            };
            launchers.insert(name.to_owned(), launcher);
            clusters.insert(name.to_owned(), cluster);
            away.insert(name.to_owned(), is_away);
        }
        let mut machines = Vec::new();
        for _ in 0..=REPLICAS {
            let options = patient_pool();
            machines.push(Machine {
                database: Database::connect(&scenario.url, options).await.unwrap(),
                clock: MachineClock::new(began),
                dice: dice.clone(),
                clusters: launchers.clone(),
            });
        }
        let sql = machines[REPLICAS].store(&network).await;
        for name in CLUSTERS {
            let settings = ClusterSettings::default();
            sql.register_cluster(name, &settings, "test").await.unwrap();
        }
        let environment =
            |cluster: &SimulatedCluster| Environment::new(cluster.clone(), dice.clone());
        let mut run = Self {
            environments: clusters.values().map(environment).collect(),
            dice,
            began,
            machines,
            replicas: (0..REPLICAS).map(|_| None).collect(),
            clusters,
            away,
            under_way,
            store: Arc::clone(&sql) as _,
            fleet: sql,
            witness: Witness::default(),
            applications: 0,
            accepted: Arc::default(),
            cancelled: Arc::default(),
            network,
            holders: 0,
        };
        for number in 0..REPLICAS {
            run.start(number).await;
        }
        run
    }

    async fn start(&mut self, number: usize) {
        self.holders += 1;
        let mut holder = format!("holder-{}", self.holders);
        let other = self.replicas[(number + 1) % REPLICAS].as_ref();
        if let Some(other) = other
            && self.dice.breaks("two workers with one lease", 100)
        {
            // As when a paused machine is copied and both wake up.
            holder.clone_from(&other.holder);
        }
        let replica = self.machines[number].start(&holder).await;
        self.replicas[number] = Some(replica);
    }

    /// Callers that repeat their requests until they are answered.
    fn submit(&mut self, applications: usize) {
        let store: Arc<dyn Store> = Arc::new(FaultyStore {
            store: Arc::clone(&self.store),
            dice: self.dice.clone(),
        });
        let first = self.applications;
        self.applications += applications;
        for number in first..self.applications {
            let (store, dice) = (Arc::clone(&store), self.dice.clone());
            let accepted = Arc::clone(&self.accepted);
            let clock = self.machines[REPLICAS].clock.clone();
            let entropy = SeededEntropy::new(dice.below(u64::MAX));
            self.network.spawn("caller", async move {
                sleep(dice.pause(300_000)).await;
                let submission = request(number);
                loop {
                    let id = ApplicationId::mint(&clock, &entropy);
                    if let Ok(submitted) = store.submit(id, &submission).await {
                        accepted.lock().unwrap().insert(submitted.application.id);
                        return;
                    }
                    sleep(Duration::from_secs(1)).await;
                }
            });
        }
    }

    /// Time passes.
    async fn moment(&mut self) {
        sleep(MOMENT).await;
        for environment in &mut self.environments {
            environment.step();
        }
        self.witness.read(&*self.store).await;
        self.witness.check_drivers(&self.clusters);
        for replica in self.replicas.iter().flatten() {
            assert!(!replica.has_failed(), "a task of a replica failed");
        }
    }

    async fn break_something(&mut self) {
        for number in 0..REPLICAS {
            if self.dice.breaks("a worker that dies", 8)
                && let Some(replica) = self.replicas[number].take()
            {
                replica.die();
            }
            if self.replicas[number].is_none() && self.dice.happens(30) {
                self.start(number).await;
            }
            if self.dice.breaks("a clock that steps", 5) {
                let error = i64::try_from(self.dice.below(80_000)).unwrap() - 40_000;
                self.machines[number].clock.set_error(error);
            }
        }
        for away in self.away.values() {
            let is_away = away.load(Ordering::Relaxed);
            // Back after a minute or two, longer than every lease.
            let turns = if is_away { 3 } else { 1 };
            if self.dice.happens(turns) {
                away.store(!is_away, Ordering::Relaxed);
                self.dice.count("a cluster that goes away, or comes back");
            }
        }
        if self.dice.breaks("a cluster that drains, or no longer", 4) {
            let name = CLUSTERS[usize::try_from(self.dice.below(2)).unwrap()];
            let state = if self.dice.happens(500) {
                ClusterState::Draining
            } else {
                ClusterState::Active
            };
            self.set_state(name, state).await;
        }
        if self.dice.happens(20) {
            self.cancel_one();
        }
    }

    async fn set_state(&self, name: &str, state: ClusterState) {
        let fleet = &self.fleet;
        // A slow database is no matter here.
        let _ = fleet.set_cluster_state(name, state, "a test", "test").await;
    }

    fn cancel_one(&self) {
        let accepted: Vec<_> = self.accepted.lock().unwrap().iter().copied().collect();
        if accepted.is_empty() {
            return;
        }
        let index =
            usize::try_from(self.dice.below(u64::try_from(accepted.len()).unwrap())).unwrap();
        let id = accepted[index];
        self.cancelled.lock().unwrap().insert(id);
        let store = FaultyStore {
            store: Arc::clone(&self.store),
            dice: self.dice.clone(),
        };
        let happening = Happening::CancelRequested {
            reason: "a test".to_owned(),
            force: self.dice.happens(300),
        };
        self.network.spawn("cancel", async move {
            // Whoever cancels and gets no answer may leave it at that.
            let _ = store.record(id, None, &happening, "test").await;
        });
    }

    async fn calm_down(&mut self) {
        self.dice.calm_down();
        for away in self.away.values() {
            away.store(false, Ordering::Relaxed);
        }
        for name in CLUSTERS {
            self.set_state(name, ClusterState::Active).await;
        }
        for number in 0..REPLICAS {
            self.machines[number].clock.set_error(0);
            if self.replicas[number].is_none() {
                self.start(number).await;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.witness.final_count() == self.applications
            && *self.under_way.lock().unwrap() == 0
            && Witness::left_over(&self.clusters).is_empty()
    }

    async fn what_is_left(&self) -> String {
        let mut left = Witness::left_over(&self.clusters);
        let accepted: Vec<_> = self.accepted.lock().unwrap().iter().copied().collect();
        for id in accepted {
            let application = self.store.get(id).await.unwrap().unwrap();
            if !application.state.is_final() {
                left.push(format!("{application:?}"));
            }
        }
        let now = self.machines[REPLICAS].clock.now();
        format!(
            "after {:?}, at {now}, this is left:\n{}",
            self.began.elapsed(),
            left.join("\n")
        )
    }

    async fn end(mut self) -> Report {
        self.witness.read(&*self.store).await;
        let accepted = self.accepted.lock().unwrap().clone();
        assert_eq!(
            accepted.len(),
            self.applications,
            "each key has one application"
        );
        let cancelled = self.cancelled.lock().unwrap().clone();
        let deleted: BTreeSet<AttemptName> = self
            .environments
            .iter()
            .flat_map(|environment| environment.deleted.iter().copied())
            .collect();
        let mut attempts = 0;
        for id in accepted {
            let application = self.store.get(id).await.unwrap();
            let application = application.unwrap_or_else(|| panic!("{id} is lost"));
            attempts += application.attempts.len();
            let story = Story {
                application: &application,
                clusters: &self.clusters,
                was_cancelled: cancelled.contains(&id),
                deleted: &deleted,
            };
            self.witness.check_story(&*self.store, &story).await;
        }
        for replica in self.replicas.into_iter().flatten() {
            replica.die();
        }
        self.network.abort();
        Report {
            faults: self.dice.faults(),
            applications: self.applications,
            attempts,
        }
    }
}

/// The database works in real time, and nothing here may fail because the machine is busy.
fn patient_pool() -> PoolOptions {
    let PoolOptions {
        acquire_timeout,
        statement_timeout,
        transaction_timeout,
        retry_timeout,
        ..
    } = PoolOptions::default();
    PoolOptions {
        max_connections: 4,
        acquire_timeout: acquire_timeout * SPEED,
        statement_timeout: statement_timeout * SPEED,
        transaction_timeout: transaction_timeout * SPEED,
        retry_timeout: retry_timeout * SPEED,
        ..PoolOptions::default()
    }
}

fn request(number: usize) -> Submission {
    let mut request = submission("team-a", &format!("key-{number}"), 0);
    request.spec.retry = Some(RetryRequest {
        max_attempts: 4,
        categories: vec![
            ExitCategory::LaunchRefused,
            ExitCategory::NodeLost,
            ExitCategory::Preempted,
            ExitCategory::Unknown,
        ],
        initial_backoff_seconds: Some(2),
        max_backoff_seconds: Some(20),
        memory_growth_percent: 0,
        max_memory_bytes: 0,
    });
    request
}
