//! What ends an attempt without the application's doing, and what follows.

use moka_proto::submission::v1::{
    Application, ApplicationState, Deadlines, Defaults, ExitCategory, Project, RetryPolicy,
    UpdateProjectRequest, project_service_client::ProjectServiceClient,
};
use prost_types::Duration;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{Database, Installation};

fn running() -> Value {
    json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } })
}

fn terminated(exit_code: i32, reason: &str) -> Value {
    json!({ "terminated": { "exitCode": exit_code, "reason": reason } })
}

/// Submits an application and lets its driver run.
async fn run(installation: &Installation, key: &str) -> (String, String) {
    let id = installation.submit(key).await;
    let name = format!("{id}-1");
    let_it_run(installation, &id, &name).await;
    (id, name)
}

async fn let_it_run(installation: &Installation, id: &str, name: &str) {
    installation.reaches(id, ApplicationState::Submitted).await;
    installation.objects.create_driver(name).await;
    installation
        .objects
        .set_application_status(name, "SUBMITTED", "")
        .await;
    installation
        .objects
        .set_driver_status(name, "Running", running())
        .await;
    installation.reaches(id, ApplicationState::Running).await;
}

async fn ends_as(installation: &Installation, id: &str, category: ExitCategory) -> Application {
    let application = installation.reaches(id, ApplicationState::Failed).await;
    let exit = application.attempts.last().unwrap().exit.clone().unwrap();
    assert_eq!(exit.category(), category, "{exit:?}");
    application
}

fn retries(max_attempts: i32) -> RetryPolicy {
    RetryPolicy {
        max_attempts,
        initial_backoff: Some(seconds(1)),
        ..RetryPolicy::default()
    }
}

fn seconds(seconds: i64) -> Duration {
    Duration { seconds, nanos: 0 }
}

#[tokio::test]
async fn a_driver_that_was_deleted_by_hand_has_failed_also_when_the_operator_is_away() {
    let installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    // By force, with its finalizer: nobody can tell how it ended.
    installation.objects.erase_driver(&name).await;
    let application = ends_as(&installation, &id, ExitCategory::Deleted).await;
    let exit = application.attempts[0].exit.clone().unwrap();
    assert_eq!(exit.message, "the driver's pod is gone");
    // The operator would launch it again when it comes back.
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
}

#[tokio::test]
async fn a_result_survives_pod_garbage_collection_and_the_operators_ttl() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    installation.submission.kill().await;
    let objects = &installation.objects;
    let ended = terminated(0, "Completed");
    objects.set_driver_status(&name, "Succeeded", ended).await;
    objects.set_application_status(&name, "COMPLETED", "").await;
    // A low threshold and a short TTL: both are deleted before anybody has read them.
    objects.delete_driver(&name).await;
    objects.delete_application(&name).await;
    installation.submission.start().await;
    let exit = installation.ends(&id, ApplicationState::Succeeded).await;
    assert_eq!(exit.exit_code, Some(0));
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&name).await
        })
        .await;
    assert!(installation.objects.driver(&name).await.is_none());
}

#[tokio::test]
async fn a_lost_node_is_told_from_other_ends_and_tried_again() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation
        .submit_with("key", |spec| spec.retry = Some(retries(2)))
        .await;
    let first = format!("{id}-1");
    let_it_run(&installation, &id, &first).await;
    let lost = json!({ "status": {
        "phase": "Failed",
        "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager" }],
        "containerStatuses": [{
            "name": "spark-kubernetes-driver", "state": terminated(137, "ContainerStatusUnknown"),
            "ready": false, "restartCount": 0, "image": "x", "imageID": "",
        }],
    }});
    installation
        .objects
        .patch_driver_status(&first, &lost)
        .await;
    let waiting = installation.reaches(&id, ApplicationState::Submitted).await;
    let exit = waiting.attempts[0].exit.clone().unwrap();
    assert_eq!(exit.category(), ExitCategory::NodeLost);
    assert_eq!(exit.exit_code, None);
    assert_eq!(waiting.attempts[1].reason, "after NODE_LOST");
    assert_eq!(waiting.attempts[1].name, format!("{id}-2"));
    // The second is the last.
    let second = format!("{id}-2");
    let_it_run(&installation, &id, &second).await;
    installation
        .objects
        .patch_driver_status(&second, &lost)
        .await;
    ends_as(&installation, &id, ExitCategory::NodeLost).await;
    installation
        .eventually("both attempts are released", async || {
            installation.objects.are_released(&first).await
                && installation.objects.are_released(&second).await
        })
        .await;
}

