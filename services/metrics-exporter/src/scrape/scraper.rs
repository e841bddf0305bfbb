//! Asks one endpoint, over and over.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use moka_core::{clock::Clock, entropy::Entropy};
use reqwest::Url;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{ScrapeClient, ScrapeError, Targets};
use crate::{
    domain::{batch::Batch, mapping::Policy},
    metrics::Metrics,
    sink::Sink,
};

/// How long to wait for an endpoint that has never answered: Spark's appear some seconds after the
/// exporter, and a short application has no time for a whole interval.
const FIRST_ANSWER_INTERVAL: Duration = Duration::from_secs(1);

/// What the scrapers of all targets share.
#[derive(Debug, Clone)]
pub struct ScrapeOptions {
    /// Who asks.
    pub client: ScrapeClient,
    /// How samples are named.
    pub policy: Arc<Policy>,
    /// How long to wait between two scrapes.
    pub interval: Duration,
    /// Where the lines go.
    pub sink: Sink,
    /// Where it is noted how scrapes went.
    pub targets: Targets,
    /// What is counted.
    pub metrics: Metrics,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Spreads scrapes, so that not all exporters of a cluster work in the same moment.
    pub entropy: Arc<dyn Entropy>,
}

/// Scrapes one target.
#[derive(Debug)]
pub struct Scraper {
    /// The endpoint.
    pub url: Url,
    /// What all scrapers share.
    pub options: ScrapeOptions,
}

impl Scraper {
    /// Scrapes until `stop`, then a last time.
    pub async fn run(self, stop: CancellationToken) {
        let mut has_answered = false;
        let mut answered_last = true;
        let mut wait = self.jitter(FIRST_ANSWER_INTERVAL.min(self.options.interval)) / 2;
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                () = stop.cancelled() => break,
            }
            let result = self.scrape().await;
            // The first failure tells the story; counters and `ListTargets` tell how long it lasts.
            match &result {
                Ok(()) => {}
                Err(error) if answered_last => {
                    tracing::warn!(target.url = %self.url, error, "scrape failed");
                }
                Err(error) => tracing::debug!(target.url = %self.url, error, "scrape failed again"),
            }
            answered_last = result.is_ok();
            has_answered |= answered_last;
            let interval = self.options.interval;
            let interval = if has_answered {
                interval
            } else {
                interval.min(FIRST_ANSWER_INTERVAL)
            };
            wait = self.jitter(interval);
        }
        if let Err(error) = self.scrape().await {
            tracing::debug!(target.url = %self.url, error, "there is nothing left to scrape");
        }
    }

    /// Between nine and eleven tenths of `interval`.
    fn jitter(&self, interval: Duration) -> Duration {
        let mut random = [0];
        self.options.entropy.fill(&mut random);
        interval * 9 / 10 + interval * u32::from(random[0]) / (5 * 255)
    }

    /// Sends what the endpoint says on its way, or tells why there is nothing.
    async fn scrape(&self) -> Result<(), String> {
        let ScrapeOptions {
            sink,
            targets,
            metrics,
            clock,
            ..
        } = &self.options;
        let (asked_at, started) = (clock.now(), Instant::now());
        let result = self.ask(asked_at).await.map_err(chain);
        let took = started.elapsed();
        metrics.scrape(result.is_ok());
        targets.update(self.url.as_str(), |status| {
            status.last_scrape = Some((asked_at, took));
            match &result {
                Ok(batch) => {
                    status.last_samples = batch.samples;
                    status.last_error.clear();
                    status.successes += 1;
                }
                Err(error) => {
                    status.last_error.clone_from(error);
                    status.failures += 1;
                }
            }
        });
        sink.send(result?);
        Ok(())
    }

    async fn ask(&self, asked_at: Timestamp) -> Result<Batch, ScrapeError> {
        let ScrapeOptions { client, policy, .. } = &self.options;
        let answer = client.get(self.url.clone()).await?;
        let batch = Batch::of(&answer.body, answer.format, policy, asked_at.as_second());
        if batch.is_foreign() {
            Err(ScrapeError::NoMetrics)
        } else {
            Ok(batch)
        }
    }
}

fn chain(error: ScrapeError) -> String {
    format!("{:#}", anyhow::Error::from(error))
}
