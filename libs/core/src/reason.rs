//! The closed list of reasons that a caller can meet.

/// Where an error belongs in gRPC's list of codes. The mapping to `tonic::Code` is in `moka-rpc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request can never succeed as it is.
    InvalidArgument,
    /// The thing asked for does not exist.
    NotFound,
    /// The thing to create exists already, and is another one.
    AlreadyExists,
    /// The state of the system forbids it now.
    FailedPrecondition,
    /// A cursor lies outside what is kept.
    OutOfRange,
    /// A limit on load or size is reached.
    ResourceExhausted,
    /// Something this service needs does not answer; trying again helps.
    Unavailable,
    /// The caller's time ran out.
    DeadlineExceeded,
    /// Another write came in between.
    Aborted,
    /// A defect of ours.
    Internal,
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal => $code:ident,)*) => {
        /// Why a call failed, as `google.rpc.ErrorInfo.reason` tells it (domain `moka`). The same list
        /// stands in `proto/moka/common/v1/error_reason.proto` and has a heading each in `docs/errors.md`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorReason {
            $($(#[doc = $doc])* $variant,)*
        }

        impl ErrorReason {
            /// Every reason, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The kind of error.
            pub fn code(self) -> ErrorCode {
                match self { $(Self::$variant => ErrorCode::$code,)* }
            }
        }
    };
}

reasons! {
    /// A field has a value that is not allowed; the violations name it and the limit.
    InvalidField = "INVALID_FIELD" => InvalidArgument,
    /// The queue does not exist, or is no leaf.
    UnknownQueue = "UNKNOWN_QUEUE" => InvalidArgument,
    /// A page token is damaged or belongs to another request.
    InvalidPageToken = "INVALID_PAGE_TOKEN" => InvalidArgument,
    /// A cursor is damaged or belongs to another stream.
    InvalidCursor = "INVALID_CURSOR" => InvalidArgument,
    /// No application has this id.
    ApplicationNotFound = "APPLICATION_NOT_FOUND" => NotFound,
    /// The application has no such log stream.
    LogStreamNotFound = "LOG_STREAM_NOT_FOUND" => NotFound,
    /// The application's event log has not been indexed, or has none.
    HistoryNotFound = "HISTORY_NOT_FOUND" => NotFound,
    /// The idempotency key was used for another request.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT" => AlreadyExists,
    /// A lower try of the same key is still live.
    PredecessorLive = "PREDECESSOR_LIVE" => FailedPrecondition,
    /// The whole gang is larger than the queue may ever hold.
    GangExceedsQueue = "GANG_EXCEEDS_QUEUE" => FailedPrecondition,
    /// The cursor is older than the events that are kept; start from a snapshot.
    CursorExpired = "CURSOR_EXPIRED" => OutOfRange,
    /// Too many requests at once.
    Overloaded = "OVERLOADED" => ResourceExhausted,
    /// No cluster can take the application now.
    NoClusterAvailable = "NO_CLUSTER_AVAILABLE" => Unavailable,
    /// The queue tree has not been read yet.
    QueueTreeUnknown = "QUEUE_TREE_UNKNOWN" => Unavailable,
    /// The database does not answer.
    StoreUnavailable = "STORE_UNAVAILABLE" => Unavailable,
    /// The object store does not answer.
    ObjectStoreUnavailable = "OBJECT_STORE_UNAVAILABLE" => Unavailable,
    /// A cluster's API server does not answer.
    ClusterUnavailable = "CLUSTER_UNAVAILABLE" => Unavailable,
    /// `YuniKorn` does not answer.
    SchedulerUnavailable = "SCHEDULER_UNAVAILABLE" => Unavailable,
    /// Another service of the mesh does not answer.
    PeerUnavailable = "PEER_UNAVAILABLE" => Unavailable,
    /// The deadline passed before the answer was ready.
    DeadlineExceeded = "DEADLINE_EXCEEDED" => DeadlineExceeded,
    /// A defect; the log has the details.
    Internal = "INTERNAL" => Internal,
    /// The filter or the order of a list is not well formed.
    InvalidFilter = "INVALID_FILTER" => InvalidArgument,
    /// The project's policy does not allow the request.
    PolicyViolation = "POLICY_VIOLATION" => FailedPrecondition,
    /// The application has not ended.
    ApplicationLive = "APPLICATION_LIVE" => FailedPrecondition,
    /// No cluster of the fleet has this name.
    ClusterNotFound = "CLUSTER_NOT_FOUND" => NotFound,
    /// Something of applications is left in the cluster.
    ClusterNotEmpty = "CLUSTER_NOT_EMPTY" => FailedPrecondition,
    /// The project has no rules.
    ProjectNotFound = "PROJECT_NOT_FOUND" => NotFound,
    /// The workflow has no strategy.
    StrategyNotFound = "STRATEGY_NOT_FOUND" => NotFound,
    /// Another one of this name exists already.
    ResourceExists = "RESOURCE_EXISTS" => AlreadyExists,
    /// Somebody else wrote it since it was read.
    RevisionConflict = "REVISION_CONFLICT" => Aborted,
    /// The logs were there and have been deleted, by policy or on request.
    LogsDeleted = "LOGS_DELETED" => NotFound,
    /// A legal hold on the application's logs forbids to delete them.
    LegalHold = "LEGAL_HOLD" => FailedPrecondition,
}
