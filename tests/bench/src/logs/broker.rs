//! log-broker's own program, and submission's, which knows one application that has ended.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use moka_core::{
    ApplicationId, AttemptName,
    clock::{Clock, SystemClock},
    entropy::SystemEntropy,
};
use moka_db::{Database, PoolOptions};
use moka_process::Tasks;
use moka_proto::logs::v1::{
    ContainerSource, LogStreamName, log_service_client::LogServiceClient, log_stream_name::Source,
};
use moka_rpc::{Channel, ClientOptions};
use moka_submission::{
    domain::{
        application::Placement,
        exit::{Exit, ExitCategory},
        lifecycle::Happening,
        resolve::{Rules, resolve},
    },
    store::{SqlStore, Store as _, conformance::submission},
};
use tempfile::TempDir;

use super::store::LogStore;
use crate::programs::{Program, Programs};

const ACTOR: &str = "bench";

/// The running programs. They end when this is dropped.
pub(super) struct Installation {
    pub(super) broker: Program,
    /// The attempt that has ended.
    pub(super) attempt: AttemptName,
    _submission: Program,
    _programs: Programs,
    _folder: TempDir,
}

impl Installation {
    pub(super) async fn start(store: &LogStore) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-bench-")?;
        let database_url = format!("sqlite:{}", folder.path().join("submission.db").display());
        let attempt = ended_attempt(&database_url).await?;
        let programs = Programs::beside_this_one()?;
        let environment = [
            ("MOKA_ROLES", "api".to_owned()),
            ("MOKA_DATABASE_URL", database_url),
        ];
        let submission = programs.start("submission", &environment).await?;
        let mut environment = store.environment();
        environment.push(("MOKA_SUBMISSION_URL", submission.url()));
        // The shortest that it takes: what was put a moment ago has settled then.
        environment.push(("MOKA_SETTLE_SECONDS", "1".to_owned()));
        let broker = programs.start("log-broker", &environment).await?;
        Ok(Self {
            broker,
            attempt,
            _submission: submission,
            _programs: programs,
            _folder: folder,
        })
    }

    /// A client with a connection of its own that waits for large answers.
    pub(super) fn client(&self) -> Result<LogServiceClient<Channel>> {
        let options = ClientOptions {
            default_deadline: Duration::from_mins(10),
            ..ClientOptions::default()
        };
        let channel = moka_rpc::client::connect(&self.broker.url(), &options)?;
        Ok(LogServiceClient::new(channel).max_decoding_message_size(64 << 20))
    }

    /// The driver's log.
    pub(super) fn stream(&self) -> LogStreamName {
        LogStreamName {
            application_id: self.attempt.application_id.to_string(),
            attempt_number: 1,
            source: Some(Source::Container(ContainerSource::default())),
        }
    }
}

/// Writes down an application as submission does that ran once and ended well.
async fn ended_attempt(database_url: &str) -> Result<AttemptName> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let database = Database::connect(database_url, PoolOptions::default()).await?;
    let tasks = Tasks::default();
    let store = SqlStore::open(database, clock, &tasks).await?;
    let id = ApplicationId::mint(&SystemClock, &SystemEntropy);
    let submission = submission("bench", "logs", 0);
    let launch = resolve(&submission.spec, Rules::default())?;
    store.submit(id, &submission).await?;
    let placed = Happening::Placed {
        attempt_number: 1,
        placement: Placement {
            cluster: "bench".to_owned(),
            namespace: "spark-jobs".to_owned(),
            ..Placement::default()
        },
        launch: Box::new(launch),
    };
    let start_time = Timestamp::now();
    let attempt = [
        Happening::Created {
            uid: "uid".to_owned(),
        },
        Happening::DriverStarted { start_time },
        Happening::Ended(Exit::without_container(
            ExitCategory::Success,
            "it ended well",
        )),
    ];
    for (number, happening) in [(None, placed)]
        .into_iter()
        .chain(attempt.map(|one| (Some(1), one)))
    {
        let recorded = store.record(id, number, &happening, ACTOR).await?;
        recorded.context("the application exists")?;
    }
    // Its writer ends with it.
    drop(store);
    tasks.drain(Duration::from_secs(10)).await?;
    Ok(AttemptName::new(id, 1))
}
