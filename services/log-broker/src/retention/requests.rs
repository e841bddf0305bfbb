//! What callers ask of the retention.

use jiff::Timestamp;
use moka_core::{ApplicationId, ErrorReason, PublicError};

use super::Retention;
use crate::{
    applications::ApplicationView,
    domain::retention::{
        Deletion, DeletionState, HoldChange, Keep, LogKind, REQUEST, Request, RetentionRecord,
    },
    error::Error,
};

/// What of an application is kept and what was deleted.
#[derive(Debug, Clone)]
pub struct RetentionView {
    /// Its record.
    pub record: RetentionRecord,
    /// How long the policy keeps each kind; those that are missing for ever.
    pub periods: Vec<(LogKind, Keep)>,
}

impl Retention {
    /// The retention of an application.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn view(&self, application: &ApplicationView) -> Result<RetentionView, Error> {
        let record = self.record(application.id).await?;
        Ok(self.view_of(application, record))
    }

    /// Sets or lifts the legal hold.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn set_hold(
        &self,
        application: &ApplicationView,
        held: bool,
        changed_by: &str,
        reason: &str,
    ) -> Result<RetentionView, Error> {
        let time = self.now().await?;
        let changed = self.change(application.id, |record| {
            record.set_hold(HoldChange {
                held,
                changed_by: changed_by.to_owned(),
                reason: reason.to_owned(),
                time,
            });
        });
        let record = changed.await?;
        tracing::info!(application.id = %application.id, held, changed_by, "legal hold");
        self.requested.notify_one();
        Ok(self.view_of(application, record))
    }

    /// Begins to delete kinds of logs.
    ///
    /// # Errors
    ///
    /// `APPLICATION_LIVE` before the application has ended, `LEGAL_HOLD` while it is held.
    pub async fn delete_logs(
        &self,
        application: &ApplicationView,
        kinds: &[LogKind],
        requested_by: &str,
        reason: &str,
    ) -> Result<RetentionView, Error> {
        let id = application.id;
        if application.ended.is_none() {
            return Err(application_live(id).into());
        }
        if !self.grammar.tells_attempts() {
            return Err(not_told().into());
        }
        let now = self.now().await?;
        refuse_held(&self.record(id).await?)?;
        self.mark_open(id).await?;
        let changed = self.try_change(id, |record| {
            refuse_held(record)?;
            for kind in kinds {
                let request = Request {
                    policy: REQUEST.to_owned(),
                    requested_by: requested_by.to_owned(),
                    reason: reason.to_owned(),
                };
                record.start_on_request(*kind, request, now);
            }
            Ok(())
        });
        let record = changed.await?;
        tracing::info!(application.id = %id, requested_by, "logs are deleted on request");
        self.requested.notify_one();
        Ok(self.view_of(application, record))
    }

    /// The error that a reader of logs of this kind gets when they are deleted.
    ///
    /// # Errors
    ///
    /// `LOGS_DELETED`.
    pub fn refuse_deleted(record: &RetentionRecord, kind: LogKind) -> Result<(), PublicError> {
        let Some(deletion) = record.deletions.get(&kind) else {
            return Ok(());
        };
        match deletion.started {
            Some(started) => Err(logs_deleted(kind, deletion, started)),
            None => Ok(()),
        }
    }

    fn view_of(&self, application: &ApplicationView, record: RetentionRecord) -> RetentionView {
        let keep = |kind| Some((kind, self.keep(application, kind)?));
        RetentionView {
            periods: LogKind::ALL.into_iter().filter_map(keep).collect(),
            record,
        }
    }

    /// How long the policy keeps a kind of an application's logs; `None` for ever.
    pub(super) fn keep(&self, application: &ApplicationView, kind: LogKind) -> Option<Keep> {
        let attempts = application.attempts.iter();
        let clusters = attempts.map(|attempt| attempt.cluster.as_str());
        self.rules.keep(kind, &application.project, clusters)
    }
}

fn refuse_held(record: &RetentionRecord) -> Result<(), PublicError> {
    match record.holds.last().filter(|hold| hold.held) {
        None => Ok(()),
        Some(hold) => Err(PublicError::new(
            ErrorReason::LegalHold,
            format!(
                "the logs of {} are on legal hold, which {} set on {}",
                record.application_id, hold.changed_by, hold.time
            ),
        )),
    }
}

fn application_live(id: ApplicationId) -> PublicError {
    PublicError::new(
        ErrorReason::ApplicationLive,
        format!("the application {id} has not ended; its logs can be deleted when it has"),
    )
}

/// Objects of others could be deleted.
fn not_told() -> PublicError {
    PublicError::new(
        ErrorReason::PolicyViolation,
        "the key templates of log-broker do not tell whose an object is, so it deletes none",
    )
}

fn logs_deleted(kind: LogKind, deletion: &Deletion, started: Timestamp) -> PublicError {
    let Request {
        policy,
        requested_by,
        ..
    } = &deletion.request;
    let word = match policy.as_str() {
        REQUEST => format!("on request of {requested_by}"),
        rule => format!("under the rule {rule}"),
    };
    let kind = kind.describe();
    let message = match (deletion.state, deletion.deleted) {
        (DeletionState::Deleted, Some(time)) => format!("{kind} were deleted on {time} {word}"),
        _ => format!("{kind} are being deleted since {started} {word}"),
    };
    PublicError::new(ErrorReason::LogsDeleted, message)
}
