//! Following a running driver's log on the real local cluster, by many at once.

use std::{fs, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use moka_proto::{
    logs::v1::{FollowLogRequest, FollowLogResponse},
    submission::v1::CancelApplicationRequest,
};
use moka_rpc::timestamp::from_proto;
use moka_xtask::{
    cluster,
    demo::{applications, follow},
    mesh::{self, Clients},
};
use tokio::{
    sync::{Barrier, watch},
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tonic::{Code, Streaming};

use crate::{figure::Figure, programs::resident_bytes};

const FEW: usize = 10;
const MANY: usize = 500;
/// Streams share connections, as those of a dashboard do.
const FOLLOWERS_OF_A_CONNECTION: usize = 50;
/// The driver writes a line four times a second, for as long as anybody may need.
const DRIVER: [&str; 3] = [
    "--lines=4000",
    "--lines-at-a-time=1",
    "--pause-seconds=0.25",
];
const MEASURED: Duration = Duration::from_secs(40);
const PATIENCE: Duration = Duration::from_mins(5);
const RETRY: Duration = Duration::from_secs(1);

/// How late lines reach their readers after the runtime wrote them to the node's disk, and the
/// broker's memory meanwhile.
pub(super) async fn measure() -> Result<Vec<Figure>> {
    let cluster = cluster::ensure_up().await?;
    let endpoints = mesh::install(&cluster).await?;
    let clients = Clients::new(&endpoints)?;
    let mut request = applications::chatty_driver(&cluster.spark_image, &unique_key());
    let spec = request.spec.as_mut().context("the application has one")?;
    spec.arguments = DRIVER.map(str::to_owned).into();
    let id = follow::submit(&clients, request).await?;
    let connections = (0..MANY / FOLLOWERS_OF_A_CONNECTION).map(|_| Clients::new(&endpoints));
    let figures = measure_both(&id, &connections.collect::<Result<Vec<_>>>()?).await;
    let cancel = CancelApplicationRequest {
        application_id: id,
        ..CancelApplicationRequest::default()
    };
    clients
        .submission
        .clone()
        .cancel_application(cancel)
        .await?;
    figures
}

async fn measure_both(id: &str, connections: &[Clients]) -> Result<Vec<Figure>> {
    let (few_milliseconds, _) = measure_followers(id, connections, FEW).await?;
    let (many_milliseconds, resident_megabytes) = measure_followers(id, connections, MANY).await?;
    Ok(vec![
        Figure::alone("follow_p99_ms", few_milliseconds, "ms"),
        Figure::alone("follow_p99_ms_500_followers", many_milliseconds, "ms"),
        Figure::alone("broker_rss_mb", resident_megabytes, "MB"),
    ])
}

/// The p99 of so many followers' delays in milliseconds, and the broker's memory in megabytes.
async fn measure_followers(id: &str, connections: &[Clients], count: usize) -> Result<(f64, f64)> {
    let first = connections.first().context("a connection")?;
    // From here on the driver writes.
    timeout(PATIENCE, driver_lines(first, id))
        .await??
        .message()
        .await?;
    let all_follow = Arc::new(Barrier::new(count + 1));
    let (stop, stopped) = watch::channel(false);
    let mut followers = JoinSet::new();
    for clients in connections.iter().cycle().take(count) {
        let (clients, id) = (clients.clone(), id.to_owned());
        let (all_follow, stopped) = (Arc::clone(&all_follow), stopped.clone());
        followers.spawn(async move {
            let answers = driver_lines(&clients, &id).await?;
            all_follow.wait().await;
            delays(answers, stopped).await
        });
    }
    timeout(PATIENCE, all_follow.wait()).await?;
    let begun = Instant::now();
    let mut most_resident_bytes = 0;
    while begun.elapsed() < MEASURED {
        most_resident_bytes = most_resident_bytes.max(resident_bytes(broker()?)?);
        sleep(RETRY).await;
    }
    stop.send(true)?;
    let mut delays = Vec::new();
    while let Some(follower) = followers.join_next().await {
        delays.extend(follower??);
    }
    delays.sort_unstable();
    let p99 = delays.get(delays.len() * 99 / 100).context("lines came")?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let resident_megabytes = most_resident_bytes as f64 / 1e6;
    Ok((p99.as_secs_f64() * 1e3, resident_megabytes))
}

/// Begins to follow the driver's log at its last line, once there is one.
async fn driver_lines(clients: &Clients, id: &str) -> Result<Streaming<FollowLogResponse>> {
    let request = FollowLogRequest {
        stream: Some(follow::driver_stream(id)),
        tail_lines: 1,
        ..FollowLogRequest::default()
    };
    loop {
        match clients.logs.clone().follow_log(request.clone()).await {
            Ok(answers) => return Ok(answers.into_inner()),
            Err(status) => {
                let is_early = matches!(status.code(), Code::NotFound | Code::Unavailable);
                ensure!(is_early, "{status}");
                sleep(RETRY).await;
            }
        }
    }
}

/// How late each line comes, until the measurement is over.
async fn delays(
    mut answers: Streaming<FollowLogResponse>,
    mut stopped: watch::Receiver<bool>,
) -> Result<Vec<SignedDuration>> {
    // What was there already is not late.
    answers.message().await?.context("a first line")?;
    let mut delays = Vec::new();
    loop {
        let answer = tokio::select! {
            answer = answers.message() => answer?.context("the driver goes on")?,
            _ = stopped.changed() => return Ok(delays),
        };
        let now = Timestamp::now();
        for line in answer.lines {
            let written = line.time.context("a container's line has a time")?;
            delays.push(now.duration_since(from_proto(&written)?));
        }
    }
}

/// The broker's process: the cluster's containers are processes of this machine, and know the names
/// of their pods.
fn broker() -> Result<u32> {
    let is_broker = |process: &u32| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        variables.any(|variable| variable.starts_with(b"HOSTNAME=log-broker-"))
    };
    let names = fs::read_dir("/proc")?
        .flatten()
        .map(|entry| entry.file_name());
    let mut processes = names.filter_map(|name| name.to_str()?.parse().ok());
    processes.find(is_broker).context("no log-broker runs")
}

fn unique_key() -> String {
    format!("following-{}", Timestamp::now().as_nanosecond())
}
