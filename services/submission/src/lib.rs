//! The durable front door and the exactly-once launcher.
//!
//! The API layer accepts applications into a database and answers from it; the worker layer takes
//! them from there into clusters and writes back what becomes of them. Neither waits for the other.

pub mod api;
pub mod client;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod inspector;
pub mod journal;
pub mod launcher;
pub mod metrics;
pub mod store;
pub mod workers;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use jiff::SignedDuration;
use moka_core::{
    ApplicationId,
    entropy::{Entropy, SystemEntropy},
};
use moka_db::{Database, DatabaseMetrics, PoolOptions};
use moka_process::{Exit, ProcessContext, ServiceInfo};
use moka_proto::submission::v1::{
    fleet_service_server::FleetServiceServer, project_service_server::ProjectServiceServer,
    strategy_service_server::StrategyServiceServer,
    submission_service_server::SubmissionServiceServer,
};
use moka_rpc::{ClientOptions, Server, ServerOptions, client as rpc_client};
use tokio::sync::watch;

use crate::{
    api::{Api, FleetApi, Sources, WatchPace},
    client::scheduling::{Scheduler, SchedulerClient},
    cluster::{Connector, KubernetesInspector},
    config::{ApplicationOptions, Cluster, Config, Role, WatchOptions, WorkerOptions},
    domain::{
        fleet::Fleet,
        manifest::{ExporterSettings, ManifestSettings},
        rules::ClusterSettings,
        verdict::Patience,
    },
    journal::Journal,
    metrics::Metrics,
    store::{SqlStore, fleet::FleetStore},
    workers::{
        Clusters, LiveAttempts, Pace, Workers, deadline_lane, follow_fleet, gauge, housekeeping,
        launch_lane, poll_fleet, poll_queues,
    },
};

/// What the binary says about itself.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "submission",
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    default_admin_listen: "127.0.0.1:7501",
};

/// Largest message: that of many submissions. One alone has a lower limit.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;
/// How long somebody who asks why waits for one of those who may know.
const SOURCE_PATIENCE: Duration = Duration::from_secs(3);
/// A call that waits for the database is answered that it does not answer, well before the call's
/// own time is over.
const LONGEST_STATEMENT: Duration = Duration::from_secs(5);
const LONGEST_TRANSACTION: Duration = Duration::from_secs(20);
/// How often a watch looks for what other replicas wrote.
const WATCH_POLL: Duration = Duration::from_millis(500);

/// Opens what the service needs, starts its tasks and returns.
///
/// # Errors
///
/// When the configuration cannot be used or the database does not answer.
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let Config {
        listen,
        roles,
        database_url,
        scheduler_adapter_url,
        applications,
        workers,
        watches,
        links,
    } = config;
    let listen = context.listen.check(listen).context(Exit::Configuration)?;
    let scheduler = scheduler(&scheduler_adapter_url)?;
    let store = open_store(&context, &database_url).await?;
    let journal = Journal {
        store: Arc::clone(&store) as _,
        metrics: context.metrics(Metrics::register),
        live: LiveAttempts::default(),
    };
    let pace = pace(&applications, &workers, &watches);
    context.tasks.spawn(
        "housekeeping",
        housekeeping(
            journal.clone(),
            context.readiness.condition("store"),
            Arc::clone(&context.clock),
            pace.clone(),
            context.stop.clone(),
        ),
    );
    let connector = connector(&applications, &workers)?;
    if roles.contains(&Role::Worker) {
        register_clusters(&*store, &connector).await?;
    }
    let fleet = start_fleet_poll(&context, Arc::clone(&store) as _).await?;
    if roles.contains(&Role::Worker) {
        let workers = Workers {
            store: Arc::clone(&store) as _,
            journal: journal.clone(),
            scheduler: Arc::clone(&scheduler) as _,
            fleet: fleet.clone(),
            fleet_store: Arc::clone(&store) as _,
            clusters: Clusters::new(workers.launch_concurrency.into()),
            clock: Arc::clone(&context.clock),
            entropy: Arc::new(SystemEntropy),
            holder: holder(&context),
            tasks: context.tasks.clone(),
            stop: context.stop.clone(),
            pace,
        };
        start_workers(&context, workers, connector.clone());
    }
    if roles.contains(&Role::Api) {
        let interval = Duration::from_secs(workers.queue_poll_seconds);
        let queues = start_queue_poll(&context, Arc::clone(&scheduler) as _, interval);
        let sources = Sources {
            scheduler: Arc::clone(&scheduler) as _,
            insight: scheduler,
            manifests: connector.settings.clone(),
            namespace: connector.namespace.clone(),
            inspector: Arc::new(KubernetesInspector::new(connector)),
            fleet: Arc::clone(&store) as _,
            known_fleet: fleet,
            links: links.into(),
            patience: SOURCE_PATIENCE,
        };
        let pace = WatchPace {
            poll: WATCH_POLL,
            heartbeat: Duration::from_secs(watches.heartbeat_seconds),
        };
        let api = api(&context, journal, queues, sources, pace);
        serve(&context, listen, api, FleetApi { store })?;
    }
    Ok(())
}

