//! While it runs, and after its end.

use super::*;

fn ran() -> PodView {
    PodView {
        phase: "Running".to_owned(),
        ..driver()
    }
}

#[test]
fn it_runs() {
    check("running", running(seen(ran())));
    let mut sight = seen(ran());
    let killed = Terminated {
        exit_code: 137,
        reason: "OOMKilled".to_owned(),
        end_time: Some(at(200)),
    };
    sight.pods.push(PodView {
        terminated: Some(killed),
        ..executor()
    });
    sight.pods.push(PodView {
        unschedulable: Some("no room".to_owned()),
        ..executor()
    });
    check("running-executors-in-trouble", running(sight));
    let unknown = Evidence {
        sight: None,
        unanswered: vec!["cluster west: no answer within 3 s".to_owned()],
        ..running(Sight::default())
    };
    check("running-cluster-silent", unknown);
    check("running-driver-gone", running(Sight::default()));
}

#[test]
fn it_is_being_cancelled() {
    let stopping = PodView {
        is_deleting: true,
        ..ran()
    };
    let cancelling = Evidence {
        sight: Some(seen(stopping)),
        ..evidence(after(&[placed(), created(), started(), cancel()]))
    };
    check("cancelling", cancelling);
}

#[test]
fn each_kind_of_end_has_its_sentence() {
    for category in ExitCategory::ALL {
        let exit = ended(*category, Some(1), "what was seen");
        let name = format!("ended-{}", category.as_str().to_lowercase());
        check(
            &name,
            evidence(after(&[placed(), created(), started(), exit])),
        );
    }
}

#[test]
fn it_was_cancelled_or_never_began() {
    check("cancelled-before-it-began", evidence(after(&[cancel()])));
    let stopped = ended(ExitCategory::UserError, Some(143), "killed");
    let happenings = [placed(), created(), started(), cancel(), stopped];
    check("cancelled", evidence(after(&happenings)));
    let exit = Exit::without_container(ExitCategory::LaunchRefused, "image is required");
    check("refused", evidence(after(&[Happening::Refused(exit)])));
}

#[test]
fn attempts_before_the_last_are_told_of() {
    let lost = || ended(ExitCategory::NodeLost, None, "node-1 went away");
    let mut application = after(&[placed(), created(), lost()]);
    application.state = ApplicationState::RetryWait;
    application.end_time = None;
    for (second, happening) in [(100, placed_as(2)), (110, created()), (120, lost())] {
        apply(&mut application, &happening, at(second));
    }
    application.state = ApplicationState::Failed;
    for attempt in &mut application.attempts {
        let launch = attempt.launch.as_mut().unwrap();
        launch.retry.max_attempts = 2;
    }
    check("failed-after-all-attempts", evidence(application));
}
