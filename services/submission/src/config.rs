//! The options of the service.

mod links;

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use clap::{Args, ValueEnum};
pub use links::LinkOptions;

/// Options of submission.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Address of the gRPC port.
    #[arg(
        long,
        env = "MOKA_LISTEN",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:7401"
    )]
    pub listen: SocketAddr,

    /// What this process does: answers callers (api), launches and watches (worker), or both.
    #[arg(
        long,
        env = "MOKA_ROLES",
        value_enum,
        value_delimiter = ',',
        default_values_t = [Role::Api, Role::Worker]
    )]
    pub roles: Vec<Role>,

    /// Where applications are kept: `sqlite:<path>` for one process, `postgres://…` for replicas.
    #[arg(
        long,
        env = "MOKA_DATABASE_URL",
        value_name = "URL",
        default_value = "sqlite:submission.db",
        hide_env_values = true
    )]
    pub database_url: String,

    /// scheduler-adapter, which knows the queues and places applications.
    #[arg(
        long,
        env = "MOKA_SCHEDULER_ADAPTER_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:7402"
    )]
    pub scheduler_adapter_url: String,

    #[command(flatten)]
    pub applications: ApplicationOptions,

    #[command(flatten)]
    pub workers: WorkerOptions,

    #[command(flatten)]
    pub watches: WatchOptions,

    #[command(flatten)]
    pub links: LinkOptions,
}

/// What every application has in common.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Applications")]
pub struct ApplicationOptions {
    /// Clusters to launch in, `name=value` separated by commas: the value is `in-cluster` or the
    /// path of a kubeconfig.
    #[arg(
        long,
        env = "MOKA_CLUSTERS",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        default_value = "local=in-cluster"
    )]
    pub clusters: Vec<Cluster>,

    /// Directory with kubeconfigs of further clusters: the file of a cluster has its name, and may
    /// appear or change while the service runs. Clusters are registered through `FleetService`;
    /// those of `--clusters` are registered at the start.
    #[arg(long, env = "MOKA_KUBECONFIGS", value_name = "DIRECTORY")]
    pub kubeconfigs: Option<PathBuf>,

    /// Namespace of applications, in every cluster that names none itself.
    #[arg(
        long,
        env = "MOKA_APPLICATION_NAMESPACE",
        value_name = "NAME",
        default_value = "spark-jobs"
    )]
    pub application_namespace: String,

    /// Service account of drivers, which create their executors.
    #[arg(
        long,
        env = "MOKA_SPARK_SERVICE_ACCOUNT",
        value_name = "NAME",
        default_value = "spark"
    )]
    pub spark_service_account: String,

    /// When nodes pull the image of an application.
    #[arg(
        long,
        env = "MOKA_IMAGE_PULL_POLICY",
        value_enum,
        default_value_t = ImagePullPolicy::IfNotPresent
    )]
    pub image_pull_policy: ImagePullPolicy,

    /// Directory of each node below which drivers write their event logs; log-shipper reads it.
    #[arg(
        long,
        env = "MOKA_EVENT_LOG_HOST_PATH",
        value_name = "PATH",
        default_value = "/var/lib/moka/events"
    )]
    pub event_log_host_path: String,

    /// Image of the metrics sidecar of every driver; no sidecar when absent.
    #[arg(long, env = "MOKA_EXPORTER_IMAGE", value_name = "IMAGE")]
    pub exporter_image: Option<String>,

    /// Port of the time series agent on each node, to which the sidecar writes.
    #[arg(
        long,
        env = "MOKA_TSDB_PORT",
        value_name = "PORT",
        default_value_t = 18126
    )]
    pub tsdb_port: u16,
}

