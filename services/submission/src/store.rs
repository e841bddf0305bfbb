//! Where applications are kept.

pub mod conformance;
pub mod fleet;
mod sql;

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use moka_core::{ApplicationId, AttemptName, ErrorReason, PublicError};
pub use sql::SqlStore;
use tokio::sync::watch;

use crate::domain::{
    application::{Application, Event},
    filter::Filter,
    lifecycle::Happening,
    noted::Noted,
    state::ApplicationState,
    submission::Submission,
};

/// When a caller that found too much waiting may try again.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

/// A durable set of applications, their events and the leases of the workers. Every method is one
/// transaction: killed before it, nothing has changed; killed after it, everything has.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Accepts a submission under `id`, or finds the application that the same project, key and try
    /// number made before. The caller compares the two.
    async fn submit(&self, id: ApplicationId, submission: &Submission) -> Result<Submitted> {
        let mut submitted = self.submit_many(vec![(id, submission.clone())]).await?;
        submitted.pop().unwrap_or(Err(Error::Stopped))
    }

    /// [`Store::submit`] for many, each with an outcome of its own. What concerns the same project
    /// and key is decided in its order.
    async fn submit_many(
        &self,
        submissions: Vec<(ApplicationId, Submission)>,
    ) -> Result<Vec<Result<Submitted>>>;

    /// The application that a project, key and try number made.
    async fn find(&self, project: &str, key: &str, try_number: u32) -> Result<Option<Application>>;

    /// One application.
    async fn get(&self, id: ApplicationId) -> Result<Option<Application>>;

    /// A page of applications.
    async fn list(&self, query: &ListQuery) -> Result<Listed>;

    /// Events of one application after a sequence number, oldest first.
    async fn events(&self, id: ApplicationId, after: i64, limit: u32) -> Result<Vec<Event>>;

    /// Changes after a sequence number, oldest first, each with its application as it is now.
    async fn changes(&self, filter: &ChangeFilter, after: i64, limit: u32) -> Result<Changes>;

    /// Applies a happening to the current attempt, when it still is number `attempt_number`; to the
    /// application itself when that is `None`. Says whether the state changed; `None` when there is
    /// no such application.
    async fn record(
        &self,
        id: ApplicationId,
        attempt_number: Option<u32>,
        happening: &Happening,
        actor: &'static str,
    ) -> Result<Option<Recorded>>;

    /// Leases applications that are to be launched, oldest first.
    async fn lease_launches(
        &self,
        holder: &str,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Launchable>>;

    /// Gives a launch back after a failure, to be tried again after a pause. Does nothing when the
    /// lease is another's by now.
    async fn postpone_launch(&self, id: ApplicationId, holder: &str, pause: Duration)
    -> Result<()>;

    /// Attempts that may have something in a cluster and have not ended: a page of them, in the
    /// order of their names, after a name.
    async fn live_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<LiveAttempt>>;

    /// The names of those live attempts that are being ended: a page, as above.
    async fn ending_attempts(
        &self,
        cluster: &str,
        after: Option<AttemptName>,
        limit: u32,
    ) -> Result<Vec<AttemptName>>;

    /// Applications of which a deadline has passed at a time, the longest ago first.
    async fn overdue(&self, now: Timestamp, limit: u32) -> Result<Vec<Application>>;

    /// Attempts of final applications that have something left in a cluster.
    async fn due_clean_ups(&self, cluster: &str, limit: u32) -> Result<Vec<CleanUp>>;

    /// Sets an attempt's clean-up, to be looked at after a pause.
    async fn set_clean_up(
        &self,
        id: ApplicationId,
        attempt_number: u32,
        stage: CleanUpStage,
        pause: Duration,
    ) -> Result<()>;

    /// Forgets events that are older than a time; a watch can go on after none of them. Returns how
    /// many.
    async fn prune_events(&self, before: Timestamp) -> Result<u64>;

    /// Forgets audit rows that are older than a time, on PostgreSQL by whole months.
    async fn prune_audit(&self, before: Timestamp) -> Result<()>;

    /// Makes room for what will happen in this and the coming months.
    async fn prepare_months(&self) -> Result<()>;

    /// Takes or renews a named lease; `false` while another holds it.
    async fn take_lease(&self, name: &str, holder: &str, lease: Duration) -> Result<bool>;

    /// How many applications are in each live state.
    async fn live_counts(&self) -> Result<BTreeMap<ApplicationState, i64>>;

    /// Whether the database answers.
    async fn ping(&self) -> Result<()>;

    /// Wakes when this process has written an event. Other replicas' events do not wake it.
    fn written(&self) -> watch::Receiver<i64>;
}

/// The answer to a submission.
#[derive(Debug, Clone, PartialEq)]
pub struct Submitted {
    /// The new application, or the earlier one.
    pub application: Application,
    /// Whether this call made it.
    pub created: bool,
}

/// A page of applications to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only these projects; all when empty.
    pub projects: Vec<String>,
    /// Only these states; all when empty.
    pub states: Vec<ApplicationState>,
    /// Only those for which it holds.
    pub filter: Option<Filter>,
    /// What comes first.
    pub order: Order,
    /// Where the page before ended.
    pub after: Option<Position>,
    /// At most so many.
    pub limit: u32,
}

