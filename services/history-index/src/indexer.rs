//! Reads the logs of known attempts into the catalogue, again and again while they grow.

mod event_log;
mod objects;
mod schedule;
mod update;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::SignedDuration;
use moka_core::clock::Clock;
use moka_objects::ObjectStore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::{
    event_log::{EventLog, Reading},
    schedule::Schedule,
    update::Writer,
};
use crate::{
    domain::model::SparkTime,
    error::Error,
    metrics::Metrics,
    store::{AttemptKey, AttemptRecord, LogState, Store},
};

/// Logs that are read at once.
const CONCURRENT_READS: usize = 4;
/// Attempts that are taken out of the catalogue at once.
const PAGE_SIZE: u32 = 500;

/// What the indexer works with.
#[derive(Debug, Clone)]
pub struct Indexer {
    /// Where the results go.
    pub store: Store,
    /// Where the logs are.
    pub objects: Arc<dyn ObjectStore>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub metrics: Metrics,
    /// How often a log that grows is looked at.
    pub poll_interval: Duration,
    /// When an unfinished log is given up.
    pub abandon_after: Duration,
}

/// The reading of one attempt's log, kept in memory between rounds. After a restart the log is read
/// again from its first chunk, which gives the same facts.
#[derive(Debug, Default)]
struct Work {
    log: EventLog,
    writer: Writer,
    schedule: Schedule,
}

impl Indexer {
    /// Works until `stop`. Stopping in the middle of a log loses nothing: rows are written in
    /// transactions, and what was not written is read again.
    pub async fn run(self, stop: CancellationToken) {
        let mut works = BTreeMap::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = self.round(&mut works) => {}
                () = stop.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(self.poll_interval / 3) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Looks at every attempt that is due.
    async fn round(&self, works: &mut BTreeMap<AttemptKey, Work>) {
        let records = match self.open_attempts().await {
            Ok(records) => records,
            Err(error) => {
                self.metrics.failed_reads.inc();
                tracing::warn!(
                    error = error_chain(&error),
                    "listing the attempts to read failed"
                );
                return;
            }
        };
        self.metrics
            .open_logs
            .set(i64::try_from(records.len()).unwrap_or(i64::MAX));
        // Settled and abandoned attempts are not listed any more, and their facts are let go.
        works.retain(|key, _| records.contains_key(key));
        let now = Instant::now();
        let due: Vec<_> = records
            .into_values()
            .filter_map(|record| {
                let mut work = works.remove(&record.key).unwrap_or_default();
                if work.schedule.is_due(now) {
                    return Some((record, work));
                }
                work.schedule.note_end(record.ended_at.is_some());
                works.insert(record.key, work);
                None
            })
            .collect();
        let mut done = futures::stream::iter(due)
            .map(|(record, work)| self.look_at(record, work))
            .buffer_unordered(CONCURRENT_READS);
        while let Some((key, work)) = done.next().await {
            works.insert(key, work);
        }
    }

    async fn open_attempts(&self) -> Result<BTreeMap<AttemptKey, AttemptRecord>, Error> {
        let abandon_after =
            SignedDuration::try_from(self.abandon_after).unwrap_or(SignedDuration::MAX);
        let oldest = self.clock.now().saturating_sub(abandon_after);
        let ended_from = oldest.map_or(i64::MIN, jiff::Timestamp::as_microsecond);
        let mut records = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self
                .store
                .attempts_to_read(after, ended_from, PAGE_SIZE)
                .await
                .map_err(Error::Store)?;
            let Some(last) = page.last() else {
                return Ok(records);
            };
            after = Some(last.key);
            records.extend(page.into_iter().map(|record| (record.key, record)));
        }
    }

    async fn look_at(&self, record: AttemptRecord, mut work: Work) -> (AttemptKey, Work) {
        let key = record.key;
        let has_ended = record.ended_at.is_some();
        match self.advance(&record, &mut work).await {
            Ok(Progress::More) => work.schedule.at_once(),
            Ok(Progress::Moved) => work.schedule.moved(Instant::now(), self.poll_interval),
            Ok(Progress::Still) => {
                let now = Instant::now();
                work.schedule.still(now, self.poll_interval, has_ended);
            }
            Err(error) => {
                self.metrics.failed_reads.inc();
                work.schedule
                    .still(Instant::now(), self.poll_interval, has_ended);
                tracing::warn!(
                    application.id = %key.application_id,
                    attempt.number = key.attempt_number,
                    error = error_chain(&error),
                    "reading an event log failed, it is tried again"
                );
            }
        }
        (key, work)
    }

    async fn advance(&self, record: &AttemptRecord, work: &mut Work) -> Result<Progress, Error> {
        let before = work.log.tally();
        let reading = work
            .log
            .read(&*self.objects, record.key, &record.spark_application_id)
            .await?;
        if reading.was_rebuilt {
            self.metrics.rebuilt_logs.inc();
            work.writer.replace_all();
            self.metrics.record_reading(
                crate::domain::log_reader::Tally::default(),
                work.log.tally(),
            );
        } else {
            self.metrics.record_reading(before, work.log.tally());
        }
        let has_moved = work
            .writer
            .write(&self.store, record, &work.log, &reading)
            .await?;
        if has_moved {
            self.tell(record, &reading, &work.log);
        }
        Ok(match (reading.has_more, has_moved) {
            (true, _) => Progress::More,
            (false, true) => Progress::Moved,
            (false, false) => Progress::Still,
        })
    }

    fn tell(&self, record: &AttemptRecord, reading: &Reading, log: &EventLog) {
        let AttemptKey {
            application_id,
            attempt_number,
        } = record.key;
        if let Some(SparkTime(written)) = log.last_updated() {
            let milliseconds = self
                .clock
                .now()
                .as_millisecond()
                .saturating_sub(written)
                .max(0);
            self.metrics
                .record_lag(Duration::from_millis(milliseconds.unsigned_abs()));
        }
        match reading.state {
            LogState::Settled => {
                self.metrics.settled_logs.inc();
                tracing::info!(
                    application.id = %application_id,
                    attempt.number = attempt_number,
                    events = log.tally().event_count,
                    "event log is read to its end"
                );
            }
            LogState::Refused => {
                self.metrics.refused_logs.inc();
                tracing::warn!(
                    application.id = %application_id,
                    attempt.number = attempt_number,
                    problem = reading.problem,
                    "event log is not indexed"
                );
            }
            LogState::Waiting | LogState::Indexing => {}
        }
    }
}

enum Progress {
    /// There is more to read at once.
    More,
    /// Something new was written.
    Moved,
    /// Nothing was new.
    Still,
}

/// The whole chain on one line.
fn error_chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
