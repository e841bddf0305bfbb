use moka_core::{AttemptName, labels};
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    exit::Exit,
    observation::{DriverView, ExecutorView, ObjectView},
    submission::tests::id,
};

const RECORDED: &str = include_str!("../../../../../tests/corpora/kubernetes/attempts.jsonl");

fn noted(uid: Option<&str>) -> Noted {
    Noted {
        uid: uid.map(Into::into),
        ..Noted::default()
    }
}

fn logged(log: &str) -> Evidence {
    Evidence {
        log: log.to_owned(),
        ..Evidence::default()
    }
}

fn now() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

fn patience() -> Patience {
    Patience {
        driver_appearance: SignedDuration::from_secs(30),
        image_pull: SignedDuration::from_secs(300),
    }
}

fn name() -> AttemptName {
    AttemptName::new(id(), 1)
}

/// A recorded object as if we had made it.
fn ours(mut object: Value) -> ObjectView {
    object["metadata"]["labels"] =
        json!({ (labels::APPLICATION_ID): id().to_string(), (labels::ATTEMPT): "1" });
    ObjectView::read(&object, name())
}

fn recorded(case: &str, application: &str) -> Observation {
    let line = RECORDED
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|line| line["case"] == case && line["application"] == application)
        .unwrap();
    let part = |name: &str| Some(line[name].clone()).filter(|part| !part.is_null());
    Observation {
        object: part("object").map(ours),
        driver: part("driver").as_ref().map(DriverView::read),
    }
}

fn verdict_of(observation: &Observation) -> Finding {
    judge(&noted(None), observation, patience(), now())
}

fn exit(application: &str, log: &str, rejection: Option<&str>) -> Exit {
    let case = match application {
        "kill-1" => "driver pod was deleted without a finalizer",
        "evict-1" => "application deleted, driver ended",
        _ => "ended",
    };
    let observation = recorded(case, application);
    assert_eq!(
        verdict_of(&observation).verdict,
        Verdict::Ended,
        "{application}"
    );
    let rejection = rejection.map(|message| Rejection {
        message: message.to_owned(),
    });
    let evidence = Evidence {
        rejection,
        ..logged(log)
    };
    exit_of(&observation, &evidence)
}

#[test]
fn recorded_ends_are_told_apart() {
    let traceback = "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: no\n";
    for (application, log, rejection, category, exit_code, message) in [
        (
            "ok-1",
            "",
            None,
            ExitCategory::Success,
            Some(0),
            "the driver ended with exit code 0",
        ),
        (
            "fail-1",
            traceback,
            None,
            ExitCategory::UserError,
            Some(1),
            "ValueError: no",
        ),
        (
            "fail-1",
            "",
            None,
            ExitCategory::UserError,
            Some(1),
            "the driver ended with exit code 1",
        ),
        (
            "oomdrv-1",
            "",
            None,
            ExitCategory::UserError,
            Some(7),
            "the driver ended with exit code 7",
        ),
        (
            "bigexec-1",
            "",
            Some("larger than max queue allocation"),
            ExitCategory::Quota,
            None,
            "larger than max queue allocation",
        ),
        (
            "badqueue-1",
            "",
            None,
            ExitCategory::Quota,
            None,
            "failed to place application spark-a48e1d669e0a4612ace45722bb0d8c1f",
        ),
        (
            "kill-1",
            "",
            None,
            ExitCategory::Deleted,
            None,
            "driver pod not found",
        ),
        (
            "evict-1",
            "",
            None,
            ExitCategory::Deleted,
            Some(143),
            "the driver's pod was deleted",
        ),
    ] {
        let found = exit(application, log, rejection);
        assert_eq!(found.category, category, "{application}");
        assert_eq!(found.exit_code, exit_code, "{application}");
        assert_eq!(found.message, message, "{application}");
    }
}

#[test]
fn a_recorded_start_is_noted_with_sparks_id() {
    let waiting = verdict_of(&recorded("driver pod just created", "ok-1"));
    assert_eq!(waiting.verdict, Verdict::Wait);
    assert!(
        !waiting
            .news
            .iter()
            .any(|one| matches!(one, Happening::DriverStarted { .. }))
    );

    let running = verdict_of(&recorded("driver runs", "ok-1"));
    assert_eq!(running.verdict, Verdict::Wait);
    let start_time = "2026-11-21T01:23:11Z".parse().unwrap();
    assert!(
        running
            .news
            .contains(&Happening::DriverStarted { start_time })
    );
    let spark_application_id = "spark-1d79d95d93264e2dbf25971fbe103b14".to_owned();
    assert!(running.news.contains(&Happening::DriverSeen {
        spark_application_id
    }));
}

