//! Looks at every attempt again and again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use moka_core::{AttemptName, clock::Clock};
use moka_objects::ObjectMeta;
use tokio_util::sync::CancellationToken;

use super::{AssemblySettings, AssemblyStatus, EventLogAssembly};
use crate::{
    applications::{AttemptView, LiveAttempts},
    archive::RawObjects,
    domain::{
        keys::KeyGrammar,
        stream::{Source, StreamName},
    },
    error::{Error, chain},
    metrics::Metrics,
};

/// Attempts that are looked at at once.
const CONCURRENT_ATTEMPTS: usize = 16;
/// An ended attempt is looked at again after this part of the time since its end.
const BACK_OFF: i32 = 10;

/// Assembles the event logs of all attempts.
#[derive(Debug)]
pub struct Assembler {
    objects: RawObjects,
    grammar: Arc<KeyGrammar>,
    settings: AssemblySettings,
    metrics: Metrics,
    attempts: BTreeMap<AttemptName, AttemptAssembly>,
}

#[derive(Debug)]
struct AttemptAssembly {
    logs: BTreeMap<String, EventLogAssembly>,
    next_look: Timestamp,
}

impl Assembler {
    /// An assembler that has not looked yet.
    pub fn new(
        objects: RawObjects,
        grammar: Arc<KeyGrammar>,
        settings: AssemblySettings,
        metrics: Metrics,
    ) -> Self {
        Self {
            objects,
            grammar,
            settings,
            metrics,
            attempts: BTreeMap::new(),
        }
    }

    /// Looks at the attempts until the stop. A round that was begun is finished.
    pub async fn run(
        mut self,
        live: LiveAttempts,
        interval: Duration,
        clock: Arc<dyn Clock>,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            let now = clock.now();
            self.round(live.current(now), now).await;
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Looks at each of the attempts once, when its time has come.
    pub async fn round(&mut self, live: Vec<AttemptView>, now: Timestamp) {
        let names: BTreeSet<_> = live.iter().map(|attempt| attempt.name).collect();
        self.attempts.retain(|name, _| names.contains(name));
        self.metrics
            .attempts
            .set(i64::try_from(names.len()).unwrap_or(i64::MAX));
        let mut due = Vec::new();
        for attempt in live {
            let assembly = self
                .attempts
                .remove(&attempt.name)
                .unwrap_or_else(|| AttemptAssembly {
                    logs: BTreeMap::new(),
                    next_look: now,
                });
            if assembly.next_look <= now {
                due.push((attempt, assembly));
            } else {
                self.attempts.insert(attempt.name, assembly);
            }
        }
        let looked: Vec<_> = stream::iter(due)
            .map(|(attempt, assembly)| self.look(attempt, assembly, now))
            .buffer_unordered(CONCURRENT_ATTEMPTS)
            .collect()
            .await;
        let mut lag = SignedDuration::ZERO;
        let mut gap_count = 0;
        for (name, assembly, statuses) in looked {
            self.attempts.insert(name, assembly);
            for status in statuses {
                lag = lag.max(status.lag);
                gap_count += status.gap_count;
            }
        }
        self.metrics.assembly_lag_seconds.set(lag.as_secs_f64());
        self.metrics
            .gaps
            .set(i64::try_from(gap_count).unwrap_or(i64::MAX));
    }

    async fn look(
        &self,
        attempt: AttemptView,
        mut assembly: AttemptAssembly,
        now: Timestamp,
    ) -> (AttemptName, AttemptAssembly, Vec<AssemblyStatus>) {
        let statuses = match self.advance(&attempt, &mut assembly.logs, now).await {
            Ok(statuses) => statuses,
            Err(error) => {
                self.metrics.assembly_failures.inc();
                let error = chain(&error);
                tracing::warn!(attempt = %attempt.name, error, "assembling failed, will try again");
                Vec::new()
            }
        };
        let since_end = attempt
            .ended
            .map_or(SignedDuration::ZERO, |ended| now.duration_since(ended));
        let pause = (since_end / BACK_OFF).max(SignedDuration::ZERO);
        assembly.next_look = if since_end.unsigned_abs() > self.settings.settle * 2 {
            now.saturating_add(pause).unwrap_or(now)
        } else {
            now
        };
        (attempt.name, assembly, statuses)
    }

    async fn advance(
        &self,
        attempt: &AttemptView,
        logs: &mut BTreeMap<String, EventLogAssembly>,
        now: Timestamp,
    ) -> Result<Vec<AssemblyStatus>, Error> {
        let listed = self
            .objects
            .list(&self.grammar.events_prefix(attempt.name))
            .await?;
        let mut by_file: BTreeMap<String, Vec<ObjectMeta>> = BTreeMap::new();
        for object in listed {
            let source = self.grammar.source_of(attempt.name, object.key.as_str());
            if let Some(Source::EventLog { file }) = source {
                by_file.entry(file).or_default().push(object);
            }
        }
        let mut statuses = Vec::new();
        for (file, objects) in by_file {
            let assembly = logs
                .entry(file)
                .or_insert_with_key(|file| self.assembly(attempt.name, file));
            statuses.push(assembly.advance(objects, attempt.ended, now).await?);
        }
        Ok(statuses)
    }

    fn assembly(&self, attempt: AttemptName, file: &str) -> EventLogAssembly {
        let (objects, metrics) = (self.objects.clone(), self.metrics.clone());
        let out = Arc::clone(objects.store());
        let assembly = EventLogAssembly::new(attempt, file, objects, out, self.settings, metrics);
        let source = Source::EventLog {
            file: file.to_owned(),
        };
        let prefix = self.grammar.stream_prefix(&StreamName { attempt, source });
        assembly.with_saved_index(prefix)
    }
}
