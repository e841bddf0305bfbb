//! Why a sample does not reach the agent.

/// The closed list, for metrics and for `GetSink`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Its line in the answer of the endpoint cannot be read.
    Malformed,
    /// NaN or an infinity, which OpenTSDB refuses. Prometheus's staleness marker is a NaN.
    NotFinite,
    /// Its time is not a positive number of seconds that OpenTSDB takes.
    Timestamp,
    /// Spark writes every gauge twice; this is the other one.
    Duplicate,
    /// Another sample of the same scrape has the same name, tags and time.
    SeriesCollision,
    /// The line would be longer than OpenTSDB reads.
    LineTooLong,
    /// The agent took no lines for so long that the buffer was full; the oldest went.
    BufferFull,
    /// The process ended before the agent took it.
    Unsent,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Malformed,
        Self::NotFinite,
        Self::Timestamp,
        Self::Duplicate,
        Self::SeriesCollision,
        Self::LineTooLong,
        Self::BufferFull,
        Self::Unsent,
    ];

    /// The name in metrics and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::NotFinite => "not_finite",
            Self::Timestamp => "timestamp",
            Self::Duplicate => "duplicate",
            Self::SeriesCollision => "series_collision",
            Self::LineTooLong => "line_too_long",
            Self::BufferFull => "buffer_full",
            Self::Unsent => "unsent",
        }
    }
}
