//! SIGKILL of submission at the steps of the launch protocol.

use moka_core::labels;
use moka_proto::submission::v1::ApplicationState;
use moka_tests_control_plane::Fault;

use crate::{Database, Installation};

/// The object's uid as everybody sees it: exactly one ever existed, with our finalizer on it.
async fn assert_launched_once(
    installation: &Installation,
    witness: &crate::objects::Witness,
    id: &str,
) {
    let name = format!("{id}-1");
    let application = installation.reaches(id, ApplicationState::Submitted).await;
    let attempt = application.attempts.last().unwrap();
    assert_eq!(application.attempts.len(), 1);
    assert_eq!(witness.uids(&name), std::slice::from_ref(&attempt.uid));
    let object = installation.objects.application(&name).await.unwrap();
    let finalizers = object.metadata.finalizers.unwrap();
    assert_eq!(finalizers, [labels::OUTCOME_FINALIZER]);
    let template = &object.data["spec"]["driver"]["template"]["metadata"]["finalizers"];
    assert_eq!(template[0], labels::OUTCOME_FINALIZER);
}

async fn killed_between_intent_and_create(database: Database) {
    let mut installation = Installation::start(database).await;
    let witness = installation.objects.witness().await;
    installation.proxy.arm(Fault::BeforeCreate);
    let id = installation.submit("key").await;
    installation.proxy.struck(1).await;
    // The intent is there before anything is asked of the cluster.
    let intended = installation.get(&id).await;
    assert_eq!(intended.state(), ApplicationState::Launching);
    assert_eq!(intended.attempts[0].cluster, "local");
    assert_eq!(intended.attempts[0].uid, "");
    installation.submission.kill().await;
    assert_eq!(witness.uids(&format!("{id}-1")), Vec::<String>::new());
    installation.submission.start().await;
    assert_launched_once(&installation, &witness, &id).await;
}

async fn killed_after_create(database: Database) {
    let mut installation = Installation::start(database).await;
    let witness = installation.objects.witness().await;
    installation.proxy.arm(Fault::AfterCreate);
    let id = installation.submit("key").await;
    installation.proxy.struck(1).await;
    installation.submission.kill().await;
    let created = installation
        .objects
        .application(&format!("{id}-1"))
        .await
        .unwrap();
    installation.submission.start().await;
    assert_launched_once(&installation, &witness, &id).await;
    let adopted = installation.get(&id).await;
    assert_eq!(adopted.attempts[0].uid, created.metadata.uid.unwrap());
}

#[tokio::test]
async fn killed_between_intent_and_create_it_launches_once_on_sqlite() {
    killed_between_intent_and_create(Database::Sqlite).await;
}

#[tokio::test]
async fn killed_between_intent_and_create_it_launches_once_on_postgres() {
    killed_between_intent_and_create(Database::Postgres).await;
}

#[tokio::test]
async fn killed_after_create_it_adopts_its_object_on_sqlite() {
    killed_after_create(Database::Sqlite).await;
}

#[tokio::test]
async fn killed_after_create_it_adopts_its_object_on_postgres() {
    killed_after_create(Database::Postgres).await;
}

#[tokio::test]
async fn killed_before_placement_it_goes_on_from_the_queue() {
    let mut installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let first = installation.submit("queues are known").await;
    installation
        .reaches(&first, ApplicationState::Submitted)
        .await;
    installation.adapter.kill().await;
    let id = installation.submit("key").await;
    assert_eq!(
        installation.get(&id).await.state(),
        ApplicationState::Queued
    );
    installation.submission.kill().await;
    installation.adapter.start().await;
    installation.submission.start().await;
    assert_launched_once(&installation, &witness, &id).await;
}

#[tokio::test]
async fn a_burst_is_launched_once_each_and_keeps_nobody_from_the_database() {
    let installation = Installation::start(Database::Sqlite).await;
    let witness = installation.objects.witness().await;
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(installation.submit(&format!("key-{n}")).await);
    }
    for id in &ids {
        let application = installation.reaches(id, ApplicationState::Submitted).await;
        let uid = application.attempts[0].uid.clone();
        assert_eq!(witness.uids(&format!("{id}-1")), [uid]);
    }
    let log = installation.submission.log();
    assert!(!log.contains("the database does not answer"), "{log}");
}
