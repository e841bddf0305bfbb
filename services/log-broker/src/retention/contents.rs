//! Which objects a kind of an application's logs has.

use jiff::{SignedDuration, Timestamp};
use moka_core::AttemptName;
use moka_objects::{ObjectKey, ObjectMeta};

use super::{Retention, records::json};
use crate::{
    applications::ApplicationView,
    domain::{
        checkpoint::Checkpoint, chunk::EventLogKeys, manifest::Manifest, retention::LogKind,
        saved_index, stream::StreamKind,
    },
    error::Error,
};

/// Objects in a listing.
const PAGE_SIZE: usize = 1000;
/// How long the checkpoint of a deleted event log stays, so that no assembler begins it anew.
const TOMBSTONE_AGE: SignedDuration = SignedDuration::from_hours(24);

impl Retention {
    /// At most so many objects of a kind; none when nothing is left. Only what is the
    /// application's for sure: objects that others have put under its prefixes stay.
    pub(super) async fn some_objects(
        &self,
        application: &ApplicationView,
        kind: LogKind,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ObjectMeta>, Error> {
        for attempt in &application.attempts {
            let found = match kind.stream_kind() {
                Some(stream_kind) => self.raw_objects(attempt.name, stream_kind, limit).await?,
                None => self.event_log_objects(attempt.name, limit, now).await?,
            };
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// When the newest object of a kind was put; `None` without any. Indexes count only when
    /// nothing else is left: reading a log makes one, and must not keep the log.
    pub(super) async fn newest(
        &self,
        application: &ApplicationView,
        kind: LogKind,
    ) -> Result<Option<Timestamp>, Error> {
        let (mut newest, mut newest_index) = (None, None);
        for attempt in &application.attempts {
            let Some(stream_kind) = kind.stream_kind() else {
                newest = newest.max(self.newest_under(&Checkpoint::prefix(attempt.name)).await?);
                continue;
            };
            let prefix = self.raw_prefix(attempt.name, stream_kind);
            newest = newest.max(self.newest_under(&prefix).await?);
            let prefix = saved_index::prefix(attempt.name, stream_kind);
            newest_index = newest_index.max(self.newest_under(&prefix).await?);
        }
        Ok(newest.or(newest_index))
    }

    async fn newest_under(&self, prefix: &str) -> Result<Option<Timestamp>, Error> {
        let listed = self.objects.list(prefix).await?;
        Ok(listed.iter().map(|object| object.modified).max())
    }

    fn raw_prefix(&self, attempt: AttemptName, kind: StreamKind) -> String {
        match kind {
            StreamKind::Container => self.grammar.containers_prefix(attempt),
            StreamKind::EventLog => self.grammar.events_prefix(attempt),
        }
    }

    /// Raw objects, and when there are none the indexes that were made of them.
    async fn raw_objects(
        &self,
        attempt: AttemptName,
        kind: StreamKind,
        limit: usize,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let is_ours = |object: &ObjectMeta| {
            let source = self.grammar.source_of(attempt, object.key.as_str());
            source.is_some_and(|source| source.kind() == kind)
        };
        let prefix = self.raw_prefix(attempt, kind);
        let found = self.first_of(&prefix, limit, is_ours).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        let prefix = saved_index::prefix(attempt, kind);
        self.first_of(&prefix, limit, |_| true).await
    }

    /// The first objects under a prefix that count.
    async fn first_of(
        &self,
        prefix: &str,
        limit: usize,
        counts: impl Fn(&ObjectMeta) -> bool + Send,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let mut start_after: Option<String> = None;
        loop {
            let listing = self.store().list(prefix, start_after.as_deref(), PAGE_SIZE);
            let page = listing.await?;
            let objects = page.objects.into_iter();
            let found: Vec<_> = objects.filter(&counts).take(limit).collect();
            if !found.is_empty() || page.next.is_none() {
                return Ok(found);
            }
            start_after = page.next;
        }
    }

    /// Of one directory, and when all are empty, checkpoints that have been tombstones for long.
    async fn event_log_objects(
        &self,
        attempt: AttemptName,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let checkpoints = self.objects.list(&Checkpoint::prefix(attempt)).await?;
        for checkpoint in &checkpoints {
            let Some(file) = checkpoint.key.name().strip_suffix(".json") else {
                continue;
            };
            let keys = EventLogKeys::new(file);
            if self.is_anothers(attempt, &keys).await? {
                continue;
            }
            let prefix = format!("{}/", keys.directory());
            let found = self.first_of(&prefix, limit, |_| true).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let is_old = |object: &ObjectMeta| now.duration_since(object.modified) >= TOMBSTONE_AGE;
        let mut old: Vec<_> = checkpoints.into_iter().filter(is_old).collect();
        old.truncate(limit);
        Ok(old)
    }

    /// Whether the directory is another attempt's. Without a manifest it is what a crash left of
    /// this one's: the manifest comes first and is deleted last.
    async fn is_anothers(&self, attempt: AttemptName, keys: &EventLogKeys) -> Result<bool, Error> {
        let found: Option<(Manifest, _)> = self.read(&ObjectKey::new(keys.manifest())?).await?;
        let owner = (attempt.application_id.to_string(), attempt.number);
        Ok(found.is_some_and(|(manifest, _)| {
            (manifest.application_id, manifest.attempt_number) != owner
        }))
    }

    /// Marks the checkpoints of an application's event logs, so that no assembler goes on: its
    /// next decision is refused, and what it reads then is the mark.
    pub(super) async fn bury_checkpoints(
        &self,
        application: &ApplicationView,
    ) -> Result<(), Error> {
        for attempt in &application.attempts {
            for object in self.objects.list(&Checkpoint::prefix(attempt.name)).await? {
                let found: Option<(Checkpoint, _)> = self.read(&object.key).await?;
                let Some((checkpoint, etag)) = found.filter(|(found, _)| !found.deleted) else {
                    continue;
                };
                let tombstone = Checkpoint {
                    deleted: true,
                    ..checkpoint
                };
                let bytes = json(&object.key, &tombstone)?;
                let condition = moka_objects::PutCondition::IfMatch(etag);
                self.store().put(&object.key, bytes, condition).await?;
            }
        }
        Ok(())
    }
}
