//! What every store must do, as one function that tests stamp on SQLite and PostgreSQL.

mod endings;
mod filters;
mod fleet;
mod groups;
mod plans;

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka_core::{
    ApplicationId,
    clock::{Clock, ManualClock},
    entropy::SeededEntropy,
};
use moka_db::{Database, PoolOptions};
use moka_process::Tasks;
use moka_proto::submission::v1::{
    self as wire, ApplicationSpec, ApplicationType, DriverSpec, SubmitApplicationRequest,
};

use super::{ChangeFilter, CleanUpStage, Error, Recorded, Result, SqlStore, Store, Submitted};
use crate::domain::{
    application::Placement,
    exit::{Exit, ExitCategory},
    lifecycle::Happening,
    resolve::{Rules, resolve},
    state::ApplicationState,
    submission::Submission,
};

const LEASE: Duration = Duration::from_mins(1);

/// Runs the whole suite against the empty database at `url`.
///
/// # Errors
///
/// The first error that no step expects.
///
/// # Panics
///
/// When the store answers otherwise than the suite demands.
pub async fn run(url: &str) -> Result<()> {
    let clock = Arc::new(ManualClock::new(
        Timestamp::from_second(1_800_000_000).expect("the second is in range"),
    ));
    let database = Database::connect(url, PoolOptions::default()).await?;
    let store = SqlStore::open(
        database,
        Arc::clone(&clock) as Arc<dyn Clock>,
        &Tasks::default(),
    )
    .await?;
    let suite = Suite {
        entropy: SeededEntropy::new(7),
        store,
        clock,
    };
    suite.a_submission_is_stored_once().await?;
    suite
        .concurrent_submissions_of_one_key_make_one_application()
        .await?;
    suite.tries_follow_one_another().await?;
    suite.concurrent_tries_of_one_key_never_both_live().await?;
    suite.a_run_is_stored_step_by_step().await?;
    suite.lists_are_pages_from_the_newest().await?;
    suite.changes_come_in_order_and_match_their_filter().await?;
    suite
        .concurrent_writers_leave_no_number_to_be_filled_later()
        .await?;
    suite.a_launch_has_one_holder_at_a_time().await?;
    suite.clean_up_begins_with_the_final_state().await?;
    suite.a_lease_changes_hands_only_when_it_ran_out().await?;
    suite.live_attempts_are_named_page_by_page().await?;
    suite.a_deadline_is_found_until_it_is_noted().await?;
    suite
        .a_retry_waits_until_the_name_before_it_is_taken()
        .await?;
    suite.lists_are_read_along_indexes().await?;
    suite
        .fleet()
        .await
        .expect("the fleet refuses only what each step expects it to");
    suite
        .writes_at_the_same_time_are_decided_one_by_one()
        .await?;
    suite
        .many_submissions_have_outcomes_in_their_order()
        .await?;
    suite.a_burst_is_written_completely().await?;
    suite.filters_find_what_they_match().await?;
    suite.every_order_has_pages().await?;
    suite.forgotten_events_leave_a_mark().await
}

struct Suite {
    store: SqlStore,
    clock: Arc<ManualClock>,
    entropy: SeededEntropy,
}

/// A submission for tests.
pub fn submission(project: &str, key: &str, try_number: u32) -> Submission {
    let pod = DriverSpec {
        cpu_request_millicores: 100,
        memory_bytes: 512 * 1024 * 1024,
        ..DriverSpec::default()
    };
    let spec = ApplicationSpec {
        r#type: ApplicationType::Python.into(),
        image: "registry.example/spark:4.0.1".to_owned(),
        main_application_file: "local:///opt/app/report.py".to_owned(),
        arguments: vec!["ä".to_owned()],
        spark_version: "4.0.1".to_owned(),
        spark_conf: [("spark.sql.ansi.enabled".to_owned(), "true".to_owned())].into(),
        executor: Some(wire::ExecutorSpec {
            instances: 2,
            cpu_request_millicores: 100,
            memory_bytes: pod.memory_bytes,
            ..wire::ExecutorSpec::default()
        }),
        driver: Some(pod),
        queue: "root.demo".to_owned(),
        environment: [("A".to_owned(), "b".to_owned())].into(),
        ..ApplicationSpec::default()
    };
    let request = SubmitApplicationRequest {
        project: project.to_owned(),
        idempotency_key: key.to_owned(),
        try_number: i32::try_from(try_number).unwrap_or(i32::MAX),
        spec: Some(spec),
        ..SubmitApplicationRequest::default()
    };
    Submission::parse(&request).expect("the request is within every limit")
}

