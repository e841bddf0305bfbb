//! Options of the retention.

use clap::Args;

use crate::domain::retention::RetentionRule;

/// How long logs are kept.
#[derive(Debug, Clone, Args)]
pub struct RetentionOptions {
    /// How long logs are kept after their application's end: rules `default=30/7/365`,
    /// `cluster:<name>=…` and `project:<name>=…`, separated by commas, with the days for
    /// containers' logs, raw event records and event logs, `-` for ever. A project's rule comes
    /// before a cluster's, and that before the default. Without any, everything is kept.
    #[arg(
        long = "retention",
        env = "MOKA_RETENTION",
        value_name = "RULE",
        value_delimiter = ','
    )]
    pub rules: Vec<RetentionRule>,

    /// How long a deletion that the policy wants is announced before it is carried out, in hours.
    #[arg(
        long = "retention-grace-hours",
        env = "MOKA_RETENTION_GRACE_HOURS",
        value_name = "HOURS",
        default_value_t = 24,
        value_parser = clap::value_parser!(u64).range(1..=8760)
    )]
    pub grace_hours: u64,

    /// How long to wait between two looks for logs whose time is over, in seconds. A look is at
    /// one of 1,024 parts of all applications.
    #[arg(
        long = "retention-interval-seconds",
        env = "MOKA_RETENTION_INTERVAL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..)
    )]
    pub interval_seconds: u64,
}