#[test]
fn a_driver_that_outlives_its_object_is_stopped_first() {
    let finding = verdict_of(&recorded(
        "application deleted, driver still runs",
        "evict-1",
    ));
    assert_eq!(finding.verdict, Verdict::Stop);
    let ending = finding.news.iter().find_map(|one| match one {
        Happening::Ending(ending) => Some(ending.category),
        _ => None,
    });
    assert_eq!(ending, Some(ExitCategory::Deleted));
}

fn object(status: &Value, deleted: Option<&str>) -> ObjectView {
    let mut document = json!({ "metadata": { "uid": "uid-1" }, "status": status });
    if let Some(deleted) = deleted {
        document["metadata"]["deletionTimestamp"] = json!(deleted);
    }
    ours(document)
}

fn pod(status: &Value) -> DriverView {
    DriverView::read(&json!({
        "metadata": { "uid": "pod-1", "creationTimestamp": "2026-11-21T01:58:00Z" },
        "spec": { "nodeName": "node1" },
        "status": status,
    }))
}

fn terminated(exit_code: i32, reason: &str) -> Value {
    let state = json!({ "terminated": { "exitCode": exit_code, "reason": reason } });
    json!({ "phase": "Failed", "containerStatuses": [{ "name": labels::DRIVER_CONTAINER, "state": state }] })
}

#[test]
fn the_operators_word_counts_only_without_a_driver() {
    let failed = json!({ "applicationState": { "state": "FAILED", "errorMessage": "stale" } });
    let running = json!({
        "phase": "Running",
        "containerStatuses": [{ "name": labels::DRIVER_CONTAINER, "state": { "running": {} } }],
    });
    let with_driver = Observation {
        object: Some(object(&failed, None)),
        driver: Some(pod(&running)),
    };
    assert_eq!(verdict_of(&with_driver).verdict, Verdict::Wait);
    let without = Observation {
        object: Some(object(&failed, None)),
        driver: None,
    };
    assert_eq!(verdict_of(&without).verdict, Verdict::Ended);
}

#[test]
fn a_deleted_object_waits_for_a_driver_that_may_still_appear() {
    for (deleted, verdict) in [
        ("2026-11-21T01:59:31Z", Verdict::Stop),
        ("2026-11-21T01:59:30Z", Verdict::Ended),
    ] {
        let observation = Observation {
            object: Some(object(&json!({}), Some(deleted))),
            driver: None,
        };
        assert_eq!(verdict_of(&observation).verdict, verdict, "{deleted}");
    }
}

#[test]
fn nothing_at_all_means_nothing_before_the_uid_is_known() {
    let nothing = Observation::default();
    assert_eq!(verdict_of(&nothing).verdict, Verdict::Wait);
    let finding = judge(&noted(Some("uid-1")), &nothing, patience(), now());
    assert_eq!(finding.verdict, Verdict::Ended);
    assert_eq!(
        exit_of(&nothing, &logged("")).category,
        ExitCategory::Deleted
    );
}

#[test]
fn another_object_under_the_name_is_not_the_attempts() {
    let observation = Observation {
        object: Some(object(&json!({}), None)),
        driver: None,
    };
    let finding = judge(&noted(Some("uid-2")), &observation, patience(), now());
    assert_eq!(finding.verdict, Verdict::Ended);
}

#[test]
fn an_image_that_cannot_be_pulled_ends_the_attempt_after_a_while() {
    let waiting = |reason: &str| {
        let state = json!({ "waiting": { "reason": reason, "message": "no such image" } });
        pod(
            &json!({ "phase": "Pending", "containerStatuses": [{ "name": labels::DRIVER_CONTAINER, "state": state }] }),
        )
    };
    for (reason, seconds, verdict) in [
        ("ContainerCreating", 1, Verdict::Wait),
        ("ErrImageNeverPull", 300, Verdict::Stop),
        ("ImagePullBackOff", 300, Verdict::Wait),
        ("ImagePullBackOff", 120, Verdict::Stop),
    ] {
        let observation = Observation {
            object: Some(object(&json!({}), None)),
            driver: Some(waiting(reason)),
        };
        let patience = Patience {
            image_pull: SignedDuration::from_secs(seconds),
            ..patience()
        };
        let finding = judge(&noted(None), &observation, patience, now());
        assert_eq!(finding.verdict, verdict, "{reason} {seconds}");
    }
}

