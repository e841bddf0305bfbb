//! PostgreSQL goes and comes back while applications are accepted and launched.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use moka_tests_control_plane::Program;
use moka_xtask::postgres::TemporaryPostgres;
use tokio::time::{sleep, timeout};

use crate::{
    Installation,
    callers::{self, Accepted, assert_each_launched_once},
};

const APPLICATIONS: usize = 120;
/// How many are accepted before each crash.
const CRASHES: [usize; 2] = [20, 60];
const PATIENCE: Duration = Duration::from_mins(3);

async fn crashes_twice(others: usize) {
    let mut postgres = TemporaryPostgres::start_durable().await.unwrap();
    let mut installation = Installation::start_over(&postgres.url(), &[]).await;
    let witness = installation.objects.witness().await;
    let mut replicas = Vec::new();
    for number in 0..others {
        let mut replica = installation
            .replica(&format!("replica-{number}"), &[])
            .await;
        replica.start().await;
        replicas.push(replica);
    }
    let programs: Vec<&Program> = std::iter::once(&installation.submission)
        .chain(&replicas)
        .collect();
    let count = AtomicUsize::new(0);
    let crashes = async {
        for accepted in CRASHES {
            while count.load(Ordering::Relaxed) < accepted {
                sleep(Duration::from_millis(5)).await;
            }
            postgres.crash().unwrap();
            let missing = programs[0].says_ready(false).await;
            assert!(missing.contains("store"), "{missing}");
            postgres.start_again().await.unwrap();
            programs[0].says_ready(true).await;
        }
    };
    let submits = callers::submit(&programs, APPLICATIONS, &count);
    let both = async { tokio::join!(submits, crashes).0 };
    let accepted: Accepted = timeout(PATIENCE, both).await.unwrap();
    assert_each_launched_once(&installation, &witness, &accepted).await;
    assert!(installation.submission.runs());
    assert!(replicas.iter_mut().all(Program::runs));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_outlives_crashes_of_the_database() {
    crashes_twice(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_outlive_crashes_of_the_database() {
    crashes_twice(2).await;
}
