//! The assembly of one event log.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use moka_core::AttemptName;
use moka_objects::{ETag, ObjectMeta, ObjectStore};

use super::AssemblySettings;
use crate::{
    archive::{GrowingIndex, RawObjects, StreamIndex},
    domain::{
        checkpoint::{Checkpoint, ChunkRange},
        chunk::{cut, has_application_end, spark_application_id, synthetic_end, without_torn_line},
        layout::Step,
        manifest::{AssemblyState, Manifest, ManifestGap},
        stream::{Source, StreamName},
    },
    error::Error,
    metrics::Metrics,
};

/// One event log, from its raw objects to its chunks.
///
/// A round decides the next chunk, writes the decision into the checkpoint on the condition that no
/// other replica has, and publishes it. After any error the checkpoint is read again and what it
/// says is published again, so that a crash at any point is repaired by the next round, here or
/// elsewhere.
#[derive(Debug)]
pub struct EventLogAssembly {
    pub(super) attempt: AttemptName,
    pub(super) file: String,
    pub(super) objects: RawObjects,
    /// Where checkpoint and chunks go.
    pub(super) out: Arc<dyn ObjectStore>,
    growing: GrowingIndex,
    pub(super) metrics: Metrics,
    /// How; may be changed between rounds.
    pub(crate) settings: AssemblySettings,
    decided: Option<Decided>,
    /// End of the bytes that were looked at in vain, so that they are not looked at every round.
    examined_end_bytes: u64,
}

/// The checkpoint as it is in the store.
#[derive(Debug, Clone)]
pub(super) struct Decided {
    pub(super) checkpoint: Checkpoint,
    /// `None` when there is none yet.
    pub(super) etag: Option<ETag>,
}

/// What a round found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AssemblyStatus {
    /// Where the assembly stands.
    pub state: AssemblyState,
    /// Gaps in the driver's file.
    pub gap_count: usize,
    /// How long the oldest unpublished byte has been in the store.
    pub lag: SignedDuration,
}

impl EventLogAssembly {
    /// An assembly that nothing is known of yet.
    pub fn new(
        attempt: AttemptName,
        file: &str,
        objects: RawObjects,
        out: Arc<dyn ObjectStore>,
        settings: AssemblySettings,
        metrics: Metrics,
    ) -> Self {
        Self {
            attempt,
            file: file.to_owned(),
            objects,
            out,
            growing: GrowingIndex::unsaved(StreamIndex::of_source(&Source::EventLog {
                file: file.to_owned(),
            })),
            metrics,
            settings,
            decided: None,
            examined_end_bytes: 0,
        }
    }

    /// The same with the index that is saved in the store, and saved there. `prefix` is that of the
    /// log's raw objects.
    #[must_use]
    pub fn with_saved_index(self, prefix: String) -> Self {
        let source = Source::EventLog {
            file: self.file.clone(),
        };
        let stream = StreamName {
            attempt: self.attempt,
            source,
        };
        Self {
            growing: GrowingIndex::saved(stream, prefix),
            ..self
        }
    }

    pub(super) fn index(&self) -> &StreamIndex {
        self.growing.index()
    }

