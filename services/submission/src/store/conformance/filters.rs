//! What the database finds by a filter is what matches it in memory.

use jiff::{SignedDuration, Timestamp};
use moka_core::{clock::Clock as _, entropy::Entropy as _};

use super::{Result, Suite, ended, placed, submission};
use crate::{
    domain::{
        application::Application,
        exit::ExitCategory,
        filter::{Filter, TextField, TextTest, TimeComparison, TimeField, TimeTest},
        lifecycle::Happening,
        spec::Tier,
        state::ApplicationState,
    },
    store::{ListQuery, Listed, Order, Store as _},
};

const PROJECT: &str = "filters";
const WORDS: [&str; 4] = ["a", "b \"c\" \\", "ä, {1}", "NULL"];

impl Suite {
    pub(super) async fn lists_are_pages_from_the_newest(&self) -> Result<()> {
        let mut expected = Vec::new();
        for key in ["a", "b", "c"] {
            expected.insert(0, self.accepted("pages", key).await?);
        }
        let mut query = ListQuery {
            projects: vec!["pages".to_owned(), "nobody".to_owned()],
            states: vec![ApplicationState::Queued],
            limit: 2,
            ..ListQuery::default()
        };
        let first = self.store.list(&query).await?;
        query.after = first.next;
        let second = self.store.list(&query).await?;
        assert_eq!(second.next, None);
        let both = first.applications.into_iter().chain(second.applications);
        let found: Vec<_> = both.map(|one| one.id).collect();
        assert_eq!(found, expected);
        query.states = vec![ApplicationState::Running];
        assert_eq!(self.store.list(&query).await?.applications, []);
        Ok(())
    }

    pub(super) async fn filters_find_what_they_match(&self) -> Result<()> {
        let begin = self.clock.now();
        for number in 0..60 {
            self.random_application(number).await?;
        }
        let all = self.all_pages(None, Order::NewestFirst).await?;
        assert_eq!(all.len(), 60);
        for _ in 0..100 {
            let filter = self.random_filter(begin, 3);
            for order in [Order::NewestFirst, Order::LastChangedLast] {
                let mut expected: Vec<_> = all.iter().filter(|one| filter.matches(one)).collect();
                if order == Order::LastChangedLast {
                    expected.sort_by_key(|one| (one.update_time, one.id));
                }
                let expected: Vec<_> = expected.into_iter().map(|one| one.id).collect();
                let found = self.all_pages(Some(filter.clone()), order).await?;
                let found: Vec<_> = found.into_iter().map(|one| one.id).collect();
                assert_eq!(found, expected, "{filter}");
            }
        }
        Ok(())
    }

    pub(super) async fn every_order_has_pages(&self) -> Result<()> {
        let newest_first = self.all_pages(None, Order::NewestFirst).await?;
        let mut oldest_first = self.all_pages(None, Order::OldestFirst).await?;
        oldest_first.reverse();
        assert_eq!(newest_first, oldest_first);
        let changed_last = self.all_pages(None, Order::LastChangedLast).await?;
        let mut changed_first = self.all_pages(None, Order::LastChangedFirst).await?;
        changed_first.reverse();
        assert_eq!(changed_first, changed_last);
        assert!(changed_last.is_sorted_by_key(|one| (one.update_time, one.id)));
        Ok(())
    }

    async fn all_pages(&self, filter: Option<Filter>, order: Order) -> Result<Vec<Application>> {
        let mut query = ListQuery {
            projects: vec![PROJECT.to_owned()],
            filter,
            order,
            limit: 17,
            ..ListQuery::default()
        };
        let mut all = Vec::new();
        loop {
            let Listed { applications, next } = self.store.list(&query).await?;
            assert!(applications.len() <= 17);
            all.extend(applications);
            match next {
                None => return Ok(all),
                next => query.after = next,
            }
        }
    }

