//! The store's writes, counted.

use std::sync::Arc;

use moka_core::ApplicationId;

use crate::{
    domain::{
        application::Attempt, lifecycle::Happening, state::ApplicationState, submission::Submission,
    },
    metrics::Metrics,
    store::{Recorded, Result, Store, Submitted},
    workers::LiveAttempts,
};

/// Writes submissions and transitions. Clones share everything.
#[derive(Debug, Clone)]
pub struct Journal {
    /// Where they go.
    pub store: Arc<dyn Store>,
    /// Where they are counted.
    pub metrics: Metrics,
    /// Where they are remembered, as far as this process watches their clusters.
    pub live: LiveAttempts,
}

impl Journal {
    /// See [`Store::submit`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn submit(&self, id: ApplicationId, submission: &Submission) -> Result<Submitted> {
        let submitted = self.store.submit(id, submission).await?;
        if submitted.created {
            self.metrics.transition(None, submitted.application.state);
        }
        Ok(submitted)
    }

    /// See [`Store::submit_many`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn submit_many(
        &self,
        submissions: Vec<(ApplicationId, Submission)>,
    ) -> Result<Vec<Result<Submitted>>> {
        let submitted = self.store.submit_many(submissions).await?;
        for submitted in submitted.iter().flatten().filter(|one| one.created) {
            self.metrics.transition(None, submitted.application.state);
        }
        Ok(submitted)
    }

    /// See [`Store::record`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn record(
        &self,
        id: ApplicationId,
        attempt_number: Option<u32>,
        happening: &Happening,
        actor: &'static str,
    ) -> Result<Option<Recorded>> {
        let recorded = self
            .store
            .record(id, attempt_number, happening, actor)
            .await?;
        if let Some(recorded) = &recorded {
            self.live.wrote(&recorded.application);
            if let Some(previous) = recorded.changed_from {
                self.tell(recorded, previous);
            }
        }
        Ok(recorded)
    }

    fn tell(&self, recorded: &Recorded, previous: ApplicationState) {
        let application = &recorded.application;
        self.metrics.transition(Some(previous), application.state);
        if application.state == ApplicationState::RetryWait {
            let exit = application.attempt().and_then(|one| one.exit.as_ref());
            if let Some(exit) = exit {
                self.metrics.status.retried(exit.category);
            }
        }
        if application.state == ApplicationState::Submitted {
            let waited = application
                .update_time
                .duration_since(application.create_time);
            self.metrics.launched(waited.as_secs_f64());
        }
        let exit = application
            .attempt()
            .and_then(|attempt: &Attempt| attempt.exit.as_ref());
        tracing::info!(
            application.id = %application.id,
            application.state = application.state.as_str(),
            application.previous_state = previous.as_str(),
            exit.category = exit.map(|exit| exit.category.as_str()),
            "application changed state"
        );
    }
}