/// How the workers behave.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkerOptions {
    /// How many applications are launched at a time.
    #[arg(
        long,
        env = "MOKA_LAUNCH_CONCURRENCY",
        value_name = "COUNT",
        default_value_t = 16,
        value_parser = clap::value_parser!(u16).range(1..=1024)
    )]
    pub launch_concurrency: u16,

    /// How long a worker that gives no sign of life keeps a launch or a cluster from the others.
    #[arg(
        long,
        env = "MOKA_LEASE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub lease_seconds: u64,

    /// How often every live application is looked at, whatever the watches say.
    #[arg(
        long,
        env = "MOKA_RECONCILE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub reconcile_seconds: u64,

    /// How often watches list everything anew.
    #[arg(
        long,
        env = "MOKA_RELIST_SECONDS",
        value_name = "SECONDS",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub relist_seconds: u64,

    /// How often services and config maps that dead drivers left behind are looked for.
    #[arg(
        long,
        env = "MOKA_SWEEP_SECONDS",
        value_name = "SECONDS",
        default_value_t = 600,
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    pub sweep_seconds: u64,

    /// How often the queues are read from scheduler-adapter.
    #[arg(
        long,
        env = "MOKA_QUEUE_POLL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 2,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub queue_poll_seconds: u64,

    /// How long the driver of a deleted application may still appear before it counts as never
    /// started.
    #[arg(
        long,
        env = "MOKA_DRIVER_APPEARANCE_SECONDS",
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(0..=3600)
    )]
    pub driver_appearance_seconds: u32,

    /// How long an image may fail to be pulled before the application fails.
    #[arg(
        long,
        env = "MOKA_IMAGE_PULL_SECONDS",
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(0..=86_400)
    )]
    pub image_pull_seconds: u32,

    /// How long the objects of an application that ended stay in their cluster.
    ///
    /// They keep its attempts' names: a create that is on its way for longer than this, or than
    /// --tombstone-retention-seconds, might launch an attempt that is over. Keep both longer than
    /// any request or stopped worker may live.
    #[arg(
        long,
        env = "MOKA_RETENTION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 86_400
    )]
    pub retention_seconds: u32,

    /// How long a tombstone keeps the name of an attempt that must not start: longer than any
    /// request or stopped worker may live.
    ///
    /// It stands where no object is left to keep the name; where one is, --retention-seconds
    /// counts.
    #[arg(
        long,
        env = "MOKA_TOMBSTONE_RETENTION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 259_200
    )]
    pub tombstone_retention_seconds: u32,
}

/// How watches of callers behave.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Watches")]
pub struct WatchOptions {
    /// How often a watch without news tells that it is alive.
    #[arg(
        long,
        env = "MOKA_HEARTBEAT_SECONDS",
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    pub heartbeat_seconds: u64,

    /// How long events are kept: a cursor that is older has expired.
    #[arg(
        long,
        env = "MOKA_EVENT_RETENTION_SECONDS",
        value_name = "SECONDS",
        default_value_t = 604_800
    )]
    pub event_retention_seconds: u32,

    /// How long the audit log is kept. PostgreSQL drops it by whole months.
    #[arg(
        long,
        env = "MOKA_AUDIT_RETENTION_DAYS",
        value_name = "DAYS",
        default_value_t = 1826
    )]
    pub audit_retention_days: u32,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Answers callers.
    Api,
    /// Launches, watches, cancels and cleans up.
    Worker,
}

/// `imagePullPolicy`, in Kubernetes' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ImagePullPolicy {
    /// At every start.
    #[value(name = "Always")]
    Always,
    /// When the node does not have it.
    #[value(name = "IfNotPresent")]
    IfNotPresent,
    /// Only what is on the node.
    #[value(name = "Never")]
    Never,
}

impl ImagePullPolicy {
    /// Kubernetes' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}

/// A cluster and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Where its credentials are.
    pub access: Access,
}

/// Where a cluster's credentials are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// This process's own service account.
    InCluster,
    /// A file.
    Kubeconfig(PathBuf),
}

impl FromStr for Cluster {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if is_dns_label(name) && !value.is_empty() => Ok(Self {
                name: name.to_owned(),
                access: match value {
                    "in-cluster" => Access::InCluster,
                    path => Access::Kubeconfig(path.into()),
                },
            }),
            _ => Err("a cluster is written `name=in-cluster` or `name=<kubeconfig>`, and its name is a DNS label".to_owned()),
        }
    }
}

fn is_dns_label(name: &str) -> bool {
    let mut violations = moka_rpc::Violations::new();
    violations.dns_label("name", name);
    violations.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_pairs() {
        let cluster: Cluster = "west=/etc/moka/west.conf".parse().unwrap();
        assert_eq!(cluster.name, "west");
        assert_eq!(
            cluster.access,
            Access::Kubeconfig("/etc/moka/west.conf".into())
        );
        assert_eq!(
            "a=in-cluster".parse::<Cluster>().unwrap().access,
            Access::InCluster
        );
        for text in ["", "a", "a=", "=b", "../a=b", "A=b"] {
            assert!(text.parse::<Cluster>().is_err(), "{text}");
        }
    }
}
