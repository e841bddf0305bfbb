//! No list reads or sorts the whole table, however large it is.

use super::{Result, Suite};
use crate::{
    domain::{
        filter::{Filter, TextField, TextTest},
        state::ApplicationState,
    },
    store::{ListQuery, Order, Position, Store as _, sql::list::plan::plan},
};

/// What a plan that reads or sorts everything has in it, in the words of either database.
const READS_ALL: [&str; 2] = ["Seq Scan on applications", "SCAN applications"];
const SORTS: [&str; 2] = ["Sort", "USE TEMP B-TREE"];

fn is(field: TextField, value: &str) -> Filter {
    Filter::Text(field, TextTest::Is(value.to_owned()))
}

impl Suite {
    pub(super) async fn lists_are_read_along_indexes(&self) -> Result<()> {
        let any = ListQuery {
            limit: 100,
            ..ListQuery::default()
        };
        let changed = ListQuery {
            order: Order::LastChangedFirst,
            ..any.clone()
        };
        let filtered = |filter| ListQuery {
            filter: Some(filter),
            ..any.clone()
        };
        let in_state = |state| ListQuery {
            states: vec![state],
            ..any.clone()
        };
        for (query, index) in [
            (any.clone(), ""),
            (changed, "applications_by_update_time"),
            (
                filtered(is(TextField::Owner, "ann")),
                "applications_by_owner",
            ),
            (
                filtered(is(TextField::Workflow, "daily")),
                "applications_by_workflow",
            ),
            (in_state(ApplicationState::Failed), "applications_by_state"),
        ] {
            self.assert_is_read_along(&query, index, &SORTS).await?;
            let page = self
                .store
                .list(&ListQuery {
                    limit: 1,
                    ..any.clone()
                })
                .await?;
            let next = ListQuery {
                after: page.applications.first().map(Position::of),
                ..query
            };
            assert!(next.after.is_some(), "there are applications by now");
            self.assert_is_read_along(&next, index, &SORTS).await?;
        }
        // The live ones are few, and sorted.
        let live = in_state(ApplicationState::Running);
        self.assert_is_read_along(&live, "applications_by_state", &[])
            .await
    }

    async fn assert_is_read_along(
        &self,
        query: &ListQuery,
        index: &str,
        forbidden: &[&str],
    ) -> Result<()> {
        let plan = plan(&self.store, query).await?;
        let is_without_index = |line: &&String| !line.contains("INDEX");
        for line in plan.iter().filter(is_without_index) {
            for words in READS_ALL.iter().chain(forbidden) {
                assert!(!line.contains(words), "{query:?}: {plan:#?}");
            }
        }
        let named = plan.iter().any(|line| line.contains(index));
        assert!(named, "{query:?} is not read along {index}: {plan:#?}");
        Ok(())
    }
}
