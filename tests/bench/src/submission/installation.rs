//! submission's own program, optimised, before a scheduler that only knows its queues.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Result, ensure};
use moka_proto::{
    scheduling::v1::{
        GetSchedulingStateRequest, GetSchedulingStateResponse, ListQueuesRequest,
        ListQueuesResponse, PlaceApplicationRequest, PlaceApplicationResponse, Queue,
        scheduling_service_server::{SchedulingService, SchedulingServiceServer},
    },
    submission::v1::{
        ApplicationSpec, ApplicationType, DriverSpec, ExecutorSpec, SubmitApplicationRequest,
        submission_service_client::SubmissionServiceClient,
    },
};
use moka_rpc::{Channel, ClientOptions};
use moka_xtask::postgres::TemporaryPostgres;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, transport};

use crate::programs::{Program, Programs, free_port};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(20);
const MIB: i64 = 1024 * 1024;
const QUEUE: &str = "root.bench";

/// The running program. It ends when this is dropped.
pub(crate) struct Installation {
    program: Program,
    _scheduler: DropGuard,
    _programs: Programs,
}

impl Installation {
    pub(crate) async fn start(postgres: &TemporaryPostgres) -> Result<Self> {
        let (scheduler_url, scheduler) = start_scheduler()?;
        let programs = Programs::beside_this_one()?;
        let environment = [
            ("MOKA_ROLES", "api".to_owned()),
            ("MOKA_DATABASE_URL", postgres.url()),
            ("MOKA_SCHEDULER_ADAPTER_URL", scheduler_url),
        ];
        let installation = Self {
            program: programs.start("submission", &environment).await?,
            _scheduler: scheduler,
            _programs: programs,
        };
        installation.wait_until_it_accepts().await?;
        Ok(installation)
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Result<SubmissionServiceClient<Channel>> {
        let channel = moka_rpc::client::connect(&self.program.url(), &ClientOptions::default())?;
        Ok(SubmissionServiceClient::new(channel))
    }

    async fn wait_until_it_accepts(&self) -> Result<()> {
        let begun = Instant::now();
        loop {
            let answer = self.client()?.submit_application(request("first")).await;
            match answer {
                Ok(_) => return Ok(()),
                Err(status) => ensure!(begun.elapsed() < PATIENCE, "submission refuses: {status}"),
            }
            sleep(POLL).await;
        }
    }
}

/// An application as a workflow would submit it.
pub(crate) fn request(key: &str) -> SubmitApplicationRequest {
    SubmitApplicationRequest {
        project: "team-a".to_owned(),
        idempotency_key: key.to_owned(),
        spec: Some(ApplicationSpec {
            driver: Some(DriverSpec {
                memory_bytes: 1024 * MIB,
                ..DriverSpec::default()
            }),
            executor: Some(ExecutorSpec {
                instances: 8,
                memory_bytes: 4096 * MIB,
                ..ExecutorSpec::default()
            }),
            queue: QUEUE.to_owned(),
            owner: "search-team".to_owned(),
            workflow: "nightly-report".to_owned(),
            run: "2026-11-21".to_owned(),
            ..report()
        }),
        ..SubmitApplicationRequest::default()
    }
}

/// What every application of the benchmarks runs.
pub(crate) fn report() -> ApplicationSpec {
    ApplicationSpec {
        r#type: ApplicationType::Python.into(),
        image: "registry.example/spark:4.0.1".to_owned(),
        main_application_file: "s3a://jobs/nightly/report.py".to_owned(),
        arguments: vec!["--date".to_owned(), "2026-11-21".to_owned()],
        spark_version: "4.0.1".to_owned(),
        ..ApplicationSpec::default()
    }
}

fn start_scheduler() -> Result<(String, DropGuard)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let stop = CancellationToken::new();
    let server = transport::Server::builder()
        .add_service(SchedulingServiceServer::new(Queues))
        .serve_with_shutdown(address, stop.clone().cancelled_owned());
    tokio::task::spawn(server);
    Ok((format!("http://{address}"), stop.drop_guard()))
}

/// A scheduler with one queue that places nothing.
struct Queues;

#[tonic::async_trait]
impl SchedulingService for Queues {
    async fn place_application(
        &self,
        _request: Request<PlaceApplicationRequest>,
    ) -> Result<Response<PlaceApplicationResponse>, Status> {
        Err(Status::unavailable("nothing is placed here"))
    }

    async fn list_queues(
        &self,
        _request: Request<ListQueuesRequest>,
    ) -> Result<Response<ListQueuesResponse>, Status> {
        let queue = Queue {
            path: QUEUE.to_owned(),
            leaf: true,
            ..Queue::default()
        };
        Ok(Response::new(ListQueuesResponse {
            queues: vec![queue],
            ..ListQueuesResponse::default()
        }))
    }

    async fn get_scheduling_state(
        &self,
        _request: Request<GetSchedulingStateRequest>,
    ) -> Result<Response<GetSchedulingStateResponse>, Status> {
        Ok(Response::new(GetSchedulingStateResponse::default()))
    }
}
