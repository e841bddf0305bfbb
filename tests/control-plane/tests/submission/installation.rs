//! One submission with all that it speaks to.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use moka_proto::submission::v1::{
    Application, ApplicationEvent, ApplicationSpec, ApplicationState, ApplicationType,
    CancelApplicationRequest, DriverSpec, ExecutorSpec, Exit, GetApplicationRequest,
    ListApplicationEventsRequest, SubmitApplicationRequest,
    submission_service_client::SubmissionServiceClient,
};
use moka_tests_control_plane::{FaultProxy, Program, RecordedYuniKorn, Upstream};
use moka_xtask::{cluster::control_plane::ControlPlane, postgres::TemporaryPostgres};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};
use tonic::transport::Channel;

use crate::objects::Objects;

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);
const MIB: i64 = 1024 * 1024;

/// Where submission keeps its applications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// submission, scheduler-adapter before a recorded YuniKorn, and a proxy before the API server.
pub(crate) struct Installation {
    pub(crate) submission: Program,
    pub(crate) adapter: Program,
    pub(crate) proxy: FaultProxy,
    /// The API server itself, without the proxy.
    pub(crate) objects: Objects,
    environment: Vec<(String, String)>,
    _yunikorn: RecordedYuniKorn,
    _postgres: Option<TemporaryPostgres>,
    _control_plane: Arc<ControlPlane>,
    folder: TempDir,
}