/// The API layer over a store, for this binary and for tests that host it themselves.
pub fn api(
    context: &ProcessContext,
    journal: Journal,
    queues: watch::Receiver<Option<domain::queue_tree::QueueTree>>,
    sources: Sources,
    pace: WatchPace,
) -> SubmissionServiceServer<Api> {
    let api = Api {
        store: Arc::clone(&journal.store),
        journal,
        queues,
        sources,
        clock: Arc::clone(&context.clock),
        entropy: Arc::new(SystemEntropy),
        watch: pace,
        stop: context.stop.clone(),
    };
    SubmissionServiceServer::new(api).max_decoding_message_size(MAX_REQUEST_BYTES)
}

fn serve(
    context: &ProcessContext,
    listen: std::net::SocketAddr,
    api: SubmissionServiceServer<Api>,
    fleet: FleetApi,
) -> anyhow::Result<()> {
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(api)
        .add_service(FleetServiceServer::new(fleet.clone()))
        .add_service(ProjectServiceServer::new(fleet.clone()))
        .add_service(StrategyServiceServer::new(fleet))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind(listen)
        .context(Exit::Configuration)?;
    tracing::info!(address = %server.local_address(), "gRPC port is open");
    context
        .tasks
        .spawn("grpc", server.serve(context.stop.clone()));
    Ok(())
}

fn start_workers(context: &ProcessContext, workers: Workers, connector: Connector) {
    let follow = follow_fleet(workers.clone(), connector);
    context.tasks.spawn("clusters", follow);
    context.tasks.spawn("gauge", gauge(workers.clone()));
    context
        .tasks
        .spawn("deadlines", deadline_lane(workers.clone()));
    context.tasks.spawn("launch", launch_lane(workers));
}

fn start_queue_poll(
    context: &ProcessContext,
    scheduler: Arc<dyn Scheduler>,
    interval: Duration,
) -> watch::Receiver<Option<domain::queue_tree::QueueTree>> {
    let (sender, queues) = watch::channel(None);
    let poll = poll_queues(scheduler, sender, interval, context.stop.clone());
    context.tasks.spawn("queues", poll);
    queues
}

fn scheduler(url: &str) -> anyhow::Result<Arc<SchedulerClient>> {
    let options = ClientOptions {
        user_agent: format!("moka-submission/{}", SERVICE.version),
        ..ClientOptions::default()
    };
    let channel = rpc_client::connect(url, &options).context(Exit::Configuration)?;
    Ok(Arc::new(SchedulerClient::new(channel)))
}

async fn open_store(context: &ProcessContext, url: &str) -> anyhow::Result<Arc<SqlStore>> {
    let options = PoolOptions {
        statement_timeout: LONGEST_STATEMENT,
        transaction_timeout: LONGEST_TRANSACTION,
        metrics: context.metrics(DatabaseMetrics::register),
        ..PoolOptions::default()
    };
    let exit = |error: &moka_db::Error| match error {
        moka_db::Error::InvalidUrl { .. } | moka_db::Error::Migration { .. } => Exit::Configuration,
        _ => Exit::Unavailable,
    };
    let opened = async {
        let database = Database::connect(url, options).await?;
        SqlStore::open(database, Arc::clone(&context.clock), &context.tasks).await
    };
    match opened.await {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => {
            let exit = exit(&error);
            Err(anyhow::Error::new(error)
                .context("opening the database")
                .context(exit))
        }
    }
}

