mod before;
mod launching;
mod running_and_after;

use std::fmt::Write as _;

use moka_core::PodSize;

use super::*;
use crate::domain::{
    application::{Application, Placement},
    exit::{Exit, ExitCategory},
    lifecycle::{Happening, apply},
    observation::{ObjectView, Owner},
    rules::ClusterState,
    submission::tests::{application, id, launch_spec},
};

/// 300 s after the application was accepted.
fn now() -> Timestamp {
    at(300)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_799_999_000 + second).unwrap()
}

fn after(happenings: &[Happening]) -> Application {
    let mut application = application();
    for (second, happening) in (1..).zip(happenings) {
        apply(&mut application, happening, at(second * 10));
    }
    application
}

fn placed() -> Happening {
    placed_as(1)
}

fn placed_as(attempt_number: u32) -> Happening {
    let placement = Placement {
        cluster: "west".to_owned(),
        queue: "root.demo".to_owned(),
        namespace: "spark-jobs".to_owned(),
        ..Placement::default()
    };
    Happening::Placed {
        attempt_number,
        placement,
        launch: Box::new(launch_spec()),
    }
}

fn created() -> Happening {
    let uid = "5d2f".to_owned();
    Happening::Created { uid }
}

fn started() -> Happening {
    Happening::DriverStarted { start_time: at(30) }
}

fn ended(category: ExitCategory, exit_code: Option<i32>, message: &str) -> Happening {
    Happening::Ended(Exit {
        exit_code,
        ..Exit::without_container(category, message)
    })
}

fn cancel() -> Happening {
    Happening::CancelRequested {
        reason: "not needed".to_owned(),
        force: false,
    }
}

fn evidence(application: Application) -> Evidence {
    Evidence {
        application,
        now: now(),
        clusters: Some(vec![cluster()]),
        placement: None,
        queues: None,
        scheduling: None,
        sight: None,
        unanswered: Vec::new(),
    }
}

fn cluster() -> ClusterFacts {
    ClusterFacts {
        name: "west".to_owned(),
        state: ClusterState::Active,
        problem: None,
        circuit_open: false,
        live_attempts: (3, 0),
        operator_backlog: (0, 1000),
        operator_lag_seconds: 0,
    }
}

fn submitted(sight: Sight) -> Evidence {
    Evidence {
        sight: Some(sight),
        ..evidence(after(&[placed(), created()]))
    }
}

fn running(sight: Sight) -> Evidence {
    Evidence {
        sight: Some(sight),
        ..evidence(after(&[placed(), created(), started()]))
    }
}

fn object(state: &str) -> ObjectView {
    ObjectView {
        uid: "5d2f".to_owned(),
        owner: Owner::Attempt,
        create_time: Some(at(20)),
        delete_time: None,
        has_finalizer: true,
        state: state.to_owned(),
        error_message: String::new(),
        spark_application_id: None,
    }
}

fn driver() -> PodView {
    PodView {
        name: format!("{}-1-driver", id()),
        is_driver: true,
        phase: "Pending".to_owned(),
        node: Some("node-1".to_owned()),
        create_time: Some(at(25)),
        ..PodView::default()
    }
}

fn executor() -> PodView {
    PodView {
        name: format!("{}-1-exec-1", id()),
        phase: "Running".to_owned(),
        node: Some("node-2".to_owned()),
        ..PodView::default()
    }
}

fn seen(driver: PodView) -> Sight {
    Sight {
        object: Some(object("SUBMITTED")),
        pods: vec![driver],
        notices: Vec::new(),
    }
}

fn waiting(word: &str, message: &str) -> Reason {
    Reason {
        word: word.to_owned(),
        message: message.to_owned(),
    }
}

fn warning(reason: &str, message: &str) -> Notice {
    Notice {
        about: format!("Pod {}-1-driver", id()),
        is_warning: true,
        reason: reason.to_owned(),
        message: message.to_owned(),
        time: Some(at(40)),
    }
}

fn full_queue() -> QueueFacts {
    QueueFacts {
        cluster: "west".to_owned(),
        path: "root.demo".to_owned(),
        maximum: Some(PodSize {
            cpu_millicores: 8000,
            memory_bytes: 0,
        }),
        allocated: Some(PodSize {
            cpu_millicores: 7950,
            memory_bytes: 1,
        }),
        maximum_running_applications: 0,
        running_applications: 9,
    }
}

fn waits_in_queue() -> SchedulingFacts {
    SchedulingFacts {
        state: "Accepted".to_owned(),
        queue: "root.demo".to_owned(),
        rejected_message: String::new(),
        allocated_pods: 1,
        pending_pods: 2,
    }
}

/// Compares the whole explanation with what was agreed. The names of pods are shortened.
fn check(name: &str, evidence: Evidence) {
    let explanation = explain(evidence);
    let mut text = format!("{}\n", explanation.summary);
    for finding in &explanation.findings {
        let decisive = if finding.decisive { "!" } else { " " };
        let time = finding.time.map_or(String::new(), |time| {
            format!(" [{} s]", time.duration_since(at(0)).as_secs())
        });
        let Finding {
            source,
            reason,
            message,
            ..
        } = finding;
        writeln!(text, "{decisive} {source:?} {reason}{time}: {message}").unwrap();
    }
    for sentence in &explanation.unanswered {
        writeln!(text, "? {sentence}").unwrap();
    }
    insta::assert_snapshot!(name, text.replace(&id().to_string(), "m…"));
}

#[test]
fn an_explanation_never_floods() {
    let mut sight = seen(driver());
    sight.notices = (0..100)
        .map(|n| warning(&format!("Odd{n}"), "again"))
        .collect();
    let explanation = explain(submitted(sight));
    let events = explanation
        .findings
        .iter()
        .filter(|finding| finding.source == Source::Event);
    assert_eq!(events.count(), MOST_NOTICES);
}
