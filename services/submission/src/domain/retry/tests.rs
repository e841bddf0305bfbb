use proptest::prelude::*;

use super::*;
use crate::domain::{
    application::{Ending, Placement},
    exit::Exit,
    launch_spec::LaunchSpec,
    lifecycle::{Happening, apply, apply_to},
    sizing::ContainerSize,
    spec::{PodSpec, RetryRequest},
    state::ApplicationState,
    submission::tests::{application, launch_spec},
    terms::Terms,
};

const MIB: u64 = 1024 * 1024;

fn policy() -> RetryPolicy {
    RetryPolicy {
        max_attempts: 3,
        ..launch_spec().retry
    }
}

fn launch(policy: &RetryPolicy) -> LaunchSpec {
    LaunchSpec {
        retry: policy.clone(),
        ..launch_spec()
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

/// Places the next attempt and lets it end.
fn attempt(application: &mut Application, launch: LaunchSpec, category: ExitCategory) {
    let number = application.next_attempt_number();
    let placed = Happening::Placed {
        attempt_number: number,
        placement: Placement::default(),
        launch: Box::new(launch),
    };
    apply(application, &placed, now());
    if category == ExitCategory::Rerouted {
        let message = "cluster west is drained".to_owned();
        let ending = Happening::Ending(Ending { category, message });
        apply(application, &ending, now());
    }
    let ended = Happening::Ended(Exit::without_container(category, "no"));
    apply_to(application, Some(number), &ended, now());
}

fn after_ends(policy: &RetryPolicy, ends: &[ExitCategory]) -> Application {
    let mut application = application();
    for category in ends {
        let launch = grow(&application, launch(policy));
        attempt(&mut application, launch, *category);
    }
    application
}

#[test]
fn a_curable_failure_is_tried_again_within_the_budget() {
    use ExitCategory::{NodeLost, Rerouted};
    for (ends, state) in [
        (vec![NodeLost], ApplicationState::RetryWait),
        (vec![NodeLost, NodeLost], ApplicationState::RetryWait),
        (vec![NodeLost, NodeLost, NodeLost], ApplicationState::Failed),
        (
            vec![Rerouted, NodeLost, Rerouted, NodeLost],
            ApplicationState::RetryWait,
        ),
        (
            vec![Rerouted, NodeLost, Rerouted, NodeLost, NodeLost],
            ApplicationState::Failed,
        ),
        (vec![Rerouted; 20], ApplicationState::RetryWait),
    ] {
        assert_eq!(after_ends(&policy(), &ends).state, state, "{ends:?}");
    }
}

#[test]
fn ends_that_somebody_wanted_or_caused_are_not_tried_again() {
    let everything = RetryPolicy {
        categories: ExitCategory::ALL.to_vec(),
        ..policy()
    };
    for category in FINAL {
        let application = after_ends(&everything, &[category]);
        assert!(application.state.is_final(), "{category:?}");
    }
    let application = after_ends(&everything, &[ExitCategory::Unknown]);
    assert_eq!(application.state, ApplicationState::RetryWait);
}

#[test]
fn a_refused_create_is_tried_again_by_policy_and_only_once_for_one_attempt() {
    let mut application = application();
    let placed = Happening::Placed {
        attempt_number: 1,
        placement: Placement::default(),
        launch: Box::new(launch(&policy())),
    };
    apply(&mut application, &placed, now());
    let refused = Happening::Ending(Ending {
        category: ExitCategory::LaunchRefused,
        message: "a webhook says no".to_owned(),
    });
    let fenced = Happening::Ended(Exit::without_container(
        ExitCategory::Unknown,
        "never launched",
    ));
    for _ in 0..2 {
        apply_to(&mut application, Some(1), &refused, now());
        apply_to(&mut application, Some(1), &fenced, now());
        assert_eq!(application.state, ApplicationState::RetryWait);
        assert_eq!(application.attempts.len(), 1);
    }
    // What was placed for the attempt that is over is no place for the next one.
    apply(&mut application, &placed, now());
    assert_eq!(application.state, ApplicationState::RetryWait);
    assert_eq!(application.attempts.len(), 1);
}

/// What becomes of an application that is refused before it has a place.
fn refused(own: Option<RetryRequest>, of_project: Option<RetryRequest>) -> Application {
    let mut application = application();
    application.submission.spec.retry = own;
    application.submission.terms = of_project.map(|retry| Terms {
        retry: Some(retry),
        ..Terms::default()
    });
    let exit = Exit::without_container(ExitCategory::LaunchRefused, "no cluster has it");
    apply(&mut application, &Happening::Refused(exit), now());
    application
}

#[test]
fn a_refusal_before_any_place_is_tried_again_by_policy() {
    let twice = Some(RetryRequest {
        max_attempts: 2,
        ..RetryRequest::default()
    });
    let not_for_this = Some(RetryRequest {
        categories: vec![ExitCategory::NodeLost],
        ..RetryRequest::default()
    });
    for (own, of_project, state) in [
        (None, None, ApplicationState::Failed),
        (twice.clone(), None, ApplicationState::RetryWait),
        (None, twice.clone(), ApplicationState::RetryWait),
        (not_for_this, None, ApplicationState::Failed),
    ] {
        assert_eq!(refused(own, of_project).state, state);
    }
    let mut application = refused(twice, None);
    let exit = Exit::without_container(ExitCategory::LaunchRefused, "still");
    apply(&mut application, &Happening::Refused(exit), now());
    assert_eq!(application.state, ApplicationState::Failed);
    assert_eq!(application.attempts.len(), 2);
    assert_eq!(application.attempts[1].reason, "after LAUNCH_REFUSED");
}

#[test]
fn a_retry_begins_before_the_total_deadline_or_not_at_all() {
    let mut late = launch(&policy());
    late.deadlines.total_seconds = Some(1_000 + 8);
    let mut in_time = launch(&policy());
    in_time.deadlines.total_seconds = Some(1_000 + 13);
    for (launch, state) in [
        (late, ApplicationState::Failed),
        (in_time, ApplicationState::RetryWait),
    ] {
        let mut application = application();
        attempt(&mut application, launch, ExitCategory::NodeLost);
        assert_eq!(application.state, state);
    }
}

#[test]
fn a_moved_application_does_not_wait() {
    let application = after_ends(&policy(), &[ExitCategory::Rerouted]);
    assert_eq!(application.next_attempt_time, Some(now()));
    assert_eq!(reason(&application, None), "moved: cluster west is drained");
}

#[test]
fn the_reason_names_the_failure_and_what_is_changed() {
    let application = after_ends(&policy(), &[]);
    assert_eq!(reason(&application, None), "first");
    let application = after_ends(&policy(), &[ExitCategory::NodeLost]);
    let next = grow(&application, launch(&policy()));
    assert_eq!(reason(&application, Some(&next)), "after NODE_LOST");
    let application = after_ends(&policy(), &[ExitCategory::ExecutorOutOfMemory]);
    let next = grow(&application, launch(&policy()));
    assert_eq!(
        reason(&application, Some(&next)),
        "after EXECUTOR_OUT_OF_MEMORY, executors with 1344 MiB instead of 896 MiB"
    );
}

fn total_mib(launch: &LaunchSpec, pod: &PodSpec) -> u64 {
    let size = ContainerSize::of(launch.language, pod);
    size.heap_mib + size.overhead_mib
}

fn any_end() -> impl Strategy<Value = ExitCategory> {
    prop::sample::select(ExitCategory::ALL)
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let seconds = 1_u32..5_000;
    (1_u32..11, seconds.clone(), seconds, 100_u32..401, 0_u64..4).prop_map(
        |(max_attempts, initial, longest, growth, limit_gib)| RetryPolicy {
            max_attempts,
            categories: ExitCategory::ALL.to_vec(),
            initial_backoff_seconds: initial,
            max_backoff_seconds: longest,
            memory_growth_percent: growth,
            max_memory_bytes: limit_gib * 1024 * MIB,
        },
    )
}

proptest! {
    #[test]
    fn never_more_attempts_than_the_budget_and_the_moved_ones(
        policy in any_policy(), ends in prop::collection::vec(any_end(), 1..30),
    ) {
        let application = after_ends(&policy, &ends);
        let moved = application.attempts.iter().filter(|attempt| {
            attempt.exit.as_ref().unwrap().category == ExitCategory::Rerouted
        });
        let moved = u32::try_from(moved.count()).unwrap();
        let all = u32::try_from(application.attempts.len()).unwrap();
        prop_assert!(all <= policy.max_attempts + moved);
        prop_assert!(application.state.is_final() || application.state == ApplicationState::RetryWait);
    }

    #[test]
    fn a_pause_is_within_a_fifth_of_its_rule(policy in any_policy(), failures in 1_u32..11) {
        let ends = vec![ExitCategory::NodeLost; usize::try_from(failures).unwrap()];
        let application = after_ends(&policy, &ends);
        let Some(next) = application.next_attempt_time else { return Ok(()) };
        let longest = f64::from(policy.max_backoff_seconds);
        let rule = (f64::from(policy.initial_backoff_seconds) * 2_f64.powi(i32::try_from(failures).unwrap() - 1)).min(longest);
        let pause = next.duration_since(now()).as_secs_f64();
        prop_assert!(pause >= rule * 0.8 - 0.01, "{pause} {rule}");
        prop_assert!(pause <= (rule * 1.2).min(longest) + 0.01, "{pause} {rule}");
    }

    #[test]
    fn memory_only_grows_after_an_out_of_memory_and_within_the_limit(
        policy in any_policy(), ends in prop::collection::vec(any_end(), 1..10),
    ) {
        let application = after_ends(&policy, &ends);
        for (role, kind) in [
            (ExitCategory::DriverOutOfMemory, (|launch| &launch.driver) as fn(&LaunchSpec) -> &PodSpec),
            (ExitCategory::ExecutorOutOfMemory, |launch| &launch.executor.pod),
        ] {
            let sizes: Vec<u64> = application.attempts.iter().map(|attempt| {
                let launch = attempt.launch.as_ref().unwrap();
                total_mib(launch, kind(launch))
            }).collect();
            let limit = match policy.max_memory_bytes { 0 => 2 * sizes[0], bytes => bytes / MIB };
            for (index, pair) in sizes.windows(2).enumerate() {
                let category = application.attempts[index].exit.as_ref().unwrap().category;
                prop_assert!(pair[1] >= pair[0]);
                prop_assert!(pair[1] <= limit.max(sizes[0]));
                prop_assert!(category == role || pair[1] == pair[0]);
            }
        }
    }
}