/// How clusters are reached.
fn connector(
    applications: &ApplicationOptions,
    workers: &WorkerOptions,
) -> anyhow::Result<Connector> {
    let settings = ManifestSettings {
        service_account: applications.spark_service_account.clone(),
        image_pull_policy: applications.image_pull_policy.as_str().to_owned(),
        event_log_host_path: applications.event_log_host_path.clone(),
        exporter: applications
            .exporter_image
            .clone()
            .map(|image| ExporterSettings {
                image,
                tsdb_port: applications.tsdb_port,
            }),
    };
    let mut connector = Connector {
        named: BTreeMap::new(),
        kubeconfigs: applications.kubeconfigs.clone(),
        namespace: applications.application_namespace.clone(),
        settings,
        relist_interval: Duration::from_secs(workers.relist_seconds),
    };
    for Cluster { name, access } in &applications.clusters {
        let before = connector.named.insert(name.clone(), access.clone());
        if before.is_some() {
            anyhow::bail!(
                anyhow::anyhow!("cluster {name} is named twice").context(Exit::Configuration)
            );
        }
    }
    Ok(connector)
}

/// Registers the clusters of the command line, which must have credentials that can be used.
async fn register_clusters(fleet: &dyn FleetStore, connector: &Connector) -> anyhow::Result<()> {
    for name in connector.named.keys() {
        let can_connect = async {
            let credentials = connector.credentials(name).await?;
            connector.connect(&credentials, "").await?;
            anyhow::Ok(())
        };
        can_connect
            .await
            .with_context(|| format!("connecting to cluster {name}"))
            .context(Exit::Configuration)?;
        fleet
            .register_cluster(name, &ClusterSettings::default(), "options")
            .await
            .with_context(|| format!("registering cluster {name}"))
            .context(Exit::Unavailable)?;
    }
    Ok(())
}

/// The fleet, read now and whenever it changes.
async fn start_fleet_poll(
    context: &ProcessContext,
    store: Arc<dyn FleetStore>,
) -> anyhow::Result<watch::Receiver<Arc<Fleet>>> {
    let read = store.fleet().await;
    let read = read
        .context("reading the fleet")
        .context(Exit::Unavailable)?;
    let (sender, fleet) = watch::channel(Arc::new(read));
    let poll = poll_fleet(store, sender, context.stop.clone());
    context.tasks.spawn("fleet", poll);
    Ok(fleet)
}

fn pace(
    applications: &ApplicationOptions,
    workers: &WorkerOptions,
    watches: &WatchOptions,
) -> Pace {
    Pace {
        namespace: applications.application_namespace.clone(),
        with_sidecar: applications.exporter_image.is_some(),
        launch_concurrency: workers.launch_concurrency.into(),
        lease: Duration::from_secs(workers.lease_seconds),
        reconcile: Duration::from_secs(workers.reconcile_seconds),
        sweep: Duration::from_secs(workers.sweep_seconds),
        patience: Patience {
            driver_appearance: SignedDuration::from_secs(workers.driver_appearance_seconds.into()),
            image_pull: SignedDuration::from_secs(workers.image_pull_seconds.into()),
        },
        retention: Duration::from_secs(workers.retention_seconds.into()),
        tombstone_retention: Duration::from_secs(workers.tombstone_retention_seconds.into()),
        event_retention: Duration::from_secs(watches.event_retention_seconds.into()),
        audit_retention: Duration::from_hours(24 * u64::from(watches.audit_retention_days)),
    }
}

/// A name that no other process ever has.
fn holder(context: &ProcessContext) -> String {
    let entropy: &dyn Entropy = &SystemEntropy;
    format!(
        "submission-{}",
        ApplicationId::mint(&*context.clock, entropy)
    )
}