fn placed(cluster: &str) -> Happening {
    let placement = Placement {
        cluster: cluster.to_owned(),
        queue: "root.demo".to_owned(),
        namespace: "spark-jobs".to_owned(),
        scheduler_name: "yunikorn".to_owned(),
        ..Placement::default()
    };
    let launch = resolve(&submission("team-a", "key", 0).spec, Rules::default());
    Happening::Placed {
        attempt_number: 1,
        placement,
        launch: Box::new(launch.expect("the submission lacks nothing")),
    }
}

fn created(uid: &str) -> Happening {
    Happening::Created {
        uid: uid.to_owned(),
    }
}

fn ended(category: ExitCategory) -> Happening {
    Happening::Ended(Exit {
        category,
        exit_code: Some(1),
        message: "ValueError: no".to_owned(),
        log_tail: "a\nb".to_owned(),
    })
}

impl Suite {
    async fn submit(&self, project: &str, key: &str, try_number: u32) -> Result<Submitted> {
        self.clock.advance(SignedDuration::from_millis(1));
        let id = self.mint();
        self.store
            .submit(id, &submission(project, key, try_number))
            .await
    }

    fn mint(&self) -> ApplicationId {
        ApplicationId::mint(&*self.clock, &self.entropy)
    }

    async fn accepted(&self, project: &str, key: &str) -> Result<ApplicationId> {
        Ok(self.submit(project, key, 0).await?.application.id)
    }

    async fn record(
        &self,
        id: ApplicationId,
        attempt: Option<u32>,
        happening: &Happening,
    ) -> Result<Recorded> {
        let recorded = self.store.record(id, attempt, happening, "test").await?;
        Ok(recorded.expect("the application exists"))
    }

