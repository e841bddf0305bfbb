use super::*;
use crate::domain::{
    application::{Ending, Placement},
    exit::{Exit, ExitCategory},
    lifecycle::{Happening, apply},
    spec::Deadlines,
    submission::tests::{application, launch_spec},
    terms::Terms,
};

fn accepted() -> Timestamp {
    application().create_time
}

fn after(seconds: i64) -> Timestamp {
    accepted() + SignedDuration::from_secs(seconds)
}

fn with(deadlines: Deadlines, happenings: &[Happening]) -> Application {
    let mut application = application();
    application.submission.spec.deadlines = deadlines;
    for happening in happenings {
        apply(&mut application, happening, after(1));
    }
    application
}

fn placed(deadlines: Deadlines) -> Happening {
    let mut launch = launch_spec();
    launch.deadlines = deadlines;
    Happening::Placed {
        attempt_number: 1,
        placement: Placement::default(),
        launch: Box::new(launch),
    }
}

fn started() -> Happening {
    Happening::DriverStarted {
        start_time: after(50),
    }
}

const ALL: Deadlines = Deadlines {
    queue_seconds: Some(100),
    run_seconds: Some(200),
    total_seconds: Some(1000),
};

fn check(application: &Application, expected: Option<(i64, &str)>) {
    let found = next(application);
    let found = found.as_ref().map(|one| (one.time, one.message.as_str()));
    let expected = expected.map(|(seconds, message)| (after(seconds), message));
    assert_eq!(found, expected, "{:?}", application.state);
}

#[test]
fn the_earliest_deadline_that_still_means_something_is_the_next() {
    let queue = Some((100, "no driver ran within 100 s"));
    check(&with(ALL, &[]), queue);
    check(&with(ALL, &[placed(ALL)]), queue);
    check(
        &with(ALL, &[placed(ALL), started()]),
        Some((250, "the driver ran longer than 200 s")),
    );
    let no_run = Deadlines {
        run_seconds: None,
        ..ALL
    };
    check(
        &with(ALL, &[placed(no_run), started()]),
        Some((1000, "the application did not end within 1000 s")),
    );
    check(&with(Deadlines::default(), &[]), None);
}

#[test]
fn the_projects_deadlines_count_before_the_first_place_too() {
    let mut application = application();
    application.submission.terms = Some(Terms {
        deadlines: ALL,
        retry: None,
    });
    check(&application, Some((100, "no driver ran within 100 s")));
}

#[test]
fn what_an_attempt_was_launched_with_counts_once_it_is_known() {
    let defaulted = Deadlines {
        total_seconds: Some(30),
        ..Deadlines::default()
    };
    check(
        &with(Deadlines::default(), &[placed(defaulted)]),
        Some((30, "the application did not end within 30 s")),
    );
}

#[test]
fn nothing_passes_of_what_is_over_or_being_ended() {
    let ending = Happening::Ending(Ending {
        category: ExitCategory::Deleted,
        message: String::new(),
    });
    let ended = Happening::Ended(Exit::without_container(ExitCategory::UserError, "no"));
    let cancel = Happening::CancelRequested {
        reason: String::new(),
        force: false,
    };
    for last in [ending, ended, cancel] {
        check(&with(ALL, &[placed(ALL), started(), last]), None);
    }
}

#[test]
fn a_deadline_before_the_first_attempt_fails_at_once_and_ends_a_begun_attempt_first() {
    let passed = Happening::DeadlinePassed {
        message: "too late".to_owned(),
    };
    let queued = with(ALL, std::slice::from_ref(&passed));
    assert_eq!(queued.state, ApplicationState::Failed);
    let exit = queued.attempts[0].exit.clone().unwrap();
    assert_eq!(exit.category, ExitCategory::Deadline);
    assert_eq!(exit.message, "too late");

    let launching = with(ALL, &[placed(ALL), passed]);
    assert_eq!(launching.state, ApplicationState::Launching);
    let ending = launching.attempts[0].ending.clone().unwrap();
    assert_eq!(ending.category, ExitCategory::Deadline);
}
