//! Between the place and the running driver.

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
        waiting: Some(waiting),
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