#[test]
fn ends_by_others_have_their_own_categories() {
    let check = |status: Value, log: &str, category: ExitCategory| {
        let observation = Observation {
            object: Some(object(&json!({}), None)),
            driver: Some(pod(&status)),
        };
        assert_eq!(
            exit_of(&observation, &logged(log)).category,
            category,
            "{status}"
        );
    };
    check(
        terminated(137, "OOMKilled"),
        "",
        ExitCategory::DriverOutOfMemory,
    );
    check(
        terminated(1, "Error"),
        "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n",
        ExitCategory::DriverOutOfMemory,
    );
    check(terminated(137, "Error"), "", ExitCategory::Unknown);
    check(
        terminated(137, "ContainerStatusUnknown"),
        "",
        ExitCategory::NodeLost,
    );
    check(
        json!({ "phase": "Failed", "reason": "Evicted", "message": "disk" }),
        "",
        ExitCategory::Preempted,
    );
    check(
        json!({ "phase": "Failed", "reason": "NodeLost" }),
        "",
        ExitCategory::NodeLost,
    );
    let mut preempted = terminated(143, "Error");
    preempted["conditions"] = json!([{ "type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler" }]);
    check(preempted, "", ExitCategory::Preempted);
}

#[test]
fn a_failed_submission_is_a_refused_launch() {
    let status = json!({ "applicationState": { "state": "FAILED", "errorMessage": "failed to run spark-submit: exit status 1" } });
    let observation = Observation {
        object: Some(object(&status, None)),
        driver: None,
    };
    assert_eq!(
        exit_of(&observation, &logged("")).category,
        ExitCategory::LaunchRefused
    );
}

#[test]
fn a_container_that_nobody_knows_has_no_exit_code() {
    for (reason, exit_code) in [("ContainerStatusUnknown", None), ("Error", Some(137))] {
        let observation = Observation {
            object: None,
            driver: Some(pod(&terminated(137, reason))),
        };
        let exit = exit_of(&observation, &logged(""));
        assert_eq!(exit.exit_code, exit_code, "{reason}");
    }
}

#[test]
fn a_driver_that_vanished_without_a_word_is_stopped_with_its_object() {
    let running = json!({ "applicationState": { "state": "RUNNING" } });
    let seen = Noted {
        has_started: true,
        has_driver: true,
        ..noted(Some("uid-1"))
    };
    for (noted, deleted, verdict) in [
        (noted(Some("uid-1")), None, Verdict::Wait),
        (seen.clone(), None, Verdict::Stop),
        (seen, Some("2026-11-21T01:59:30Z"), Verdict::Ended),
    ] {
        let observation = Observation {
            object: Some(object(&running, deleted)),
            driver: None,
        };
        let finding = judge(&noted, &observation, patience(), now());
        assert_eq!(finding.verdict, verdict, "{deleted:?}");
    }
}

#[test]
fn what_is_noted_is_no_news() {
    let observation = recorded("driver runs", "ok-1");
    let all = Noted {
        uid: observation
            .object
            .as_ref()
            .map(|object| object.uid.as_str().into()),
        has_driver: true,
        has_started: true,
        is_ending: false,
    };
    assert_eq!(verdict_of(&observation).news.len(), 3);
    assert_eq!(judge(&all, &observation, patience(), now()).news, []);
}

#[test]
fn an_executor_without_memory_is_the_reason_of_the_failed_driver() {
    let killed = json!({
        "metadata": { "name": "m-1-exec-1" },
        "status": { "containerStatuses": [{
            "name": labels::EXECUTOR_CONTAINER,
            "state": { "terminated": { "exitCode": 137, "reason": "OOMKilled" } },
        }]},
    });
    let observation = Observation {
        object: None,
        driver: Some(pod(&terminated(1, "Error"))),
    };
    let evidence = Evidence {
        executors: vec![ExecutorView::read(&killed)],
        ..Evidence::default()
    };
    let exit = exit_of(&observation, &evidence);
    assert_eq!(exit.category, ExitCategory::ExecutorOutOfMemory);
    assert_eq!(exit.message, "executor m-1-exec-1 exceeded its memory");
}

#[test]
fn the_termination_message_stands_in_for_a_lost_log() {
    let state = json!({ "terminated": { "exitCode": 1, "reason": "Error", "message": "ValueError: no\nbye\n" } });
    let status = json!({ "phase": "Failed", "containerStatuses": [{ "name": labels::DRIVER_CONTAINER, "state": state }] });
    let observation = Observation {
        object: None,
        driver: Some(pod(&status)),
    };
    assert_eq!(
        exit_of(&observation, &logged("")).log_tail,
        "ValueError: no\nbye"
    );
    assert_eq!(
        exit_of(&observation, &logged("the log")).log_tail,
        "the log"
    );
}
