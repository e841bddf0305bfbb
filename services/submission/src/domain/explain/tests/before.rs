//! Before a place is found.

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
