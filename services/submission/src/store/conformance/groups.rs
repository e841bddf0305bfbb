//! What is written together.

use futures::future::try_join_all;

use super::{Result, Suite, created, ended, placed, submission};
use crate::{
    domain::{exit::ExitCategory, lifecycle::Happening, state::ApplicationState},
    store::{ChangeFilter, Error, Store as _},
};

impl Suite {
    pub(super) async fn writes_at_the_same_time_are_decided_one_by_one(&self) -> Result<()> {
        let start = self.last_sequence().await?;
        let old = self.accepted("groups", "old").await?;
        let cancel = Happening::CancelRequested {
            reason: String::new(),
            force: false,
        };
        let place = placed("groups");
        let (placed, cancelled, other, again, second_try) = tokio::join!(
            self.record(old, None, &place),
            self.record(old, None, &cancel),
            self.submit("groups", "other", 0),
            self.submit("groups", "other", 0),
            self.submit("groups", "old", 1),
        );
        let (placed, cancelled) = (placed?, cancelled?);
        assert_eq!(placed.changed_from, Some(ApplicationState::Queued));
        assert_eq!(cancelled.changed_from, Some(ApplicationState::Launching));
        assert!(placed.application.version < cancelled.application.version);
        let (other, again) = (other?, again?);
        assert!(other.created != again.created);
        assert_eq!(other.application.id, again.application.id);
        assert!(
            matches!(second_try, Err(Error::PredecessorLive(id)) if id == old),
            "{second_try:?}"
        );
        let changes = self
            .store
            .changes(&ChangeFilter::default(), start, 100)
            .await?;
        let states: Vec<_> = changes
            .matching
            .iter()
            .filter(|change| change.event.application_id == old)
            .map(|change| change.event.state)
            .collect();
        let expected = [
            ApplicationState::Queued,
            ApplicationState::Launching,
            ApplicationState::Cancelling,
        ];
        assert_eq!(states, expected);
        Ok(())
    }

    pub(super) async fn many_submissions_have_outcomes_in_their_order(&self) -> Result<()> {
        let live = self.accepted("many", "live").await?;
        let ids: Vec<_> = (0..6).map(|_| self.mint()).collect();
        let submissions = [
            submission("many", "a", 0),
            submission("many", "live", 1),
            submission("many", "a", 0),
            submission("many", "b", 3),
            submission("many", "b", 2),
            submission("many", "live", 0),
        ];
        let submissions = ids.iter().copied().zip(submissions).collect();
        let outcomes = self.store.submit_many(submissions).await?;
        let told: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| match outcome {
                Ok(submitted) => Ok((submitted.application.id, submitted.created)),
                Err(Error::PredecessorLive(id)) => Err(format!("{id} lives")),
                Err(Error::Overtaken { highest }) => Err(format!("{highest} is higher")),
                Err(error) => Err(error.to_string()),
            })
            .collect();
        let expected = [
            Ok((ids[0], true)),
            Err(format!("{live} lives")),
            Ok((ids[0], false)),
            Ok((ids[3], true)),
            Err("3 is higher".to_owned()),
            Ok((live, false)),
        ];
        assert_eq!(told, expected);
        assert_eq!(self.store.submit_many(Vec::new()).await?.len(), 0);
        Ok(())
    }

    pub(super) async fn a_burst_is_written_completely(&self) -> Result<()> {
        let start = self.last_sequence().await?;
        let run = |number: usize| async move {
            let id = self.accepted("burst", &format!("key-{number}")).await?;
            self.record(id, None, &placed("burst")).await?;
            self.record(id, Some(1), &created("uid")).await?;
            self.record(id, Some(1), &ended(ExitCategory::Success))
                .await
        };
        let ends = try_join_all((0..50).map(run)).await?;
        for end in &ends {
            let stored = self.store.get(end.application.id).await?;
            assert_eq!(stored.as_ref(), Some(&end.application));
            assert_eq!(end.application.state, ApplicationState::Succeeded);
            let events = self.store.events(end.application.id, 0, 10).await?;
            assert_eq!(events.len(), 4);
        }
        let changes = self
            .store
            .changes(&ChangeFilter::default(), start, 500)
            .await?;
        let numbers: Vec<_> = changes
            .matching
            .iter()
            .map(|change| change.event.sequence)
            .collect();
        assert_eq!(numbers.len(), 200);
        assert!(numbers.is_sorted_by(|a, b| a < b));
        Ok(())
    }

    async fn last_sequence(&self) -> Result<i64> {
        let changes = self.store.changes(&ChangeFilter::default(), 0, 1).await?;
        Ok(changes.last)
    }
}
