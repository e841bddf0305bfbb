//! Sequence numbers become visible in their order, whoever commits first.

use std::{process::Stdio, sync::Arc, time::Duration};

use moka_core::{
    ApplicationId,
    clock::{Clock, SystemClock},
    entropy::SystemEntropy,
};
use moka_db::{Database, PoolOptions};
use moka_process::Tasks;
use moka_submission::{
    domain::submission::Submission,
    store::{ChangeFilter, SqlStore, Store},
};
use moka_xtask::postgres::TemporaryPostgres;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::installation::request;

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn store(postgres: &TemporaryPostgres, clock: Arc<dyn Clock>) -> SqlStore {
    let database = Database::connect(&postgres.url(), PoolOptions::default())
        .await
        .unwrap();
    SqlStore::open(database, clock, &Tasks::default())
        .await
        .unwrap()
}

pub(crate) async fn submit(store: &SqlStore, key: &str) -> i64 {
    let submission = Submission::parse(&request("root.search", key, 1)).unwrap();
    let id = ApplicationId::mint(&SystemClock, &SystemEntropy);
    let submitted = store.submit(id, &submission).await.unwrap();
    submitted.application.version
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_number_that_commits_later_is_not_skipped() {
    let postgres = TemporaryPostgres::start().await.unwrap();
    let reader = store(&postgres, Arc::new(SystemClock)).await;
    let replica = store(&postgres, Arc::new(SystemClock)).await;
    let begin = submit(&reader, "first").await;

    // Another replica has taken the next number and has not committed yet.
    let mut slow = Session::open(&postgres);
    slow.say(
        "BEGIN; WITH taken AS (UPDATE event_sequence SET last_sequence = last_sequence + 1 \
         RETURNING last_sequence) INSERT INTO application_events SELECT last_sequence, \
         application_id, project, 'QUEUED', NULL, 0, create_time, 'slow' \
         FROM taken, (SELECT * FROM applications LIMIT 1) AS any_one;",
    )
    .await;
    slow.hear(
        "SELECT last_sequence FROM event_sequence;",
        &(begin + 1).to_string(),
    )
    .await;
    let mut fast = JoinSet::new();
    fast.spawn(async move { submit(&replica, "second").await });
    waits_for_a_lock(&postgres).await;
    let filter = ChangeFilter::default();
    let before = reader.changes(&filter, begin, 100).await.unwrap();
    assert!(before.matching.is_empty(), "{before:?}");
    assert_eq!((before.through, before.last), (begin, begin));

    slow.say("COMMIT;").await;
    assert_eq!(fast.join_next().await.unwrap().unwrap(), begin + 2);
    let after = reader.changes(&filter, before.through, 100).await.unwrap();
    let seen: Vec<_> = after
        .matching
        .iter()
        .map(|one| one.event.sequence)
        .collect();
    assert_eq!(seen, [begin + 1, begin + 2]);
}

async fn waits_for_a_lock(postgres: &TemporaryPostgres) {
    let begun = Instant::now();
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while postgres.psql("postgres", waiting).await.unwrap() == "0" {
        assert!(begun.elapsed() < PATIENCE, "nobody waits for the lock");
        sleep(Duration::from_millis(10)).await;
    }
}

/// One connection, statement by statement.
pub(crate) struct Session {
    _psql: Child,
    statements: ChildStdin,
    answers: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Session {
    pub(crate) fn open(postgres: &TemporaryPostgres) -> Self {
        let mut psql = postgres.psql_command("postgres");
        psql.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.kill_on_drop(true).spawn().unwrap();
        Self {
            statements: psql.stdin.take().unwrap(),
            answers: BufReader::new(psql.stdout.take().unwrap()).lines(),
            _psql: psql,
        }
    }

    pub(crate) async fn say(&mut self, statement: &str) {
        let line = format!("{statement}\n");
        self.statements.write_all(line.as_bytes()).await.unwrap();
        self.statements.flush().await.unwrap();
    }

    pub(crate) async fn hear(&mut self, statement: &str, expected: &str) {
        self.say(statement).await;
        let answer = self.answers.next_line().await.unwrap().unwrap();
        assert_eq!(answer, expected);
    }
}
