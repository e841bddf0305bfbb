use std::fmt::Write as _;

use jiff::Timestamp;

use super::*;
use crate::domain::{
    application::Placement,
    exit::{Exit, ExitCategory},
    launch_spec::LiveUi,
    lifecycle::{Happening, apply},
    submission::tests::{application, launch_spec},
};

fn settings() -> LinkSettings {
    LinkSettings {
        history_server: Some("https://history.example".to_owned()),
        history_index: Some("https://index.example".to_owned()),
        dashboard: Some(
            "https://boards.example/d/spark?app={application_id}&attempt={attempt}&cluster={cluster}"
                .to_owned(),
        ),
    }
}

fn placed() -> Happening {
    placed_as(1)
}

fn placed_as(attempt_number: u32) -> Happening {
    let placement = Placement {
        cluster: "west".to_owned(),
        queue: "root.demo".to_owned(),
        ..Placement::default()
    };
    let mut launch = launch_spec();
    launch.live_ui = LiveUi {
        port: 4040,
        url_template: Some("https://ui.example/{application_id}-{attempt}".to_owned()),
    };
    Happening::Placed {
        attempt_number,
        placement,
        launch: Box::new(launch),
    }
}

fn created() -> Happening {
    let uid = "5d2f".to_owned();
    Happening::Created { uid }
}

fn seen(number: u32) -> Happening {
    Happening::DriverSeen {
        spark_application_id: format!("spark-{number}"),
    }
}

fn started() -> Happening {
    Happening::DriverStarted {
        start_time: Timestamp::UNIX_EPOCH,
    }
}

fn ended(category: ExitCategory) -> Happening {
    Happening::Ended(Exit::without_container(category, "it ended"))
}

fn after(happenings: &[Happening]) -> Application {
    let mut application = application();
    for happening in happenings {
        apply(&mut application, happening, Timestamp::UNIX_EPOCH);
    }
    application
}

fn told(application: &Application) -> String {
    let mut text = format!("{}\n", application.state);
    for link in links(application, &settings()) {
        writeln!(text, "{:?} | {} | {}", link.kind, link.title, link.target).unwrap();
    }
    text
}

#[test]
fn each_state_has_its_links() {
    let success = ended(ExitCategory::Success);
    let cancel = || Happening::CancelRequested {
        reason: String::new(),
        force: false,
    };
    let run = [placed(), created(), seen(1), started()];
    for (name, happenings) in [
        ("queued", vec![]),
        ("launching", vec![placed()]),
        ("submitted", vec![placed(), created()]),
        ("submitted-with-driver", vec![placed(), created(), seen(1)]),
        ("running", run.to_vec()),
        ("cancelling", [&run[..], &[cancel()]].concat()),
        (
            "succeeded",
            [&run[..], std::slice::from_ref(&success)].concat(),
        ),
        (
            "failed",
            [&run[..], &[ended(ExitCategory::UserError)]].concat(),
        ),
        (
            "failed-before-its-driver",
            vec![placed(), created(), ended(ExitCategory::Deleted)],
        ),
        ("cancelled", [&run[..], &[cancel(), success]].concat()),
    ] {
        insta::assert_snapshot!(name, told(&after(&happenings)));
    }
}

#[test]
fn a_second_attempt_runs_beside_the_history_of_the_first() {
    let mut application = after(&[
        placed(),
        created(),
        seen(1),
        started(),
        ended(ExitCategory::DriverOutOfMemory),
    ]);
    application.state = ApplicationState::RetryWait;
    insta::assert_snapshot!("waiting-for-a-retry", told(&application));
    for happening in [placed_as(2), created(), seen(2), started()] {
        apply(&mut application, &happening, Timestamp::UNIX_EPOCH);
    }
    insta::assert_snapshot!("second-attempt-running", told(&application));
}

#[test]
fn nothing_is_told_of_what_is_not_configured() {
    let application = after(&[placed(), created(), seen(1), started()]);
    let kinds: Vec<_> = links(&application, &LinkSettings::default())
        .iter()
        .map(|link| link.kind)
        .collect();
    assert_eq!(
        kinds,
        [LinkKind::LiveUi, LinkKind::LogStream, LinkKind::LogStream]
    );
    let mut without_template = application;
    let attempt = without_template.attempts.last_mut().unwrap();
    attempt.launch.as_mut().unwrap().live_ui.url_template = None;
    assert!(
        links(&without_template, &settings())
            .iter()
            .all(|link| link.kind != LinkKind::LiveUi)
    );
}