#[tokio::test]
async fn an_executor_without_memory_gets_more_in_the_next_attempt() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation
        .submit_with("key", |spec| spec.retry = Some(retries(2)))
        .await;
    let name = format!("{id}-1");
    let_it_run(&installation, &id, &name).await;
    installation
        .objects
        .create_ended_executor(&name, "OOMKilled")
        .await;
    installation
        .objects
        .set_driver_status(&name, "Failed", terminated(1, "Error"))
        .await;
    let waiting = installation.reaches(&id, ApplicationState::Submitted).await;
    let exit = waiting.attempts[0].exit.clone().unwrap();
    assert_eq!(exit.category(), ExitCategory::ExecutorOutOfMemory);
    assert_eq!(
        exit.message,
        format!("executor {name}-exec-1 exceeded its memory")
    );
    let (first, second) = (&waiting.attempts[0], &waiting.attempts[1]);
    assert_eq!(
        first.executor_memory_bytes * 3 / 2,
        second.executor_memory_bytes
    );
    assert_eq!(first.driver_memory_bytes, second.driver_memory_bytes);
}

#[tokio::test]
async fn an_application_that_does_not_run_in_time_is_stopped_and_fenced() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation
        .submit_with("key", |spec| {
            spec.deadlines = Some(Deadlines {
                queue: Some(seconds(3)),
                ..Deadlines::default()
            });
            spec.retry = Some(retries(5));
        })
        .await;
    let application = ends_as(&installation, &id, ExitCategory::Deadline).await;
    let exit = application.attempts[0].exit.clone().unwrap();
    assert_eq!(exit.message, "no driver ran within 3 s");
    installation
        .eventually("a tombstone stands", async || {
            installation.objects.is_tombstone(&format!("{id}-1")).await
        })
        .await;
}

#[tokio::test]
async fn a_queued_application_is_given_up_without_a_cluster() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let known = installation.submit("queues are known").await;
    installation
        .reaches(&known, ApplicationState::Submitted)
        .await;
    installation.adapter.kill().await;
    let id = installation
        .submit_with("key", |spec| {
            spec.deadlines = Some(Deadlines {
                total: Some(seconds(1)),
                ..Deadlines::default()
            });
        })
        .await;
    let application = ends_as(&installation, &id, ExitCategory::Deadline).await;
    assert_eq!(application.attempts[0].cluster, "");
    installation.adapter.start().await;
}

#[tokio::test]
async fn a_forced_cancel_leaves_the_driver_no_grace_and_survives_a_crash() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let (id, name) = run(&installation, "key").await;
    installation.cancel(&id).await;
    let grace = async |installation: &Installation| {
        let driver = installation.objects.driver(&name).await.unwrap();
        driver.metadata.deletion_grace_period_seconds
    };
    installation
        .eventually("the driver is told to stop", async || {
            grace(&installation)
                .await
                .is_some_and(|seconds| seconds > 0)
        })
        .await;
    installation.force_cancel(&id).await;
    installation.submission.kill().await;
    installation.submission.start().await;
    installation
        .eventually("the driver has no grace", async || {
            grace(&installation).await == Some(0)
        })
        .await;
    assert_eq!(
        installation.get(&id).await.state(),
        ApplicationState::Cancelling
    );
    installation
        .objects
        .set_driver_status(&name, "Failed", terminated(137, "Error"))
        .await;
    let exit = installation.ends(&id, ApplicationState::Cancelled).await;
    assert_eq!(exit.category(), ExitCategory::Cancelled);
}

