//! What has to be done from time to time, whatever happens.

use std::time::Duration;

use jiff::SignedDuration;
use moka_process::Condition;
use tokio::time::Instant;

use super::{Pace, pause};
use crate::journal::Journal;

const INTERVAL: Duration = Duration::from_secs(5);
const PRUNE_INTERVAL: Duration = Duration::from_mins(1);

/// Counts live applications, tells whether the database answers, and forgets old events.
pub async fn housekeeping(
    journal: Journal,
    store_answers: Condition,
    clock: std::sync::Arc<dyn moka_core::clock::Clock>,
    pace: Pace,
    stop: tokio_util::sync::CancellationToken,
) {
    let mut prune_at = Instant::now();
    loop {
        let answers = journal.store.ping().await.is_ok();
        store_answers.set(answers);
        if answers {
            journal.metrics.status.remembered(journal.live.count());
            match journal.store.live_counts().await {
                Ok(counts) => journal.metrics.live(&counts),
                Err(error) => tracing::warn!(%error, "live applications cannot be counted"),
            }
            if Instant::now() >= prune_at {
                prune_at = Instant::now() + PRUNE_INTERVAL;
                keep_house(&journal, clock.now(), &pace).await;
            }
        }
        if !pause(&stop, INTERVAL).await {
            return;
        }
    }
}

async fn keep_house(journal: &Journal, now: jiff::Timestamp, pace: &Pace) {
    if let Err(error) = journal.store.prepare_months().await {
        tracing::warn!(%error, "room for the coming months cannot be made");
    }
    if let Some(before) = end_of_retention(now, pace.event_retention) {
        match journal.store.prune_events(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "old events forgotten"),
            Err(error) => tracing::warn!(%error, "old events cannot be forgotten"),
        }
    }
    if let Some(before) = end_of_retention(now, pace.audit_retention)
        && let Err(error) = journal.store.prune_audit(before).await
    {
        tracing::warn!(%error, "old audit rows cannot be forgotten");
    }
}

/// A retention that reaches beyond the calendar keeps everything.
fn end_of_retention(now: jiff::Timestamp, kept: Duration) -> Option<jiff::Timestamp> {
    let kept = SignedDuration::try_from(kept).ok()?;
    now.checked_sub(kept).ok()
}
