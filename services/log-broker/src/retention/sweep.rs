//! Looks for what is due, slowly: a shard of all applications a round.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use moka_core::ApplicationId;
use moka_objects::ETag;
use tokio_util::sync::CancellationToken;

use super::{
    Retention,
    shards::{SHARD_COUNT, shard_name},
};
use crate::{
    applications::{ApplicationView, Applications},
    domain::retention::{
        DELETED_BY_POLICY, DeletionState, LogKind, OPEN_PREFIX, Request, RetentionRecord,
    },
    error::{Error, chain},
};

/// Names in a listing.
const PAGE_SIZE: usize = 1000;
/// The mark of an unfinished deletion is put before the deletion begins: one without a deletion is
/// kept for this time.
const MARK_AGE: SignedDuration = SignedDuration::from_hours(1);
const DAY_SECONDS: i64 = 86_400;

/// How the sweeper works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepSettings {
    /// How long it waits between two rounds.
    pub interval: Duration,
    /// How long a deletion that the policy wants is only announced.
    pub grace: Duration,
}

/// Carries out the policy.
#[derive(Debug)]
pub struct Sweeper {
    retention: Retention,
    applications: Arc<dyn Applications>,
    settings: SweepSettings,
    /// The version of each mark that this process has put.
    taken: BTreeMap<usize, ETag>,
    /// What was found by shard, as this process saw it, unless another one has looked since.
    found: Vec<Found>,
}

/// What the applications of a shard are counted for.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    held: u32,
    /// Nothing says whether they are held.
    unreadable: u32,
}

impl Sweeper {
    /// A sweeper that has not looked yet.
    pub fn new(
        retention: Retention,
        applications: Arc<dyn Applications>,
        settings: SweepSettings,
    ) -> Self {
        Self {
            retention,
            applications,
            settings,
            taken: BTreeMap::new(),
            found: vec![Found::default(); SHARD_COUNT],
        }
    }

