//! Names of streams.

use std::fmt;

use moka_core::AttemptName;

/// What kind of file a stream is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// A container's output: CRI lines in files that are rotated.
    Container,
    /// A driver's event log: one file that only grows.
    EventLog,
}

/// Which of an attempt's streams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A container's output.
    Container {
        /// The pod's name.
        pod: String,
        /// The container's name.
        container: String,
    },
    /// An event log.
    EventLog {
        /// The file's name, without `.inprogress`.
        file: String,
    },
}

impl Source {
    /// Its kind.
    pub fn kind(&self) -> StreamKind {
        match self {
            Self::Container { .. } => StreamKind::Container,
            Self::EventLog { .. } => StreamKind::EventLog,
        }
    }
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName {
    /// Whose it is.
    pub attempt: AttemptName,
    /// Which.
    pub source: Source,
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Container { pod, container } => {
                write!(f, "{}/containers/{pod}/{container}", self.attempt)
            }
            Source::EventLog { file } => write!(f, "{}/events/{file}", self.attempt),
        }
    }
}

/// A path as it was before its file was rotated or finished: the kubelet renames `0.log` to
/// `0.log.<time>`, Spark takes `.inprogress` away.
pub fn original_path(path: &str) -> &str {
    let path = path.strip_suffix(".inprogress").unwrap_or(path);
    match path.rfind(".log.") {
        Some(position) if path[position + 5..].starts_with(|c: char| c.is_ascii_digit()) => {
            &path[..position + 4]
        }
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamed_files_keep_their_path() {
        for (path, expected) in [
            ("/p/0.log", "/p/0.log"),
            ("/p/0.log.20261120-132229", "/p/0.log"),
            ("/p/0.log.20261120-132229.gz", "/p/0.log"),
            ("/p/a.log.b", "/p/a.log.b"),
            ("/e/spark-1.inprogress", "/e/spark-1"),
        ] {
            assert_eq!(original_path(path), expected);
        }
    }
}
