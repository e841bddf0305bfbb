//! What others say of the same application: a real History Server, and the TSDB.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use moka_objects::{ObjectStore as _, S3Credentials, S3Options, S3Store};
use moka_proto::history::v1::{
    ApplicationHistory, GetApplicationRequest, ListJobsRequest, ListStagesRequest, Stage,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{cluster::ClusterInfo, history_server::HistoryServer, mesh::Clients};

const PATIENCE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(500);
const ALL: i32 = 1000;

/// What an index or a History Server says of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Listed as completed.
    pub completed: bool,
    /// Jobs.
    pub jobs: usize,
    /// Stage attempts.
    pub stages: usize,
    /// Task attempts that ended, over all stages.
    pub tasks: i64,
}

/// What history-index says of an application, once it has seen its end.
///
/// # Errors
/// When it does not answer, or does not know the end in a minute.
pub async fn history_index(clients: &Clients, application_id: &str) -> Result<Verdict> {
    let application = indexed(clients, application_id).await?;
    let mut history = clients.history.clone();
    let application_id = application_id.to_owned();
    let jobs = ListJobsRequest {
        application_id: application_id.clone(),
        page_size: ALL,
        ..ListJobsRequest::default()
    };
    let jobs = history.list_jobs(jobs).await?.into_inner().jobs;
    let stages = ListStagesRequest {
        application_id,
        page_size: ALL,
        ..ListStagesRequest::default()
    };
    let stages = history.list_stages(stages).await?.into_inner().stages;
    let tasks = |stage: &Stage| i64::from(stage.completed_tasks) + i64::from(stage.failed_tasks);
    Ok(Verdict {
        completed: application.completed,
        jobs: jobs.len(),
        stages: stages.len(),
        tasks: stages.iter().map(tasks).sum(),
    })
}

async fn indexed(clients: &Clients, application_id: &str) -> Result<ApplicationHistory> {
    let begun = Instant::now();
    loop {
        let request = GetApplicationRequest {
            application_id: application_id.to_owned(),
            attempt_number: 0,
        };
        let answer = clients.history.clone().get_application(request).await;
        match answer.map(|answer| answer.into_inner().application) {
            Ok(Some(application)) if application.completed => return Ok(application),
            Err(status) if status.code() != tonic::Code::NotFound => return Err(status.into()),
            last if begun.elapsed() > PATIENCE => {
                bail!("history-index does not know the end: {last:?}")
            }
            _ => sleep(POLL).await,
        }
    }
}

/// Copies an assembled event log out of the object store and lets a real History Server read it.
///
/// # Errors
/// When the log cannot be read, or the History Server does not list it.
pub async fn history_server(cluster: &ClusterInfo, spark_application_id: &str) -> Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let prefix = format!("eventlogs/eventlog_v2_{spark_application_id}/");
    download(cluster, &prefix, folder.path()).await?;
    let server = HistoryServer::start(&cluster.spark_home, folder.path()).await?;
    let list = |kind: &str| format!("/api/v1/applications/{spark_application_id}/{kind}");
    let application = server
        .get_json(&format!("/api/v1/applications/{spark_application_id}"))
        .await?;
    let jobs = server.get_json(&list("jobs")).await?;
    let stages = server.get_json(&list("stages")).await?;
    let stages = stages.as_array().context("stages are a list")?;
    let count = |stage: &Value, name: &str| stage[name].as_i64().unwrap_or_default();
    Ok(Verdict {
        completed: application["attempts"][0]["completed"] == true,
        jobs: jobs.as_array().context("jobs are a list")?.len(),
        stages: stages.len(),
        tasks: stages
            .iter()
            .map(|stage| count(stage, "numCompleteTasks") + count(stage, "numFailedTasks"))
            .sum(),
    })
}

/// Copies everything below `prefix` into a folder of the same name.
async fn download(cluster: &ClusterInfo, prefix: &str, folder: &Path) -> Result<()> {
    let store = object_store(cluster).await?;
    let mut start_after = None;
    loop {
        let page = store.list(prefix, start_after.as_deref(), 1000).await?;
        for object in &page.objects {
            let content = store
                .get(&object.key)
                .await?
                .context("an object vanished while it was copied")?;
            let file = folder.join(object.key.as_str().trim_start_matches("eventlogs/"));
            tokio::fs::create_dir_all(file.parent().unwrap_or(folder)).await?;
            tokio::fs::write(file, &content.bytes).await?;
        }
        start_after = page.next;
        if start_after.is_none() {
            return Ok(());
        }
    }
}

/// The object store that the local overlay writes to.
async fn object_store(cluster: &ClusterInfo) -> Result<S3Store> {
    let s3 = cluster
        .s3
        .clone()
        .context("this cluster's object store is not known to this tool")?;
    let options = S3Options {
        endpoint: Some(s3.endpoint),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: s3.access_key_id,
            secret_access_key: s3.secret_access_key,
            session_token: None,
        }),
        ..S3Options::new(s3.bucket)
    };
    Ok(S3Store::open(options).await)
}

/// One series of the application in the TSDB.
#[derive(Clone, Debug)]
pub struct Series {
    /// The metric's name.
    pub name: String,
    /// Its last value.
    pub value: String,
    /// How many series carry the application's tag.
    pub count: usize,
}

/// Asks the TSDB for the application's series until there are some.
///
/// # Errors
/// When it does not answer, or knows nothing of the application in a minute.
pub async fn tsdb(cluster: &ClusterInfo, application_id: &str) -> Result<Series> {
    let begun = Instant::now();
    let base = cluster
        .metrics_url
        .as_ref()
        .context("this cluster's TSDB is not known to this tool")?;
    let url = format!("{base}/api/v1/query");
    let query = format!("last_over_time({{application_id=\"{application_id}\"}}[15m])");
    let url = reqwest::Url::parse_with_params(&url, [("query", &query)])?;
    loop {
        let answer: Value = reqwest::get(url.clone()).await?.json().await?;
        let series = answer["data"]["result"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let heap = |series: &&Value| {
            let name = series["metric"]["__name__"].as_str().unwrap_or_default();
            name.ends_with("JVMHeapMemory_Value")
        };
        if let Some(chosen) = series.iter().find(heap).or_else(|| series.first()) {
            return Ok(Series {
                name: chosen["metric"]["__name__"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                value: chosen["value"][1].as_str().unwrap_or_default().to_owned(),
                count: series.len(),
            });
        }
        if begun.elapsed() > PATIENCE {
            bail!("the TSDB has no series with the tag application_id={application_id}");
        }
        sleep(POLL).await;
    }
}