    /// Does what can be done with the objects that were listed. `ended` is when submission says
    /// that the attempt ended.
    ///
    /// # Errors
    ///
    /// When the store fails. The next round repairs what this one has left half done.
    pub async fn advance(
        &mut self,
        listed: Vec<ObjectMeta>,
        ended: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<AssemblyStatus, Error> {
        let last_decided = self.decided.take();
        let known = self.growing.index().objects().len();
        let refresh = self.growing.refresh(&self.objects, listed, known, None);
        refresh.await?;
        let mut decided = if let Some(decided) = last_decided {
            decided
        } else {
            let decided = self.load().await?;
            if !decided.checkpoint.deleted {
                self.publish_again(&decided.checkpoint).await?;
            }
            decided
        };
        if decided.checkpoint.deleted {
            let status = self.status(&decided.checkpoint, now);
            self.decided = Some(decided);
            return Ok(AssemblyStatus {
                lag: SignedDuration::ZERO,
                ..status
            });
        }
        while let Some((next, chunk)) = self.next_decision(&decided.checkpoint, ended, now).await? {
            let Some(etag) = self.decide(&next, decided.etag).await? else {
                // Another replica decided; the next round reads what.
                tracing::info!(attempt = %self.attempt, file = self.file, "another replica assembles");
                return Ok(self.status(&decided.checkpoint, now));
            };
            decided = Decided {
                checkpoint: next,
                etag: Some(etag),
            };
            self.publish(&decided.checkpoint, chunk).await?;
        }
        let status = self.status(&decided.checkpoint, now);
        self.decided = Some(decided);
        Ok(status)
    }

    /// What the last round decided; `None` after a round that failed or lost against another
    /// replica.
    pub fn manifest(&self) -> Option<Manifest> {
        self.decided
            .as_ref()
            .map(|decided| decided.checkpoint.manifest())
    }

    /// The checkpoint that should be next, and the bytes of its new chunk; `None` when nothing is
    /// to be done.
    async fn next_decision(
        &mut self,
        now_decided: &Checkpoint,
        ended: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<(Checkpoint, Option<Vec<u8>>)>, Error> {
        let settled = ended.filter(|ended| self.is_settled(*ended, now));
        let chunk = self.next_chunk(now_decided, settled, now).await?;
        let mut next = match &chunk {
            Some((range, bytes)) => {
                let size_bytes = bytes.len() as u64;
                let next = now_decided.with_chunk(*range, now.as_millisecond(), size_bytes);
                Checkpoint {
                    application_end_seen: next.application_end_seen || has_application_end(bytes),
                    spark_application_id: next
                        .spark_application_id
                        .or_else(|| spark_application_id(bytes)),
                    ..next
                }
            }
            None => now_decided.clone(),
        };
        next.gaps = self.gaps_after(next.position_bytes()).collect();
        next.state = if next.application_end_seen {
            AssemblyState::Completed
        } else if settled.is_some() && !next.gaps.is_empty() {
            AssemblyState::HeldBack
        } else {
            AssemblyState::InProgress
        };
        let changed = next != *now_decided;
        Ok(changed.then(|| (next, chunk.map(|(_, bytes)| bytes))))
    }

    async fn next_chunk(
        &mut self,
        decided: &Checkpoint,
        settled: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<(ChunkRange, Vec<u8>)>, Error> {
        let start_bytes = decided.position_bytes();
        let layout = self.index().layout();
        let end_bytes = layout.contiguous_end_bytes(start_bytes);
        let waited = now.as_millisecond() - decided.last_chunk_milliseconds;
        let is_due = decided.chunk_count == 0
            || settled.is_some()
            || u128::from(waited.unsigned_abs()) >= self.settings.chunk_interval.as_millis();
        let is_new = end_bytes > self.examined_end_bytes;
        if end_bytes > start_bytes && (is_due || is_new) {
            self.examined_end_bytes = end_bytes;
            let limit = self.settings.chunk_bytes;
            let mut bytes = self
                .index()
                .bytes_from(&self.objects, start_bytes, limit)
                .await?;
            if start_bytes + bytes.len() as u64 == end_bytes {
                bytes.truncate(without_torn_line(&bytes).len());
            }
            let is_full = bytes.len() >= limit;
            bytes.truncate(cut(&bytes, limit));
            if !bytes.is_empty() && (is_due || is_full || has_application_end(&bytes)) {
                // What follows is looked at in the same round.
                self.examined_end_bytes = start_bytes;
                let end_bytes = start_bytes + bytes.len() as u64;
                let range = ChunkRange {
                    start_bytes,
                    end_bytes,
                    synthetic_end_milliseconds: None,
                };
                return Ok(Some((range, bytes)));
            }
        }
        Ok(settled.and_then(|ended| self.synthetic_chunk(decided, ended)))
    }

    /// The end that the driver did not write, when everything that it wrote is published.
    fn synthetic_chunk(
        &self,
        decided: &Checkpoint,
        ended: Timestamp,
    ) -> Option<(ChunkRange, Vec<u8>)> {
        let is_whole = self.gaps_after(decided.position_bytes()).next().is_none();
        let is_wanted = self.settings.synthetic_end
            && decided.chunk_count > 0
            && !decided.application_end_seen
            && is_whole;
        let position = decided.position_bytes();
        let milliseconds = ended.as_millisecond();
        let range = ChunkRange {
            start_bytes: position,
            end_bytes: position,
            synthetic_end_milliseconds: Some(milliseconds),
        };
        is_wanted.then(|| (range, synthetic_end(milliseconds)))
    }

    /// What is missing of the bytes that are not published yet. Raw objects whose bytes are may be
    /// deleted.
    fn gaps_after(&self, position_bytes: u64) -> impl Iterator<Item = ManifestGap> {
        let gaps = self.index().layout().gaps().map(ManifestGap::from);
        gaps.filter(move |gap| gap.end_offset_bytes > position_bytes)
            .map(move |gap| ManifestGap {
                start_offset_bytes: gap.start_offset_bytes.max(position_bytes),
                ..gap
            })
    }

    fn is_settled(&self, ended: Timestamp, now: Timestamp) -> bool {
        let quiet_since = self
            .index()
            .last_modified()
            .map_or(ended, |modified| modified.max(ended));
        now.duration_since(quiet_since).unsigned_abs() >= self.settings.settle && now >= quiet_since
    }

    fn status(&self, decided: &Checkpoint, now: Timestamp) -> AssemblyStatus {
        let layout = self.index().layout();
        let position = decided.position_bytes();
        let waiting = layout.steps.iter().find_map(|step| match step {
            Step::Segment(segment) if segment.end_bytes > position => Some(segment.run),
            _ => None,
        });
        let lag = waiting.map(|run| now.duration_since(self.index().modified(run)));
        AssemblyStatus {
            state: decided.state,
            gap_count: self.gaps_after(position).count(),
            lag: lag.unwrap_or_default().max(SignedDuration::ZERO),
        }
    }
}
