//! Serves logs, live and archived, with one cursor across both; assembles event logs into the
//! layout that a Spark History Server reads.

pub mod api;
pub mod applications;
pub mod archive;
pub mod assembler;
mod background;
pub mod by_hand;
pub mod cluster;
pub mod config;
pub mod domain;
pub mod error;
pub mod metrics;
mod recent;
pub mod retention;
pub mod serving;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use moka_process::{Exit, ProcessContext, ServiceInfo};
use moka_proto::logs::v1::log_service_server::LogServiceServer;
use moka_rpc::{ClientOptions, Server, ServerOptions};

use crate::{
    api::LogApi,
    applications::{Applications, LiveAttempts, RecentApplications, SubmissionClient},
    archive::RawObjects,
    assembler::{Assembler, AssemblySettings},
    cluster::{KubernetesLogs, LiveLogs},
    config::{Config, RetentionOptions, seconds},
    domain::{keys::KeyGrammar, retention::RetentionRules},
    metrics::Metrics,
    retention::{Retention, SweepSettings, Sweeper},
    serving::{Indexes, Pages, ReaderLimits, Readers, Serving, ServingSettings, SharedTails},
};

/// What this binary is.
pub const SERVICE: ServiceInfo = ServiceInfo {
    name: "log-broker",
    version: env!("CARGO_PKG_VERSION"),
    description: "Serves logs, live and archived, and assembles event logs.",
    default_admin_listen: "127.0.0.1:7503",
};

/// What one call of `SearchLog` looks at before it ends its page.
const SEARCH_BYTES: u64 = 1 << 30;
const SEARCH_TIME: Duration = Duration::from_secs(5);
/// Readers of many pages need no listing for each.
const RELIST_AFTER: Duration = Duration::from_secs(1);

/// Wires the service and starts its tasks.
///
/// # Errors
///
/// When the configuration cannot be used or the object store cannot be opened.
pub async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let Config {
        listen,
        submission_url,
        objects_url,
        clusters,
        container_keys,
        event_keys,
        assembly_interval_seconds,
        chunk_interval_seconds,
        chunk_bytes,
        settle_seconds,
        gap_wait_seconds,
        late_seconds,
        synthetic_end,
        follow_interval_milliseconds,
        follower_limit,
        download_limit,
        search_limit,
        cache_bytes,
        retention,
    } = config;
    let listen = context.listen.check(listen).context(Exit::Configuration)?;
    let metrics = context.metrics(Metrics::register);
    let objects = open(&objects_url, cache_bytes, &metrics).await?;
    let grammar = Arc::new(KeyGrammar {
        containers: container_keys,
        events: event_keys,
    });
    let live = live_logs(&clusters).await?;

    let submission = submission(&submission_url)?;
    let attempts = LiveAttempts::new(seconds(late_seconds));
    watch(&context, &submission, &attempts);

    let settle = seconds(settle_seconds);
    let settings = AssemblySettings {
        chunk_bytes: usize::try_from(chunk_bytes).context(Exit::Configuration)?,
        chunk_interval: seconds(chunk_interval_seconds),
        settle,
        synthetic_end,
    };
    let assembler = Assembler::new(
        objects.clone(),
        Arc::clone(&grammar),
        settings,
        metrics.clone(),
    );
    let interval = seconds(assembly_interval_seconds);
    assemble(&context, assembler, attempts, interval);
    let applications: Arc<dyn Applications> = Arc::new(submission);
    let retention = retain(&context, &objects, &grammar, &applications, retention)?;

    let limits = ReaderLimits {
        followers: follower_limit,
        downloads: download_limit,
        searches: search_limit,
    };
    let serving = Serving {
        applications: Arc::new(RecentApplications::new(applications)),
        objects,
        grammar,
        live,
        tails: SharedTails::new(metrics.readers.clone()),
        pages: Pages::new(metrics.readers.clone()),
        indexes: Indexes::new(cache_bytes),
        clock: Arc::clone(&context.clock),
        settings: ServingSettings {
            settle,
            gap_wait: seconds(gap_wait_seconds),
            relist_after: RELIST_AFTER,
            poll_interval: Duration::from_millis(follow_interval_milliseconds),
            search_bytes: SEARCH_BYTES,
            search_time: SEARCH_TIME,
        },
        readers: Readers::new(limits),
        retention,
        metrics,
        answer_by: None,
    };
    serve(&context, serving, listen, limits)
}

