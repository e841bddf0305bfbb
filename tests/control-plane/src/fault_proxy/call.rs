//! What calls are for, and what may happen to them.

use axum::{
    extract::Request,
    http::{Method, StatusCode},
};

/// The label of a tombstone.
const TOMBSTONE: &str = "moka.dev/tombstone";

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The creation of a SparkApplication.
    Create,
    /// The creation of a tombstone.
    Tombstone,
    /// The reading of one SparkApplication.
    Read,
    /// The reading of one pod.
    ReadDriver,
    /// The deletion of a SparkApplication.
    Stop,
    /// The deletion of a pod.
    StopDriver,
    /// The removal of the driver's finalizer.
    ReleaseDriver,
    /// The removal of a SparkApplication's finalizer.
    ReleaseObject,
    /// The removal of either finalizer.
    Release,
    /// A list of SparkApplications.
    List,
    /// A list of pods.
    ListDrivers,
    /// A watch.
    Watch,
}

impl Call {
    /// Whether a request is of this kind.
    pub(super) fn is(self, request: &Request, body: &[u8]) -> bool {
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let is_watch = query.split('&').any(|one| one == "watch=true");
        let is_object = path.contains("/sparkapplications/");
        let is_pod = path.contains("/pods/") && !path.ends_with("/log");
        let is_tombstone = || {
            let mark = TOMBSTONE.as_bytes();
            body.windows(mark.len()).any(|part| part == mark)
        };
        let is_creation = *request.method() == Method::POST && path.ends_with("/sparkapplications");
        let reads = *request.method() == Method::GET && !is_watch;
        let deletes = *request.method() == Method::DELETE;
        let patches = *request.method() == Method::PATCH;
        match self {
            Self::Create => is_creation && !is_tombstone(),
            Self::Tombstone => is_creation && is_tombstone(),
            Self::Read => reads && is_object,
            Self::ReadDriver => reads && is_pod,
            Self::Stop => deletes && is_object,
            Self::StopDriver => deletes && is_pod,
            Self::ReleaseDriver => patches && is_pod,
            Self::ReleaseObject => patches && is_object,
            Self::Release => patches && (is_object || is_pod),
            Self::List => reads && path.ends_with("/sparkapplications"),
            Self::ListDrivers => reads && path.ends_with("/pods"),
            Self::Watch => *request.method() == Method::GET && is_watch,
        }
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches the API server, and is never answered: the service dies before it.
    BeforeCreate,
    /// The API server carries it out, and the answer is never given: the service dies after it.
    AfterCreate,
    /// The API server carries it out, and the connection breaks in the middle of the answer.
    Reset,
    /// The API server never sees it; the proxy answers with this status, as an overloaded server
    /// does.
    Refuse(StatusCode),
    /// What a watch is told when the API server has forgotten where it stopped.
    Gone,
    /// It is under way until it is let go, also when nobody waits for its answer any more.
    Delay,
}