    async fn random_application(&self, number: usize) -> Result<()> {
        let mut submission = submission(PROJECT, &format!("key-{number}"), 0);
        let word = || {
            self.pick(&["", WORDS[0], WORDS[1], WORDS[2], WORDS[3]])
                .to_owned()
        };
        submission.display_name = self.pick(&WORDS).to_owned();
        submission.spec.owner = word();
        submission.spec.workflow = word();
        submission.spec.run = word();
        submission.spec.tier = self.pick(&[None, Some(Tier::One), Some(Tier::Three)]);
        for name in WORDS {
            if self.random(2) == 0 {
                submission.spec.tags.insert(name.to_owned(), word());
            }
        }
        self.clock.advance(SignedDuration::from_millis(1));
        let id = self.mint();
        self.store.submit(id, &submission).await?;
        let steps = self.random(4);
        let cancel = Happening::CancelRequested {
            reason: String::new(),
            force: false,
        };
        if steps == 1 {
            self.record(id, None, &cancel).await?;
        } else if steps > 1 {
            let cluster = self.pick(&WORDS);
            self.record(id, None, &placed(cluster)).await?;
        }
        if steps == 3 {
            let category = self.pick(&[ExitCategory::Success, ExitCategory::UserError]);
            self.record(id, Some(1), &ended(category)).await?;
        }
        Ok(())
    }

    fn random_filter(&self, begin: Timestamp, depth: usize) -> Filter {
        let inner = |_| self.random_filter(begin, depth - 1);
        match self.random(if depth == 0 { 2 } else { 5 }) {
            0 => Filter::Time(self.random_time_field(), self.random_time_test(begin)),
            1 => self.random_text(),
            2 => Filter::All((0..2).map(inner).collect()),
            3 => Filter::Any((0..3).map(inner).collect()),
            _ => Filter::Not(Box::new(inner(0))),
        }
    }

    fn random_text(&self) -> Filter {
        let state = self.pick(&ApplicationState::ALL).as_str();
        let (field, value) = match self.random(9) {
            0 => (TextField::State, state),
            1 => (TextField::Tier, self.pick(&Tier::ALL).as_str()),
            2 => (TextField::Project, self.pick(&[PROJECT, "a"])),
            3 => (TextField::Queue, self.pick(&["root.demo", "a"])),
            4 => (
                TextField::Tag(self.pick(&WORDS).to_owned()),
                self.pick(&WORDS),
            ),
            _ => {
                let field = self.pick(&[
                    &TextField::Owner,
                    &TextField::Workflow,
                    &TextField::Run,
                    &TextField::Cluster,
                    &TextField::DisplayName,
                ]);
                (field.clone(), self.pick(&WORDS))
            }
        };
        let test = match self.random(3) {
            0 => TextTest::IsNot(value.to_owned()),
            1 => TextTest::IsSet,
            _ => TextTest::Is(value.to_owned()),
        };
        Filter::Text(field, test)
    }

    fn random_time_field(&self) -> TimeField {
        self.pick(&[
            TimeField::CreateTime,
            TimeField::UpdateTime,
            TimeField::EndTime,
        ])
    }

    fn random_time_test(&self, begin: Timestamp) -> TimeTest {
        let comparison = self.pick(&[
            TimeComparison::Is,
            TimeComparison::IsNot,
            TimeComparison::Before,
            TimeComparison::BeforeOrAt,
            TimeComparison::After,
            TimeComparison::AfterOrAt,
        ]);
        let time = begin + SignedDuration::from_millis(i64::from(self.random(60)));
        match self.random(8) {
            0 => TimeTest::IsSet,
            _ => TimeTest::Compares(comparison, time),
        }
    }

    fn pick<T: Clone>(&self, choices: &[T]) -> T {
        let count = u8::try_from(choices.len()).unwrap_or(u8::MAX);
        choices[usize::from(self.random(count))].clone()
    }

    fn random(&self, below: u8) -> u8 {
        let mut byte = [0];
        self.entropy.fill(&mut byte);
        byte[0] % below
    }
}
