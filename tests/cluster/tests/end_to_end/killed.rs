//! A driver is killed by SIGKILL in the middle of a stage: a real History Server, which reads the
//! object store as it does in operation, lists the application as completed, with everything that
//! the driver had written.

use std::{fs, path::Path, time::Duration};

use moka_proto::submission::v1::ApplicationState;
use moka_xtask::{demo::follow, history_server::HistoryServer};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    Mesh, fresh_key,
    node::{entries, eventually, kill, statements},
    submit,
};

const PATIENCE: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(100);
/// Where drivers of the local overlay write their event logs.
const EVENT_LOGS: &str = "/var/lib/moka/events";
/// One job that ends, and one that goes on for minutes.
const STATEMENTS: [&str; 2] = [
    "SELECT count(*) FROM range(0, 1000, 1, 4)",
    "SELECT count(slept) FROM (SELECT reflect('java.lang.Thread', 'sleep', 1000L) AS slept \
     FROM range(0, 400, 1, 400))",
];

#[tokio::test]
async fn history_server_lists_a_killed_driver_with_all_that_it_wrote() {
    let mesh = Mesh::get().await;
    let clients = mesh.clients();
    let store = mesh.cluster.s3.clone().unwrap();
    let request = statements(&mesh.cluster.spark_image, &fresh_key("killed"), &STATEMENTS);
    let id = submit(&clients, request).await;
    let history = HistoryServer::start_on_s3(&mesh.cluster.spark_home, &store, "eventlogs");
    let history = history.await.unwrap();

    let begun = eventually("a task of the second job", async || {
        written(&id).filter(Written::is_in_the_second_job)
    });
    let spark_id = begun.await.spark_id;
    kill(mesh, &format!("{id}-1-driver"), "java").await;
    let killed = Instant::now();
    let ended = async {
        let ended = follow::to_the_end(&clients, &id, |_| {}).await.unwrap();
        (ended, killed.elapsed())
    };
    let listed = async {
        let whole = written(&id).expect("the log stays on its node for a while");
        told(&history, &spark_id, &whole).await;
        let told = killed.elapsed();
        completed(&history, &spark_id).await;
        assert_eq!(shown(&history, &spark_id).await, whole.counts());
        (told, killed.elapsed())
    };
    let ((ended, state), (told, closed)) = tokio::join!(ended, listed);
    assert_eq!(ended.state(), ApplicationState::Failed);
    println!(
        "after the kill: {:.1} s to the state, {:.1} s until the History Server tells all of it, \
         {:.1} s until it counts as completed",
        state.as_secs_f64(),
        told.as_secs_f64(),
        closed.as_secs_f64()
    );
}

/// How many jobs started and succeeded, stages were submitted, and tasks ended.
type Counts = [usize; 4];

/// What the driver's own file on its node tells.
struct Written {
    spark_id: String,
    jobs_started: usize,
    jobs_ended: usize,
    stages_submitted: usize,
    tasks_ended: usize,
}

impl Written {
    /// Of the first job all tasks have ended.
    fn is_in_the_second_job(&self) -> bool {
        self.jobs_started > self.jobs_ended && self.jobs_ended > 0 && self.tasks_ended > 10
    }

    fn counts(&self) -> Counts {
        [
            self.jobs_started,
            self.jobs_ended,
            self.stages_submitted,
            self.tasks_ended,
        ]
    }
}

fn written(id: &str) -> Option<Written> {
    let folder = Path::new(EVENT_LOGS).join(format!("{id}-1"));
    let file = entries(&folder).into_iter().next()?;
    let name = file.file_name()?.to_string_lossy().into_owned();
    let text = String::from_utf8_lossy(&fs::read(&file).ok()?).into_owned();
    // A line without an end is no event.
    let lines = text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let events: Vec<&str> = lines.collect();
    let count = |kind: &str| {
        let beginning = format!("{{\"Event\":\"SparkListener{kind}\"");
        events
            .iter()
            .filter(|event| event.starts_with(&beginning))
            .count()
    };
    Some(Written {
        spark_id: name.trim_end_matches(".inprogress").to_owned(),
        jobs_started: count("JobStart"),
        jobs_ended: count("JobEnd"),
        stages_submitted: count("StageSubmitted"),
        tasks_ended: count("TaskEnd"),
    })
}

/// Waits until the History Server tells all that was written.
async fn told(history: &HistoryServer, spark_id: &str, whole: &Written) {
    let begun = Instant::now();
    loop {
        let shown = shown(history, spark_id).await;
        if shown == whole.counts() {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{shown:?}, not {:?}",
            whole.counts()
        );
        sleep(POLL).await;
    }
}

/// What the History Server tells of the application.
async fn shown(history: &HistoryServer, spark_id: &str) -> Counts {
    let path = format!("/api/v1/applications/{spark_id}");
    let jobs = history.get_json(&format!("{path}/jobs")).await;
    let stages = history.get_json(&format!("{path}/stages")).await;
    // It does not know the application yet.
    let (Ok(jobs), Ok(stages)) = (jobs, stages) else {
        return Counts::default();
    };
    let (jobs, stages) = (list(&jobs), list(&stages));
    let is = |one: &&Value, status: &str| one["status"] == status;
    let succeeded = jobs.iter().filter(|job| is(job, "SUCCEEDED"));
    let never_ran = |stage: &&Value| is(stage, "PENDING") || is(stage, "SKIPPED");
    let submitted = stages.iter().filter(|stage| !never_ran(stage));
    let tasks = stages
        .iter()
        .filter_map(|stage| stage["numCompleteTasks"].as_u64());
    let tasks = usize::try_from(tasks.sum::<u64>()).unwrap();
    [jobs.len(), succeeded.count(), submitted.count(), tasks]
}

/// Waits until the History Server counts the application as completed.
async fn completed(history: &HistoryServer, spark_id: &str) {
    let begun = Instant::now();
    loop {
        let path = format!("/api/v1/applications/{spark_id}");
        let application = history.get_json(&path).await.unwrap();
        if application["attempts"][0]["completed"] == true {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{application}");
        sleep(POLL).await;
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
