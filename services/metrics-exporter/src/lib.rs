//! Sidecar that bridges Prometheus endpoints to a TSDB agent.
//!
//! A scraper per target turns every answer into lines of OpenTSDB's telnet protocol; one writer
//! carries them to the agent through a bounded buffer. The turning is pure and lives in [`domain`].
#![warn(missing_docs)]

pub mod api;
pub mod config;
pub mod domain;
pub mod metrics;
pub mod scrape;
pub mod sink;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use anyhow::Context;
use futures::future::join_all;
use moka_core::entropy::{Entropy, SystemEntropy};
use moka_process::{Exit, ProcessContext, ServiceInfo};
use moka_proto::metrics::v1::metrics_service_server::MetricsServiceServer;
use moka_rpc::{Server, ServerOptions};
use reqwest::Url;
use tokio_util::sync::CancellationToken;

pub use self::config::Config;
use self::{
    api::Api,
    domain::mapping::Policy,
    metrics::Metrics,
    scrape::{ScrapeClient, ScrapeOptions, Scraper, Targets},
    sink::{Sink, Writer, WriterOptions},
};

/// What the binary says about itself.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "metrics-exporter",
    version: env!("CARGO_PKG_VERSION"),
    description: env!("CARGO_PKG_DESCRIPTION"),
    default_admin_listen: "127.0.0.1:7505",
};

/// Starts the scrapers, the writer and the gRPC server.
///
/// # Errors
///
/// When an option cannot be used or the port is taken. Neither a target nor an agent that is away
/// is an error: a sidecar must never keep its pod from running.
#[expect(
    clippy::unused_async,
    reason = "the port must be opened inside the runtime"
)]
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let Config {
        listen,
        targets: urls,
        tsdb_address,
        tags,
        dropped_labels,
        spark_namespaces,
        scrape_interval_seconds,
        scrape_timeout_seconds,
        scrape_limit_bytes,
        buffer_limit_bytes,
        flush_timeout_seconds,
    } = config;
    let listen = context.listen.check(listen).context(Exit::Configuration)?;
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let metrics = context.metrics(Metrics::register);
    let sink = Sink::new(as_usize(buffer_limit_bytes), metrics.clone());
    let targets = Targets::new(urls.iter().map(Url::to_string));

    let timeout = seconds(scrape_timeout_seconds);
    let client = ScrapeClient::new(timeout, as_usize(scrape_limit_bytes))
        .context("preparing to scrape")
        .context(Exit::Configuration)?;
    let policy = Policy {
        static_tags: tags,
        dropped_labels: dropped_labels.0,
        spark_namespaces: spark_namespaces.0,
    };
    let options = ScrapeOptions {
        client,
        policy: Arc::new(policy),
        interval: seconds(scrape_interval_seconds),
        sink: sink.clone(),
        targets: targets.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&context.clock),
        entropy: Arc::clone(&entropy),
    };
    let no_more_lines = CancellationToken::new();
    let scraping = scrape_all(urls, options, context.stop.clone(), no_more_lines.clone());
    context.tasks.spawn("scrape", scraping);

    let writer_options = WriterOptions {
        address: tsdb_address.clone(),
        flush_timeout: seconds(flush_timeout_seconds),
    };
    let writer = Writer {
        sink: sink.clone(),
        options: writer_options,
        entropy,
    };
    context.tasks.spawn("write", writer.run(no_more_lines));

    let api = Api {
        targets,
        sink,
        sink_address: tsdb_address,
        metrics,
    };
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(MetricsServiceServer::new(api))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind(listen)
        .context(Exit::Configuration)?;
    tracing::info!(address = %server.local_address(), "gRPC port is open");
    context
        .tasks
        .spawn("grpc", server.serve(context.stop.clone()));
    Ok(())
}

/// Scrapes every target until `stop` and once more; then the writer knows that it has everything.
async fn scrape_all(
    urls: Vec<Url>,
    options: ScrapeOptions,
    stop: CancellationToken,
    no_more_lines: CancellationToken,
) {
    let urls: BTreeSet<_> = urls.into_iter().collect();
    let scrapers = urls.into_iter().map(|url| {
        Scraper {
            url,
            options: options.clone(),
        }
        .run(stop.clone())
    });
    join_all(scrapers).await;
    no_more_lines.cancel();
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}

fn as_usize(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
