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

fn waiting(word: &str, message: &str) -> Option<Reason> {
    Some(Reason {
        word: word.to_owned(),
        message: message.to_owned(),
    })
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

mod before {
    use super::*;

    #[test]
    fn no_cluster_takes_anything() {
        let queued = || evidence(after(&[]));
        let with = |clusters: Vec<ClusterFacts>| Evidence {
            clusters: Some(clusters),
            ..queued()
        };
        check("queued-no-cluster", with(Vec::new()));
        let draining = ClusterFacts {
            state: ClusterState::Draining,
            ..cluster()
        };
        let drained = ClusterFacts {
            name: "east".to_owned(),
            state: ClusterState::Drained,
            ..cluster()
        };
        check("queued-drained", with(vec![draining.clone(), drained]));
        check(
            "queued-one-of-two-draining",
            with(vec![draining, cluster()]),
        );
        let open = ClusterFacts {
            circuit_open: true,
            ..cluster()
        };
        check("queued-circuit-open", with(vec![open]));
        let away = ClusterFacts {
            problem: Some("connection refused".to_owned()),
            ..cluster()
        };
        check("queued-unreachable", with(vec![away]));
        let full = ClusterFacts {
            live_attempts: (500, 500),
            ..cluster()
        };
        check("queued-cluster-full", with(vec![full]));
        let backlog = ClusterFacts {
            operator_backlog: (1000, 1000),
            operator_lag_seconds: 400,
            ..cluster()
        };
        check("queued-operator-backlog", with(vec![backlog]));
    }

    #[test]
    fn it_is_in_line() {
        let unanswered = vec!["scheduler-adapter: no answer within 3 s".to_owned()];
        let silent = Evidence {
            unanswered,
            ..evidence(after(&[]))
        };
        check("queued-in-line", silent);
        let would_go = PlacementFacts::Place {
            cluster: "west".to_owned(),
            queue: "root.demo".to_owned(),
        };
        let ready = Evidence {
            placement: Some(would_go),
            ..evidence(after(&[]))
        };
        check("queued-with-a-place", ready);
    }

    #[test]
    fn there_is_no_place() {
        let too_large = PlacementFacts::NoPlace {
            reason: "GANG_EXCEEDS_QUEUE".to_owned(),
            message: "the gang asks for 9000 millicores and root.demo may have 8000".to_owned(),
        };
        let evidence = Evidence {
            placement: Some(too_large),
            ..evidence(after(&[]))
        };
        check("queued-gang-exceeds-queue", evidence);
    }

    #[test]
    fn every_queue_is_full() {
        let other = QueueFacts {
            cluster: "east".to_owned(),
            maximum: None,
            maximum_running_applications: 9,
            ..full_queue()
        };
        let queues = Some(vec![full_queue(), other]);
        let queued = Evidence {
            queues,
            ..evidence(after(&[]))
        };
        check("queued-queues-full", queued);
    }

    #[test]
    fn it_waits_for_its_next_attempt() {
        let out_of_memory = ended(
            ExitCategory::DriverOutOfMemory,
            Some(137),
            "java.lang.OutOfMemoryError: Java heap space",
        );
        let mut application = after(&[placed(), created(), started(), out_of_memory]);
        application.state = ApplicationState::RetryWait;
        application.end_time = None;
        application.next_attempt_time = Some(at(360));
        check("retry-wait", evidence(application.clone()));
        application.next_attempt_time = Some(at(299));
        check("retry-due", evidence(application));
    }
}

mod launching {
    use super::*;

    #[test]
    fn nothing_is_there_yet() {
        let launching = |sight, cluster| Evidence {
            sight,
            clusters: Some(vec![cluster]),
            ..evidence(after(&[placed()]))
        };
        check(
            "launching-no-object",
            launching(Some(Sight::default()), cluster()),
        );
        let away = ClusterFacts {
            problem: Some("connection refused".to_owned()),
            ..cluster()
        };
        let mut unreachable = launching(None, away);
        unreachable.unanswered = vec!["cluster west: no answer within 3 s".to_owned()];
        check("launching-unreachable", unreachable);
        let open = ClusterFacts {
            circuit_open: true,
            ..cluster()
        };
        check(
            "launching-circuit-open",
            launching(Some(Sight::default()), open),
        );
        let tombstone = ObjectView {
            owner: Owner::Tombstone,
            ..object("SUSPENDED")
        };
        let fenced = Sight {
            object: Some(tombstone),
            ..Sight::default()
        };
        check("launching-fenced", launching(Some(fenced), cluster()));
        check("launching-nothing-known", launching(None, cluster()));
    }

    #[test]
    fn the_operator_has_not_looked_or_has_failed() {
        let alone = |state, error_message: &str| Sight {
            object: Some(ObjectView {
                error_message: error_message.to_owned(),
                ..object(state)
            }),
            ..Sight::default()
        };
        let lagging = ClusterFacts {
            operator_backlog: (70, 1000),
            operator_lag_seconds: 290,
            ..cluster()
        };
        let pending = Evidence {
            clusters: Some(vec![lagging]),
            ..submitted(alone("", ""))
        };
        check("submitted-operator-pending", pending);
        let refused = alone(
            "SUBMISSION_FAILED",
            "failed to run spark-submit: exit status 1",
        );
        check("submitted-submission-failed", submitted(refused));
        check(
            "submitted-driver-not-created",
            submitted(alone("SUBMITTED", "")),
        );
        check("submitted-deleted", submitted(Sight::default()));
    }

    #[test]
    fn the_driver_waits() {
        let pod = |waiting| PodView {
            waiting,
            ..driver()
        };
        let mut image = seen(pod(waiting(
            "ImagePullBackOff",
            "Back-off pulling image \"registry.example/spark:4.0.1\"",
        )));
        image.notices = vec![
            Notice {
                is_warning: false,
                time: Some(at(50)),
                ..warning("BackOff", "Back-off pulling image")
            },
            warning("Failed", "Failed to pull image: not found"),
        ];
        check("submitted-image-pull", submitted(image));
        let mut mount = seen(pod(waiting("ContainerCreating", "")));
        mount.notices = vec![warning("FailedMount", "secret \"keys\" not found")];
        check("submitted-volume", submitted(mount));
        let config = pod(waiting(
            "CreateContainerConfigError",
            "secret \"keys\" not found",
        ));
        check("submitted-container-config", submitted(seen(config)));
        let creating = pod(waiting("ContainerCreating", ""));
        check("submitted-container-creating", submitted(seen(creating)));
        let deleted = PodView {
            is_deleting: true,
            ..driver()
        };
        check("submitted-driver-deleted", submitted(seen(deleted)));
    }

    #[test]
    fn no_node_takes_the_driver() {
        let unschedulable = PodView {
            node: None,
            unschedulable: Some("0/3 nodes are available: 3 Insufficient cpu.".to_owned()),
            ..driver()
        };
        let alone = submitted(seen(unschedulable));
        check("submitted-unschedulable", alone.clone());
        let queue = Evidence {
            scheduling: Some(waits_in_queue()),
            queues: Some(vec![full_queue()]),
            ..alone.clone()
        };
        check("submitted-queue-full", queue);
        let room = QueueFacts {
            maximum: None,
            ..full_queue()
        };
        let pending = Evidence {
            scheduling: Some(waits_in_queue()),
            queues: Some(vec![room]),
            ..alone.clone()
        };
        check("submitted-pending-in-yunikorn", pending);
        let rejected = SchedulingFacts {
            state: "Rejected".to_owned(),
            rejected_message: "queue root.demo cannot fit application".to_owned(),
            pending_pods: 0,
            ..waits_in_queue()
        };
        let rejected = Evidence {
            scheduling: Some(rejected),
            ..alone
        };
        check("submitted-rejected", rejected);
        let fresh = PodView {
            node: None,
            ..driver()
        };
        check("submitted-no-node-yet", submitted(seen(fresh)));
    }
}

mod running_and_after {
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
