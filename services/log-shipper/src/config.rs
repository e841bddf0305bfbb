//! Options.

use std::path::PathBuf;

use clap::{ArgAction, Args, value_parser};

use crate::domain::ClusterName;

/// Options of the log shipper.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Directory of the kubelet's container logs,
    /// `<namespace>_<pod>_<uid>/<container>/<restart>.log`.
    #[arg(
        long,
        env = "MOKA_PODS_LOG_DIR",
        value_name = "DIRECTORY",
        default_value = "/var/log/pods"
    )]
    pub pods_log_dir: PathBuf,

    /// Directory of the drivers' event logs, `<attempt>/<file>`; created with mode 1777 when
    /// absent.
    #[arg(
        long,
        env = "MOKA_EVENTS_DIR",
        value_name = "DIRECTORY",
        default_value = "/var/lib/moka/events"
    )]
    pub events_dir: PathBuf,

    /// Directory for the offsets of what is shipped; must survive restarts.
    #[arg(
        long,
        env = "MOKA_STATE_DIR",
        value_name = "DIRECTORY",
        default_value = "/var/lib/moka/log-shipper"
    )]
    pub state_dir: PathBuf,

    /// Object store that takes the records: `file:///<directory>`,
    /// `s3://<bucket>[?endpoint=<url>]` or `memory:`.
    #[arg(
        long,
        env = "MOKA_OBJECTS_URL",
        value_name = "URL",
        default_value = "file:///var/lib/moka/objects"
    )]
    pub objects_url: String,

    /// Name of the cluster that this node is in, a DNS label; stands in keys and records.
    #[arg(
        long,
        env = "MOKA_CLUSTER",
        value_name = "NAME",
        default_value = "local"
    )]
    pub cluster: ClusterName,

    /// Whether to ship the logs of pods that belong to no application.
    #[arg(
        long,
        env = "MOKA_SHIP_SYSTEM_PODS",
        value_name = "BOOL",
        action = ArgAction::Set,
        default_value_t = true
    )]
    pub ship_system_pods: bool,

    /// How often to look for new files and new lines, in milliseconds.
    #[arg(
        long,
        env = "MOKA_SCAN_INTERVAL_MILLISECONDS",
        value_name = "MILLISECONDS",
        default_value_t = 250,
        value_parser = value_parser!(u64).range(10..=5_000)
    )]
    pub scan_interval_milliseconds: u64,

    /// Longest that a complete line waits for others before it is shipped, in seconds.
    #[arg(
        long,
        env = "MOKA_FLUSH_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 2,
        value_parser = value_parser!(u64).range(0..=3_600)
    )]
    pub flush_interval_seconds: u64,

    /// Bytes of a stream that are shipped without waiting, and as one object.
    #[arg(
        long,
        env = "MOKA_BATCH_BYTES",
        value_name = "BYTES",
        default_value_t = 4 << 20,
        value_parser = value_parser!(u64).range(1..=16 << 20)
    )]
    pub batch_bytes: u64,

    /// Uploads at the same time; each holds one batch in memory.
    #[arg(
        long,
        env = "MOKA_UPLOAD_CONCURRENCY",
        value_name = "COUNT",
        default_value_t = 4,
        value_parser = value_parser!(u16).range(1..=64)
    )]
    pub upload_concurrency: u16,

    /// How long one upload may take before it counts as failed, in seconds.
    #[arg(
        long,
        env = "MOKA_UPLOAD_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = value_parser!(u64).range(1..=600)
    )]
    pub upload_timeout_seconds: u64,

    /// Most that batches may take on the state directory's disk while the store is away, in bytes.
    /// The marks of what is lost beyond it may take a sixteenth more.
    #[arg(
        long,
        env = "MOKA_SPOOL_BYTES",
        value_name = "BYTES",
        default_value_t = 1 << 30,
        value_parser = value_parser!(u64).range(1 << 20..=1 << 40)
    )]
    pub spool_bytes: u64,

    /// How long a shipped event log stays on the node after its last growth, in seconds.
    #[arg(
        long,
        env = "MOKA_EVENT_LOG_RETENTION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 24 * 60 * 60,
        value_parser = value_parser!(u64).range(1..=10 * 365 * 24 * 60 * 60)
    )]
    pub event_log_retention_seconds: u64,
}
