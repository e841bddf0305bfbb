//! A cluster as the workers use it, whatever runs Spark there.

pub mod conformance;
mod simulated;

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::BoxStream;
use moka_core::AttemptName;
pub use simulated::SimulatedCluster;

use crate::domain::{
    application::{Application, Attempt},
    observation::{DriverView, ExecutorView, ObjectView, Observation, Owner},
};

/// One cluster and the back end that runs applications in it. Every call may be repeated.
#[async_trait]
pub trait Launcher: std::fmt::Debug + Send + Sync {
    /// Creates the attempt's object under its name, or finds who has the name.
    async fn create(&self, application: &Application, attempt: &Attempt) -> Result<Created>;

    /// Sees to it that no object of the attempt can be created any more, unless there is one.
    async fn fence(&self, target: &Target) -> Result<Fence>;

    /// Reads what there is of the attempt, from the API server itself.
    async fn observe(&self, target: &Target) -> Result<Observation>;

    /// Reads the driver's pod alone.
    async fn driver(&self, target: &Target) -> Result<Option<DriverView>>;

    /// The end of the driver's log; empty when there is none to be had.
    async fn driver_log(&self, target: &Target) -> Result<String>;

    /// What there is of the attempt's executors, which may be nothing although there were some.
    async fn executors(&self, target: &Target) -> Result<Vec<ExecutorView>>;

    /// Asks for the end of the object and the driver; finalizers keep both readable.
    async fn stop(&self, target: &Target, grace: Grace) -> Result<()>;

    /// Removes our finalizers from the object and the driver. Returns how many.
    async fn release(&self, target: &Target) -> Result<u64>;

    /// Removes both finalizers, too, but only from this very driver and from the attempt's own
    /// object by its uid while nobody wants to delete it, so that the name stays taken. `false`
    /// when something is not so; one of them may have gone all the same.
    async fn release_ended(&self, target: &Target, driver_uid: &str) -> Result<bool>;

    /// Deletes the attempt's object, or the tombstone in its place.
    async fn remove(&self, target: &Target) -> Result<()>;

    /// Asks whether the API server answers, at little cost.
    async fn probe(&self) -> Result<()>;

    /// Everything beside objects and pods that drivers left in the cluster: it bears an attempt's
    /// name, and what it belonged to is gone.
    async fn leftovers(&self) -> Result<Vec<Leftover>>;

    /// Deletes this very leftover. That it is gone already is fine.
    async fn remove_leftover(&self, leftover: &Leftover) -> Result<()>;

    /// Tells what there is of every attempt and what changes of it, for as long as it is polled.
    /// From time to time everything is told anew, so that nothing that was missed stays missed.
    fn sightings(&self) -> BoxStream<'static, Sighting>;
}

/// The attempt that a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub name: AttemptName,
    /// Its namespace.
    pub namespace: String,
    /// Its object's uid, once it is known.
    pub uid: Option<String>,
}

impl Target {
    /// The target of an attempt of an application.
    pub fn of(application: &Application, attempt: &Attempt) -> Self {
        Self {
            name: AttemptName::new(application.id, attempt.number),
            namespace: attempt.placement.namespace.clone(),
            uid: attempt.uid.clone(),
        }
    }
}

/// What became of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New {
        /// Its uid.
        uid: String,
    },
    /// The object was there already, and is the attempt's.
    Adopted {
        /// Its uid.
        uid: String,
    },
    /// Something else has the name.
    NameTaken(Owner),
}

/// What stands under an attempt's name after fencing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// A tombstone: nothing was created, and nothing will be.
    Tombstone,
    /// The attempt's own object.
    Object {
        /// Its uid.
        uid: String,
    },
    /// Somebody else's object.
    Stranger,
}

/// How much time a driver that is stopped has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// As its pod says.
    Own,
    /// None, even if it was given some before.
    None,
}

/// Something that a driver left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Whose it was.
    pub attempt: AttemptName,
    /// What it is.
    pub kind: LeftoverKind,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

/// What drivers leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverKind {
    /// A service, through which executors found the driver.
    Service,
    /// A config map with settings.
    ConfigMap,
}

/// Something that a watch saw, without the texts in it: those are read when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    /// All objects there are now: what was known and is not among them is gone.
    Objects(Vec<(AttemptName, ObjectView)>),
    /// All drivers there are now.
    Drivers(Vec<(AttemptName, DriverView)>),
    /// An attempt's object is new or changed, or gone.
    Object(AttemptName, Option<ObjectView>),
    /// An attempt's driver is new or changed, or gone.
    Driver(AttemptName, Option<DriverView>),
    /// The watch was interrupted; it goes on by itself.
    Interrupted {
        /// Why.
        reason: String,
    },
}

/// Why a cluster did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// It may later. A write may have happened.
    #[error("the cluster does not answer: {0}")]
    Unavailable(String),
    /// It asks to slow down. Nothing happened.
    #[error("the cluster asks to slow down")]
    Busy {
        /// How long to wait, when it says.
        retry_after: Option<Duration>,
    },
    /// It would refuse again.
    #[error("{0}")]
    Refused(String),
}

/// What a launcher's methods answer.
pub type Result<T> = std::result::Result<T, Error>;
