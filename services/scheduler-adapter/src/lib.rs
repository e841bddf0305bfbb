//! The only speaker of YuniKorn: placement, gang metadata, queue tree.
//!
//! A poller per cluster keeps the newest queue tree; placement is a pure function of the request
//! and those trees. The service keeps no state of its own, so any number of replicas gives the same
//! answers.
#![warn(missing_docs)]

pub mod api;
pub mod config;
pub mod domain;
pub mod error;
pub mod metrics;
pub mod poller;
pub mod yunikorn;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use moka_process::{Exit, ProcessContext, ServiceInfo};
use moka_proto::scheduling::v1::scheduling_service_server::SchedulingServiceServer;
use moka_rpc::{Server, ServerOptions};
use tokio::sync::watch;

pub use self::config::Config;
use self::{
    api::Api,
    config::ClusterAddress,
    domain::{fleet::Fleet, pod_metadata::GangPolicy},
    metrics::Metrics,
    poller::Poller,
    yunikorn::YuniKorn,
};

/// What the binary says about itself.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "scheduler-adapter",
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    default_admin_listen: "127.0.0.1:7502",
};

/// Starts a poller per cluster and the gRPC server.
///
/// # Errors
///
/// When an option cannot be used or the port is taken. A YuniKorn that does not answer is no error:
/// the service is not ready until one does.
#[expect(
    clippy::unused_async,
    reason = "the port must be opened inside the runtime"
)]
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let Config {
        listen,
        clusters,
        poll_interval_seconds,
        yunikorn_timeout_seconds,
        gang_style,
        placeholder_timeout_seconds,
    } = config;
    let listen = context.listen.check(listen).context(Exit::Configuration)?;
    let yunikorns = connect(
        clusters,
        Duration::from_secs(yunikorn_timeout_seconds.into()),
    )
    .context(Exit::Configuration)?;
    let metrics = context.metrics(Metrics::register);

    let (fleet, fleet_view) = watch::channel(Fleet::new(yunikorns.keys().cloned()));
    let any_cluster_answered = context.readiness.condition("queue tree of a cluster");
    for (cluster, yunikorn) in &yunikorns {
        let poller = Poller {
            cluster: cluster.clone(),
            yunikorn: yunikorn.clone(),
            fleet: fleet.clone(),
            interval: Duration::from_secs(poll_interval_seconds.into()),
            clock: Arc::clone(&context.clock),
            metrics: metrics.clone(),
            any_cluster_answered: any_cluster_answered.clone(),
        };
        context.tasks.spawn(
            format!("queues of {cluster}"),
            poller.run(context.stop.clone()),
        );
    }

    let gang_policy = GangPolicy {
        style: gang_style,
        placeholder_timeout_seconds,
    };
    let api = Api {
        fleet: fleet_view,
        yunikorns,
        gang_policy,
        metrics,
    };
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(SchedulingServiceServer::new(api))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind(listen)
        .context(Exit::Configuration)?;
    tracing::info!(address = %server.local_address(), "gRPC port is open");
    context
        .tasks
        .spawn("grpc", server.serve(context.stop.clone()));
    Ok(())
}

fn connect(
    clusters: Vec<ClusterAddress>,
    timeout: Duration,
) -> anyhow::Result<BTreeMap<String, YuniKorn>> {
    let mut yunikorns = BTreeMap::new();
    for ClusterAddress { name, yunikorn_url } in clusters {
        let yunikorn = YuniKorn::new(yunikorn_url, timeout)
            .with_context(|| format!("preparing to ask the YuniKorn of {name}"))?;
        if yunikorns.insert(name.clone(), yunikorn).is_some() {
            bail!("cluster {name} is given twice");
        }
    }
    Ok(yunikorns)
}
