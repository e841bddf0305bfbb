//! How fast applications get from the queue into a cluster: the real programs before a real API
//! server and a PostgreSQL with its stock settings, everything on the same cores, beside bare
//! creates of the same objects in the same run.

mod floor;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use moka_proto::submission::v1::{
    Application, ApplicationSpec, ApplicationState, Cluster, ClusterLimits, DriverSpec,
    ExecutorSpec, ListApplicationsRequest, RegisterClusterRequest, SubmitApplicationRequest,
    fleet_service_client::FleetServiceClient, submission_service_client::SubmissionServiceClient,
};
use moka_rpc::{Channel, ClientOptions};
use moka_tests_control_plane::RecordedYuniKorn;
use moka_xtask::{cluster::control_plane::ControlPlane, postgres::TemporaryPostgres};
use tokio::time::{Instant, sleep, sleep_until};

use super::installation::report;
use crate::{
    figure::Figure,
    programs::{Program, Programs},
};

/// Launched to find the rate.
const COUNT: usize = 4000;
/// Bare creates before and after it.
const BARE: usize = COUNT / 2;
/// The first and the last tenth are left out: filling and emptying a pipe is not its rate.
const EDGE: usize = COUNT / 10;
/// How long launches arrive at half the rate.
const STEADY: Duration = Duration::from_secs(15);
const CALLERS: usize = 16;
const PATIENCE: Duration = Duration::from_mins(3);
/// Seldom, because a look at the metrics takes time from what is measured.
const POLL: Duration = Duration::from_millis(200);
const MIB: i64 = 1024 * 1024;
const LAUNCHED: &str = "moka_submission_transitions_total{from=\"LAUNCHING\",to=\"SUBMITTED\"}";

/// Measures the rate of launches, and how long they take at half that rate.
///
/// # Errors
/// When something does not start or an application is not launched.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let control_plane = ControlPlane::start().await?;
    let postgres = TemporaryPostgres::start_durable().await?;
    let yunikorn = RecordedYuniKorn::start().await;
    let programs = Programs::beside_this_one()?;
    let adapter = programs
        .start(
            "scheduler-adapter",
            &[("MOKA_CLUSTERS", format!("local={}", yunikorn.url()))],
        )
        .await?;
    let kubeconfig = control_plane.kubeconfig_path();
    let environment = [
        ("MOKA_DATABASE_URL", postgres.url()),
        ("MOKA_SCHEDULER_ADAPTER_URL", adapter.url()),
        ("MOKA_CLUSTERS", format!("local={}", kubeconfig.display())),
        ("MOKA_LAUNCH_CONCURRENCY", CALLERS.to_string()),
        ("MOKA_QUEUE_POLL_SECONDS", "1".to_owned()),
    ];
    let with_role = |role: &str| {
        let role = [("MOKA_ROLES", role.to_owned())];
        [&environment[..], &role[..]].concat()
    };
    let api = programs.start("submission", &with_role("api")).await?;
    register_without_limits(&api).await?;
    let submit = Submit::new(&api)?;
    submit.until_accepted("warm-up").await?;
    let worker = programs.start("submission", &with_role("worker")).await?;
    launched(&worker, 1).await?;
    let before = floor::creates_per_second(&kubeconfig, CALLERS, 0..BARE).await?;
    drop(worker);
    submit.many("rate", COUNT).await?;
    let worker = programs.start("submission", &with_role("worker")).await?;
    let (first, begin) = launched(&worker, EDGE).await?;
    let (last, end) = launched(&worker, COUNT - EDGE).await?;
    launched(&worker, COUNT).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let rate = (last - first) as f64 / (end - begin).as_secs_f64();
    // The API server gets slower as it fills.
    let after = floor::creates_per_second(&kubeconfig, CALLERS, BARE..2 * BARE).await?;
    let bare = f64::midpoint(before, after);
    let steady = submit.steadily(rate / 2.0).await?;
    launched(&worker, COUNT + steady).await?;
    let p99 = submit.p99(steady).await?;
    Ok(vec![
        Figure::alone("launch_rate", rate, "1/s").beside(bare, "bare creates"),
        Figure::alone("launch_p99_ms", p99.as_secs_f64() * 1e3, "ms"),
    ])
}