    /// Works until the stop. What it leaves half done is finished by the next process.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            let requested = Arc::clone(&self.retention.requested);
            tokio::select! {
                () = tokio::time::sleep(self.settings.interval) => {}
                () = requested.notified() => {}
                () = stop.cancelled() => return,
            }
            let round = async {
                self.finish_open().await;
                self.sweep_next().await;
            };
            tokio::select! {
                () = round => {}
                () = stop.cancelled() => return,
            }
            self.retention.metrics.retention.rounds.inc();
        }
    }

    /// Looks at the shard that was not looked at for the longest time, by whomever; says which.
    pub async fn sweep_next(&mut self) -> Option<usize> {
        let shard = self.take().await;
        let shard = self.note(shard).ok().flatten()?;
        self.sweep(shard).await;
        Some(shard)
    }

    async fn take(&mut self) -> Result<Option<usize>, Error> {
        let now = self.retention.now().await?;
        let marks = self.retention.marks().await?;
        for (shard, found) in self.found.iter_mut().enumerate() {
            if marks.get(&shard).map(|mark| &mark.etag) != self.taken.get(&shard) {
                *found = Found::default();
            }
        }
        let interval = signed(self.settings.interval);
        // In a store without marks.
        let begin = now.as_second().unsigned_abs() / self.settings.interval.as_secs().max(1);
        let begin = usize::try_from(begin % SHARD_COUNT as u64).unwrap_or_default();
        let taking = self.retention.take_shard(&marks, begin, interval, now);
        let taken = taking.await?;
        Ok(taken.map(|(shard, etag)| {
            self.taken.insert(shard, etag);
            shard
        }))
    }

    /// Goes on with all deletions that are begun and not finished.
    pub async fn finish_open(&self) {
        let finished = async {
            let now = self.retention.now().await?;
            let mut oldest_seconds = 0;
            for mark in self.retention.objects.list(OPEN_PREFIX).await? {
                let Ok(id) = mark.key.name().parse::<ApplicationId>() else {
                    continue;
                };
                let finished = self.attempt(id, self.finish(id, now)).await;
                let finished = finished.ok().flatten();
                let record = match &finished {
                    Some(record) => Some(record.clone()),
                    None => self.retention.record(id).await.ok(),
                };
                if let Some(started) = record.and_then(|record| record.oldest_unfinished()) {
                    oldest_seconds = oldest_seconds.max(now.duration_since(started).as_secs());
                }
                if let Some(record) = finished {
                    let kinds = LogKind::ALL.iter();
                    let mut states = kinds.filter_map(|kind| record.state(*kind));
                    let is_over = !states.any(|state| state == DeletionState::Deleting);
                    if is_over && now.duration_since(mark.modified) >= MARK_AGE {
                        self.retention.store().delete(&mark.key).await?;
                    }
                }
            }
            Ok(oldest_seconds)
        };
        if let Ok(oldest_seconds) = self.note(finished.await) {
            let metrics = &self.retention.metrics.retention;
            metrics.oldest_deletion_seconds.set(oldest_seconds);
        }
    }

    async fn finish(
        &self,
        id: ApplicationId,
        now: Timestamp,
    ) -> Result<Option<RetentionRecord>, Error> {
        let Some(application) = self.applications.get(id).await? else {
            return Ok(None);
        };
        for kind in LogKind::ALL {
            self.retention.carry_out(&application, kind, now).await?;
        }
        self.retention.record(id).await.map(Some)
    }

    /// Looks at all applications of a shard that have logs in the store.
    pub async fn sweep(&mut self, shard: usize) {
        let name = shard_name(shard);
        let swept = async {
            let now = self.retention.now().await?;
            let mut found = Found::default();
            for id in self.applications_of(&name).await? {
                match self.attempt(id, self.look(id, now)).await {
                    Ok(is_held) => found.held += u32::from(is_held),
                    Err(Error::Damaged { .. }) => found.unreadable += 1,
                    Err(_will_be_tried_again) => {}
                }
            }
            Ok(found)
        };
        if let Ok(found) = self.note(swept.await) {
            self.found[shard] = found;
            let sum = |count: fn(&Found) -> u32| self.found.iter().map(count).sum::<u32>().into();
            let metrics = &self.retention.metrics.retention;
            metrics.held_applications.set(sum(|found| found.held));
            metrics
                .unreadable_records
                .set(sum(|found| found.unreadable));
        }
    }

    async fn applications_of(&self, shard: &str) -> Result<BTreeSet<ApplicationId>, Error> {
        let mut found = BTreeSet::new();
        let mut prefixes = self.retention.grammar.shard_prefixes(shard);
        prefixes.insert(format!("assembly/{shard}/"));
        for prefix in prefixes {
            let mut start_after: Option<String> = None;
            loop {
                let store = self.retention.store();
                let listing = store.list_prefixes(&prefix, start_after.as_deref(), PAGE_SIZE);
                let page = listing.await?;
                let names = page.prefixes.iter().filter_map(|found| {
                    let name = found.strip_prefix(&prefix)?.trim_end_matches('/');
                    name.parse::<ApplicationId>().ok()
                });
                found.extend(names);
                start_after = page.next;
                if start_after.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Looks at an application; says whether it is held.
    async fn look(&self, id: ApplicationId, now: Timestamp) -> Result<bool, Error> {
        let record = self.retention.record(id).await?;
        if record.is_held() {
            return Ok(true);
        }
        let Some(application) = self.applications.get(id).await? else {
            return Ok(false);
        };
        if let Some(ended) = application.ended
            && self.retention.grammar.tells_attempts()
        {
            for kind in LogKind::ALL {
                self.advance(&application, &record, kind, ended, now)
                    .await?;
            }
        }
        Ok(false)
    }

    async fn advance(
        &self,
        application: &ApplicationView,
        record: &RetentionRecord,
        kind: LogKind,
        ended: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = application.id;
        let retention = &self.retention;
        let due = match record.state(kind) {
            Some(DeletionState::Deleting | DeletionState::Deleted) => None,
            Some(DeletionState::Planned) | None => {
                retention.due(application, kind, ended, now).await?
            }
        };
        let planned = record.deletions.get(&kind).map(|deletion| deletion.planned);
        match (record.state(kind), due) {
            (None, None) => return Ok(()),
            (None, Some(request)) => {
                tracing::info!(application.id = %id, kind = kind.as_str(), policy = request.policy, "deletion of logs is planned");
                let plan = retention.change(id, |record| {
                    record.plan(kind, request.clone(), now);
                });
                plan.await?;
                return Ok(());
            }
            (Some(DeletionState::Planned), None) => {
                let withdraw = retention.change(id, |record| record.withdraw(kind));
                withdraw.await?;
                return Ok(());
            }
            (Some(DeletionState::Planned), Some(_)) => {
                let waited = planned.map(|planned| now.duration_since(planned));
                if waited.is_none_or(|waited| waited < signed(self.settings.grace)) {
                    return Ok(());
                }
                retention.mark_open(id).await?;
                let start = retention.change(id, |record| {
                    if !record.is_held() {
                        record.start(kind, now);
                    }
                });
                start.await?;
            }
            (Some(DeletionState::Deleted), _) => {
                let late = retention.some_objects(application, kind, 1, now).await?;
                if late.is_empty() {
                    return Ok(());
                }
                retention.mark_open(id).await?;
                let reopen = retention.change(id, |record| {
                    if !record.is_held() {
                        record.reopen(kind);
                    }
                });
                reopen.await?;
            }
            (Some(DeletionState::Deleting), _) => retention.mark_open(id).await?,
        }
        retention.carry_out(application, kind, now).await?;
        Ok(())
    }

    /// What the work gives; a failure is told, and the next round tries again.
    async fn attempt<T>(
        &self,
        id: ApplicationId,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let done = work.await;
        if done.is_err() {
            tracing::warn!(application.id = %id, "retention of an application failed, will try again");
        }
        self.note(done)
    }

    fn note<T>(&self, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &done {
            self.retention.metrics.retention.failures.inc();
            tracing::warn!(error = %chain(error), "retention failed, will try again");
        }
        done
    }
}

impl Retention {
    /// On whose word a kind is to be deleted now: its time is over by the end of the application,
    /// and by the newest object.
    async fn due(
        &self,
        application: &ApplicationView,
        kind: LogKind,
        ended: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Request>, Error> {
        let Some(keep) = self.keep(application, kind) else {
            return Ok(None);
        };
        let period = SignedDuration::from_secs(i64::from(keep.days) * DAY_SECONDS);
        if now.duration_since(ended) < period {
            return Ok(None);
        }
        let newest = self.newest(application, kind).await?;
        let is_over = newest.is_some_and(|newest| now.duration_since(newest) >= period);
        Ok(is_over.then(|| Request {
            policy: keep.policy,
            requested_by: DELETED_BY_POLICY.to_owned(),
            reason: String::new(),
        }))
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
