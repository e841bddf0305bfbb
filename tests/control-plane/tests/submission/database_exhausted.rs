//! Somebody holds a lock for long, until every connection waits for it.

use std::time::Duration;

use futures::future::join_all;
use moka_client::v1::{ApplicationState, GetApplicationRequest, ListApplicationsRequest};
use moka_core::ErrorReason;
use moka_rpc::error_of;
use moka_xtask::postgres::TemporaryPostgres;
use tokio::time::timeout;
use tonic::Status;

use crate::{Installation, callers::client, installation::request, store_order::Session};

/// More than there are connections.
const CALLS: usize = 40;
/// The longest that a call of which the caller sets no deadline may take is 30 s.
const BOUND: Duration = Duration::from_secs(29);

fn assert_unavailable<T>(answer: Result<T, Status>) {
    let Err(status) = answer else {
        panic!("an answer without the database");
    };
    let error = error_of(&status);
    assert_eq!(error.reason, ErrorReason::StoreUnavailable, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_find_no_connection_or_no_lock_may_come_back() {
    let postgres = TemporaryPostgres::start().await.unwrap();
    let installation = Installation::start_over(&postgres.url(), &[]).await;
    let id = installation.submit("before").await;
    installation.reaches(&id, ApplicationState::Submitted).await;
    let stub = installation.client().await;
    let mut holder = Session::open(&postgres);
    let lock = "BEGIN; LOCK TABLE applications IN ACCESS EXCLUSIVE MODE; SELECT 'held';";
    holder.hear(lock, "held").await;

    let get = async |_| {
        let request = GetApplicationRequest {
            application_id: id.clone(),
        };
        assert_unavailable(stub.clone().get_application(request).await);
    };
    let submit = async |number| {
        let request = request("root.search", &format!("key-{number}"), 1);
        assert_unavailable(stub.clone().submit_application(request).await);
    };
    let list = async |_| {
        let request = ListApplicationsRequest::default();
        assert_unavailable(stub.clone().list_applications(request).await);
    };
    let calls = async {
        tokio::join!(
            join_all((0..CALLS).map(get)),
            join_all((0..CALLS).map(submit)),
            join_all((0..CALLS).map(list)),
        )
    };
    timeout(BOUND, calls).await.unwrap();
    assert!(installation.submission.admin("/livez").await.0);

    holder.hear("ROLLBACK; SELECT 'let go';", "let go").await;
    installation.submission.says_ready(true).await;
    let client = client(&installation.submission);
    for number in 0..CALLS {
        let request = request("root.search", &format!("key-{number}"), 1);
        let answer = client.submit(request).await.unwrap();
        let id = answer.application.unwrap().application_id;
        installation.reaches(&id, ApplicationState::Submitted).await;
    }
    let log = installation.submission.log();
    assert!(!log.contains("ERROR"), "{log}");
}
