//! `ProjectService`, and what its rules do to requests.

use std::sync::Arc;

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    Deadlines, Defaults, DeleteProjectRequest, GetProjectRequest, ListProjectsRequest,
    OverridePolicy, Project, UpdateProjectRequest, project_service_client::ProjectServiceClient,
};
use moka_rpc::{Channel, error_of};
use tonic::{Response, Status};

use crate::harness::{Harness, fields, request, spec, start};

fn client(harness: &Harness) -> ProjectServiceClient<Channel> {
    ProjectServiceClient::new(harness.channel.clone())
}

fn told<T>(answer: Result<Response<T>, Status>) -> Result<T, PublicError> {
    answer
        .map(Response::into_inner)
        .map_err(|status| error_of(&status))
}

async fn update(
    harness: &Harness,
    project: Project,
    mask: &[&str],
) -> Result<Project, PublicError> {
    let request = UpdateProjectRequest {
        project: Some(project),
        update_mask: Some(prost_types::FieldMask {
            paths: mask.iter().map(|&path| path.to_owned()).collect(),
        }),
    };
    let answer = client(harness).update_project(request).await;
    Ok(told(answer)?.project.unwrap())
}

async fn get(harness: &Harness, name: &str) -> Result<Project, PublicError> {
    let name = name.to_owned();
    let answer = client(harness)
        .get_project(GetProjectRequest { name })
        .await;
    Ok(told(answer)?.project.unwrap())
}

fn project(queue: &str) -> Project {
    Project {
        name: "team-a".to_owned(),
        defaults: Some(Defaults {
            queue: queue.to_owned(),
            ..Defaults::default()
        }),
        policy: Some(OverridePolicy {
            max_executors: 2,
            ..OverridePolicy::default()
        }),
        ..Project::default()
    }
}

#[tokio::test]
async fn rules_begin_with_the_first_update_and_change_by_mask() {
    let harness = start().await;
    let error = get(&harness, "team-a").await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::ProjectNotFound);
    let first = update(&harness, project("root.demo"), &[]).await.unwrap();
    assert_eq!(first.policy.as_ref().unwrap().max_executors, 2);
    let changed = Project {
        policy: None,
        revision: first.revision,
        ..project("root.other")
    };
    let second = update(&harness, changed.clone(), &["defaults"])
        .await
        .unwrap();
    assert_eq!(second.defaults.as_ref().unwrap().queue, "root.other");
    assert_eq!(second.policy, first.policy);
    let again = update(&harness, changed, &["defaults"]).await.unwrap();
    assert_eq!(again, second);
    let stale = Project {
        revision: first.revision,
        ..project("root.third")
    };
    let error = update(&harness, stale, &[]).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::RevisionConflict);
    let error = update(&harness, project("root.demo"), &["name"])
        .await
        .unwrap_err();
    assert_eq!(fields(&error), ["update_mask"]);
    assert_eq!(get(&harness, "team-a").await.unwrap(), second);
}

#[tokio::test]
async fn a_project_that_was_removed_has_no_rules() {
    let harness = start().await;
    for name in ["team-a", "team-b"] {
        let project = Project {
            name: name.to_owned(),
            ..project("root.demo")
        };
        update(&harness, project, &[]).await.unwrap();
    }
    let list = || async {
        let answer = client(&harness)
            .list_projects(ListProjectsRequest::default())
            .await;
        let projects = told(answer).unwrap().projects;
        projects
            .into_iter()
            .map(|project| project.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(list().await, ["team-a", "team-b"]);
    for _ in 0..2 {
        let name = "team-a".to_owned();
        let answer = client(&harness)
            .delete_project(DeleteProjectRequest { name })
            .await;
        told(answer).unwrap();
    }
    assert_eq!(list().await, ["team-b"]);
}

#[tokio::test]
async fn a_request_keeps_to_its_projects_policy_and_gets_its_defaults() {
    let harness = start().await;
    update(&harness, project("root.demo"), &[]).await.unwrap();
    let read = Arc::new(harness.fleet.fleet().await.unwrap());
    harness.known_fleet.send_replace(read);
    let mut without_queue = request("defaults");
    spec(&mut without_queue).queue = String::new();
    let accepted = harness.submit(without_queue).await.unwrap();
    // What was asked for stays as it was asked for.
    let kept = accepted.application.unwrap().spec.unwrap();
    assert_eq!(kept.queue, "");
    assert_eq!(kept.deadlines, None);
    let mut at_the_limit = request("limit");
    spec(&mut at_the_limit).executor.as_mut().unwrap().instances = 2;
    assert!(harness.submit(at_the_limit).await.is_ok());
    let mut one_past = request("past");
    spec(&mut one_past).executor.as_mut().unwrap().instances = 3;
    let before = harness.count().await;
    let error = harness.submit(one_past).await.unwrap_err();
    assert_eq!(error.reason, ErrorReason::PolicyViolation);
    assert_eq!(harness.count().await, before);
}

#[tokio::test]
async fn a_repeated_request_is_the_same_whatever_its_project_says_by_then() {
    let harness = start().await;
    let with_deadline = |seconds| Project {
        defaults: Some(Defaults {
            deadlines: Some(Deadlines {
                queue: Some(prost_types::Duration { seconds, nanos: 0 }),
                ..Deadlines::default()
            }),
            ..Defaults::default()
        }),
        ..project("root.demo")
    };
    let mut ids = Vec::new();
    for seconds in [60, 120] {
        update(&harness, with_deadline(seconds), &[]).await.unwrap();
        let read = Arc::new(harness.fleet.fleet().await.unwrap());
        harness.known_fleet.send_replace(read);
        let accepted = harness.submit(request("repeated")).await.unwrap();
        ids.push(accepted.application.unwrap().application_id);
    }
    assert_eq!(ids[0], ids[1]);
}