    async fn a_submission_is_stored_once(&self) -> Result<()> {
        let first = self.submit("once", "key", 0).await?;
        assert!(first.created);
        let second = self.submit("once", "key", 0).await?;
        assert!(!second.created);
        assert_eq!(second.application, first.application);
        let id = first.application.id;
        assert_eq!(self.store.get(id).await?, Some(first.application.clone()));
        assert_eq!(
            self.store.find("once", "key", 0).await?,
            Some(first.application)
        );
        assert_eq!(self.store.find("once", "other", 0).await?, None);
        let events = self.store.events(id, 0, 10).await?;
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].previous_state, None);
        Ok(())
    }

    async fn concurrent_submissions_of_one_key_make_one_application(&self) -> Result<()> {
        let submit = || self.submit("race", "key", 0);
        let (a, b, c, d) = tokio::try_join!(submit(), submit(), submit(), submit())?;
        let all = [a, b, c, d];
        assert_eq!(all.iter().filter(|one| one.created).count(), 1);
        assert!(
            all.iter()
                .all(|one| one.application.id == all[0].application.id)
        );
        Ok(())
    }

    async fn tries_follow_one_another(&self) -> Result<()> {
        let first = self.accepted("tries", "key").await?;
        let early = self.submit("tries", "key", 1).await;
        assert!(
            matches!(early, Err(Error::PredecessorLive(id)) if id == first),
            "{early:?}"
        );
        let cancel = Happening::CancelRequested {
            reason: String::new(),
            force: false,
        };
        let cancelled = self.record(first, None, &cancel).await?;
        assert_eq!(cancelled.application.state, ApplicationState::Cancelled);
        let second = self.submit("tries", "key", 3).await?.application;
        assert_eq!(second.predecessor, Some(first));
        let late = self.submit("tries", "key", 2).await;
        assert!(
            matches!(late, Err(Error::Overtaken { highest: 3 })),
            "{late:?}"
        );
        Ok(())
    }

    async fn concurrent_tries_of_one_key_never_both_live(&self) -> Result<()> {
        for round in 0..8 {
            let key = format!("key-{round}");
            let (zero, one) =
                tokio::join!(self.submit("pair", &key, 0), self.submit("pair", &key, 1));
            let accepted = [&zero, &one]
                .into_iter()
                .filter(|result| result.is_ok())
                .count();
            assert_eq!(accepted, 1, "{zero:?} {one:?}");
        }
        Ok(())
    }

    async fn a_run_is_stored_step_by_step(&self) -> Result<()> {
        let id = self.accepted("run", "key").await?;
        let placed_at = self.record(id, None, &placed("run")).await?;
        assert_eq!(placed_at.changed_from, Some(ApplicationState::Queued));
        assert_eq!(placed_at.application.attempts[0].placement.cluster, "run");
        let again = self.record(id, None, &placed("elsewhere")).await?;
        assert_eq!(again.changed_from, None);
        assert_eq!(again.application, placed_at.application);

        self.record(id, Some(1), &created("uid-1")).await?;
        let wrong_attempt = self
            .record(id, Some(2), &ended(ExitCategory::Success))
            .await?;
        assert_eq!(wrong_attempt.changed_from, None);
        let seen = Happening::DriverSeen {
            spark_application_id: "spark-1".to_owned(),
        };
        self.record(id, Some(1), &seen).await?;
        let start_time = self.clock.now();
        self.record(id, Some(1), &Happening::DriverStarted { start_time })
            .await?;
        let counts = self.store.live_counts().await?;
        assert_eq!(counts.get(&ApplicationState::Running), Some(&1));

        let done = self
            .record(id, Some(1), &ended(ExitCategory::UserError))
            .await?;
        assert_eq!(done.application.state, ApplicationState::Failed);
        assert_eq!(self.store.get(id).await?.as_ref(), Some(&done.application));
        let states: Vec<_> = self
            .store
            .events(id, 0, 10)
            .await?
            .into_iter()
            .map(|event| event.state)
            .collect();
        let expected = [
            ApplicationState::Queued,
            ApplicationState::Launching,
            ApplicationState::Submitted,
            ApplicationState::Running,
            ApplicationState::Failed,
        ];
        assert_eq!(states, expected);
        let rest = self
            .store
            .events(id, done.application.version - 1, 10)
            .await?;
        assert_eq!(rest.len(), 1);
        assert_eq!(rest[0].message, "ValueError: no");
        Ok(())
    }

    async fn changes_come_in_order_and_match_their_filter(&self) -> Result<()> {
        let start = self
            .store
            .changes(&ChangeFilter::default(), 0, 1)
            .await?
            .last;
        let id = self.accepted("changes", "key").await?;
        self.accepted("others", "key").await?;
        self.record(id, None, &placed("changes")).await?;
        let everything = self
            .store
            .changes(&ChangeFilter::default(), start, 10)
            .await?;
        assert_eq!(everything.matching.len(), 3);
        assert_eq!(everything.through, everything.last);
        let page = self
            .store
            .changes(&ChangeFilter::default(), start, 2)
            .await?;
        assert_eq!(page.through, page.matching[1].event.sequence);
        for filter in [
            ChangeFilter {
                application_id: Some(id),
                project: None,
            },
            ChangeFilter {
                application_id: None,
                project: Some("changes".to_owned()),
            },
        ] {
            let found = self.store.changes(&filter, start, 10).await?;
            assert_eq!(found.matching.len(), 2);
            assert_eq!(found.through, everything.last);
            let launching = ApplicationState::Launching;
            assert!(
                found
                    .matching
                    .iter()
                    .all(|change| change.application.state == launching)
            );
        }
        Ok(())
    }

    async fn concurrent_writers_leave_no_number_to_be_filled_later(&self) -> Result<()> {
        let start = self
            .store
            .changes(&ChangeFilter::default(), 0, 1)
            .await?
            .last;
        let writers = futures::future::try_join_all(
            (0..20).map(|n| async move { self.accepted("writers", &format!("key-{n}")).await }),
        );
        let reader = async {
            let mut seen = Vec::new();
            let mut after = start;
            while seen.len() < 20 {
                let page = self
                    .store
                    .changes(&ChangeFilter::default(), after, 100)
                    .await?;
                seen.extend(page.matching.iter().map(|change| change.event.sequence));
                after = page.through;
            }
            Ok::<_, Error>(seen)
        };
        let (_, seen) = tokio::try_join!(writers, reader)?;
        assert_eq!(seen, (start + 1..=start + 20).collect::<Vec<_>>());
        Ok(())
    }

    async fn a_launch_has_one_holder_at_a_time(&self) -> Result<()> {
        let drained = self.store.lease_launches("drain", LEASE, 1000).await?;
        assert!(!drained.is_empty());
        let id = self.accepted("launch", "key").await?;
        let (a, b) = tokio::try_join!(
            self.store.lease_launches("a", LEASE, 10),
            self.store.lease_launches("b", LEASE, 10),
        )?;
        assert_eq!(a.len() + b.len(), 1);
        let (holder, other) = if a.is_empty() { ("b", "a") } else { ("a", "b") };
        self.store
            .postpone_launch(id, other, Duration::ZERO)
            .await?;
        assert_eq!(self.store.lease_launches("c", LEASE, 10).await?, []);
        self.store
            .postpone_launch(id, holder, Duration::from_secs(5))
            .await?;
        assert_eq!(self.store.lease_launches("c", LEASE, 10).await?, []);
        self.clock.advance(SignedDuration::from_secs(5));
        let leased = self.store.lease_launches("c", LEASE, 10).await?;
        assert_eq!((leased[0].application.id, leased[0].failures), (id, 1));
        self.clock.advance(SignedDuration::from_secs(60));
        let after_a_crash = self.store.lease_launches("d", LEASE, 1000).await?;
        assert!(after_a_crash.iter().any(|one| one.application.id == id));
        self.record(id, None, &placed("launch")).await?;
        self.record(id, Some(1), &created("uid-1")).await?;
        self.clock.advance(SignedDuration::from_secs(60));
        let launched = self.store.lease_launches("e", LEASE, 1000).await?;
        assert!(launched.iter().all(|one| one.application.id != id));
        Ok(())
    }

    async fn clean_up_begins_with_the_final_state(&self) -> Result<()> {
        let id = self.accepted("clean", "key").await?;
        self.record(id, None, &placed("clean")).await?;
        self.record(id, Some(1), &created("uid-1")).await?;
        assert_eq!(self.store.due_clean_ups("clean", 10).await?, []);
        self.store
            .set_clean_up(id, 1, CleanUpStage::Release, Duration::ZERO)
            .await?;
        assert_eq!(self.store.due_clean_ups("clean", 10).await?, []);
        self.record(id, Some(1), &ended(ExitCategory::Success))
            .await?;
        let due = self.store.due_clean_ups("clean", 10).await?;
        assert_eq!(
            (due[0].attempt_number, due[0].stage),
            (1, CleanUpStage::Release)
        );
        assert_eq!(due[0].application.state, ApplicationState::Succeeded);
        self.store
            .set_clean_up(id, 1, CleanUpStage::Retain, LEASE)
            .await?;
        assert_eq!(self.store.due_clean_ups("clean", 10).await?, []);
        self.clock.advance(SignedDuration::from_secs(60));
        assert_eq!(
            self.store.due_clean_ups("clean", 10).await?[0].stage,
            CleanUpStage::Retain
        );
        self.store
            .set_clean_up(id, 1, CleanUpStage::Done, Duration::ZERO)
            .await?;
        assert_eq!(self.store.due_clean_ups("clean", 10).await?, []);

        let refused = self.accepted("clean", "refused").await?;
        self.record(
            refused,
            None,
            &Happening::Refused(Exit::without_container(ExitCategory::Quota, "too large")),
        )
        .await?;
        assert_eq!(self.store.due_clean_ups("", 10).await?, []);
        Ok(())
    }

    async fn a_lease_changes_hands_only_when_it_ran_out(&self) -> Result<()> {
        assert!(self.store.take_lease("cluster/local", "a", LEASE).await?);
        assert!(!self.store.take_lease("cluster/local", "b", LEASE).await?);
        assert!(self.store.take_lease("cluster/local", "a", LEASE).await?);
        assert!(self.store.take_lease("cluster/other", "b", LEASE).await?);
        self.clock.advance(SignedDuration::from_secs(60));
        assert!(self.store.take_lease("cluster/local", "b", LEASE).await?);
        assert!(!self.store.take_lease("cluster/local", "a", LEASE).await?);
        Ok(())
    }

    async fn forgotten_events_leave_a_mark(&self) -> Result<()> {
        self.clock.advance(SignedDuration::from_hours(1));
        let between = self.clock.now();
        self.clock.advance(SignedDuration::from_hours(1));
        self.accepted("pruned", "key").await?;
        assert!(self.store.prune_events(between).await? > 0);
        assert_eq!(self.store.prune_events(between).await?, 0);
        let left = self.store.changes(&ChangeFilter::default(), 0, 100).await?;
        assert_eq!(left.matching.len(), 1);
        assert_eq!(left.pruned_through, left.last - 1);
        Ok(())
    }
}