async fn open(url: &str, cache_bytes: usize, metrics: &Metrics) -> anyhow::Result<RawObjects> {
    let store = moka_objects::open(url).await;
    let store = store.context(Exit::Configuration)?;
    Ok(RawObjects::new(store, cache_bytes, metrics.clone()))
}

fn submission(url: &str) -> anyhow::Result<SubmissionClient> {
    let options = ClientOptions {
        user_agent: format!("moka-log-broker/{}", SERVICE.version),
        ..ClientOptions::default()
    };
    let channel = moka_rpc::client::connect(url, &options).context(Exit::Configuration)?;
    Ok(SubmissionClient::new(channel))
}

fn watch(context: &ProcessContext, submission: &SubmissionClient, attempts: &LiveAttempts) {
    let watching = submission.clone().keep_watching(
        attempts.clone(),
        Arc::clone(&context.clock),
        context.stop.clone(),
    );
    context.tasks.spawn("watch applications", watching);
}

fn assemble(
    context: &ProcessContext,
    assembler: Assembler,
    attempts: LiveAttempts,
    interval: Duration,
) {
    let (clock, stop) = (Arc::clone(&context.clock), context.stop.clone());
    let assembling = assembler.run(attempts, interval, clock, stop);
    context.tasks.spawn("assemble event logs", assembling);
}

fn retain(
    context: &ProcessContext,
    objects: &RawObjects,
    grammar: &Arc<KeyGrammar>,
    applications: &Arc<dyn Applications>,
    options: RetentionOptions,
) -> anyhow::Result<Retention> {
    let RetentionOptions {
        rules,
        grace_hours,
        interval_seconds,
    } = options;
    if !rules.is_empty() && !grammar.tells_attempts() {
        let problem = "--retention needs keys that begin with shard, application and attempt";
        return Err(anyhow::anyhow!(problem).context(Exit::Configuration));
    }
    let rules = RetentionRules::new(rules);
    let retention = Retention::new(
        objects.clone(),
        Arc::clone(grammar),
        rules,
        Arc::clone(&context.clock),
        objects.metrics().clone(),
    );
    let settings = SweepSettings {
        interval: seconds(interval_seconds),
        grace: seconds(grace_hours * 3600),
    };
    let sweeper = Sweeper::new(retention.clone(), Arc::clone(applications), settings);
    let sweeping = sweeper.run(context.stop.clone());
    context.tasks.spawn("carry out the retention", sweeping);
    Ok(retention)
}

fn serve(
    context: &ProcessContext,
    serving: Serving,
    listen: SocketAddr,
    limits: ReaderLimits,
) -> anyhow::Result<()> {
    // Readers at their limits leave room for short calls.
    let options = ServerOptions {
        concurrency_limit: ServerOptions::default().concurrency_limit + limits.sum(),
        ..ServerOptions::default()
    };
    let api = LogApi::new(serving, context.stop.clone());
    let server = context
        .metrics(|registry| Server::new(options, registry))
        .add_service(LogServiceServer::new(api))
        .with_reflection(moka_proto::DESCRIPTORS)
        .bind(listen)
        .context(Exit::Configuration)?;
    tracing::info!(address = %server.local_address(), "gRPC port is open");
    context
        .tasks
        .spawn("serve gRPC", server.serve(context.stop.clone()));
    Ok(())
}

async fn live_logs(
    clusters: &[cluster::ClusterAccess],
) -> anyhow::Result<Option<Arc<dyn LiveLogs>>> {
    if clusters.is_empty() {
        tracing::info!("no cluster is named, logs come from the object store only");
        return Ok(None);
    }
    let logs = KubernetesLogs::new(clusters)
        .await
        .context(Exit::Configuration)?;
    Ok(Some(Arc::new(logs)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn search_looks_at_as_much_as_the_page_says() {
        let page = include_str!("../../../docs/log-broker.md");
        assert!(page.contains("| what a search looks at in one call | 1 GiB or 5 s,"));
        assert_eq!(super::SEARCH_BYTES, 1_073_741_824);
        assert_eq!(super::SEARCH_TIME.as_secs(), 5);
    }
}
