//! A cluster in memory, for suites that need many of them, or ones that fail: the API server as the
//! launcher sees it, and handles for what the operator, the kubelet and people do there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use moka_core::{AttemptName, clock::Clock};
use tokio::{sync::broadcast, time::interval};

use super::{Created, Fence, Grace, Launcher, Leftover, Result, Sighting, Target};
use crate::domain::{
    application::{Application, Attempt},
    observation::{Container, DriverView, ExecutorView, ObjectView, Observation, Owner},
};

/// How many changes a watch may lag behind before it lists everything anew.
const WATCH_WINDOW: usize = 1024;

/// A cluster in memory. Clones share it.
#[derive(Debug, Clone)]
pub struct SimulatedCluster {
    clock: Arc<dyn Clock>,
    relist_interval: Duration,
    contents: Arc<Mutex<Contents>>,
    changes: broadcast::Sender<AttemptName>,
}

/// What is in the cluster.
#[derive(Debug, Default)]
struct Contents {
    last_uid: u64,
    objects: BTreeMap<AttemptName, ObjectView>,
    drivers: BTreeMap<AttemptName, DriverView>,
    /// Every object of an attempt's own that ever was.
    launched: BTreeMap<AttemptName, BTreeSet<String>>,
    /// How each driver that ended did so of itself or was made to.
    exit_codes: BTreeMap<AttemptName, Vec<i32>>,
}

impl SimulatedCluster {
    /// An empty cluster with its own clock, whose watches list everything anew that often.
    pub fn new(clock: Arc<dyn Clock>, relist_interval: Duration) -> Self {
        Self {
            clock,
            relist_interval,
            contents: Arc::default(),
            changes: broadcast::Sender::new(WATCH_WINDOW),
        }
    }

    /// Every object that has an attempt's name now.
    pub fn objects(&self) -> BTreeMap<AttemptName, ObjectView> {
        self.lock().objects.clone()
    }

    /// Every driver's pod that exists now.
    pub fn drivers(&self) -> BTreeMap<AttemptName, DriverView> {
        self.lock().drivers.clone()
    }

    /// The uids of an attempt's own objects that ever were.
    pub fn launched(&self, name: AttemptName) -> BTreeSet<String> {
        let contents = self.lock();
        contents.launched.get(&name).cloned().unwrap_or_default()
    }

    /// How an attempt's drivers ended, oldest first.
    pub fn exit_codes(&self, name: AttemptName) -> Vec<i32> {
        let contents = self.lock();
        contents.exit_codes.get(&name).cloned().unwrap_or_default()
    }

    /// The operator writes an object's status.
    pub fn set_object_state(&self, name: AttemptName, state: &str, error_message: &str) {
        self.change(name, |contents| {
            if let Some(object) = contents.objects.get_mut(&name) {
                state.clone_into(&mut object.state);
                error_message.clone_into(&mut object.error_message);
            }
        });
    }

    /// The operator makes the driver's pod, on a node. Does nothing when there is one.
    pub fn create_driver(&self, name: AttemptName) {
        let now = self.clock.now();
        self.change(name, |contents| {
            let uid = contents.next_uid();
            contents.drivers.entry(name).or_insert_with(|| DriverView {
                uid,
                create_time: Some(now),
                delete_time: None,
                has_finalizer: true,
                is_bound: true,
                phase: "Pending".to_owned(),
                reason: String::new(),
                message: String::new(),
                disruption: None,
                spark_application_id: Some(format!("spark-of-{name}")),
                container: Container::Unknown,
            });
        });
    }

    /// The kubelet starts the driver's container.
    pub fn run_driver(&self, name: AttemptName) {
        let start_time = Some(self.clock.now());
        self.change(name, |contents| {
            if let Some(driver) = contents.drivers.get_mut(&name)
                && driver.container == Container::Unknown
            {
                "Running".clone_into(&mut driver.phase);
                driver.container = Container::Running { start_time };
            }
        });
    }

    /// The driver's container ends.
    pub fn end_driver(&self, name: AttemptName, exit_code: i32) {
        let now = self.clock.now();
        self.change(name, |contents| {
            let Some(driver) = contents.drivers.get_mut(&name) else {
                return;
            };
            if matches!(driver.container, Container::Terminated { .. }) {
                return;
            }
            let phase = if exit_code == 0 {
                "Succeeded"
            } else {
                "Failed"
            };
            phase.clone_into(&mut driver.phase);
            driver.container = Container::Terminated {
                exit_code,
                reason: if exit_code == 0 { "Completed" } else { "Error" }.to_owned(),
                message: String::new(),
                start_time: driver.start_time(),
                end_time: Some(now),
            };
            contents.exit_codes.entry(name).or_default().push(exit_code);
        });
    }

