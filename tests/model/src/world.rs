//! Everything that exists at one moment: the application's row, the clusters, the network, and what
//! each worker is about to do.

use moka_submission::domain::state::ApplicationState;

/// How many workers there are.
pub const WORKERS: usize = 2;
/// How many clusters there are.
pub const CLUSTERS: usize = 2;
/// How many attempts an application has at most.
pub const ATTEMPTS: usize = 2;

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct World {
    /// The application's state in the database.
    pub state: ApplicationState,
    /// Who holds the launch lease.
    pub lease: Option<u8>,
    /// How many attempts were begun.
    pub count: u8,
    /// The attempts' rows; those from `count` on are empty.
    pub attempts: [Attempt; ATTEMPTS],
    /// What stands under each attempt's name in each cluster.
    pub slots: [[Slot; CLUSTERS]; ATTEMPTS],
    /// What each worker is about to do.
    pub workers: [Activity; WORKERS],
}

/// An attempt's row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attempt {
    /// Where it was placed.
    pub cluster: u8,
    /// Its object's uid; 0 while it is not known.
    pub uid: u8,
    /// Why it is being ended.
    pub ending: Option<Ending>,
    /// How far its clean-up has come.
    pub clean_up: CleanUp,
    /// No row has this: how its driver truly ended.
    pub outcome: Option<Outcome>,
    /// No row has this: somebody deleted its object.
    pub was_deleted: bool,
}

/// Why an attempt is being ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ending {
    /// The caller wishes it.
    Cancelled,
    /// It is to run elsewhere.
    Rerouted,
    /// Somebody deleted its object.
    Deleted,
    /// The cluster refused its object.
    Refused,
}

/// How a driver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Exit code 0.
    Success,
    /// Anything else.
    Failure,
}

/// How far an attempt's clean-up has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CleanUp {
    /// It has not ended.
    #[default]
    Live,
    /// Finalizers must go, and the name must stay taken.
    Release,
    /// Something keeps the name for a while.
    Retain,
    /// Nothing is left.
    Done,
}

/// What stands under an attempt's name in a cluster, and what is on its way there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// The object.
    pub object: Object,
    /// The driver's pod.
    pub driver: Driver,
    /// The operator has read the object and is about to make the driver.
    pub submitting: bool,
    /// Whether creates that were sent may still arrive, once or more often.
    pub in_flight: bool,
    /// The uid of the last object.
    pub last_uid: u8,
}

/// A `SparkApplication`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// None.
    #[default]
    None,
    /// The attempt's own.
    Own(Own),
    /// A tombstone.
    Tombstone,
}

/// An attempt's own object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Own {
    /// Its uid.
    pub uid: u8,
    /// What the operator has done with it.
    pub progress: Progress,
    /// Whether somebody asked to delete it.
    pub deleting: bool,
    /// Whether our finalizer is on it.
    pub finalizer: bool,
}

/// What the operator has done with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Progress {
    /// Nothing.
    New,
    /// It has begun to submit it.
    Read,
    /// It calls it failed, and will do nothing more.
    GaveUp,
}

/// A driver's pod.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Driver {
    /// None, or one that nobody needs any more.
    #[default]
    None,
    /// It runs, or may.
    Live,
    /// It ended; our finalizer keeps it.
    Ended(Outcome),
}

/// A name in a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Index of the attempt.
    pub attempt: u8,
    /// The cluster.
    pub cluster: u8,
}

/// What a worker holds in its memory between two steps. All of it is gone when the worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Activity {
    /// Nothing.
    Idle,
    /// Launch: it asks for a place for the attempt that follows those it has seen.
    Placing,
    /// Launch: it has a place, which is not written down yet.
    Placed(u8),
    /// Launch: the intent is committed; the create is not sent yet.
    Creating(Name),
    /// Launch: the create was sent.
    Awaiting(Name),
    /// Launch: the name was taken; it reads by whom.
    Reading(Name),
    /// Status: it has read the first half of an observation.
    Looking(u8, Half),
    /// Clean-up: nothing keeps the name any more, so a tombstone must.
    Burying(u8),
    /// It stops what there is of an attempt.
    Stopping(u8),
    /// It writes down what it has found out about an attempt.
    Writing(u8, Finding),
}

/// The first half of an observation. The second is read later, and acted on at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Half {
    /// The driver was read.
    Driver(Driver),
    /// The object was read.
    Object(Object),
}

/// What is written down of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// The object exists.
    Created(u8),
    /// The cluster refused the object.
    Refused,
    /// Somebody is deleting the object; it is to be stopped.
    Deleting,
    /// Somebody deleted the object, and nothing of it runs.
    Deleted,
    /// Nothing of it runs any more.
    Ended(Outcome),
}

impl World {
    /// An application that was just accepted.
    pub fn accepted() -> Self {
        Self {
            state: ApplicationState::Queued,
            lease: None,
            count: 0,
            attempts: Default::default(),
            slots: Default::default(),
            workers: [Activity::Idle; WORKERS],
        }
    }

