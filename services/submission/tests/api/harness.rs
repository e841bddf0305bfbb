//! The API layer alone: a client, a server, a database, and queues as given.

use std::{sync::Arc, time::Duration};

use moka_core::{FieldViolation, PublicError};
use moka_db::{Database, PoolOptions};
use moka_process::ProcessContext;
use moka_proto::submission::v1::{
    ApplicationSpec, ApplicationState, ApplicationType, CancelApplicationRequest, DriverSpec,
    ExecutorSpec, ListApplicationsRequest, SubmitApplicationRequest, SubmitApplicationResponse,
    WatchApplicationsRequest, WatchApplicationsResponse, fleet_service_server::FleetServiceServer,
    project_service_server::ProjectServiceServer, strategy_service_server::StrategyServiceServer,
    submission_service_client::SubmissionServiceClient,
};
use moka_rpc::{
    Channel, ClientOptions, Server, ServerOptions, client::without_deadline, error_of, memory,
};
use moka_submission::{
    SERVICE, api,
    api::{FleetApi, Sources, WatchPace},
    domain::{
        fleet::Fleet, links::LinkSettings, manifest::ManifestSettings, queue_tree::QueueTree,
        rules::ClusterSettings,
    },
    journal::Journal,
    metrics::Metrics,
    store::{SqlStore, Store, fleet::FleetStore},
    workers::LiveAttempts,
};
use tokio::sync::watch;
use tonic::Streaming;

use crate::fakes::{FakeInsight, FakeInspector, FakeScheduler};

pub(crate) const MIB: i64 = 1024 * 1024;

pub(crate) struct Harness {
    pub(crate) client: SubmissionServiceClient<Channel>,
    pub(crate) channel: Channel,
    pub(crate) known_fleet: watch::Sender<Arc<Fleet>>,
    pub(crate) context: ProcessContext,
    pub(crate) queues: watch::Sender<Option<QueueTree>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) fleet: Arc<dyn FleetStore>,
    pub(crate) scheduler: Arc<FakeScheduler>,
    pub(crate) insight: Arc<FakeInsight>,
    pub(crate) inspector: Arc<FakeInspector>,
    _folder: tempfile::TempDir,
}

pub(crate) async fn start() -> Harness {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("submission.db").display());
    let context = ProcessContext::new(SERVICE);
    let database = Database::connect(&url, PoolOptions::default())
        .await
        .unwrap();
    let sql = SqlStore::open(database, Arc::clone(&context.clock), &context.tasks)
        .await
        .unwrap();
    let sql = Arc::new(sql);
    sql.register_cluster("west", &ClusterSettings::default(), "test")
        .await
        .unwrap();
    let store: Arc<dyn Store> = Arc::clone(&sql) as _;
    let tree = QueueTree::new([("root".to_owned(), false), ("root.demo".to_owned(), true)]);
    let (queues, known) = watch::channel(Some(tree));
    let journal = Journal {
        store: Arc::clone(&store),
        metrics: Metrics::default(),
        live: LiveAttempts::default(),
    };
    let pace = WatchPace {
        poll: Duration::from_millis(20),
        heartbeat: Duration::from_millis(100),
    };
    let scheduler = Arc::new(FakeScheduler::default());
    let (insight, inspector) = (
        Arc::new(FakeInsight::default()),
        Arc::new(FakeInspector::default()),
    );
    let sources = Sources {
        scheduler: Arc::clone(&scheduler) as _,
        insight: Arc::clone(&insight) as _,
        manifests: manifests(),
        namespace: "spark-jobs".to_owned(),
        inspector: Arc::clone(&inspector) as _,
        fleet: Arc::clone(&sql) as _,
        known_fleet: watch::channel(Arc::default()).1,
        links: LinkSettings {
            history_server: Some("https://history.example".to_owned()),
            ..LinkSettings::default()
        },
        patience: Duration::from_secs(1),
    };
    let fleet = Arc::new(sql.fleet().await.unwrap());
    let (known_fleet, fleet) = watch::channel(fleet);
    let sources = Sources {
        known_fleet: fleet,
        ..sources
    };
    let fleet_api = FleetApi {
        store: Arc::clone(&sql) as _,
    };
    let service = api(&context, journal, known, sources, pace);
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let server = context
        .metrics(|registry| Server::new(ServerOptions::default(), registry))
        .add_service(service)
        .add_service(FleetServiceServer::new(fleet_api.clone()))
        .add_service(ProjectServiceServer::new(fleet_api.clone()))
        .add_service(StrategyServiceServer::new(fleet_api));
    context.tasks.spawn(
        "grpc",
        server.serve_incoming(incoming, context.stop.clone()),
    );
    Harness {
        client: SubmissionServiceClient::new(channel.clone()),
        channel,
        known_fleet,
        context,
        queues,
        store,
        fleet: sql,
        scheduler,
        insight,
        inspector,
        _folder: folder,
    }
}

fn manifests() -> ManifestSettings {
    ManifestSettings {
        service_account: "spark".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        event_log_host_path: "/var/lib/moka/events".to_owned(),
        exporter: None,
    }
}

pub(crate) fn request(key: &str) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: key.to_owned(),
        try_number: 0,
        display_name: String::new(),
        spec: Some(ApplicationSpec {
            r#type: ApplicationType::Python.into(),
            image: "registry.example/spark:4.0.1".to_owned(),
            main_application_file: "local:///opt/app/report.py".to_owned(),
            spark_version: "4.0.1".to_owned(),
            driver: Some(DriverSpec {
                memory_bytes: 512 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 2,
                memory_bytes: 512 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: "root.demo".to_owned(),
            ..ApplicationSpec::default()
        }),
    }
}

impl Harness {
    pub(crate) async fn submit(
        &self,
        request: SubmitApplicationRequest,
    ) -> Result<SubmitApplicationResponse, PublicError> {
        let answer = self.client.clone().submit_application(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| error_of(&status))
    }

    pub(crate) async fn accepted(&self, key: &str) -> String {
        self.submit(request(key))
            .await
            .unwrap()
            .application
            .unwrap()
            .application_id
    }

    pub(crate) async fn cancel(&self, application_id: &str) -> ApplicationState {
        let request = CancelApplicationRequest {
            application_id: application_id.to_owned(),
            reason: "not needed".to_owned(),
            force: false,
        };
        let answer = self
            .client
            .clone()
            .cancel_application(request)
            .await
            .unwrap();
        answer.into_inner().application.unwrap().state()
    }

    pub(crate) async fn count(&self) -> usize {
        let request = ListApplicationsRequest::default();
        let answer = self
            .client
            .clone()
            .list_applications(request)
            .await
            .unwrap();
        answer.into_inner().applications.len()
    }

    pub(crate) async fn watch(
        &self,
        request: WatchApplicationsRequest,
    ) -> Result<Streaming<WatchApplicationsResponse>, PublicError> {
        let request = without_deadline(request);
        let answer = self.client.clone().watch_applications(request).await;
        answer
            .map(tonic::Response::into_inner)
            .map_err(|status| error_of(&status))
    }
}

pub(crate) fn fields(error: &PublicError) -> Vec<&str> {
    error
        .violations
        .iter()
        .map(|FieldViolation { field, .. }| field.as_str())
        .collect()
}

pub(crate) fn spec(request: &mut SubmitApplicationRequest) -> &mut ApplicationSpec {
    request.spec.as_mut().unwrap()
}
