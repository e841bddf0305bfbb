//! Several processes over one database.

use std::time::Duration;

use moka_client::{Client, Options, Patience, v1::ApplicationState};
use moka_tests_control_plane::Program;

use crate::{Database, Installation};

const PATIENCE: Duration = Duration::from_mins(2);

fn client(program: &Program) -> Client {
    let patience = Patience {
        total: PATIENCE,
        longest_pause: Duration::from_secs(1),
        ..Patience::default()
    };
    let options = Options {
        patience,
        ..Options::default()
    };
    Client::connect(&program.url(), options).unwrap()
}

#[tokio::test]
async fn one_that_only_answers_and_one_that_only_works_are_a_whole() {
    let answers = [("MOKA_ROLES", "api"), ("MOKA_CLUSTERS", "local=in-cluster")];
    let installation = Installation::start_with(Database::Postgres, &answers).await;
    let client = client(&installation.submission);
    let id = installation.submit("key").await;
    let queued = installation.get(&id).await;
    assert_eq!(queued.state(), ApplicationState::Queued);
    let kubeconfig = installation.proxy.kubeconfig(installation.folder());
    let clusters = format!("local={}", kubeconfig.display());
    let works = [("MOKA_ROLES", "worker"), ("MOKA_CLUSTERS", &clusters)];
    let mut worker = installation.replica("worker", &works).await;
    worker.start().await;
    installation.reaches(&id, ApplicationState::Submitted).await;
    let name = format!("{id}-1");
    assert!(installation.objects.application(&name).await.is_some());
    // It has no credentials of the cluster, says so, and tells what it knows.
    let explanation = client.explain(&id).await.unwrap();
    assert_eq!(explanation.unanswered.len(), 1, "{explanation:?}");
    assert!(explanation.unanswered[0].starts_with("cluster local: "));
    assert_eq!(explanation.findings[0].reason, "PLACED");
}
