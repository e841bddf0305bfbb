//! Options of the service.

mod cluster;

use std::net::SocketAddr;

use clap::Args;

pub use self::cluster::ClusterAddress;
use crate::domain::pod_metadata::GangStyle;

/// Options of the scheduler adapter.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the gRPC port.
    #[arg(
        long,
        env = "MOKA_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7402"
    )]
    pub listen: SocketAddr,

    /// The clusters and their YuniKorn's REST, such as `local=http://yunikorn-service.yunikorn:9080`.
    #[arg(
        long,
        env = "MOKA_CLUSTERS",
        value_name = "NAME=URL,…",
        value_delimiter = ',',
        required = true
    )]
    pub clusters: Vec<ClusterAddress>,

    /// How long to wait between two readings of a queue tree, in seconds.
    #[arg(
        long,
        env = "MOKA_POLL_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=3600)
    )]
    pub poll_interval_seconds: u32,

    /// How long YuniKorn may take to answer, in seconds.
    #[arg(
        long,
        env = "MOKA_YUNIKORN_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=300)
    )]
    pub yunikorn_timeout_seconds: u32,

    /// What YuniKorn does when a gang does not come together in time.
    #[arg(long, env = "MOKA_GANG_STYLE", value_enum, default_value_t = GangStyle::Soft)]
    pub gang_style: GangStyle,

    /// How long a gang's placeholders wait for the rest of it, in seconds.
    #[arg(
        long,
        env = "MOKA_PLACEHOLDER_TIMEOUT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 900,
        value_parser = clap::value_parser!(u32).range(1..=86_400)
    )]
    pub placeholder_timeout_seconds: u32,
}