#[tokio::test]
async fn what_a_dead_driver_left_is_swept_and_nothing_else() {
    let installation = Installation::start(Database::Sqlite).await;
    let id = installation.submit("key").await;
    let name = format!("{id}-1");
    installation.reaches(&id, ApplicationState::Submitted).await;
    let objects = &installation.objects;
    // spark-submit died before it had created the driver.
    objects
        .create_service(&format!("{name}-5f3a-driver-svc"))
        .await;
    objects.create_config_map(&format!("{name}-conf-map")).await;
    let of_another_installation = "m01hf7yat00v2t9d4h5w8k3e6qz-1-driver-svc";
    objects.create_service(of_another_installation).await;
    objects.create_service("not-ours").await;
    let live = installation.submit("live").await;
    installation
        .reaches(&live, ApplicationState::Submitted)
        .await;
    let of_a_live_attempt = format!("{live}-1-driver-svc");
    objects.create_service(&of_a_live_attempt).await;
    objects
        .set_application_status(&name, "FAILED", "failed to run spark-submit: killed")
        .await;
    ends_as(&installation, &id, ExitCategory::LaunchRefused).await;
    let left = async || {
        let names = installation.objects.leftovers().await;
        names
            .into_iter()
            .filter(|one| one.starts_with(&name))
            .count()
    };
    installation
        .eventually("the leftovers are deleted", async || left().await == 0)
        .await;
    let rest = installation.objects.leftovers().await;
    for kept in [of_another_installation, "not-ours", &of_a_live_attempt] {
        assert!(rest.iter().any(|one| one == kept), "{kept} of {rest:?}");
    }
}

#[tokio::test]
async fn an_object_goes_when_its_retention_is_over() {
    let installation =
        Installation::start_with(Database::Sqlite, &[("MOKA_RETENTION_SECONDS", "1")]).await;
    let (id, name) = run(&installation, "key").await;
    installation
        .objects
        .set_application_status(&name, "RUNNING", "")
        .await;
    installation
        .objects
        .set_driver_status(&name, "Succeeded", terminated(0, "Completed"))
        .await;
    installation.ends(&id, ApplicationState::Succeeded).await;
    installation
        .eventually("the object is gone", async || {
            installation.objects.application(&name).await.is_none()
        })
        .await;
}

#[tokio::test]
async fn another_replica_takes_a_cluster_over_with_everything_in_it() {
    let mut installation = Installation::start(Database::Postgres).await;
    let (ending, first) = run(&installation, "ends").await;
    let (stopping, second) = run(&installation, "is cancelled").await;
    let mut heir = installation.submission.replica();
    heir.start().await;
    // The other one holds the lease on the cluster; a cancel here is its work.
    installation.submission.kill().await;
    std::mem::swap(&mut installation.submission, &mut heir);
    installation.cancel(&stopping).await;
    let ended = terminated(0, "Completed");
    let objects = &installation.objects;
    objects.set_driver_status(&first, "Succeeded", ended).await;
    installation
        .ends(&ending, ApplicationState::Succeeded)
        .await;
    installation
        .eventually("the driver is told to stop", async || {
            let driver = installation.objects.driver(&second).await.unwrap();
            driver.metadata.deletion_timestamp.is_some()
        })
        .await;
    let killed = terminated(143, "Error");
    objects.set_driver_status(&second, "Failed", killed).await;
    installation
        .ends(&stopping, ApplicationState::Cancelled)
        .await;
    // It comes back, and the cluster stays where it is.
    heir.start().await;
    let (third, name) = run(&installation, "later").await;
    let ended = terminated(0, "Completed");
    installation
        .objects
        .set_driver_status(&name, "Succeeded", ended)
        .await;
    installation.ends(&third, ApplicationState::Succeeded).await;
}

#[tokio::test]
async fn a_deadline_of_its_project_ends_what_never_got_a_place() {
    let mut installation = Installation::start(Database::Sqlite).await;
    // The queues are known after this.
    installation.submit("the first").await;
    installation.adapter.kill().await;
    let url = installation.submission.url();
    let mut projects = ProjectServiceClient::connect(url).await.unwrap();
    let project = Project {
        name: "team-a".to_owned(),
        defaults: Some(Defaults {
            deadlines: Some(Deadlines {
                queue: Some(seconds(1)),
                ..Deadlines::default()
            }),
            ..Defaults::default()
        }),
        ..Project::default()
    };
    let request = UpdateProjectRequest {
        project: Some(project),
        update_mask: None,
    };
    projects.update_project(request).await.unwrap();
    // The rules are in the process's memory a moment later.
    let ids = Mutex::new(Vec::new());
    installation
        .eventually("one is given up", async || {
            let count = ids.lock().await.len();
            let id = installation.submit(&format!("key-{count}")).await;
            ids.lock().await.push(id);
            let ids = ids.lock().await.clone();
            for id in ids {
                let application = installation.get(&id).await;
                if application.state() == ApplicationState::Failed {
                    let attempt = &application.attempts[0];
                    let exit = attempt.exit.clone().unwrap();
                    assert_eq!(exit.category(), ExitCategory::Deadline);
                    assert_eq!(attempt.cluster, "");
                    return true;
                }
            }
            false
        })
        .await;
}