/// The order of a list. Applications are accepted in the order of their ids.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By acceptance, the newest first.
    #[default]
    NewestFirst,
    /// By acceptance, the oldest first.
    OldestFirst,
    /// By the last change of state, the latest first.
    LastChangedFirst,
    /// By the last change of state, the latest last.
    LastChangedLast,
}

/// Where a page ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The last application that was looked at.
    pub id: ApplicationId,
    /// When its state last changed.
    pub update_time: Timestamp,
}

impl Position {
    /// Right behind an application.
    pub fn of(application: &Application) -> Self {
        Self {
            id: application.id,
            update_time: application.update_time,
        }
    }
}

/// A page of applications.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// The page; it may be short, and even empty, although others follow.
    pub applications: Vec<Application>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<Position>,
}

/// Which changes a watch wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeFilter {
    /// Only this application's.
    pub application_id: Option<ApplicationId>,
    /// Only this project's.
    pub project: Option<String>,
}

/// Changes in the order of their sequence numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// Those that match.
    pub matching: Vec<Change>,
    /// Everything up to this number was looked at.
    pub through: i64,
    /// The last number that was ever given.
    pub last: i64,
    /// Events up to this number are no longer kept.
    pub pruned_through: i64,
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What changed.
    pub event: Event,
    /// The application, at least as new as the event.
    pub application: Application,
}

/// What became of a happening.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The application after it.
    pub application: Application,
    /// The state before, when it changed.
    pub changed_from: Option<ApplicationState>,
}

/// An application that a worker may launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Launchable {
    /// The application.
    pub application: Application,
    /// How often a launch was postponed.
    pub failures: u32,
}

/// A live attempt and what is noted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveAttempt {
    /// Its name.
    pub name: AttemptName,
    /// What is noted.
    pub noted: Noted,
}

/// An attempt with something left in its cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct CleanUp {
    /// The application, which is final.
    pub application: Application,
    /// The attempt.
    pub attempt_number: u32,
    /// What is to be done.
    pub stage: CleanUpStage,
}

/// How far the clean-up of an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CleanUpStage {
    /// Finalizers must go, and the name must stay taken.
    Release,
    /// The object or a tombstone keeps the name for a while.
    Retain,
    /// Nothing is left.
    Done,
}

impl CleanUpStage {
    /// The name, as the database writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "RELEASE",
            Self::Retain => "RETAIN",
            Self::Done => "DONE",
        }
    }
}

/// A call to the store that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The next lower try of the key has not ended.
    #[error("the application {0} of the same key is still live")]
    PredecessorLive(ApplicationId),
    /// A higher try of the key exists.
    #[error("try {highest} of the same key exists already")]
    Overtaken {
        /// The highest.
        highest: u32,
    },
    /// A row holds something that this release cannot read.
    #[error("column {column} cannot be read: {problem}")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// Too much waits to be written.
    #[error("too much waits to be written")]
    Overloaded,
    /// The process is ending.
    #[error("the store has been closed")]
    Stopped,
    /// The transaction that this write shared with others failed.
    #[error("a group of writes failed")]
    Group(#[source] Arc<Self>),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] moka_db::Error),
}

impl Error {
    /// Whether the database did not answer, so that nothing can be said of the write itself.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Database(error) => error.is_retryable(),
            Self::Group(error) => error.is_outage(),
            Self::PredecessorLive(_)
            | Self::Overtaken { .. }
            | Self::Corrupt { .. }
            | Self::Overloaded
            | Self::Stopped => false,
        }
    }
}

/// What the store's methods answer.
pub type Result<T> = std::result::Result<T, Error>;

impl moka_db::TransactionError for Error {
    fn database_error(&self) -> Option<&moka_db::Error> {
        match self {
            Self::Database(error) => Some(error),
            Self::Group(error) => error.database_error(),
            Self::PredecessorLive(_)
            | Self::Overtaken { .. }
            | Self::Corrupt { .. }
            | Self::Overloaded
            | Self::Stopped => None,
        }
    }
}

impl From<Error> for PublicError {
    fn from(error: Error) -> Self {
        match error {
            Error::PredecessorLive(_) => {
                let message = error.to_string();
                Self::new(ErrorReason::PredecessorLive, message)
            }
            Error::Overtaken { highest } => {
                let rule = format!("must be above {highest}, which was submitted already");
                Self::new(ErrorReason::IdempotencyConflict, error.to_string())
                    .with_field("try_number", rule)
            }
            Error::Overloaded => {
                let message = "too much waits to be written; try again";
                Self::new(ErrorReason::Overloaded, message).retry_after(OVERLOAD_PAUSE)
            }
            Error::Stopped => Self::new(
                ErrorReason::StoreUnavailable,
                "the process is ending; try again",
            )
            .retry_after(OVERLOAD_PAUSE),
            Error::Group(error) if error.is_outage() => Self::new(
                ErrorReason::StoreUnavailable,
                "the database does not answer; try again",
            )
            .retry_after(OVERLOAD_PAUSE),
            Error::Group(_) | Error::Corrupt { .. } => Self::new(
                ErrorReason::Internal,
                "an internal error; the log has the details",
            ),
            Error::Database(error) => error.into(),
        }
    }
}
