//! Two clusters: places, limits, a cluster that is drained and one that is away.

use std::{path::PathBuf, sync::Arc, time::Duration};

use axum::http::StatusCode;
use moka_proto::submission::v1::{
    Application, ApplicationState, Cluster, ClusterLimits, ClusterState, DrainClusterRequest,
    GetApplicationRequest, GetClusterRequest, RegisterClusterRequest, RemoveClusterRequest,
    Strategy, UpdateClusterRequest, UpdateStrategyRequest,
    fleet_service_client::FleetServiceClient, strategy_service_client::StrategyServiceClient,
    submission_service_client::SubmissionServiceClient,
};
use moka_tests_control_plane::{Fault, FaultProxy, Program, RecordedYuniKorn};
use moka_xtask::cluster::control_plane::ControlPlane;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    installation::{control_plane, request, upstream},
    objects::Objects,
};

const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(50);
const LEASE: Duration = Duration::from_secs(4);

/// A cluster of the fleet behind a proxy.
struct Place {
    proxy: FaultProxy,
    objects: Objects,
    _control_plane: Arc<ControlPlane>,
}

impl Place {
    async fn new(control_plane: Arc<ControlPlane>) -> Self {
        Self {
            proxy: FaultProxy::start(&upstream(&control_plane)).await,
            objects: Objects::connect(&control_plane.kubeconfig_path()).await,
            _control_plane: control_plane,
        }
    }

    /// Lets a driver end well.
    async fn succeed(&self, name: &str) {
        let state = json!({ "terminated": {
            "exitCode": 0, "reason": "Completed", "startedAt": "2026-11-21T00:00:00Z",
            "finishedAt": "2026-11-21T00:01:00Z",
        }});
        let objects = &self.objects;
        objects.set_driver_status(name, "Succeeded", state).await;
    }
}

/// submission with the cluster `west`; `east` is there, but not in the fleet.
struct Fleet {
    submission: Program,
    west: Place,
    east: Place,
    kubeconfigs: PathBuf,
    _adapter: Program,
    _yunikorn: RecordedYuniKorn,
    _folder: TempDir,
}

impl Fleet {
    async fn start(launch_concurrency: &str) -> Self {
        let (west, east) = tokio::join!(control_plane(), ControlPlane::start());
        let (west, east) = (
            Place::new(west).await,
            Place::new(Arc::new(east.unwrap())).await,
        );
        let folder = tempfile::tempdir().unwrap();
        let kubeconfigs = folder.path().join("kubeconfigs");
        std::fs::create_dir(&kubeconfigs).unwrap();
        let yunikorn = RecordedYuniKorn::start().await;
        let clusters = format!("west={0},east={0}", yunikorn.url());
        let environment = [("MOKA_CLUSTERS", clusters.as_str())];
        let mut adapter = Program::new("scheduler-adapter", folder.path(), &environment).await;
        adapter.start().await;
        let clusters = format!("west={}", west.proxy.kubeconfig(folder.path()).display());
        let database = format!("sqlite:{}", folder.path().join("submission.db").display());
        let adapter_url = adapter.url();
        let environment = [
            ("MOKA_CLUSTERS", clusters.as_str()),
            ("MOKA_KUBECONFIGS", kubeconfigs.to_str().unwrap()),
            ("MOKA_DATABASE_URL", &database),
            ("MOKA_SCHEDULER_ADAPTER_URL", &adapter_url),
            ("MOKA_LAUNCH_CONCURRENCY", launch_concurrency),
            ("MOKA_LEASE_SECONDS", &LEASE.as_secs().to_string()),
            ("MOKA_RECONCILE_SECONDS", "2"),
            ("MOKA_QUEUE_POLL_SECONDS", "1"),
            ("MOKA_DRIVER_APPEARANCE_SECONDS", "2"),
        ];
        let mut submission = Program::new("submission", folder.path(), &environment).await;
        submission.start().await;
        let fleet = Self {
            submission,
            west,
            east,
            kubeconfigs,
            _adapter: adapter,
            _yunikorn: yunikorn,
            _folder: folder,
        };
        fleet
            .eventually("the queues are known", async || {
                let request = request("root.search", "first", 1);
                fleet
                    .applications()
                    .await
                    .submit_application(request)
                    .await
                    .is_ok()
            })
            .await;
        fleet
    }

    async fn applications(&self) -> SubmissionServiceClient<tonic::transport::Channel> {
        let url = self.submission.url();
        SubmissionServiceClient::connect(url).await.unwrap()
    }

    async fn clusters(&self) -> FleetServiceClient<tonic::transport::Channel> {
        FleetServiceClient::connect(self.submission.url())
            .await
            .unwrap()
    }

