//! The gRPC answers.

use moka_core::{ErrorReason, PublicError};
use moka_history_index::{api::HistoryApi, store::LogState};
use moka_proto::history::v1::{
    GetApplicationRequest, JobStatus, ListExecutorsRequest, ListJobsRequest, ListStagesRequest,
    StageStatus, history_service_server::HistoryService,
};
use moka_rpc::error_of;
use tonic::Request;

use super::{
    corpus::Corpus,
    world::{World, application_id},
};

const SPARK_ID: &str = "app-20261120130610-0000";

async fn indexed() -> (World, HistoryApi, String) {
    let world = World::running().await;
    let ids = world.put_corpus(&Corpus::unpack()).await;
    world
        .wait_for(SPARK_ID, |record| record.log_state == LogState::Settled)
        .await;
    let api = world.grpc();
    (world, api, ids[SPARK_ID].clone())
}

async fn get_error(api: &HistoryApi, application_id: &str, attempt_number: i32) -> PublicError {
    let request = GetApplicationRequest {
        application_id: application_id.to_owned(),
        attempt_number,
    };
    error_of(
        &api.get_application(Request::new(request))
            .await
            .unwrap_err(),
    )
}

#[tokio::test]
async fn an_application_is_found_by_both_ids() {
    let (_world, api, id) = indexed().await;
    for (application_id, attempt_number) in [(&*id, 0), (&*id, 1), (SPARK_ID, 0)] {
        let request = GetApplicationRequest {
            application_id: application_id.to_owned(),
            attempt_number,
        };
        let answer = api
            .get_application(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        let application = answer.application.unwrap();
        assert_eq!(application.application_id, id);
        assert_eq!(application.attempt_number, 1);
        assert_eq!(application.spark_application_id, SPARK_ID);
        assert_eq!(
            (application.name.as_str(), application.user.as_str()),
            ("cluster-lab", "root")
        );
        assert!(application.completed && !application.incomplete_log);
        let counts = application.counts.unwrap();
        assert_eq!(
            (counts.jobs, counts.succeeded_jobs, counts.stages),
            (4, 4, 15)
        );
        assert_eq!(
            (
                counts.completed_stages,
                counts.failed_stages,
                counts.skipped_stages
            ),
            (10, 1, 4)
        );
        assert_eq!(
            (counts.tasks, counts.failed_tasks, counts.executors),
            (72, 4, 3)
        );
        assert_eq!(application.event_bytes, 722_738);
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_with_its_reason() {
    let (world, api, id) = indexed().await;
    let error = get_error(&api, &application_id(99), 0).await;
    assert_eq!(error.reason, ErrorReason::HistoryNotFound);
    assert_eq!(
        get_error(&api, &id, 2).await.reason,
        ErrorReason::HistoryNotFound
    );

    world
        .wait_for("local-1795182461351", |record| {
            record.log_state == LogState::Refused
        })
        .await;
    let error = get_error(&api, "local-1795182461351", 0).await;
    assert_eq!(error.reason, ErrorReason::HistoryNotFound);
    assert!(
        error
            .message
            .ends_with("is not indexed: codec lz4 is not supported"),
        "{error}"
    );

    for (id, number, field) in [("", 0, "application_id"), (&*id, -1, "attempt_number")] {
        let error = get_error(&api, id, number).await;
        assert_eq!(error.reason, ErrorReason::InvalidField);
        assert_eq!(error.violations[0].field, field);
    }
}

#[tokio::test]
async fn jobs_are_read_page_by_page() {
    let (_world, api, id) = indexed().await;
    let list = ListJobsRequest {
        application_id: id,
        page_size: 3,
        ..Default::default()
    };
    let (mut request, mut jobs) = (list.clone(), Vec::new());
    loop {
        let page = api
            .list_jobs(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        jobs.extend(page.jobs);
        if page.next_page_token.is_empty() {
            break;
        }
        request = ListJobsRequest {
            page_token: page.next_page_token,
            ..list.clone()
        };
    }
    assert_eq!(
        jobs.iter().map(|job| job.job_id).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert!(jobs.iter().all(|job| job.status() == JobStatus::Succeeded));
}

#[tokio::test]
async fn stages_are_read_page_by_page() {
    let (_world, api, id) = indexed().await;
    let list = ListStagesRequest {
        application_id: id,
        page_size: 4,
        ..Default::default()
    };
    let (mut request, mut stages) = (list.clone(), Vec::new());
    loop {
        let page = api
            .list_stages(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        stages.extend(page.stages);
        if page.next_page_token.is_empty() {
            break;
        }
        request = ListStagesRequest {
            page_token: page.next_page_token,
            ..list.clone()
        };
    }
    assert!(stages.is_sorted_by_key(|stage| (stage.stage_id, stage.attempt)));
    assert_eq!(stages.len(), 15);
    let failed: Vec<_> = stages
        .iter()
        .filter(|s| s.status() == StageStatus::Failed)
        .collect();
    assert_eq!(
        (failed.len(), failed[0].stage_id, failed[0].failed_tasks),
        (1, 7, 4)
    );
    assert!(failed[0].failure.contains("Missing an output location"));
}

#[tokio::test]
async fn executors_are_read_page_by_page() {
    let (_world, api, id) = indexed().await;
    let list = ListExecutorsRequest {
        application_id: id,
        page_size: 1,
        ..Default::default()
    };
    let (mut request, mut executors) = (list.clone(), Vec::new());
    loop {
        let page = api
            .list_executors(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        executors.extend(page.executors);
        if page.next_page_token.is_empty() {
            break;
        }
        request = ListExecutorsRequest {
            page_token: page.next_page_token,
            ..list.clone()
        };
    }
    let names: Vec<_> = executors
        .iter()
        .map(|one| one.executor_id.as_str())
        .collect();
    assert_eq!(names, ["0", "1", "2", "driver"]);
    assert_eq!(executors[0].remove_reason, "Command exited with code 137");
    assert!(!executors[0].active && executors[1].active);
}

#[tokio::test]
async fn a_failed_job_tells_why() {
    let (world, api, _id) = indexed().await;
    let id = "local-1795176560570";
    world
        .wait_for(id, |record| record.log_state == LogState::Settled)
        .await;
    let request = ListJobsRequest {
        application_id: id.to_owned(),
        ..Default::default()
    };
    let jobs = api
        .list_jobs(Request::new(request))
        .await
        .unwrap()
        .into_inner()
        .jobs;
    assert_eq!(jobs[1].status(), JobStatus::Failed);
    assert!(
        jobs[1]
            .failure
            .starts_with("Job aborted due to stage failure"),
        "{}",
        jobs[1].failure
    );
}

#[tokio::test]
async fn page_tokens_of_other_lists_are_refused() {
    let (_world, api, id) = indexed().await;
    let first = ListJobsRequest {
        application_id: id.clone(),
        page_size: 1,
        ..Default::default()
    };
    let token = api
        .list_jobs(Request::new(first))
        .await
        .unwrap()
        .into_inner()
        .next_page_token;
    let other = ListStagesRequest {
        application_id: id,
        page_token: token,
        attempt_number: 1,
        page_size: 1,
    };
    let error = error_of(&api.list_stages(Request::new(other)).await.unwrap_err());
    assert_eq!(error.reason, ErrorReason::InvalidPageToken);
}