/// There is no operator, so nothing may wait for it.
async fn register_without_limits(api: &Program) -> Result<()> {
    let channel = moka_rpc::client::connect(&api.url(), &ClientOptions::default())?;
    let cluster = Cluster {
        name: "local".to_owned(),
        limits: Some(ClusterLimits {
            max_operator_backlog: 1_000_000,
            ..ClusterLimits::default()
        }),
        ..Cluster::default()
    };
    let request = RegisterClusterRequest {
        cluster: Some(cluster),
    };
    let mut fleet = FleetServiceClient::new(channel);
    let registered = fleet.register_cluster(request).await;
    registered.context("registering the cluster")?;
    Ok(())
}

/// Waits until a worker has launched so many, and says how many it had launched when.
async fn launched(worker: &Program, count: usize) -> Result<(usize, Instant)> {
    let begun = Instant::now();
    loop {
        let found = worker.counter(LAUNCHED).await?;
        if found >= count {
            return Ok((found, Instant::now()));
        }
        ensure!(
            begun.elapsed() < PATIENCE,
            "{found} of {count} are launched:\n{}",
            worker.log()
        );
        sleep(POLL).await;
    }
}

/// Submits, and reads what became of it.
struct Submit {
    clients: Vec<SubmissionServiceClient<Channel>>,
}

impl Submit {
    fn new(api: &Program) -> Result<Self> {
        let clients = (0..CALLERS).map(|_| {
            let channel = moka_rpc::client::connect(&api.url(), &ClientOptions::default())?;
            Ok(SubmissionServiceClient::new(channel))
        });
        Ok(Self {
            clients: clients.collect::<Result<_>>()?,
        })
    }

    fn client(&self, number: usize) -> SubmissionServiceClient<Channel> {
        self.clients[number % self.clients.len()].clone()
    }

    /// Submits as soon as the queues are known.
    async fn until_accepted(&self, key: &str) -> Result<()> {
        let begun = Instant::now();
        loop {
            match self.client(0).submit_application(request(key)).await {
                Ok(_) => return Ok(()),
                Err(status) => ensure!(begun.elapsed() < PATIENCE, "submission refuses: {status}"),
            }
            sleep(POLL).await;
        }
    }

    async fn many(&self, key: &str, count: usize) -> Result<()> {
        let callers = (0..CALLERS).map(|caller| {
            let mut client = self.client(caller);
            async move {
                for number in (caller..count).step_by(CALLERS) {
                    let request = request(&format!("{key}-{number}"));
                    client.submit_application(request).await?;
                }
                anyhow::Ok(())
            }
        });
        try_join_all(callers).await?;
        Ok(())
    }

    /// Submits at a rate, whatever becomes of it. Returns how many.
    async fn steadily(&self, per_second: f64) -> Result<usize> {
        let begin = Instant::now();
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let mut calls = Vec::new();
        let mut at = begin;
        while at < begin + STEADY {
            sleep_until(at).await;
            let mut client = self.client(calls.len());
            let request = request(&format!("steady-{}", calls.len()));
            calls.push(tokio::task::spawn(async move {
                client.submit_application(request).await
            }));
            at += interval;
        }
        let count = calls.len();
        for call in try_join_all(calls).await? {
            call?;
        }
        Ok(count)
    }

    /// The time from acceptance until the object was written down, of the last `count`.
    async fn p99(&self, count: usize) -> Result<Duration> {
        let mut latencies = Vec::new();
        let mut page_token = String::new();
        while latencies.len() < count {
            let request = ListApplicationsRequest {
                page_size: 1000,
                page_token,
                ..ListApplicationsRequest::default()
            };
            let page = self.client(0).list_applications(request).await?;
            let page = page.into_inner();
            for application in page.applications.iter().take(count - latencies.len()) {
                latencies.push(latency(application)?);
            }
            page_token = page.next_page_token;
        }
        latencies.sort_unstable();
        Ok(latencies[latencies.len() * 99 / 100])
    }
}

/// Nothing happens to an application here after its launch.
fn latency(application: &Application) -> Result<Duration> {
    ensure!(
        application.state() == ApplicationState::Submitted,
        "{} is {:?}",
        application.application_id,
        application.state()
    );
    let nanoseconds = |time: Option<prost_types::Timestamp>| {
        let time = time.context("a time is missing")?;
        anyhow::Ok(i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos))
    };
    let took = nanoseconds(application.update_time)? - nanoseconds(application.create_time)?;
    Ok(Duration::from_nanos(u64::try_from(took)?))
}

fn request(key: &str) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: key.to_owned(),
        spec: Some(ApplicationSpec {
            driver: Some(DriverSpec {
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 2,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: "root.search".to_owned(),
            ..report()
        }),
        ..SubmitApplicationRequest::default()
    }
}
