//! Callers that submit under keys of their own and repeat what was not answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{TryStreamExt as _, future::join_all};
use moka_client::{
    Client, Options, Patience,
    v1::{ApplicationState, ListApplicationsRequest},
};
use moka_tests_control_plane::Program;

use crate::{Installation, installation::request, objects::Witness};

const CALLERS: usize = 8;

/// The application of each key.
pub(crate) type Accepted = BTreeMap<String, String>;

pub(crate) fn client(program: &Program) -> Client {
    let patience = Patience {
        total: Duration::from_mins(2),
        longest_pause: Duration::from_secs(1),
        ..Patience::default()
    };
    let options = Options {
        patience,
        ..Options::default()
    };
    Client::connect(&program.url(), options).unwrap()
}

/// Submits so many applications through all programs, some at a time, and counts what is accepted.
pub(crate) async fn submit(
    programs: &[&Program],
    count: usize,
    accepted: &AtomicUsize,
) -> Accepted {
    let clients: Vec<_> = programs.iter().map(|program| client(program)).collect();
    let caller = async |caller: usize| {
        let mut ids = Vec::new();
        for number in (caller..count).step_by(CALLERS) {
            let key = format!("key-{number}");
            let client = &clients[number % clients.len()];
            let answer = client.submit(request("root.search", &key, 1)).await;
            let log = || programs[number % programs.len()].log();
            let answer = answer.unwrap_or_else(|error| panic!("{error:?}\n{}", log()));
            accepted.fetch_add(1, Ordering::Relaxed);
            ids.push((key, answer.application.unwrap().application_id));
        }
        ids
    };
    let ids = join_all((0..CALLERS).map(caller)).await;
    ids.into_iter().flatten().collect()
}

/// Every key that was answered has the application that it was answered with and no other, and one
/// object was created for it.
pub(crate) async fn assert_each_launched_once(
    installation: &Installation,
    witness: &Witness,
    accepted: &Accepted,
) {
    let client = client(&installation.submission);
    let list = ListApplicationsRequest {
        page_size: 100,
        ..ListApplicationsRequest::default()
    };
    let listed: Vec<_> = client.list(list).try_collect().await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|one| one.application_id).collect();
    let distinct: BTreeSet<_> = listed.iter().collect();
    assert_eq!(distinct, accepted.values().collect());
    assert_eq!(listed.len(), accepted.len());
    for (key, id) in accepted {
        let again = client.submit(request("root.search", key, 1)).await.unwrap();
        assert_eq!(again.application.unwrap().application_id, *id, "{key}");
        let application = installation.reaches(id, ApplicationState::Submitted).await;
        assert_eq!(application.attempts.len(), 1, "{application:?}");
        let uid = application.attempts[0].uid.clone();
        assert_eq!(witness.uids(&format!("{id}-1")), [uid]);
    }
}
