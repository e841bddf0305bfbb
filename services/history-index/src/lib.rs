//! Indexes event logs once and answers what happened in any application.
//!
//! [`follower`] learns from submission which attempts exist, [`indexer`] reads their assembled
//! event logs through [`domain`] into [`store`], and [`api`] answers from there.
#![warn(missing_docs, clippy::future_not_send)]

pub mod api;
pub mod client;
pub mod config;
pub mod domain;
pub mod error;
pub mod follower;
pub mod indexer;
pub mod metrics;
pub mod store;

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context;
use moka_db::{DatabaseMetrics, PoolOptions};
use moka_process::{Exit, ProcessContext, ServiceInfo};
use moka_proto::history::v1::history_service_server::HistoryServiceServer;
use moka_rpc::{ClientOptions, Server, ServerOptions, client::connect};
use tokio::net::TcpListener;

pub use self::config::Config;
use self::{
    api::{HistoryApi, rest},
    client::Submission,
    follower::Follower,
    indexer::Indexer,
    metrics::Metrics,
    store::Store,
};

/// What the binary says of itself.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "history-index",
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    default_admin_listen: "127.0.0.1:7504",
};

/// Opens everything and spawns the work.
///
/// # Errors
/// When an option cannot be used, or the database or the object store cannot be opened.
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let (poll_interval, abandon_after) = (config.poll_interval(), config.abandon_after());
    let Config {
        listen,
        rest_listen,
        database_url,
        objects_url,
        submission_url,
        ..
    } = config;
    let listen = context.listen.check(listen).context(Exit::Configuration)?;
    let rest_listen = context
        .listen
        .check(rest_listen)
        .context(Exit::Configuration)?;
    let client_options = ClientOptions {
        user_agent: format!("moka-history-index/{}", SERVICE.version),
        ..ClientOptions::default()
    };
    let channel = connect(&submission_url, &client_options).context(Exit::Configuration)?;
    let metrics = context.metrics(Metrics::register);
    let store = open_store(&context, &database_url).await?;
    let objects = moka_objects::open(&objects_url)
        .await
        .context("opening the object store")
        .context(Exit::Configuration)?;

    let follower = Follower {
        store: store.clone(),
        submission: Submission::new(channel),
        metrics: metrics.clone(),
    };
    context
        .tasks
        .spawn("follower", follower.run(context.stop.clone()));
    let indexer = Indexer {
        store: store.clone(),
        objects,
        clock: Arc::clone(&context.clock),
        metrics,
        poll_interval,
        abandon_after,
    };
    context
        .tasks
        .spawn("indexer", indexer.run(context.stop.clone()));

    let api = HistoryApi {
        store: store.clone(),
        clock: Arc::clone(&context.clock),
    };
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(HistoryServiceServer::new(api))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind(listen)
        .context(Exit::Configuration)?;
    tracing::info!(address = %server.local_address(), "gRPC port is open");
    context
        .tasks
        .spawn("grpc", server.serve(context.stop.clone()));

    serve_rest(&context, rest_listen, store).await
}

async fn open_store(context: &ProcessContext, database_url: &str) -> anyhow::Result<Store> {
    let options = PoolOptions {
        metrics: context.metrics(DatabaseMetrics::register),
        ..PoolOptions::default()
    };
    let opened = Store::open(database_url, options).await;
    opened.map_err(|error| {
        let exit = match error {
            moka_db::Error::InvalidUrl { .. } => Exit::Configuration,
            _ => Exit::Unavailable,
        };
        anyhow::Error::new(error)
            .context("opening the database")
            .context(exit)
    })
}

async fn serve_rest(
    context: &ProcessContext,
    address: SocketAddr,
    store: Store,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("binding the REST port {address}"))
        .context(Exit::Configuration)?;
    tracing::info!(address = %listener.local_addr()?, "REST port is open");
    let router = rest::router(rest::Rest {
        store,
        clock: Arc::clone(&context.clock),
    });
    let stop = context.stop.clone();
    context.tasks.spawn("rest", async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    });
    Ok(())
}
