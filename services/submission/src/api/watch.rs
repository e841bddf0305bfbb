//! `WatchApplications`: a snapshot, a mark, then every change, without gaps or repeats.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use moka_core::{ApplicationId, ErrorReason, PublicError};
use moka_proto::submission::v1::{
    ApplicationChange, Heartbeat, SnapshotEnd, WatchApplicationsRequest, WatchApplicationsResponse,
    watch_applications_response::Step,
};
use moka_rpc::{Fingerprint, Page, Violations};
use tokio::time::{Instant, sleep, timeout};
use tonic::Status;

use super::{Api, Error, WatchPace, convert, list, not_found, parse_id};
use crate::{
    domain::{application::Application, filter::Filter, state::ApplicationState},
    store::{Change, ChangeFilter, ListQuery, Position, Store},
};

const SNAPSHOT_PAGE: u32 = 200;
const CHANGES_PAGE: u32 = 500;
/// What is written within it is read together: with many watches, reading after every commit would
/// cost more than the commits.
const GATHER: Duration = Duration::from_millis(20);

/// Checks the request and opens the stream. Nothing is read ahead of the client: a slow one slows
/// only its own watch.
pub(super) async fn watch(
    api: &Api,
    mut request: WatchApplicationsRequest,
) -> Result<impl Stream<Item = Result<WatchApplicationsResponse, Status>> + use<>, Error> {
    let cursor = std::mem::take(&mut request.cursor);
    // A page of one entry: only its token is used, as the cursor.
    let position =
        Page::parse(1, &cursor, Fingerprint::of(&request)).map_err(|_damaged| invalid_cursor())?;
    let conditions = list::filter(&request.filter)?;
    let filter = filter(api, &request).await?;
    let written = api.store.written();
    let horizon = api.store.changes(&filter, i64::MAX, 1).await?;
    let phase = match &position.after {
        None => Phase::Snapshot { after: None },
        Some(text) => {
            let after: i64 = text.parse().map_err(|_damaged| invalid_cursor())?;
            if after < horizon.pruned_through {
                return Err(expired_cursor().into());
            }
            if after > horizon.last {
                return Err(invalid_cursor().into());
            }
            Phase::Tail {
                after,
                is_current: false,
            }
        }
    };
    let watch = Watch {
        store: Arc::clone(&api.store),
        pace: api.watch,
        filter,
        conditions,
        live_only: request.live_only,
        position,
        // Changes since before the snapshot began may be in it or not.
        begin: horizon.last,
        in_snapshot: BTreeMap::new(),
        phase,
        ready: VecDeque::new(),
        written,
        heartbeat_at: Instant::now() + api.watch.heartbeat,
    };
    Ok(stream::try_unfold(watch, |mut watch| async move {
        let step = watch.next().await?;
        Ok(Some((step, watch)))
    }))
}

async fn filter(api: &Api, request: &WatchApplicationsRequest) -> Result<ChangeFilter, Error> {
    let mut filter = ChangeFilter::default();
    if !request.application_id.is_empty() {
        let id = parse_id(&request.application_id)?;
        api.store.get(id).await?.ok_or_else(|| not_found(id))?;
        filter.application_id = Some(id);
    }
    if !request.project.is_empty() {
        let mut violations = Violations::new();
        violations.dns_label("project", &request.project);
        violations.into_result()?;
        filter.project = Some(request.project.clone());
    }
    Ok(filter)
}

enum Phase {
    Snapshot {
        after: Option<Position>,
    },
    Tail {
        after: i64,
        /// Whether everything was read that there was when it was read.
        is_current: bool,
    },
}

struct Watch {
    store: Arc<dyn Store>,
    pace: WatchPace,
    filter: ChangeFilter,
    /// Conditions on the application as it is.
    conditions: Option<Filter>,
    live_only: bool,
    position: Page,
    begin: i64,
    /// Versions in the snapshot that are newer than its begin: their changes were told already.
    in_snapshot: BTreeMap<ApplicationId, i64>,
    phase: Phase,
    ready: VecDeque<WatchApplicationsResponse>,
    written: tokio::sync::watch::Receiver<i64>,
    heartbeat_at: Instant,
}

impl Watch {
    async fn next(&mut self) -> Result<WatchApplicationsResponse, Error> {
        loop {
            if let Some(step) = self.ready.pop_front() {
                self.heartbeat_at = Instant::now() + self.pace.heartbeat;
                return Ok(step);
            }
            self.phase = match &self.phase {
                Phase::Snapshot { after } => {
                    let after = after.clone();
                    self.snapshot(after).await?
                }
                Phase::Tail { after, is_current } => {
                    let (after, is_current) = (*after, *is_current);
                    if is_current {
                        self.wait().await;
                    }
                    self.tail(after).await?
                }
            };
        }
    }

