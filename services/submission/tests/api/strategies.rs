//! `StrategyService`, and what strategies do to requests.

use moka_core::{ErrorReason, PublicError};
use moka_proto::submission::v1::{
    DeleteStrategyRequest, GetStrategyRequest, ListStrategiesRequest, Strategy,
    UpdateStrategyRequest, strategy_service_client::StrategyServiceClient,
};
use moka_rpc::{Channel, error_of};
use tonic::{Response, Status};

use crate::harness::{Harness, fields, request, spec, start};

fn client(harness: &Harness) -> StrategyServiceClient<Channel> {
    StrategyServiceClient::new(harness.channel.clone())
}

fn told<T>(answer: Result<Response<T>, Status>) -> Result<T, PublicError> {
    answer
        .map(Response::into_inner)
        .map_err(|status| error_of(&status))
}

async fn update(
    harness: &Harness,
    strategy: Strategy,
    mask: &[&str],
) -> Result<Strategy, PublicError> {
    let request = UpdateStrategyRequest {
        strategy: Some(strategy),
        update_mask: Some(prost_types::FieldMask {
            paths: mask.iter().map(|&path| path.to_owned()).collect(),
        }),
    };
    let answer = client(harness).update_strategy(request).await;
    Ok(told(answer)?.strategy.unwrap())
}

fn strategy(project: &str, workflow: &str) -> Strategy {
    Strategy {
        project: project.to_owned(),
        workflow: workflow.to_owned(),
        clusters: vec!["west".to_owned()],
        queue: "root.demo".to_owned(),
        source: "by hand".to_owned(),
        ..Strategy::default()
    }
}

#[tokio::test]
async fn a_strategy_changes_by_mask_and_revision() {
    let harness = start().await;
    let first = update(&harness, strategy("team-a", "nightly"), &[])
        .await
        .unwrap();
    let wanted = Strategy {
        queue: String::new(),
        source: "s".repeat(256),
        revision: first.revision,
        ..strategy("team-a", "nightly")
    };
    let second = update(&harness, wanted.clone(), &["source"]).await.unwrap();
    assert_eq!(second.queue, "root.demo");
    assert_eq!(second.source, "s".repeat(256));
    let error = update(&harness, wanted.clone(), &["queue"])
        .await
        .unwrap_err();
    assert_eq!(error.reason, ErrorReason::RevisionConflict);
    let one_past = Strategy {
        source: "s".repeat(257),
        revision: 0,
        ..wanted
    };
    let error = update(&harness, one_past, &["source"]).await.unwrap_err();
    assert_eq!(fields(&error), ["strategy.source"]);
    let get = GetStrategyRequest {
        project: "team-a".to_owned(),
        workflow: "nightly".to_owned(),
    };
    let kept = client(&harness).get_strategy(get).await.unwrap();
    assert_eq!(kept.into_inner().strategy, Some(second));
}

#[tokio::test]
async fn strategies_are_pages_and_go_one_by_one() {
    let harness = start().await;
    for (project, workflow) in [("b", "x"), ("a", "y/1"), ("a", "x")] {
        let strategy = strategy(project, workflow);
        update(&harness, strategy, &[]).await.unwrap();
    }
    let list = |project: &'static str| {
        let mut client = client(&harness);
        async move {
            let mut request = ListStrategiesRequest {
                page_size: 1,
                project: project.to_owned(),
                ..ListStrategiesRequest::default()
            };
            let mut names = Vec::new();
            loop {
                let page = told(client.list_strategies(request.clone()).await).unwrap();
                let name = |one: Strategy| format!("{} {}", one.project, one.workflow);
                names.extend(page.strategies.into_iter().map(name));
                if page.next_page_token.is_empty() {
                    return names;
                }
                request.page_token = page.next_page_token;
            }
        }
    };
    assert_eq!(list("").await, ["a x", "a y/1", "b x"]);
    assert_eq!(list("a").await, ["a x", "a y/1"]);
    let delete = DeleteStrategyRequest {
        project: "a".to_owned(),
        workflow: "x".to_owned(),
    };
    for _ in 0..2 {
        client(&harness)
            .delete_strategy(delete.clone())
            .await
            .unwrap();
    }
    assert_eq!(list("").await, ["a y/1", "b x"]);
    let get = GetStrategyRequest {
        project: "a".to_owned(),
        workflow: "x".to_owned(),
    };
    let error = told(client(&harness).get_strategy(get).await).unwrap_err();
    assert_eq!(error.reason, ErrorReason::StrategyNotFound);
    let nameless = GetStrategyRequest::default();
    let error = told(client(&harness).get_strategy(nameless).await).unwrap_err();
    assert_eq!(fields(&error)[0], "project");
}

#[tokio::test]
async fn a_workflows_strategy_completes_its_requests() {
    let harness = start().await;
    let mut incomplete = request("incomplete");
    spec(&mut incomplete).queue = String::new();
    spec(&mut incomplete).workflow = "nightly".to_owned();
    let error = harness.submit(incomplete.clone()).await.unwrap_err();
    assert_eq!(fields(&error), ["spec.queue"]);
    update(&harness, strategy("team-a", "nightly"), &[])
        .await
        .unwrap();
    assert!(harness.submit(incomplete).await.is_ok());
}
