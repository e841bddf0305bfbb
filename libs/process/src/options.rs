//! The options that every service has.

use std::{net::SocketAddr, time::Duration};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::ListenPolicy;

/// Options of the process, flattened into every service's command line by [`crate::main`].
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Process")]
pub struct ProcessOptions {
    /// Address of the admin port: livez, readyz, metrics, log-filter.
    // Each service has its own default, which `crate::command` sets.
    #[arg(long, env = "MOKA_ADMIN_LISTEN", value_name = "ADDRESS")]
    pub admin_listen: SocketAddr,

    /// Form of the log on standard error.
    #[arg(long, env = "MOKA_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged, such as `info,moka_submission=debug`; can be changed at /log-filter.
    #[arg(
        long,
        env = "MOKA_LOG_FILTER",
        value_name = "DIRECTIVES",
        default_value = "info",
        value_parser = parse_log_filter
    )]
    pub log_filter: String,

    /// Where traces go, OTLP over gRPC, such as `http://127.0.0.1:4317`; nowhere when absent.
    #[arg(long, env = "MOKA_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,

    /// How long to drain after the first SIGTERM or SIGINT, in seconds.
    #[arg(
        long,
        env = "MOKA_SHUTDOWN_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 25
    )]
    pub shutdown_grace_seconds: u64,

    /// Allows listening on other than loopback addresses without TLS.
    #[arg(long, env = "MOKA_INSECURE_LISTEN")]
    pub insecure_listen: bool,
}

impl ProcessOptions {
    /// How long to drain.
    pub fn shutdown_grace(&self) -> Duration {
        Duration::from_secs(self.shutdown_grace_seconds)
    }

    /// Which addresses may be bound.
    pub fn listen_policy(&self) -> ListenPolicy {
        if self.insecure_listen {
            ListenPolicy::Anywhere
        } else {
            ListenPolicy::LoopbackOnly
        }
    }
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Checks the directives where a mistake is still a usage error.
fn parse_log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