    async fn snapshot(&mut self, after: Option<Position>) -> Result<Phase, Error> {
        let (page, next) = self.snapshot_page(after).await?;
        for application in page {
            if application.version > self.begin {
                self.in_snapshot.insert(application.id, application.version);
            }
            if self.is_wanted(&application) {
                let step = Step::Snapshot(convert::application(application));
                self.ready.push_back(self.response(step, None));
            }
        }
        if next.is_some() {
            return Ok(Phase::Snapshot { after: next });
        }
        let end = self.response(Step::SnapshotEnd(SnapshotEnd {}), Some(self.begin));
        self.ready.push_back(end);
        Ok(Phase::Tail {
            after: self.begin,
            is_current: false,
        })
    }

    async fn snapshot_page(
        &self,
        after: Option<Position>,
    ) -> Result<(Vec<Application>, Option<Position>), Error> {
        if let Some(id) = self.filter.application_id {
            let application = self.store.get(id).await?;
            return Ok((application.into_iter().collect(), None));
        }
        let live = |state: &ApplicationState| self.live_only && !state.is_final();
        let query = ListQuery {
            projects: self.filter.project.iter().cloned().collect(),
            states: ApplicationState::ALL.into_iter().filter(live).collect(),
            filter: self.conditions.clone(),
            after,
            limit: SNAPSHOT_PAGE,
            ..ListQuery::default()
        };
        let listed = self.store.list(&query).await?;
        Ok((listed.applications, listed.next))
    }

    /// Whether an application passes all conditions; those on the snapshot alone included.
    fn is_wanted(&self, application: &Application) -> bool {
        let other_project = |project: &String| *project != application.submission.project;
        !(self.filter.project.as_ref().is_some_and(other_project)
            || self.live_only && application.state.is_final())
            && self.passes(application)
    }

    fn passes(&self, application: &Application) -> bool {
        let conditions = self.conditions.as_ref();
        conditions.is_none_or(|filter| filter.matches(application))
    }

    async fn tail(&mut self, after: i64) -> Result<Phase, Error> {
        // Marked as seen before reading, so that a write during the read wakes the next wait.
        self.written.mark_unchanged();
        let page = self
            .store
            .changes(&self.filter, after, CHANGES_PAGE)
            .await?;
        if after < page.pruned_through {
            return Err(expired_cursor().into());
        }
        for change in page.matching {
            if self.passes(&change.application) && !self.was_in_snapshot(&change) {
                let sequence = change.event.sequence;
                let step = Step::Change(ApplicationChange {
                    event: Some(convert::event(change.event)),
                    application: Some(convert::application(change.application)),
                });
                self.ready.push_back(self.response(step, Some(sequence)));
            }
        }
        let after = page.through;
        if self.ready.is_empty() && self.heartbeat_at <= Instant::now() {
            let heartbeat = self.response(Step::Heartbeat(Heartbeat {}), Some(after));
            self.ready.push_back(heartbeat);
        }
        Ok(Phase::Tail {
            after,
            is_current: after >= page.last,
        })
    }

    /// Waits for something new, at most until the next poll or heartbeat.
    async fn wait(&mut self) {
        let until_heartbeat = self.heartbeat_at.saturating_duration_since(Instant::now());
        let patience = self.pace.poll.min(until_heartbeat);
        // Either way the database is read again.
        if timeout(patience, self.written.changed()).await.is_ok() {
            sleep(GATHER).await;
        }
    }

    fn was_in_snapshot(&self, change: &Change) -> bool {
        let version = self.in_snapshot.get(&change.event.application_id);
        version.is_some_and(|version| change.event.sequence <= *version)
    }

    fn response(&self, step: Step, after: Option<i64>) -> WatchApplicationsResponse {
        let cursor = after.map(|after| self.position.token_after(&after.to_string()));
        WatchApplicationsResponse {
            step: Some(step),
            cursor: cursor.unwrap_or_default(),
        }
    }
}

fn invalid_cursor() -> PublicError {
    PublicError::new(
        ErrorReason::InvalidCursor,
        "the cursor is damaged or was given for another watch; start from a snapshot",
    )
}

fn expired_cursor() -> PublicError {
    PublicError::new(
        ErrorReason::CursorExpired,
        "the events after this cursor are no longer kept; start from a snapshot",
    )
}