    /// Index of the current attempt.
    pub fn current(&self) -> Option<u8> {
        self.count.checked_sub(1)
    }

    /// The row of an attempt.
    pub fn attempt(&self, index: u8) -> &Attempt {
        &self.attempts[usize::from(index)]
    }

    /// The row of an attempt.
    pub fn attempt_mut(&mut self, index: u8) -> &mut Attempt {
        &mut self.attempts[usize::from(index)]
    }

    /// What stands under a name.
    pub fn slot(&self, name: Name) -> &Slot {
        &self.slots[usize::from(name.attempt)][usize::from(name.cluster)]
    }

    /// What stands under a name.
    pub fn slot_mut(&mut self, name: Name) -> &mut Slot {
        &mut self.slots[usize::from(name.attempt)][usize::from(name.cluster)]
    }

    /// The name of an attempt where it was placed.
    pub fn name_of(&self, attempt: u8) -> Name {
        Name {
            attempt,
            cluster: self.attempt(attempt).cluster,
        }
    }

    /// Every name.
    pub fn names() -> impl Iterator<Item = Name> {
        (0..ATTEMPTS).flat_map(|attempt| {
            (0..CLUSTERS).map(move |cluster| Name {
                attempt: u8::try_from(attempt).expect("there are few attempts"),
                cluster: u8::try_from(cluster).expect("there are few clusters"),
            })
        })
    }

    /// Every worker.
    pub fn worker_numbers() -> impl Iterator<Item = u8> {
        (0..WORKERS).map(|worker| u8::try_from(worker).expect("there are few workers"))
    }

    /// What a worker is about to do.
    pub fn activity(&self, worker: u8) -> Activity {
        self.workers[usize::from(worker)]
    }

    /// This moment with another activity of a worker.
    #[must_use]
    pub fn with(mut self, worker: u8, activity: Activity) -> Self {
        self.workers[usize::from(worker)] = activity;
        self
    }

    /// The same moment in the form that stands for all that differ from it only in names: which of
    /// the two workers does a thing, and which of the two clusters an attempt is in.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for worker in 0..WORKERS {
            if let Activity::Writing(attempt, finding) = self.workers[worker]
                && self.ignores(attempt, finding)
            {
                self.workers[worker] = Activity::Idle;
            }
        }
        for attempt in 0..self.count {
            if self.attempt(attempt).cluster == 1 {
                self.swap_clusters(attempt);
            }
        }
        self.forget_what_nobody_asks();
        let rank = |world: &Self, worker: u8| (world.lease == Some(worker), world.activity(worker));
        if rank(&self, 1) < rank(&self, 0) {
            self.workers.swap(0, 1);
            self.lease = self.lease.map(|holder| 1 - holder);
        }
        self
    }

    /// What no later step and no invariant depends on is the same in all that stand for one
    /// another.
    fn forget_what_nobody_asks(&mut self) {
        let over = usize::from(self.count.saturating_sub(1));
        for attempt in &mut self.attempts[..over] {
            attempt.ending = None;
            attempt.outcome = attempt.outcome.filter(|one| *one == Outcome::Success);
            attempt.was_deleted = false;
        }
        for slot in self.slots[..over].iter_mut().flatten() {
            if let Driver::Ended(outcome) = &mut slot.driver {
                *outcome = Outcome::Failure;
            }
        }
        for slot in self.slots.iter_mut().flatten() {
            if let Object::Own(own) = &mut slot.object
                && own.deleting
            {
                own.progress = own.progress.max(Progress::Read);
            }
        }
    }

    /// Whether a transaction would change nothing, now and for ever.
    fn ignores(&self, attempt: u8, finding: Finding) -> bool {
        let between = self.state == ApplicationState::RetryWait;
        let is_over = between || self.state.is_final() || self.current() != Some(attempt);
        is_over && finding != Finding::Deleting
    }

    /// Clusters know nothing of one another, so each attempt may call the one that it is in the
    /// first.
    fn swap_clusters(&mut self, attempt: u8) {
        self.slots[usize::from(attempt)].swap(0, 1);
        let row = self.attempt_mut(attempt);
        row.cluster = 1 - row.cluster;
        for activity in &mut self.workers {
            if let Activity::Creating(name) | Activity::Awaiting(name) | Activity::Reading(name) =
                activity
                && name.attempt == attempt
            {
                name.cluster = 1 - name.cluster;
            }
        }
    }
}

impl Object {
    /// The attempt's own object, if it is one.
    pub fn own(self) -> Option<Own> {
        match self {
            Self::Own(own) => Some(own),
            Self::None | Self::Tombstone => None,
        }
    }

    /// What a look remembers of it.
    #[must_use]
    pub fn seen(self) -> Self {
        match self {
            Self::Own(own) => Self::Own(Own {
                progress: own.progress.max(Progress::Read),
                finalizer: false,
                ..own
            }),
            other => other,
        }
    }
}