    /// Adds `east`, with the file that leads to it.
    async fn register_east(&self) {
        let cluster = Cluster {
            name: "east".to_owned(),
            ..Cluster::default()
        };
        let request = RegisterClusterRequest {
            cluster: Some(cluster),
        };
        self.clusters()
            .await
            .register_cluster(request)
            .await
            .unwrap();
        let file = self.east.proxy.kubeconfig(&self.kubeconfigs);
        std::fs::rename(file, self.kubeconfigs.join("east")).unwrap();
        self.eventually("east is watched", async || {
            self.cluster("east")
                .await
                .health
                .is_some_and(|health| health.reachable)
        })
        .await;
    }

    async fn cluster(&self, name: &str) -> Cluster {
        let name = name.to_owned();
        let mut clusters = self.clusters().await;
        let answer = clusters.get_cluster(GetClusterRequest { name }).await;
        answer.unwrap().into_inner().cluster.unwrap()
    }

    async fn limit(&self, limits: ClusterLimits) {
        let cluster = Cluster {
            name: "west".to_owned(),
            limits: Some(limits),
            ..Cluster::default()
        };
        let request = UpdateClusterRequest {
            cluster: Some(cluster),
            update_mask: Some(prost_types::FieldMask {
                paths: vec!["limits".to_owned()],
            }),
        };
        self.clusters().await.update_cluster(request).await.unwrap();
    }

    async fn drain_west(&self) -> ClusterState {
        let request = DrainClusterRequest {
            name: "west".to_owned(),
            reason: "a test".to_owned(),
        };
        let answer = self.clusters().await.drain_cluster(request).await.unwrap();
        answer.into_inner().cluster.unwrap().state()
    }

    /// Lets a workflow go to the clusters named, best first.
    async fn prefer(&self, clusters: &[&str]) {
        let strategy = Strategy {
            project: "team-a".to_owned(),
            workflow: "nightly".to_owned(),
            clusters: clusters.iter().map(|&name| name.to_owned()).collect(),
            ..Strategy::default()
        };
        let request = UpdateStrategyRequest {
            strategy: Some(strategy),
            update_mask: None,
        };
        let mut client = StrategyServiceClient::connect(self.submission.url())
            .await
            .unwrap();
        client.update_strategy(request).await.unwrap();
    }

    async fn submit(&self, key: &str) -> String {
        let mut request = request("root.search", key, 1);
        let spec = request.spec.as_mut().unwrap();
        "nightly".clone_into(&mut spec.workflow);
        let answer = self.applications().await.submit_application(request).await;
        let application = answer.unwrap().into_inner().application.unwrap();
        application.application_id
    }

    /// Submits an application that runs in `west`; its id, and the name of its attempt.
    async fn run_in_west(&self, key: &str) -> (String, String) {
        let id = self.submit(key).await;
        self.reaches(&id, ApplicationState::Submitted, "west").await;
        let name = format!("{id}-1");
        let objects = &self.west.objects;
        objects.create_driver(&name).await;
        let state = json!({ "running": { "startedAt": "2026-11-21T00:00:00Z" } });
        objects.set_driver_status(&name, "Running", state).await;
        self.reaches(&id, ApplicationState::Running, "west").await;
        (id, name)
    }

    async fn get(&self, id: &str) -> Application {
        let request = GetApplicationRequest {
            application_id: id.to_owned(),
        };
        let answer = self.applications().await.get_application(request).await;
        answer.unwrap().into_inner().application.unwrap()
    }

    async fn reaches(&self, id: &str, state: ApplicationState, cluster: &str) -> Application {
        self.eventually(&format!("{id} is {state:?} in {cluster}"), async || {
            let application = self.get(id).await;
            let is_there = application
                .attempts
                .last()
                .is_some_and(|attempt| attempt.cluster == cluster);
            is_there && application.state() == state
        })
        .await;
        self.get(id).await
    }

    async fn eventually(&self, what: &str, check: impl AsyncFn() -> bool) {
        let begun = Instant::now();
        while !check().await {
            assert!(
                begun.elapsed() < PATIENCE,
                "not so: {what}\n{}",
                self.submission.log()
            );
            sleep(POLL).await;
        }
    }
}

#[tokio::test]
async fn a_cluster_that_is_registered_later_is_used_and_a_drained_one_is_left() {
    let fleet = Fleet::start("4").await;
    fleet.register_east().await;
    fleet.prefer(&["west"]).await;
    let (running, name) = fleet.run_in_west("running").await;
    let waiting = fleet.submit("waiting").await;
    fleet
        .reaches(&waiting, ApplicationState::Submitted, "west")
        .await;
    assert_eq!(fleet.drain_west().await, ClusterState::Draining);
    let moved = fleet
        .reaches(&waiting, ApplicationState::Submitted, "east")
        .await;
    assert_eq!(moved.attempts.len(), 2);
    assert!(
        moved.attempts[1].reason.contains("west is being drained"),
        "{moved:?}"
    );
    let objects = &fleet.east.objects;
    assert!(objects.application(&format!("{waiting}-2")).await.is_some());
    // Nothing new comes, whatever is preferred; what runs is left alone.
    let third = fleet.submit("third").await;
    fleet
        .reaches(&third, ApplicationState::Submitted, "east")
        .await;
    let running_still = fleet.get(&running).await;
    assert_eq!(running_still.state(), ApplicationState::Running);
    assert_eq!(running_still.attempts.len(), 1);
    fleet.west.succeed(&name).await;
    fleet
        .reaches(&running, ApplicationState::Succeeded, "west")
        .await;
    fleet
        .eventually("west is drained", async || {
            fleet.cluster("west").await.state() == ClusterState::Drained
        })
        .await;
    let request = RemoveClusterRequest {
        name: "west".to_owned(),
    };
    let removed = fleet.clusters().await.remove_cluster(request).await;
    assert_eq!(
        removed.unwrap_err().code(),
        tonic::Code::FailedPrecondition,
        "tombstones are left"
    );
}

