//! One line of an event log, typed. Strings are borrowed from the line where they have no escapes,
//! and what is not folded (accumulables, stack traces) is skipped without being built.

pub mod executor;
pub mod job;
pub mod stage;
pub mod task;

use std::borrow::Cow;

use serde::Deserialize;

pub use self::{
    executor::{
        BlockManagerAdded, BlockUpdated, ExecutorAdded, ExecutorExclusion, ExecutorMetricsUpdate,
        ExecutorRemoved, ResourceProfileAdded, StageExclusion, StageExecutorMetrics, UnpersistRdd,
    },
    job::{JobEnd, JobResult, JobStart},
    stage::{StageCompleted, StageInfo, StageSubmitted},
    task::{TaskEnd, TaskStart},
};

/// An event that the index folds, or what it is otherwise.
#[derive(Debug)]
pub enum Event<'a> {
    /// The log's first line.
    LogStart(LogStart<'a>),
    /// The application has a name and an id.
    ApplicationStart(ApplicationStart<'a>),
    /// The application's own last word.
    ApplicationEnd(ApplicationEnd),
    /// How many CPUs a task needs.
    ResourceProfileAdded(ResourceProfileAdded),
    /// An executor registered.
    ExecutorAdded(ExecutorAdded<'a>),
    /// An executor is gone.
    ExecutorRemoved(ExecutorRemoved<'a>),
    /// An executor, or the driver, offers memory.
    BlockManagerAdded(BlockManagerAdded<'a>),
    /// A block came, moved or went.
    BlockUpdated(BlockUpdated<'a>),
    /// All blocks of an RDD went.
    UnpersistRdd(UnpersistRdd),
    /// An executor is excluded from scheduling, or included again.
    ExecutorExclusion(ExecutorExclusion<'a>),
    /// An executor is excluded from scheduling for one stage.
    StageExclusion(StageExclusion<'a>),
    /// A job was submitted.
    JobStart(Box<JobStart<'a>>),
    /// A job ended.
    JobEnd(JobEnd<'a>),
    /// A stage attempt was submitted.
    StageSubmitted(Box<StageSubmitted<'a>>),
    /// A stage attempt ended.
    StageCompleted(Box<StageCompleted<'a>>),
    /// A task attempt was launched.
    TaskStart(TaskStart<'a>),
    /// A task attempt ended.
    TaskEnd(Box<TaskEnd<'a>>),
    /// Peaks that an executor reported with its heartbeat.
    ExecutorMetricsUpdate(ExecutorMetricsUpdate<'a>),
    /// Peaks of an executor during a stage.
    StageExecutorMetrics(StageExecutorMetrics<'a>),
    /// A known event that tells nothing which is served.
    Ignored,
    /// An event that this release does not know.
    Unknown,
}

/// `SparkListenerLogStart`.
#[derive(Debug, Deserialize)]
pub struct LogStart<'a> {
    /// Version of the Spark that wrote the log.
    #[serde(borrow, rename = "Spark Version")]
    pub spark_version: Cow<'a, str>,
}

/// `SparkListenerApplicationStart`.
#[derive(Debug, Deserialize)]
pub struct ApplicationStart<'a> {
    /// The name that the application gave itself.
    #[serde(borrow, rename = "App Name")]
    pub name: Cow<'a, str>,
    /// Spark's id; very old logs have none.
    #[serde(borrow, default, rename = "App ID")]
    pub id: Option<Cow<'a, str>>,
    /// Milliseconds since the epoch.
    #[serde(rename = "Timestamp")]
    pub time: i64,
    /// The user that Spark runs as.
    #[serde(borrow, rename = "User")]
    pub user: Cow<'a, str>,
    /// Spark's own attempt, which only YARN gives.
    #[serde(borrow, default, rename = "App Attempt ID")]
    pub attempt_id: Option<Cow<'a, str>>,
    /// Where the driver's logs are.
    #[serde(default, rename = "Driver Logs")]
    pub driver_logs: Option<std::collections::BTreeMap<String, String>>,
    /// The driver's attributes.
    #[serde(default, rename = "Driver Attributes")]
    pub driver_attributes: Option<std::collections::BTreeMap<String, String>>,
}

/// `SparkListenerApplicationEnd`.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ApplicationEnd {
    /// Milliseconds since the epoch.
    #[serde(rename = "Timestamp")]
    pub time: i64,
    /// Exit code of the driver; from Spark 4 on.
    #[serde(default, rename = "ExitCode")]
    pub exit_code: Option<i32>,
}

/// Reads one line, without its newline.
///
/// # Errors
/// When the line is not the JSON object that its event's name promises.
pub fn parse(line: &[u8]) -> Result<Event<'_>, serde_json::Error> {
    let name = event_name(line)?;
    let name = name.strip_prefix("SparkListener").unwrap_or(&name);
    Ok(match name {
        "TaskEnd" => Event::TaskEnd(read(line)?),
        "TaskStart" => Event::TaskStart(read(line)?),
        "StageSubmitted" => Event::StageSubmitted(read(line)?),
        "StageCompleted" => Event::StageCompleted(read(line)?),
        "JobStart" => Event::JobStart(read(line)?),
        "JobEnd" => Event::JobEnd(read(line)?),
        "BlockUpdated" => Event::BlockUpdated(read(line)?),
        "StageExecutorMetrics" => Event::StageExecutorMetrics(read(line)?),
        "ExecutorMetricsUpdate" => Event::ExecutorMetricsUpdate(read(line)?),
        "ExecutorAdded" => Event::ExecutorAdded(read(line)?),
        "ExecutorRemoved" => Event::ExecutorRemoved(read(line)?),
        "BlockManagerAdded" => Event::BlockManagerAdded(read(line)?),
        "UnpersistRDD" => Event::UnpersistRdd(read(line)?),
        "ExecutorExcluded" | "ExecutorBlacklisted" => exclusion(line, true)?,
        "ExecutorUnexcluded" | "ExecutorUnblacklisted" => exclusion(line, false)?,
        "ExecutorExcludedForStage" | "ExecutorBlacklistedForStage" => {
            Event::StageExclusion(read(line)?)
        }
        "ResourceProfileAdded" => Event::ResourceProfileAdded(read(line)?),
        "LogStart" => Event::LogStart(read(line)?),
        "ApplicationStart" => Event::ApplicationStart(read(line)?),
        "ApplicationEnd" => Event::ApplicationEnd(read(line)?),
        name if is_ignored(name) => {
            read::<serde::de::IgnoredAny>(line)?;
            Event::Ignored
        }
        _ => {
            read::<serde::de::IgnoredAny>(line)?;
            Event::Unknown
        }
    })
}

fn exclusion(line: &[u8], excluded: bool) -> Result<Event<'_>, serde_json::Error> {
    let exclusion = read::<ExecutorExclusion<'_>>(line)?;
    Ok(Event::ExecutorExclusion(ExecutorExclusion {
        excluded,
        ..exclusion
    }))
}

fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Spark writes the name first and without a space; other writers may not.
fn event_name(line: &[u8]) -> Result<Cow<'_, str>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow, rename = "Event")]
        event: Cow<'a, str>,
    }

    let quick = line.strip_prefix(b"{\"Event\":\"").and_then(|rest| {
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        (rest[end] == b'"').then(|| std::str::from_utf8(&rest[..end]).ok())?
    });
    match quick {
        Some(name) => Ok(Cow::Borrowed(name)),
        None => Ok(read::<Named<'_>>(line)?.event),
    }
}

/// Events that are understood and tell nothing that is served yet.
fn is_ignored(name: &str) -> bool {
    matches!(
        name,
        "EnvironmentUpdate"
            | "BlockManagerRemoved"
            | "TaskGettingResult"
            | "SpeculativeTaskSubmitted"
            | "UnschedulableTaskSetAdded"
            | "UnschedulableTaskSetRemoved"
            | "MiscellaneousProcessAdded"
            | "NodeExcluded"
            | "NodeUnexcluded"
            | "NodeExcludedForStage"
            | "NodeBlacklisted"
            | "NodeUnblacklisted"
            | "NodeBlacklistedForStage"
    ) || name.starts_with("org.apache.spark.sql.")
        || name.starts_with("org.apache.spark.streaming.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }

        #[test]
        fn a_cut_line_is_refused(cut in 1_usize..76) {
            let line = br#"{"Event":"SparkListenerApplicationEnd","Timestamp":1795176453969,"ExitCode":0}"#;
            prop_assert!(parse(&line[..cut]).is_err());
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        for line in [
            r#"{"Event":"SparkListenerApplicationEnd","Timestamp":5}"#,
            r#"{ "Timestamp": 5, "Event": "SparkListenerApplicationEnd" }"#,
        ] {
            let Event::ApplicationEnd(end) = parse(line.as_bytes()).unwrap() else {
                panic!("{line}")
            };
            assert_eq!((end.time, end.exit_code), (5, None));
        }
    }

    #[test]
    fn known_and_unknown_events_are_told_apart() {
        let sql = br#"{"Event":"org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd"}"#;
        assert!(matches!(parse(sql), Ok(Event::Ignored)));
        let other = br#"{"Event":"com.example.Listener","x":[1,{"y":2}]}"#;
        assert!(matches!(parse(other), Ok(Event::Unknown)));
        assert!(parse(b"{\"x\":1}").is_err());
        assert!(parse(b"").is_err());
    }
}
