//! Where the assembly of an application's event log stands.

use jiff::Timestamp;
use moka_core::ApplicationId;

use super::{Serving, resolve::not_found};
use crate::{
    domain::{checkpoint::Checkpoint, retention::LogKind},
    error::Error,
    retention::Retention,
};

/// An assembled event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventLogView {
    /// What the assembler has decided.
    pub checkpoint: Checkpoint,
    /// When.
    pub updated: Timestamp,
}

impl Serving {
    /// The event log of an attempt; `None` for the last one that has one.
    ///
    /// # Errors
    ///
    /// `APPLICATION_NOT_FOUND`, `LOGS_DELETED`, or `LOG_STREAM_NOT_FOUND` when nothing was
    /// assembled.
    pub async fn event_log(
        &self,
        application_id: ApplicationId,
        attempt_number: Option<u32>,
    ) -> Result<EventLogView, Error> {
        let application = self.application(application_id).await?;
        if application.ended.is_some() {
            let record = self.retention.record(application_id).await?;
            Retention::refuse_deleted(&record, LogKind::EventLogs)?;
        }
        for attempt in application.attempts.iter().rev() {
            if attempt_number.is_some_and(|number| number != attempt.name.number) {
                continue;
            }
            let listed = self.objects.list(&Checkpoint::prefix(attempt.name)).await?;
            let Some(newest) = listed.into_iter().max_by_key(|object| object.modified) else {
                continue;
            };
            let Some(object) = self.objects.store().get(&newest.key).await? else {
                continue;
            };
            let checkpoint =
                serde_json::from_slice(&object.bytes).map_err(|error| Error::Damaged {
                    key: newest.key.to_string(),
                    problem: error.to_string(),
                })?;
            return Ok(EventLogView {
                checkpoint,
                updated: newest.modified,
            });
        }
        Err(not_found("no event log of the application was assembled").into())
    }
}
