//! Several processes over one database.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{TryStreamExt as _, future::try_join_all};
use moka_client::{
    Client, Watch, WatchItem,
    v1::{
        ApplicationEvent, ApplicationState, ListApplicationEventsRequest, ListApplicationsRequest,
        WatchApplicationsRequest,
    },
};
use moka_tests_control_plane::Program;
use tokio::time::{sleep, timeout};

use crate::{Database, Installation, callers::client, installation::request};

const APPLICATIONS: usize = 300;
/// How many are submitted at a time.
const CONCURRENT: usize = 10;
const PATIENCE: Duration = Duration::from_mins(2);

/// A change's number, whose it is, and the state after it.
type Change = (i64, (String, ApplicationState));

fn change_of(event: ApplicationEvent) -> Change {
    let state = event.state();
    (event.sequence, (event.application_id, state))
}

/// A watch that has told of everything that was there, and the cursor behind that.
async fn begin_to_follow(client: &Client) -> (Watch, String) {
    let mut watch = client.watch(WatchApplicationsRequest::default());
    loop {
        let step = watch.next().await.unwrap();
        if step.item == WatchItem::SnapshotEnd {
            return (watch, step.cursor.unwrap());
        }
    }
}

/// Tells the state of each application after each change, by the change's number.
async fn follow(mut watch: Watch) -> BTreeMap<i64, (String, ApplicationState)> {
    let mut seen = BTreeMap::new();
    let mut submitted = BTreeSet::new();
    let mut last = 0;
    while submitted.len() < APPLICATIONS {
        let event = match watch.next().await.unwrap().item {
            WatchItem::Change(change) => change.event.unwrap(),
            WatchItem::SnapshotBegin => panic!("the cursor was lost"),
            _ => continue,
        };
        assert!(event.sequence > last, "{event:?} came after {last}");
        last = event.sequence;
        if event.state() == ApplicationState::Submitted {
            submitted.insert(event.application_id.clone());
        }
        seen.extend([change_of(event)]);
    }
    seen
}

/// Everything that was ever written, as the database has it.
async fn written(client: &Client) -> BTreeMap<i64, (String, ApplicationState)> {
    let list = ListApplicationsRequest {
        page_size: 1000,
        ..ListApplicationsRequest::default()
    };
    let applications: Vec<_> = client.list(list).try_collect().await.unwrap();
    let mut all = BTreeMap::new();
    for application in applications {
        let request = ListApplicationEventsRequest {
            application_id: application.application_id,
            ..ListApplicationEventsRequest::default()
        };
        let page = client.stub().list_application_events(request).await;
        all.extend(page.unwrap().into_inner().events.into_iter().map(change_of));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn three_share_the_work_and_any_may_die() {
    let mut installation = Installation::start(Database::Postgres).await;
    let witness = installation.objects.witness().await;
    let mut second = installation.replica("second", &[]).await;
    let mut third = installation.replica("third", &[]).await;
    second.start().await;
    third.start().await;
    let clients = [
        client(&installation.submission),
        client(&second),
        client(&third),
    ];
    let mut following = Box::pin(follow(begin_to_follow(&clients[0]).await.0));
    let stream = async {
        let mut ids = Vec::new();
        for batch in 0..APPLICATIONS / CONCURRENT {
            let submits = (0..CONCURRENT).map(|n| {
                let number = batch * CONCURRENT + n;
                let client = &clients[number % clients.len()];
                client.submit(request("root.search", &format!("key-{number}"), 1))
            });
            let submits = try_join_all(submits);
            // Each in its turn, while submits and launches are under way.
            let answers = match batch {
                7 => tokio::join!(submits, again(&mut second)).0,
                14 => tokio::join!(submits, again(&mut third)).0,
                21 => tokio::join!(submits, again(&mut installation.submission)).0,
                _ => submits.await,
            };
            for answer in answers.unwrap() {
                ids.push(answer.application.unwrap().application_id);
            }
        }
        ids
    };
    let (ids, seen) = timeout(PATIENCE, async { tokio::join!(stream, &mut following) })
        .await
        .unwrap();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), APPLICATIONS);
    for id in &ids {
        let application = clients[1].get(id).await.unwrap().unwrap();
        assert_eq!(application.attempts.len(), 1, "{application:?}");
        let uid = application.attempts[0].uid.clone();
        assert_eq!(witness.uids(&format!("{id}-1")), [uid]);
    }
    let written = written(&clients[2]).await;
    let differing = written
        .iter()
        .find(|&(sequence, change)| seen.get(sequence) != Some(change));
    assert_eq!(differing, None, "the watch did not tell it");
    assert_eq!(seen.len(), written.len());
    for program in [&installation.submission, &second, &third] {
        let launched = |line: &&str| line.contains("SUBMITTED") && line.contains("LAUNCHING");
        let count = program.log().lines().filter(launched).count();
        assert!(
            count > 0,
            "one replica launched nothing:\n{}",
            program.log()
        );
    }
}

/// The next change after the cursor, which goes on behind it.
async fn next_change(client: &Client, cursor: &mut String) -> Change {
    let request = WatchApplicationsRequest {
        cursor: cursor.clone(),
        ..WatchApplicationsRequest::default()
    };
    let mut watch = client.watch(request);
    loop {
        let step = watch.next().await.unwrap();
        *cursor = step.cursor.unwrap_or_default();
        match step.item {
            WatchItem::Change(change) => return change_of(change.event.unwrap()),
            WatchItem::Heartbeat => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn cursor_of_one_replica_goes_on_at_another() {
    const SUBMITTED: usize = 5;
    let installation = Installation::start(Database::Postgres).await;
    let mut second = installation.replica("second", &[]).await;
    second.start().await;
    let clients = [client(&installation.submission), client(&second)];
    let (_, mut cursor) = begin_to_follow(&clients[0]).await;
    for number in 0..SUBMITTED {
        installation.submit(&format!("key-{number}")).await;
    }
    // Each change is asked for at the replica that did not tell the one before.
    let told = async {
        let mut seen = Vec::new();
        let mut left = SUBMITTED;
        for client in clients.iter().cycle() {
            let change = next_change(client, &mut cursor).await;
            left -= usize::from(change.1.1 == ApplicationState::Submitted);
            seen.push(change);
            if left == 0 {
                break;
            }
        }
        seen
    };
    let seen = timeout(PATIENCE, told).await.unwrap();
    let written: Vec<_> = written(&clients[1]).await.into_iter().collect();
    assert_eq!(seen, written);
}

/// Killed without a goodbye, and started again after a moment.
async fn again(program: &mut Program) {
    sleep(Duration::from_millis(20)).await;
    program.kill().await;
    sleep(Duration::from_millis(300)).await;
    program.start().await;
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
