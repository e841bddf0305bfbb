//! Options of the service.

use std::{net::SocketAddr, time::Duration};

/// What the service needs to know. Options of every process (admin port, log, shutdown) come from
/// `moka-process`.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Address of the gRPC port.
    #[arg(
        long,
        env = "MOKA_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7404"
    )]
    pub listen: SocketAddr,

    /// Address of the REST port, which answers as Spark History Server does under /api/v1.
    #[arg(
        long,
        env = "MOKA_REST_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7480"
    )]
    pub rest_listen: SocketAddr,

    /// Database of the catalogue: `sqlite:<path>` for one replica, `postgres://…` for many.
    #[arg(
        long,
        env = "MOKA_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite:history-index.sqlite",
        hide_env_values = true
    )]
    pub database_url: String,

    /// Object store with the assembled event logs: `file:///path` or `s3://bucket?endpoint=…&region=…`.
    #[arg(
        long,
        env = "MOKA_OBJECTS_URL",
        value_name = "URL",
        default_value = "file:///var/lib/moka/objects"
    )]
    pub objects_url: String,

    /// Where submission is; it tells which applications exist.
    #[arg(
        long,
        env = "MOKA_SUBMISSION_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7401"
    )]
    pub submission_url: String,

    /// How often the log of a running application is looked at, in seconds; logs that stand still
    /// are looked at less often, down to every 5 minutes once submission knows that the
    /// application has ended.
    #[arg(
        long,
        env = "MOKA_POLL_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub poll_interval_seconds: u64,

    /// How long after an application's end its log may stay unfinished before it is looked at no
    /// more, in seconds.
    #[arg(
        long,
        env = "MOKA_ABANDON_AFTER_SECONDS",
        value_name = "SECONDS",
        default_value_t = 604_800,
        value_parser = clap::value_parser!(u64).range(60..=31_536_000)
    )]
    pub abandon_after_seconds: u64,
}

impl Config {
    /// How often a log that grows is looked at.
    pub fn poll_interval(&self) -> Duration {
        Duration::from_secs(self.poll_interval_seconds)
    }

    /// When an unfinished log is given up.
    pub fn abandon_after(&self) -> Duration {
        Duration::from_secs(self.abandon_after_seconds)
    }
}
