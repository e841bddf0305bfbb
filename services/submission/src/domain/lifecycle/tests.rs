use proptest::prelude::*;

use super::*;
use crate::domain::submission::tests::{application, launch_spec};

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn placed() -> Happening {
    Happening::Placed {
        attempt_number: 1,
        placement: placement(),
        launch: Box::new(launch_spec()),
    }
}

fn placement() -> Placement {
    Placement {
        cluster: "local".to_owned(),
        queue: "root.demo".to_owned(),
        namespace: "spark-jobs".to_owned(),
        scheduler_name: "yunikorn".to_owned(),
        ..Placement::default()
    }
}

fn exit(category: ExitCategory) -> Exit {
    Exit {
        exit_code: Some(1),
        ..Exit::without_container(category, "ValueError: no")
    }
}

fn created(uid: &str) -> Happening {
    Happening::Created {
        uid: uid.to_owned(),
    }
}

fn cancel() -> Happening {
    Happening::CancelRequested {
        reason: "too slow".to_owned(),
        force: false,
    }
}

fn run(happenings: &[Happening]) -> (Application, Vec<Effect>) {
    let mut application = application();
    let effects = happenings
        .iter()
        .map(|happening| apply(&mut application, happening, now()))
        .collect();
    (application, effects)
}

#[test]
fn a_run_from_placement_to_its_exit() {
    let happenings = [
        placed(),
        created("uid-1"),
        Happening::DriverSeen {
            spark_application_id: "spark-1".to_owned(),
        },
        Happening::DriverStarted { start_time: now() },
        Happening::Ended(exit(ExitCategory::Success)),
    ];
    let (application, effects) = run(&happenings);
    assert_eq!(application.state, ApplicationState::Succeeded);
    assert_eq!(application.end_time, Some(now()));
    let attempt = application.attempt().unwrap();
    assert_eq!((attempt.number, attempt.uid.as_deref()), (1, Some("uid-1")));
    assert_eq!(attempt.spark_application_id.as_deref(), Some("spark-1"));
    assert_eq!(
        attempt.exit.as_ref().unwrap().category,
        ExitCategory::Success
    );
    assert_eq!(effects[2], Effect::Noted);
    assert!(matches!(
        effects[4],
        Effect::Changed {
            previous_state: ApplicationState::Running,
            ..
        }
    ));
}

#[test]
fn a_refused_placement_leaves_an_attempt_that_tells_why() {
    let refused = Happening::Refused(exit(ExitCategory::Quota));
    let (application, _) = run(std::slice::from_ref(&refused));
    assert_eq!(application.state, ApplicationState::Failed);
    assert_eq!(application.attempts.len(), 1);
    assert_eq!(application.attempts[0].placement.queue, "root.demo");
    let exit = application.attempts[0].exit.as_ref().unwrap();
    assert_eq!(exit.category, ExitCategory::Quota);
}

#[test]
fn what_a_stopped_driver_says_is_not_the_reason() {
    let (application, _) = run(&[
        placed(),
        created("uid-1"),
        cancel(),
        Happening::Ended(exit(ExitCategory::UserError)),
    ]);
    assert_eq!(application.state, ApplicationState::Cancelled);
    let exit = application.attempt().unwrap().exit.clone().unwrap();
    assert_eq!(exit.category, ExitCategory::Cancelled);
    assert_eq!(
        (exit.message.as_str(), exit.exit_code),
        ("cancelled: too slow", Some(1))
    );
}

#[test]
fn a_placement_that_is_refused_late_ends_nothing_that_was_launched() {
    let late = Happening::Refused(exit(ExitCategory::Quota));
    for before in [vec![placed()], vec![placed(), created("uid-1")]] {
        let (launched, _) = run(&before);
        let mut application = launched.clone();
        assert_eq!(apply(&mut application, &late, now()), Effect::Nothing);
        assert_eq!(application, launched);
    }
}

fn rerouted() -> Happening {
    Happening::Ending(Ending {
        category: ExitCategory::Rerouted,
        message: "the cluster drains".to_owned(),
    })
}

#[test]
fn what_has_succeeded_is_not_moved() {
    let success = Happening::Ended(exit(ExitCategory::Success));
    let (application, _) = run(&[placed(), created("uid-1"), rerouted(), success]);
    assert_eq!(application.state, ApplicationState::Succeeded);
}

#[test]
fn what_is_found_out_between_two_attempts_comes_too_late() {
    let ended = Happening::Ended(exit(ExitCategory::Cancelled));
    let (between, _) = run(&[placed(), created("uid-1"), rerouted(), ended]);
    assert_eq!(between.state, ApplicationState::RetryWait);
    let mut application = between.clone();
    let started = Happening::DriverStarted { start_time: now() };
    for late in [created("uid-2"), started, rerouted()] {
        assert_eq!(apply(&mut application, &late, now()), Effect::Nothing);
        assert_eq!(application, between);
    }
}

#[test]
fn deletion_is_not_success() {
    let (application, _) = run(&[
        placed(),
        created("uid-1"),
        Happening::Ending(Ending {
            category: ExitCategory::Deleted,
            message: "the SparkApplication was deleted".to_owned(),
        }),
        Happening::Ended(exit(ExitCategory::Success)),
    ]);
    assert_eq!(
        application
            .attempt()
            .unwrap()
            .exit
            .as_ref()
            .unwrap()
            .category,
        ExitCategory::Deleted
    );
    assert_eq!(application.state, ApplicationState::Failed);
}

#[test]
fn a_cancel_before_placement_is_immediate_and_placement_comes_too_late() {
    let (application, effects) = run(&[cancel(), placed()]);
    assert_eq!(application.state, ApplicationState::Cancelled);
    assert!(application.attempts.is_empty());
    assert_eq!(effects[1], Effect::Nothing);
}

#[test]
fn an_adopted_uid_is_noted_while_cancelling() {
    let (application, effects) = run(&[placed(), cancel(), created("uid-1")]);
    assert_eq!(application.state, ApplicationState::Cancelling);
    assert_eq!(application.attempt().unwrap().uid.as_deref(), Some("uid-1"));
    assert_eq!(effects[2], Effect::Noted);
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        Just(placed()),
        Just(Happening::Refused(exit(ExitCategory::LaunchRefused))),
        Just(created("uid-1")),
        Just(created("uid-2")),
        Just(Happening::DriverStarted { start_time: now() }),
        Just(Happening::Ended(exit(ExitCategory::Success))),
        Just(Happening::Ended(exit(ExitCategory::UserError))),
        Just(cancel()),
    ]
}

proptest! {
    #[test]
    fn repeating_a_happening_changes_nothing(happenings in prop::collection::vec(any_happening(), 0..12)) {
        let doubled: Vec<_> = happenings.iter().flat_map(|one| [one.clone(), one.clone()]).collect();
        let (once, _) = run(&happenings);
        let (twice, effects) = run(&doubled);
        prop_assert_eq!(once, twice);
        prop_assert!(effects.chunks(2).all(|pair| pair[1] == Effect::Nothing));
    }

    #[test]
    fn a_final_attempt_has_an_exit_and_a_uid_never_changes(happenings in prop::collection::vec(any_happening(), 0..12)) {
        let mut application = application();
        let mut uid = None;
        for happening in &happenings {
            apply(&mut application, happening, now());
            let found = application.attempt().and_then(|attempt| attempt.uid.clone());
            prop_assert!(uid.is_none() || uid == found);
            uid = found;
        }
        if application.state.is_final() {
            prop_assert!(application.end_time.is_some());
            prop_assert!(application.attempt().is_none_or(|attempt| attempt.exit.is_some()));
        }
    }
}