    /// Somebody asks to delete an object.
    pub fn delete_object(&self, name: AttemptName) {
        let now = self.clock.now();
        self.change(name, |contents| contents.delete_object(name, now));
    }

    /// Somebody asks to delete a driver's pod.
    pub fn delete_driver(&self, name: AttemptName) {
        let now = self.clock.now();
        self.change(name, |contents| contents.delete_driver(name, now));
    }

    /// Somebody else makes an object.
    pub fn create_stranger(&self, name: AttemptName) {
        self.change(name, |contents| contents.put(name, Owner::Stranger, None));
    }

    fn change<T>(&self, name: AttemptName, change: impl FnOnce(&mut Contents) -> T) -> T {
        let result = change(&mut self.lock());
        // Nobody watches, perhaps.
        let _ = self.changes.send(name);
        result
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a watch tells first, from time to time, and when it could not keep up.
    fn listed(&self) -> Vec<Sighting> {
        let objects = self.objects().into_iter();
        let drivers = self.drivers().into_iter();
        vec![
            Sighting::Objects(
                objects
                    .map(|(name, one)| (name, one.without_texts()))
                    .collect(),
            ),
            Sighting::Drivers(
                drivers
                    .map(|(name, one)| (name, one.without_texts()))
                    .collect(),
            ),
        ]
    }

    /// What a watch tells of a change.
    fn seen(&self, name: AttemptName) -> Vec<Sighting> {
        let contents = self.lock();
        let object = contents.objects.get(&name).cloned();
        let driver = contents.drivers.get(&name).cloned();
        vec![
            Sighting::Object(name, object.map(ObjectView::without_texts)),
            Sighting::Driver(name, driver.map(DriverView::without_texts)),
        ]
    }
}

impl Contents {
    fn next_uid(&mut self) -> String {
        self.last_uid += 1;
        format!("uid-{}", self.last_uid)
    }

    fn put(&mut self, name: AttemptName, owner: Owner, now: Option<Timestamp>) {
        let uid = self.next_uid();
        if owner == Owner::Attempt {
            self.launched.entry(name).or_default().insert(uid.clone());
        }
        let object = ObjectView {
            uid,
            owner,
            create_time: now,
            delete_time: None,
            has_finalizer: owner == Owner::Attempt,
            state: String::new(),
            error_message: String::new(),
            spark_application_id: None,
        };
        self.objects.insert(name, object);
    }

    fn delete_object(&mut self, name: AttemptName, now: Timestamp) {
        if let Some(object) = self.objects.get_mut(&name) {
            object.delete_time.get_or_insert(now);
            if !object.has_finalizer {
                self.objects.remove(&name);
            }
        }
    }

    fn delete_driver(&mut self, name: AttemptName, now: Timestamp) {
        if let Some(driver) = self.drivers.get_mut(&name) {
            driver.delete_time.get_or_insert(now);
            if driver.has_ended() && !driver.has_finalizer {
                self.drivers.remove(&name);
            }
        }
    }

    fn release_driver(&mut self, name: AttemptName) -> u64 {
        let Some(driver) = self.drivers.get_mut(&name) else {
            return 0;
        };
        let removed = u64::from(std::mem::take(&mut driver.has_finalizer));
        if driver.delete_time.is_some() && driver.has_ended() {
            self.drivers.remove(&name);
        }
        removed
    }

    fn release_object(&mut self, name: AttemptName) -> u64 {
        let Some(object) = self.objects.get_mut(&name) else {
            return 0;
        };
        if object.owner == Owner::Stranger {
            return 0;
        }
        let removed = u64::from(std::mem::take(&mut object.has_finalizer));
        if object.delete_time.is_some() {
            self.objects.remove(&name);
        }
        removed
    }