#[tokio::test]
async fn an_attempt_leaves_an_unreachable_cluster_only_once_its_name_is_fenced() {
    let fleet = Fleet::start("4").await;
    fleet.register_east().await;
    fleet.prefer(&["west"]).await;
    fleet
        .limit(ClusterLimits {
            unreachable_patience: Some(prost_types::Duration {
                seconds: 2,
                nanos: 0,
            }),
            ..ClusterLimits::default()
        })
        .await;
    let (running, driver) = fleet.run_in_west("running").await;
    fleet.west.proxy.arm(Fault::Delay);
    let id = fleet.submit("late").await;
    fleet.west.proxy.struck(1).await;
    fleet.west.proxy.set_away(true);
    fleet.drain_west().await;
    fleet
        .eventually("west is known to be away", async || {
            let log = fleet.submission.log();
            let health = fleet.cluster("west").await.health;
            health.is_some_and(|health| !health.reachable) && log.contains("launch postponed")
        })
        .await;
    // It is to move, and cannot: only the cluster itself can say that nothing runs there.
    sleep(LEASE * 2).await;
    let waiting = fleet.get(&id).await;
    assert_eq!(waiting.state(), ApplicationState::Launching, "{waiting:?}");
    assert_eq!(waiting.attempts.len(), 1);
    fleet.west.proxy.set_away(false);
    let moved = fleet
        .reaches(&id, ApplicationState::Submitted, "east")
        .await;
    assert_eq!(moved.attempts.len(), 2, "{moved:?}");
    let name = format!("{id}-1");
    assert!(fleet.west.objects.is_tombstone(&name).await);
    // The create that was under way all the time meets the tombstone.
    assert_eq!(fleet.west.proxy.let_go().await, StatusCode::CONFLICT);
    assert!(fleet.west.objects.is_tombstone(&name).await);
    assert_eq!(fleet.get(&id).await.attempts.len(), 2);
    // What ran there has run on, and its end is seen.
    assert_eq!(fleet.get(&running).await.state(), ApplicationState::Running);
    fleet.west.succeed(&driver).await;
    let ended = fleet
        .reaches(&running, ApplicationState::Succeeded, "west")
        .await;
    assert_eq!(ended.attempts.len(), 1, "{ended:?}");
}

#[tokio::test]
async fn a_server_that_asks_to_slow_down_is_left_alone_for_as_long_as_it_says() {
    const RETRY_AFTER: u64 = 3;
    let fleet = Fleet::start("1").await;
    fleet
        .eventually("the first is launched", async || {
            fleet.west.proxy.creations().len() == 1
        })
        .await;
    fleet
        .west
        .proxy
        .refuse_creations(StatusCode::TOO_MANY_REQUESTS, RETRY_AFTER);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(fleet.submit(&format!("busy-{n}")).await);
    }
    fleet
        .eventually("it was asked three times", async || {
            fleet.west.proxy.creations().len() >= 4
        })
        .await;
    let asked = fleet.west.proxy.creations();
    fleet.west.proxy.accept_creations();
    for pair in asked[1..].windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= Duration::from_secs(RETRY_AFTER), "{pause:?}");
    }
    for id in &ids {
        fleet.reaches(id, ApplicationState::Submitted, "west").await;
    }
}

#[tokio::test]
async fn failures_in_a_row_open_the_circuit_and_the_first_success_closes_it() {
    let fleet = Fleet::start("2").await;
    fleet
        .west
        .proxy
        .refuse_creations(StatusCode::INTERNAL_SERVER_ERROR, 0);
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(fleet.submit(&format!("failing-{n}")).await);
    }
    let is_open = async |expected: bool| {
        let health = fleet.cluster("west").await.health;
        health.is_some_and(|health| health.circuit_open == expected)
    };
    fleet
        .eventually("the circuit is open", async || is_open(true).await)
        .await;
    fleet.west.proxy.accept_creations();
    for id in &ids {
        fleet.reaches(id, ApplicationState::Submitted, "west").await;
    }
    fleet
        .eventually("the circuit is closed", async || is_open(false).await)
        .await;
}
