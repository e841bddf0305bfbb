//! Live attempts, deadlines and what comes after an end.

use std::time::Duration;

use jiff::SignedDuration;
use moka_core::{ApplicationId, AttemptName, clock::Clock as _};

use super::{Suite, created, ended, placed, submission};
use crate::{
    domain::{
        application::Ending, exit::ExitCategory, lifecycle::Happening, spec::Deadlines,
        state::ApplicationState,
    },
    store::{CleanUpStage, Result, Store as _},
};

const LONG_PAUSE: Duration = Duration::from_hours(1);

impl Suite {
    fn new_id(&self) -> ApplicationId {
        ApplicationId::mint(&*self.clock, &self.entropy)
    }

    fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(super) async fn live_attempts_are_named_page_by_page(&self) -> Result<()> {
        let mut names = Vec::new();
        for key in ["a", "b", "c"] {
            let id = self.accepted("live", key).await?;
            self.record(id, None, &placed("alive")).await?;
            names.push(AttemptName::new(id, 1));
        }
        names.sort_unstable();
        let waiting = self.accepted("live", "waiting").await?;
        let [first, second, third] = names[..] else {
            unreachable!("three were placed");
        };
        self.record(second.application_id, Some(1), &created("uid-1"))
            .await?;
        let ending = Happening::Ending(Ending {
            category: ExitCategory::Rerouted,
            message: "drained".to_owned(),
        });
        self.record(second.application_id, Some(1), &ending).await?;
        self.record(third.application_id, Some(1), &ended(ExitCategory::Success))
            .await?;

        let page = self.store.live_attempts("alive", None, 1).await?;
        assert_eq!(page.len(), 1);
        assert_eq!(page[0].name, first);
        assert_eq!(page[0].noted, crate::domain::noted::Noted::default());
        let rest = self.store.live_attempts("alive", Some(first), 10).await?;
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].name, second);
        assert_eq!(rest[0].noted.uid.as_deref(), Some("uid-1"));
        assert!(rest[0].noted.is_ending);
        assert_eq!(self.store.live_attempts("other", None, 10).await?, []);
        let ending = self.store.ending_attempts("alive", None, 10).await?;
        assert_eq!(ending, [second]);
        let after = self
            .store
            .ending_attempts("alive", Some(second), 10)
            .await?;
        assert_eq!(after, []);
        for id in [waiting, first.application_id, second.application_id] {
            let cancel = Happening::CancelRequested {
                reason: String::new(),
                force: true,
            };
            self.record(id, None, &cancel).await?;
        }
        let forced = self.store.get(first.application_id).await?;
        let forced = forced.expect("the application exists");
        assert!(forced.attempts[0].is_killed);
        for name in [first, second] {
            let id = name.application_id;
            self.record(id, Some(1), &ended(ExitCategory::Cancelled))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn a_deadline_is_found_until_it_is_noted(&self) -> Result<()> {
        let mut with_deadline = submission("deadline", "key", 0);
        with_deadline.spec.deadlines = Deadlines {
            queue_seconds: Some(60),
            ..Deadlines::default()
        };
        let id = self.store.submit(self.new_id(), &with_deadline).await?;
        let id = id.application.id;
        let overdue = async || {
            let found = self.store.overdue(self.clock.now(), 10).await?;
            Result::Ok(found.into_iter().map(|one| one.id).collect::<Vec<_>>())
        };
        assert_eq!(overdue().await?, []);
        self.record(id, None, &placed("late")).await?;
        self.advance(59);
        assert_eq!(overdue().await?, []);
        self.advance(1);
        // What it was placed with has no deadline, and counts.
        assert_eq!(overdue().await?, []);

        let queued = self
            .store
            .submit(self.new_id(), &submission_of("other", &with_deadline))
            .await?;
        let queued = queued.application.id;
        self.advance(60);
        assert_eq!(overdue().await?, [queued]);
        let passed = Happening::DeadlinePassed {
            message: "late".to_owned(),
        };
        let failed = self.record(queued, None, &passed).await?;
        assert_eq!(failed.application.state, ApplicationState::Failed);
        assert_eq!(overdue().await?, []);
        self.record(id, Some(1), &ended(ExitCategory::Success))
            .await?;
        Ok(())
    }

    pub(super) async fn a_retry_waits_until_the_name_before_it_is_taken(&self) -> Result<()> {
        let id = self.accepted("retry", "key").await?;
        self.record(id, None, &placed("again")).await?;
        let ending = Happening::Ending(Ending {
            category: ExitCategory::Rerouted,
            message: "drained".to_owned(),
        });
        self.record(id, Some(1), &ending).await?;
        let moved = self
            .record(id, Some(1), &ended(ExitCategory::Unknown))
            .await?;
        assert_eq!(moved.application.state, ApplicationState::RetryWait);
        self.advance(1);
        let leased = async || {
            let leased = self.store.lease_launches("holder", LONG_PAUSE, 100).await?;
            let mut ids = leased.iter().map(|one| one.application.id);
            Result::Ok(ids.any(|found| found == id))
        };
        assert!(!leased().await?);
        let store = &self.store;
        store
            .set_clean_up(id, 1, CleanUpStage::Retain, LONG_PAUSE)
            .await?;
        assert!(leased().await?);
        let cancel = Happening::CancelRequested {
            reason: String::new(),
            force: false,
        };
        self.record(id, None, &cancel).await?;
        Ok(())
    }
}

fn submission_of(
    key: &str,
    like: &crate::domain::submission::Submission,
) -> crate::domain::submission::Submission {
    let mut other = like.clone();
    key.clone_into(&mut other.idempotency_key);
    other
}
