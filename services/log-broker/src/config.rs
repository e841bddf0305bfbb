//! Options.

mod retention;

use std::{net::SocketAddr, time::Duration};

use clap::Args;

pub use self::retention::RetentionOptions;
use crate::{cluster::ClusterAccess, domain::keys::KeyTemplate};

const CONTAINER_KEYS: &str = "logs/{shard}/{application}/{attempt}/containers/{pod}/{container}/";
const EVENT_KEYS: &str = "logs/{shard}/{application}/{attempt}/events/{file}/";

/// Options of log-broker.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "By hand: `moka-log-broker assemble --help` and `moka-log-broker cat --help`."
)]
pub struct Config {
    /// Address of the gRPC port.
    #[arg(
        long,
        env = "MOKA_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7403"
    )]
    pub listen: SocketAddr,

    /// Where submission answers; it tells which applications there are.
    #[arg(
        long,
        env = "MOKA_SUBMISSION_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7401"
    )]
    pub submission_url: String,

    /// The object store: raw records are read from it, assembled event logs written to it. A
    /// directory, `file:///var/lib/moka/objects`, or a bucket,
    /// `s3://moka?endpoint=http://s3:9000&path_style=true&region=us-east-1`, with credentials in
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    #[arg(
        long,
        env = "MOKA_OBJECTS_URL",
        value_name = "URL",
        default_value = "file:///var/lib/moka/objects"
    )]
    pub objects_url: String,

    /// Clusters whose pods' logs are read live, `name=in-cluster` or `name=<kubeconfig>`,
    /// separated by commas. Without any, logs come from the object store only.
    #[arg(
        long,
        env = "MOKA_CLUSTERS",
        value_name = "NAME=ACCESS",
        value_delimiter = ','
    )]
    pub clusters: Vec<ClusterAccess>,

    /// Keys of raw objects of containers' outputs.
    #[arg(long, env = "MOKA_CONTAINER_KEYS", value_name = "TEMPLATE", default_value = CONTAINER_KEYS)]
    pub container_keys: KeyTemplate,

    /// Keys of raw objects of event logs.
    #[arg(long, env = "MOKA_EVENT_KEYS", value_name = "TEMPLATE", default_value = EVENT_KEYS)]
    pub event_keys: KeyTemplate,

    /// How long to wait between two looks at the raw objects of an attempt, in seconds.
    #[arg(
        long,
        env = "MOKA_ASSEMBLY_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub assembly_interval_seconds: u64,

    /// A chunk of an event log is published after this time at the latest, in seconds.
    #[arg(
        long,
        env = "MOKA_CHUNK_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    pub chunk_interval_seconds: u64,

    /// A chunk of an event log is published at this size, in bytes; at most 32 MiB.
    #[arg(
        long,
        env = "MOKA_CHUNK_BYTES",
        value_name = "BYTES",
        default_value_t = 8 << 20,
        value_parser = clap::value_parser!(u64).range(1..=32 << 20)
    )]
    pub chunk_bytes: u64,

    /// After the end of an attempt its logs count as whole when nothing new came for this time, in
    /// seconds. It should be longer than the shipper keeps lines back.
    #[arg(
        long,
        env = "MOKA_SETTLE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10
    )]
    pub settle_seconds: u64,

    /// How long a reader waits at a gap in the archive before it counts as lost, in seconds.
    #[arg(
        long,
        env = "MOKA_GAP_WAIT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60
    )]
    pub gap_wait_seconds: u64,

    /// How long after its end an attempt's event log is still looked after, in seconds.
    #[arg(
        long,
        env = "MOKA_LATE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3600
    )]
    pub late_seconds: u64,

    /// Whether the event log of a driver that was killed gets an end of our own, so that a History
    /// Server lists it as completed.
    #[arg(
        long,
        env = "MOKA_SYNTHETIC_END",
        value_name = "BOOL",
        default_value_t = true,
        action = clap::ArgAction::Set
    )]
    pub synthetic_end: bool,

    /// How often a follower looks for new lines, in milliseconds.
    #[arg(
        long,
        env = "MOKA_FOLLOW_INTERVAL_MILLISECONDS",
        value_name = "MILLISECONDS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub follow_interval_milliseconds: u64,

    /// How many `FollowLog` calls may be open at a time; more are refused as `OVERLOADED`.
    #[arg(
        long,
        env = "MOKA_FOLLOWER_LIMIT",
        value_name = "COUNT",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub follower_limit: u32,

    /// How many `DownloadLog` calls may be open at a time; more are refused as `OVERLOADED`. Each
    /// keeps the lines of one raw object in memory.
    #[arg(
        long,
        env = "MOKA_DOWNLOAD_LIMIT",
        value_name = "COUNT",
        default_value_t = 16,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub download_limit: u32,

    /// How many `SearchLog` calls may run at a time; more are refused as `OVERLOADED`. Each keeps
    /// at most three raw objects in memory.
    #[arg(
        long,
        env = "MOKA_SEARCH_LIMIT",
        value_name = "COUNT",
        default_value_t = 4,
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub search_limit: u32,

    /// Memory for raw objects that were read, in bytes; the same again for indexes of streams at
    /// most.
    #[arg(
        long,
        env = "MOKA_CACHE_BYTES",
        value_name = "BYTES",
        default_value_t = 128 << 20
    )]
    pub cache_bytes: usize,

    /// How long logs are kept.
    #[command(flatten)]
    pub retention: RetentionOptions,
}

/// A number of seconds.
pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}