impl Installation {
    pub(crate) async fn start(database: Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// Starts one with further variables for submission.
    pub(crate) async fn start_with(database: Database, more: &[(&str, &str)]) -> Self {
        match database {
            Database::Sqlite => Self::assemble(None, None, more).await,
            Database::Postgres => {
                let postgres = TemporaryPostgres::start().await.unwrap();
                let url = postgres.url();
                Self::assemble(Some(&url), Some(postgres), more).await
            }
        }
    }

    /// Starts one over a database that the test keeps.
    pub(crate) async fn start_over(database_url: &str, more: &[(&str, &str)]) -> Self {
        Self::assemble(Some(database_url), None, more).await
    }

    async fn assemble(
        database_url: Option<&str>,
        postgres: Option<TemporaryPostgres>,
        more: &[(&str, &str)],
    ) -> Self {
        let control_plane = control_plane().await;
        let folder = tempfile::tempdir().unwrap();
        let proxy = FaultProxy::start(&upstream(&control_plane)).await;
        let yunikorn = RecordedYuniKorn::start().await;
        let clusters = format!("local={}", yunikorn.url());
        let environment = [("MOKA_CLUSTERS", clusters.as_str())];
        let mut adapter = Program::new("scheduler-adapter", folder.path(), &environment).await;
        adapter.start().await;
        let database_url = database_url.map_or_else(
            || format!("sqlite:{}", folder.path().join("submission.db").display()),
            str::to_owned,
        );
        let clusters = format!("local={}", proxy.kubeconfig(folder.path()).display());
        let adapter_url = adapter.url();
        let mut environment = vec![
            ("MOKA_CLUSTERS", clusters.as_str()),
            ("MOKA_DATABASE_URL", &database_url),
            ("MOKA_SCHEDULER_ADAPTER_URL", &adapter_url),
            ("MOKA_LEASE_SECONDS", "4"),
            ("MOKA_RECONCILE_SECONDS", "2"),
            ("MOKA_QUEUE_POLL_SECONDS", "1"),
            ("MOKA_DRIVER_APPEARANCE_SECONDS", "2"),
            ("MOKA_SWEEP_SECONDS", "1"),
        ];
        environment.extend(more);
        let mut submission = Program::new("submission", folder.path(), &environment).await;
        submission.start().await;
        Self {
            submission,
            adapter,
            proxy,
            objects: Objects::connect(&control_plane.kubeconfig_path()).await,
            environment: owned(&environment),
            _yunikorn: yunikorn,
            _postgres: postgres,
            _control_plane: control_plane,
            folder,
        }
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// One more process over the same database, with a log of its own. It does not run yet.
    pub(crate) async fn replica(&self, name: &str, more: &[(&str, &str)]) -> Program {
        let folder = self.folder.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let own = self.environment.iter();
        let mut environment: Vec<_> = own.map(|(name, value)| (&**name, &**value)).collect();
        environment.extend(more);
        Program::new("submission", &folder, &environment).await
    }

    /// A client that sets no deadline and repeats nothing.
    pub(crate) async fn client(&self) -> SubmissionServiceClient<Channel> {
        SubmissionServiceClient::connect(self.submission.url())
            .await
            .unwrap()
    }

    /// Submits a small application, as soon as the queues are known.
    pub(crate) async fn submit(&self, key: &str) -> String {
        self.submit_to("root.search", key, 2).await
    }

    pub(crate) async fn submit_to(&self, queue: &str, key: &str, instances: i32) -> String {
        self.send(request(queue, key, instances)).await
    }

    /// Submits a small application that differs in something.
    pub(crate) async fn submit_with(
        &self,
        key: &str,
        change: impl FnOnce(&mut ApplicationSpec),
    ) -> String {
        let mut request = request("root.search", key, 2);
        change(request.spec.as_mut().unwrap());
        self.send(request).await
    }

    async fn send(&self, request: SubmitApplicationRequest) -> String {
        let mut client = self.client().await;
        let begun = Instant::now();
        loop {
            match client.submit_application(request.clone()).await {
                Ok(answer) => return answer.into_inner().application.unwrap().application_id,
                Err(status) if status.code() == tonic::Code::Unavailable => {
                    assert!(begun.elapsed() < PATIENCE, "{status}");
                    sleep(POLL).await;
                }
                Err(status) => panic!("{status}"),
            }
        }
    }

    pub(crate) async fn get(&self, id: &str) -> Application {
        let request = GetApplicationRequest {
            application_id: id.to_owned(),
        };
        let answer = self.client().await.get_application(request).await.unwrap();
        answer.into_inner().application.unwrap()
    }

    /// Submits an application and lets its driver run; its id, and the name of its attempt.
    pub(crate) async fn run(&self, key: &str) -> (String, String) {
        let id = self.submit(key).await;
        let name = format!("{id}-1");
        self.reaches(&id, ApplicationState::Submitted).await;
        self.objects.create_driver(&name).await;
        let running = json!({ "running": { "startedAt": "2026-11-21T01:23:11Z" } });
        self.objects
            .set_driver_status(&name, "Running", running)
            .await;
        self.reaches(&id, ApplicationState::Running).await;
        (id, name)
    }

    /// The states that an application has gone through, the first one first.
    pub(crate) async fn states(&self, id: &str) -> Vec<ApplicationState> {
        let request = ListApplicationEventsRequest {
            application_id: id.to_owned(),
            ..ListApplicationEventsRequest::default()
        };
        let mut client = self.client().await;
        let answer = client.list_application_events(request).await.unwrap();
        let events = answer.into_inner().events;
        events.iter().map(ApplicationEvent::state).collect()
    }

    pub(crate) async fn cancel(&self, id: &str) -> ApplicationState {
        self.cancel_with(id, false).await
    }

    pub(crate) async fn force_cancel(&self, id: &str) -> ApplicationState {
        self.cancel_with(id, true).await
    }

    async fn cancel_with(&self, id: &str, force: bool) -> ApplicationState {
        let request = CancelApplicationRequest {
            application_id: id.to_owned(),
            reason: "a test".to_owned(),
            force,
        };
        let answer = self
            .client()
            .await
            .cancel_application(request)
            .await
            .unwrap();
        answer.into_inner().application.unwrap().state()
    }

    /// Waits until an application has a state.
    pub(crate) async fn reaches(&self, id: &str, state: ApplicationState) -> Application {
        let begun = Instant::now();
        loop {
            let application = self.get(id).await;
            if application.state() == state {
                return application;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{application:?} does not become {state:?}\n{}",
                self.submission.log()
            );
            sleep(POLL).await;
        }
    }

    /// Waits until an application has ended in a state, and gives its exit.
    pub(crate) async fn ends(&self, id: &str, state: ApplicationState) -> Exit {
        let application = self.reaches(id, state).await;
        application.attempts.last().unwrap().exit.clone().unwrap()
    }

    /// Waits until a check of the cluster passes.
    pub(crate) async fn eventually(&self, what: &str, check: impl AsyncFn() -> bool) {
        let passes = async {
            while !check().await {
                sleep(POLL).await;
            }
        };
        let passed = timeout(PATIENCE, passes).await;
        assert!(passed.is_ok(), "not so: {what}\n{}", self.submission.log());
    }
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = environment.iter();
    pairs
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// One control plane for all tests that run at the same time; it goes with the last of them.
pub(crate) async fn control_plane() -> Arc<ControlPlane> {
    static SHARED: Mutex<Weak<ControlPlane>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(running) = shared.upgrade() {
        return running;
    }
    let started = Arc::new(ControlPlane::start().await.unwrap());
    *shared = Arc::downgrade(&started);
    started
}

pub(crate) fn upstream(control_plane: &ControlPlane) -> Upstream {
    let mut identity = std::fs::read(control_plane.client_certificate_path()).unwrap();
    identity.extend(std::fs::read(control_plane.client_key_path()).unwrap());
    Upstream {
        url: control_plane.server_url().to_owned(),
        ca_certificate: std::fs::read(control_plane.ca_certificate_path()).unwrap(),
        identity,
    }
}

pub(crate) fn request(queue: &str, key: &str, instances: i32) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: key.to_owned(),
        try_number: 0,
        display_name: String::new(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "localhost/moka-spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/moka/examples/report.py".to_owned(),
            spark_version: "4.0.1".to_owned(),
            driver: Some(DriverSpec {
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances,
                cpu_request_millicores: 100,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: queue.to_owned(),
            ..ApplicationSpec::default()
        }),
    }
}
