//! Options of the exporter.

mod names;

use std::net::SocketAddr;

use clap::Args;
use reqwest::Url;

pub use self::names::Names;
use crate::{domain::mapping::StaticTags, sink::SinkAddress};

/// Options of the metrics exporter.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the gRPC port.
    #[arg(
        long,
        env = "MOKA_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7405"
    )]
    pub listen: SocketAddr,

    /// The Prometheus endpoints to scrape, such as `http://127.0.0.1:4040/metrics/prometheus`.
    #[arg(
        long,
        env = "MOKA_TARGETS",
        value_name = "URL,…",
        value_delimiter = ',',
        required = true,
        value_parser = parse_target
    )]
    pub targets: Vec<Url>,

    /// The TSDB agent, which takes OpenTSDB's telnet protocol.
    #[arg(
        long,
        env = "MOKA_TSDB_ADDRESS",
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:18126"
    )]
    pub tsdb_address: SinkAddress,

    /// Tags of every line, at most 8. A label with the same name becomes `exported_<name>`.
    #[arg(
        long,
        env = "MOKA_TAGS",
        value_name = "KEY=VALUE,…",
        default_value = "",
        hide_default_value = true
    )]
    pub tags: StaticTags,

    /// Labels that do not become tags. They must be the same for all series of a target, or series
    /// fall together and are dropped.
    #[arg(
        long,
        env = "MOKA_DROPPED_LABELS",
        value_name = "NAME,…",
        default_value = "application_id,application_name"
    )]
    pub dropped_labels: Names,

    /// Values of spark.metrics.namespace that are lifted out of metric names like Spark's own ids.
    #[arg(
        long,
        env = "MOKA_SPARK_NAMESPACES",
        value_name = "NAME,…",
        default_value = "",
        hide_default_value = true
    )]
    pub spark_namespaces: Names,

    /// How long to wait between two scrapes of a target, in seconds.
    #[arg(
        long,
        env = "MOKA_SCRAPE_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub scrape_interval_seconds: u32,

    /// How long a target may take to answer, in seconds. The last scrape before the end may take
    /// as long.
    #[arg(
        long,
        env = "MOKA_SCRAPE_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=300)
    )]
    pub scrape_timeout_seconds: u32,

    /// Largest answer of a target, in bytes.
    #[arg(
        long,
        env = "MOKA_SCRAPE_LIMIT_BYTES",
        value_name = "BYTES",
        default_value_t = 4 * 1024 * 1024,
        value_parser = clap::value_parser!(u32).range(1024..)
    )]
    pub scrape_limit_bytes: u32,

    /// How much may wait for the agent, in bytes; the oldest lines go first.
    #[arg(
        long,
        env = "MOKA_BUFFER_LIMIT_BYTES",
        value_name = "BYTES",
        default_value_t = 4 * 1024 * 1024,
        value_parser = clap::value_parser!(u32).range(64 * 1024..)
    )]
    pub buffer_limit_bytes: u32,

    /// How long the last lines may take to leave at the end, in seconds.
    #[arg(
        long,
        env = "MOKA_FLUSH_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=300)
    )]
    pub flush_timeout_seconds: u32,
}

fn parse_target(text: &str) -> Result<Url, String> {
    let url = Url::parse(text.trim()).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("a target is of the form http://host:port/path".to_owned());
    }
    Ok(url)
}
