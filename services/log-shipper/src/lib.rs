//! Node agent that ships container logs and event logs without loss.
//!
//! [`discovery`] looks for files; a [`follower`] per file ships what it holds through the
//! [`uploader`], or into the [`spool`] while the store is away, and reports to the [`store`] what
//! is safe. Nothing is kept in memory that is not in a file: a batch that fails is read again.
//! `docs/log-shipper.md` tells the whole story, `docs/raw-records.md` the format.
#![warn(missing_docs, clippy::future_not_send)]

mod config;
pub mod discovery;
pub mod domain;
pub mod error;
pub mod events_directory;
pub mod follower;
pub mod gate;
pub mod lag;
pub mod log_file;
pub mod metrics;
pub mod registry;
pub mod retention;
pub mod scan;
pub mod shared;
pub mod spool;
pub mod store;
pub mod uploader;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Context;
use moka_core::entropy::SystemEntropy;
use moka_objects::ObjectStore;
use moka_process::{Exit, ProcessContext, ServiceInfo};
use tokio::sync::Semaphore;

pub use crate::config::Config;
use crate::{
    discovery::Discovery,
    domain::Limits,
    gate::Gate,
    metrics::Metrics,
    registry::Registry,
    scan::Scanner,
    shared::Shared,
    spool::Spool,
    store::{Loaded, Saved, StateDirectory, offsets},
    uploader::Uploader,
};

/// What the binary says about itself.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "log-shipper",
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    default_admin_listen: "127.0.0.1:7506",
};

/// Opens the store and ships into it.
///
/// # Errors
///
/// When the store's URL or a directory cannot be used.
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let store = moka_objects::open(&config.objects_url)
        .await
        .context(Exit::Configuration)?;
    start_with(&context, config, store)
}

/// Ships into `store`, whatever the configuration's URL says.
///
/// # Errors
///
/// When a directory cannot be used.
pub fn start_with(
    context: &ProcessContext,
    config: Config,
    store: Arc<dyn ObjectStore>,
) -> anyhow::Result<()> {
    let Config {
        pods_log_dir,
        events_dir,
        state_dir,
        objects_url: _,
        cluster,
        ship_system_pods,
        scan_interval_milliseconds,
        flush_interval_seconds,
        batch_bytes,
        upload_concurrency,
        upload_timeout_seconds,
        spool_bytes,
        event_log_retention_seconds,
    } = config;
    events_directory::prepare(&events_dir)
        .with_context(|| format!("preparing {} for event logs", events_dir.display()))
        .context(Exit::Configuration)?;
    let state = StateDirectory::open(&state_dir).context(Exit::Configuration)?;
    let metrics = context.metrics(Metrics::register);
    let saved = load(&state, &metrics)?;
    let spool = Spool::open(&state_dir.join("spool"), spool_bytes, metrics.clone())
        .with_context(|| format!("opening the spool in {}", state_dir.display()))
        .context(Exit::Configuration)?;
    let (offsets, offsets_writer) = offsets(state, saved.clone(), metrics.clone());
    let registry = Registry::default();
    let shared = Arc::new(Shared {
        uploader: Uploader {
            store,
            permits: Semaphore::new(usize::from(upload_concurrency)),
            timeout: Duration::from_secs(upload_timeout_seconds),
            gate: Gate::default(),
            cluster,
            clock: Arc::clone(&context.clock),
            entropy: Arc::new(SystemEntropy),
        },
        spool,
        offsets,
        registry: registry.clone(),
        metrics,
        limits: Limits {
            batch_bytes,
            flush_interval: Duration::from_secs(flush_interval_seconds),
        },
        look_interval: Duration::from_millis(scan_interval_milliseconds),
        event_log_retention: Duration::from_secs(event_log_retention_seconds),
        stop: context.stop.clone(),
    });
    let drained = spool::drain(Arc::clone(&shared));
    let discovery = Discovery {
        scanner: Scanner {
            pods_log_dir,
            events_dir,
            ship_system_pods,
        },
        shared,
        tasks: context.tasks.clone(),
        saved,
        looked: context.readiness.condition("first look"),
        troubled: BTreeSet::new(),
    };
    context.admin_page("/streams", move || registry.to_json());
    context.tasks.spawn("offsets", offsets_writer.run());
    context.tasks.spawn("spool", drained);
    context.tasks.spawn("discovery", discovery.run());
    Ok(())
}

/// Offsets that cannot be read are no reason to stop shipping: with older ones, or without any,
/// records are shipped again, which readers know how to take. The older ones also know the
/// generations of files that were cut off, which nothing else does.
fn load(state: &StateDirectory, metrics: &Metrics) -> anyhow::Result<Saved> {
    match state.load().context(Exit::Configuration)? {
        Loaded::Intact(saved) => Ok(saved),
        Loaded::Corrupt { problem, former } => {
            metrics.corrupt_state.inc();
            tracing::error!(
                problem,
                former_offsets = former.len(),
                "offsets are damaged, log files are shipped again from their former ones or their starts"
            );
            Ok(former)
        }
    }
}