    fn owner(&self, name: AttemptName) -> Option<Owner> {
        self.objects.get(&name).map(|object| object.owner)
    }
}

#[async_trait]
impl Launcher for SimulatedCluster {
    async fn create(&self, application: &Application, attempt: &Attempt) -> Result<Created> {
        let name = Target::of(application, attempt).name;
        let now = self.clock.now();
        Ok(self.change(name, |contents| {
            match contents.objects.get(&name) {
                Some(object) if object.owner == Owner::Attempt => {
                    let uid = object.uid.clone();
                    return Created::Adopted { uid };
                }
                Some(object) => return Created::NameTaken(object.owner),
                None => {}
            }
            contents.put(name, Owner::Attempt, Some(now));
            let uid = contents.objects[&name].uid.clone();
            Created::New { uid }
        }))
    }

    async fn fence(&self, target: &Target) -> Result<Fence> {
        let (name, now) = (target.name, self.clock.now());
        Ok(
            self.change(name, |contents| match contents.objects.get(&name) {
                Some(object) if object.owner == Owner::Attempt => Fence::Object {
                    uid: object.uid.clone(),
                },
                Some(object) if object.owner == Owner::Stranger => Fence::Stranger,
                Some(_) => Fence::Tombstone,
                None => {
                    contents.put(name, Owner::Tombstone, Some(now));
                    Fence::Tombstone
                }
            }),
        )
    }

    async fn observe(&self, target: &Target) -> Result<Observation> {
        let contents = self.lock();
        Ok(Observation {
            object: contents.objects.get(&target.name).cloned(),
            driver: contents.drivers.get(&target.name).cloned(),
        })
    }

    async fn driver(&self, target: &Target) -> Result<Option<DriverView>> {
        Ok(self.lock().drivers.get(&target.name).cloned())
    }

    async fn driver_log(&self, target: &Target) -> Result<String> {
        Ok(format!("the last line of {}", target.name))
    }

    async fn executors(&self, _target: &Target) -> Result<Vec<ExecutorView>> {
        Ok(Vec::new())
    }

    async fn stop(&self, target: &Target, _grace: Grace) -> Result<()> {
        let (name, now) = (target.name, self.clock.now());
        self.change(name, |contents| {
            if contents.owner(name) == Some(Owner::Attempt) {
                contents.delete_object(name, now);
            }
            contents.delete_driver(name, now);
        });
        Ok(())
    }

    async fn release(&self, target: &Target) -> Result<u64> {
        let name = target.name;
        Ok(self.change(name, |contents| {
            contents.release_driver(name) + contents.release_object(name)
        }))
    }

    async fn release_ended(&self, target: &Target, driver_uid: &str) -> Result<bool> {
        let name = target.name;
        Ok(self.change(name, |contents| {
            let driver = contents.drivers.get(&name);
            if !driver.is_some_and(|driver| driver.has_finalizer && driver.uid == driver_uid) {
                return false;
            }
            contents.release_driver(name);
            let is_as_expected = contents.objects.get(&name).is_some_and(|object| {
                object.owner == Owner::Attempt
                    && object.has_finalizer
                    && object.delete_time.is_none()
                    && target.uid.as_ref() == Some(&object.uid)
            });
            if is_as_expected {
                contents.release_object(name);
            }
            is_as_expected
        }))
    }

    async fn remove(&self, target: &Target) -> Result<()> {
        let (name, now) = (target.name, self.clock.now());
        self.change(name, |contents| {
            if contents
                .owner(name)
                .is_some_and(|owner| owner != Owner::Stranger)
            {
                contents.delete_object(name, now);
                // Its pods are its dependents, and go with it.
                contents.delete_driver(name, now);
            }
        });
        Ok(())
    }

    async fn probe(&self) -> Result<()> {
        Ok(())
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        Ok(Vec::new())
    }

    async fn remove_leftover(&self, _leftover: &Leftover) -> Result<()> {
        Ok(())
    }

    fn sightings(&self) -> BoxStream<'static, Sighting> {
        let changes = self.changes.subscribe();
        let relist = interval(self.relist_interval);
        let cluster = self.clone();
        let told = stream::unfold((changes, relist), move |(mut changes, mut relist)| {
            let cluster = cluster.clone();
            async move {
                let seen = tokio::select! {
                    // The first at once.
                    _ = relist.tick() => cluster.listed(),
                    changed = changes.recv() => match changed {
                        Ok(name) => cluster.seen(name),
                        Err(broadcast::error::RecvError::Lagged(_)) => cluster.listed(),
                        Err(broadcast::error::RecvError::Closed) => return None,
                    },
                };
                Some((stream::iter(seen), (changes, relist)))
            }
        });
        told.flatten().boxed()
    }
}
