//! How an attempt ended.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How much of the driver's log an exit keeps.
pub const LOG_TAIL_BYTES: usize = 4096;
/// How long an exit's message may be.
const MESSAGE_BYTES: usize = 1024;

/// How an attempt ended.
#[expect(
    clippy::struct_field_names,
    reason = "an exit code is called exit code everywhere"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// What kind of end it was.
    pub category: ExitCategory,
    /// The driver container's exit code, when a container ended.
    pub exit_code: Option<i32>,
    /// One sentence.
    pub message: String,
    /// The last lines of the driver's log, at most [`LOG_TAIL_BYTES`].
    pub log_tail: String,
}

impl Exit {
    /// An end without a container that ended.
    pub fn without_container(category: ExitCategory, message: impl Into<String>) -> Self {
        Self {
            category,
            exit_code: None,
            message: shorten(&message.into()),
            log_tail: String::new(),
        }
    }
}

/// A message as it is stored: one line of a bounded length.
pub fn shorten(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.len() <= MESSAGE_BYTES {
        return line;
    }
    let mut end = MESSAGE_BYTES - '…'.len_utf8();
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &line[..end])
}

/// The last whole lines of a log that fit into [`LOG_TAIL_BYTES`]; of a line that is longer, its
/// end.
pub fn tail_of(log: &str) -> String {
    let log = log.trim_end();
    if log.len() <= LOG_TAIL_BYTES {
        return log.to_owned();
    }
    let mut start = log.len() - LOG_TAIL_BYTES;
    while !log.is_char_boundary(start) {
        start += 1;
    }
    let cut = &log[start..];
    let whole_lines = cut.split_once('\n').map_or(cut, |(_torn, rest)| rest);
    whole_lines.to_owned()
}

macro_rules! categories {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*) => {
        /// What kind of end an attempt had.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        pub enum ExitCategory {
            $($(#[doc = $doc])* $variant,)*
        }

        impl ExitCategory {
            /// Every category.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name, as the database writes it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

categories! {
    /// The driver ended with exit code 0.
    Success = "SUCCESS",
    /// The application's own code failed.
    UserError = "USER_ERROR",
    /// The driver exceeded its memory.
    DriverOutOfMemory = "DRIVER_OUT_OF_MEMORY",
    /// The image could not be pulled.
    Image = "IMAGE",
    /// `YuniKorn` refused the gang, or the queue could not hold it.
    Quota = "QUOTA",
    /// The driver was evicted or preempted.
    Preempted = "PREEMPTED",
    /// The driver's node went away.
    NodeLost = "NODE_LOST",
    /// The cluster or the operator refused the launch.
    LaunchRefused = "LAUNCH_REFUSED",
    /// Somebody deleted it in the cluster.
    Deleted = "DELETED",
    /// It was cancelled through the API.
    Cancelled = "CANCELLED",
    /// None of the others, or not to be found out.
    Unknown = "UNKNOWN",
    /// An executor exceeded its memory, and the application failed of it.
    ExecutorOutOfMemory = "EXECUTOR_OUT_OF_MEMORY",
    /// A deadline of the request passed.
    Deadline = "DEADLINE",
    /// Its name is fenced, and another attempt goes elsewhere. It never ran.
    Rerouted = "REROUTED",
}

/// The text names no category.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no exit category")]
pub struct ParseCategoryError {
    text: String,
}

impl FromStr for ExitCategory {
    type Err = ParseCategoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|category| category.as_str() == text);
        found.copied().ok_or_else(|| ParseCategoryError {
            text: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_tail_is_the_end_of_the_log_and_fits(log in "[a-zä\n]{0,6000}") {
            let tail = tail_of(&log);
            prop_assert!(tail.len() <= LOG_TAIL_BYTES);
            prop_assert!(log.trim_end().ends_with(&tail));
        }

        #[test]
        fn a_message_is_one_bounded_line(message in "\\PC{0,3000}") {
            let short = shorten(&message);
            prop_assert!(short.len() <= MESSAGE_BYTES);
            prop_assert!(!short.contains('\n'));
        }
    }

    #[test]
    fn a_tail_begins_at_a_line() {
        let log = format!("torn{}\nwhole\n", "x".repeat(LOG_TAIL_BYTES));
        assert_eq!(tail_of(&log), "whole");
    }

    #[test]
    fn categories_read_back() {
        for category in ExitCategory::ALL {
            assert_eq!(category.as_str().parse(), Ok(*category));
        }
    }
}
