//! How soon a change in a cluster is seen by those who watch applications, and how much memory ten
//! thousand live ones take: the real program, a real API server, and PostgreSQL.

mod bare_watch;
mod cluster;
mod machine;
mod observer;

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use moka_core::AttemptName;
use moka_xtask::{cluster::control_plane::ControlPlane, postgres::TemporaryPostgres};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use self::{
    bare_watch::BareWatch,
    cluster::Cluster,
    observer::{Change, Observer},
};
use crate::{figure::Figure, programs::Programs};

/// Live applications while it is measured, at least.
const LIVE: usize = 10_000;
const CHANGES_PER_SECOND: u64 = 200;
const SECONDS: u64 = 30;
/// A driver ends after so many others have started.
const ENDS_LATER: usize = 400;
/// Changes on their way to the API server at a time. More would only queue there, before those who
/// have something to do with them.
const CONCURRENCY: usize = 16;
/// Enough for the API server not to collect it while it is measured: that takes both processors for
/// five seconds here, which a cluster's API server has beside those that it answers with.
const GARBAGE_PERCENT: u32 = 800;
const WARM_UP: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(1);

/// Measures status latency and memory.
///
/// # Errors
/// When something does not start, or a change is never seen.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let postgres = TemporaryPostgres::start_durable().await?;
    let control_plane = ControlPlane::start_with_garbage(GARBAGE_PERCENT).await?;
    let kubeconfig = control_plane.kubeconfig_path();

    let programs = Programs::beside_this_one()?;
    let environment = [
        ("MOKA_DATABASE_URL", postgres.url()),
        ("MOKA_CLUSTERS", format!("bench={}", kubeconfig.display())),
        // Nothing is there to place applications.
        (
            "MOKA_SCHEDULER_ADAPTER_URL",
            "http://127.0.0.1:9".to_owned(),
        ),
    ];
    let empty = programs.start("submission", &environment).await?;
    sleep(Duration::from_secs(5)).await;
    let empty_bytes = empty.resident_bytes()?;
    drop(empty);

    let changes = usize::try_from(CHANGES_PER_SECOND * SECONDS)?;
    let cluster = Cluster::fill(&postgres.url(), &kubeconfig, LIVE + changes / 2).await?;
    let machine = machine::late_ms(&cluster.drivers).await?;
    let service = programs.start("submission", &environment).await?;
    let mut observer = Observer::start(&service.url()).await?;
    let bare_watch = BareWatch::start(cluster.drivers.clone(), "spark-role=driver");
    // Both have read everything by then.
    sleep(WARM_UP).await;
    let full_bytes = service.resident_bytes()?;
    cluster.collect_garbage().await?;

    let begun = Instant::now();
    change(&cluster, &mut observer, changes).await?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let changes_per_second = changes as f64 / begun.elapsed().as_secs_f64();
    let latencies = observer.finish(PATIENCE).await?;
    let pods = bare_watch.finish();
    let bare = p99_ms(observer.latencies_of(&pods).iter());
    let added = p99_ms(observer.latencies_after(&pods).iter());
    let most_bytes = service.resident_bytes()?.max(full_bytes);
    let live = u32::try_from(LIVE + changes / 2)?;
    let of = |wanted| {
        latencies
            .iter()
            .filter(move |(_, change)| *change == wanted)
    };
    Ok(vec![
        Figure::alone("status_started_p99_ms", p99_ms(of(Change::Started)), "ms"),
        Figure::alone("status_ended_p99_ms", p99_ms(of(Change::Ended)), "ms"),
        Figure::alone("status_p99_ms", p99_ms(latencies.iter()), "ms")
            .beside(bare, "a bare watch of the same pods"),
        Figure::alone("status_after_bare_watch_p99_ms", added, "ms"),
        Figure::alone("bare_status_p99_ms", bare, "ms")
            .beside(machine, "the same without submission"),
        Figure::alone("status_changes_per_s", changes_per_second, "1/s"),
        Figure::alone("rss_mb", megabytes(most_bytes), "MB"),
        Figure::alone(
            "bytes_per_live_application",
            (megabytes(full_bytes) - megabytes(empty_bytes)) * 1e6 / f64::from(live),
            "bytes",
        ),
    ])
}

/// Of latencies in order of size.
fn p99_ms<'a>(latencies: impl Iterator<Item = &'a (Duration, Change)>) -> f64 {
    let latencies: Vec<_> = latencies.map(|(latency, _)| *latency).collect();
    let p99 = latencies.get(latencies.len() * 99 / 100);
    p99.copied().unwrap_or_default().as_secs_f64() * 1e3
}

/// Starts and ends drivers at a steady rate, whatever becomes of it.
async fn change(cluster: &Cluster, observer: &mut Observer, changes: usize) -> Result<()> {
    let permits = Arc::new(Semaphore::new(CONCURRENCY));
    let mut ticks = interval(Duration::from_micros(1_000_000 / CHANGES_PER_SECOND));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut patches = JoinSet::new();
    for (name, change) in schedule(&cluster.names, changes) {
        ticks.tick().await;
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let drivers = cluster.drivers.clone();
        let made = observer.expect(name, change);
        patches.spawn(async move {
            cluster::write_driver_status(&drivers, &name.driver_pod(), change).await?;
            // From now on everybody can see it.
            made.at(Instant::now());
            drop(permit);
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(patched) = patches.join_next().await {
        patched??;
    }
    Ok(())
}

/// Starts drivers one after the other, and ends each some time later.
fn schedule(names: &[AttemptName], changes: usize) -> Vec<(AttemptName, Change)> {
    let mut schedule = Vec::with_capacity(changes);
    let mut ended = 0;
    for (started, name) in names.iter().enumerate() {
        schedule.push((*name, Change::Started));
        if started >= ENDS_LATER {
            schedule.push((names[ended], Change::Ended));
            ended += 1;
        }
        if schedule.len() >= changes {
            break;
        }
    }
    schedule.truncate(changes);
    schedule
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let bytes = bytes as f64;
    bytes / 1e6
}
