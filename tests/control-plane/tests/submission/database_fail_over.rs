//! The primary is killed and its synchronous standby takes over, behind one address.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use moka_tests_control_plane::{Program, VirtualAddress};
use moka_xtask::postgres::TemporaryPostgres;
use tokio::time::{sleep, timeout};

use crate::{
    Installation,
    callers::{self, assert_each_launched_once},
};

const APPLICATIONS: usize = 120;
/// How many are accepted before the primary goes.
const BEFORE: usize = 40;
const AWAY: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(3);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_accepted_is_lost_and_nothing_launched_twice_by_a_fail_over() {
    let mut primary = TemporaryPostgres::start_durable().await.unwrap();
    let standby = primary.synchronous_standby().await.unwrap();
    let address = VirtualAddress::of(primary.port()).await;
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", address.port());
    let mut installation = Installation::start_over(&url, &[]).await;
    let witness = installation.objects.witness().await;
    let mut second = installation.replica("second", &[]).await;
    second.start().await;
    let programs = [&installation.submission, &second];
    let count = AtomicUsize::new(0);
    let fail_over = async {
        while count.load(Ordering::Relaxed) < BEFORE {
            sleep(Duration::from_millis(5)).await;
        }
        primary.crash().unwrap();
        sleep(AWAY).await;
        standby.promote().await.unwrap();
        address.move_to(standby.port());
    };
    let submits = callers::submit(&programs, APPLICATIONS, &count);
    let both = async { tokio::join!(submits, fail_over).0 };
    let accepted = timeout(PATIENCE, both).await.unwrap();
    assert_each_launched_once(&installation, &witness, &accepted).await;
    let kept = standby.psql("postgres", "SELECT count(*) FROM applications");
    assert_eq!(kept.await.unwrap(), APPLICATIONS.to_string());
    assert!(Program::runs(&mut installation.submission) && second.runs());
}
