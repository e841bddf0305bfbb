//! Watches that go on over broken connections and restarts.

use futures::{Stream, stream};
use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Application, ApplicationChange, WatchApplicationsRequest, WatchApplicationsResponse,
    watch_applications_response::Step,
};
use moka_rpc::{client::without_deadline, error_of};
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Status, Streaming};

use crate::{Client, retry::may_help};

/// One step of a watch.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchStep {
    /// What happened.
    pub item: WatchItem,
    /// Where another watch may go on after this step; `None` inside a snapshot.
    pub cursor: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum WatchItem {
    /// Applications as they are now follow, up to [`Self::SnapshotEnd`]. What is not among them is
    /// no longer there or no longer matches. It comes first without a cursor, and again whenever
    /// the cursor has expired or a snapshot was cut short.
    SnapshotBegin,
    /// One application of the snapshot.
    Snapshot(Box<Application>),
    /// The snapshot is complete.
    SnapshotEnd,
    /// A change.
    Change(Box<ApplicationChange>),
    /// Nothing happened for a while.
    Heartbeat,
    /// The connection broke, or the service does not answer; the watch goes on by itself, and
    /// nothing is missed.
    Interrupted(PublicError),
}

impl Client {
    /// Watches applications: from `request.cursor` on, or from a snapshot. Nothing is sent before
    /// the first step is asked for.
    pub fn watch(&self, request: WatchApplicationsRequest) -> Watch {
        Watch {
            client: self.clone(),
            request,
            stream: None,
            not_before: None,
            failures: 0,
            in_snapshot: false,
        }
    }
}

/// A running watch.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    /// Its cursor is that of the last step that was given out.
    request: WatchApplicationsRequest,
    stream: Option<Streaming<WatchApplicationsResponse>>,
    not_before: Option<Instant>,
    failures: u32,
    in_snapshot: bool,
}

impl Watch {
    /// The next step. May be dropped before it is ready; nothing is lost.
    ///
    /// # Errors
    ///
    /// When the request is refused, as that of an unknown application or a filter that is not well
    /// formed. Nothing else ends a watch.
    pub async fn next(&mut self) -> Result<WatchStep, PublicError> {
        loop {
            if let Some(until) = self.not_before {
                sleep_until(until).await;
                self.not_before = None;
            }
            if self.stream.is_none() {
                match self.open().await {
                    Ok(()) if self.request.cursor.is_empty() => {
                        self.in_snapshot = true;
                        return Ok(WatchStep {
                            item: WatchItem::SnapshotBegin,
                            cursor: None,
                        });
                    }
                    Ok(()) => {}
                    Err(status) => return self.interrupted(&status),
                }
            }
            match self.read().await {
                Ok(answer) => {
                    if let Some(step) = self.step(answer) {
                        return Ok(step);
                    }
                }
                Err(status) => return self.interrupted(&status),
            }
        }
    }

    /// The steps as a stream, which ends after a refusal.
    pub fn into_stream(self) -> impl Stream<Item = Result<WatchStep, PublicError>> + Send {
        stream::try_unfold(self, |mut watch| async move {
            let step = watch.next().await?;
            Ok(Some((step, watch)))
        })
    }

    async fn open(&mut self) -> Result<(), Status> {
        let mut stub = self.client.stub();
        let opening = stub.watch_applications(without_deadline(self.request.clone()));
        let answer = timeout(self.client.options.deadline, opening).await;
        let answer = answer.map_err(|_elapsed| Status::deadline_exceeded("no answer"))?;
        self.stream = Some(answer?.into_inner());
        Ok(())
    }

    async fn read(&mut self) -> Result<WatchApplicationsResponse, Status> {
        let silence = self.client.options.longest_silence;
        let stream = self
            .stream
            .as_mut()
            .ok_or_else(|| Status::unavailable("the watch is not open"))?;
        match timeout(silence, stream.message()).await {
            Ok(Ok(Some(answer))) => Ok(answer),
            Ok(Ok(None)) => Err(Status::unavailable("the service closed the watch")),
            Ok(Err(status)) => Err(status),
            Err(_elapsed) => Err(Status::deadline_exceeded("the watch gave no sign of life")),
        }
    }

    /// `None` for a kind of step that this release does not know.
    fn step(&mut self, answer: WatchApplicationsResponse) -> Option<WatchStep> {
        self.failures = 0;
        let cursor = Some(answer.cursor).filter(|cursor| !cursor.is_empty());
        if let Some(cursor) = &cursor {
            self.request.cursor.clone_from(cursor);
        }
        let item = match answer.step? {
            Step::Snapshot(application) => WatchItem::Snapshot(Box::new(application)),
            Step::SnapshotEnd(_) => {
                self.in_snapshot = false;
                WatchItem::SnapshotEnd
            }
            Step::Change(change) => WatchItem::Change(Box::new(change)),
            Step::Heartbeat(_) => WatchItem::Heartbeat,
        };
        Some(WatchStep { item, cursor })
    }

    /// Decides how to go on.
    fn interrupted(&mut self, status: &Status) -> Result<WatchStep, PublicError> {
        self.stream = None;
        let error = error_of(status);
        let is_lost = matches!(
            error.reason,
            ErrorReason::CursorExpired | ErrorReason::InvalidCursor
        );
        // A cursor that was just replaced by a snapshot cannot be lost once more.
        let had_cursor = !self.request.cursor.is_empty();
        if is_lost && had_cursor {
            self.request.cursor.clear();
        } else if may_help(status) {
            let patience = self.client.options.patience;
            let pause = patience.pause(self.failures, error.retry_after);
            self.failures += 1;
            self.not_before = Some(Instant::now() + pause);
        } else {
            return Err(error);
        }
        let cursor = Some(self.request.cursor.clone())
            .filter(|cursor| !cursor.is_empty() && !self.in_snapshot);
        Ok(WatchStep {
            item: WatchItem::Interrupted(error),
            cursor,
        })
    }
}
