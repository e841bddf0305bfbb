//! What was read of a log.

use moka_db::{Connection, Error};
use sqlx::Row as _;

use super::{
    AttemptKey, LogState, Store, Summary,
    records::{SummaryDocument, column, document_of},
};
use crate::domain::model::{Executor, Job, SparkTime, Stage};

/// Rows of one transaction, so that none takes long whatever the size of an application.
const BATCH_ROWS: usize = 500;

/// Everything that changed since the last save.
#[derive(Debug, Clone, Copy)]
pub struct LogUpdate<'a> {
    /// How far the log has come.
    pub log_state: LogState,
    /// Why it is refused; empty otherwise.
    pub log_problem: &'a str,
    /// The application as a whole.
    pub summary: &'a Summary,
    /// Jobs that changed.
    pub jobs: &'a [&'a Job],
    /// Stage attempts that changed.
    pub stages: &'a [&'a Stage],
    /// Executors that changed.
    pub executors: &'a [&'a Executor],
    /// The log was not the one that was read before: nothing of the old one stays.
    pub replaces_all: bool,
}

/// What became of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is in the catalogue.
    Done,
    /// Another replica has read further, so nothing was written.
    Behind,
}

impl Store {
    /// Writes an update: rows first, in batches, the summary last. Repeating it, whole or in part,
    /// and by whatever replica, ends in the same rows.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn save(&self, key: AttemptKey, update: &LogUpdate<'_>) -> Result<Saved, Error> {
        let LogUpdate {
            jobs,
            stages,
            executors,
            summary,
            replaces_all,
            ..
        } = *update;
        let event_bytes = column(summary.event_bytes);
        if replaces_all {
            self.database
                .transaction("log.clear", async |mut tx| clear(&mut tx, key).await)
                .await?;
        }
        let rows: Vec<_> = (jobs.iter().map(|job| Row::Job(job)))
            .chain(stages.iter().map(|stage| Row::Stage(stage)))
            .chain(executors.iter().map(|executor| Row::Executor(executor)))
            .collect();
        for batch in rows.chunks(BATCH_ROWS) {
            let saved = self.database.transaction("rows.save", async |mut tx| {
                if is_behind(&mut tx, key, event_bytes).await? {
                    return Ok::<_, Error>(Saved::Behind);
                }
                for row in batch {
                    row.save(&mut tx, key).await?;
                }
                Ok(Saved::Done)
            });
            if saved.await? == Saved::Behind {
                return Ok(Saved::Behind);
            }
        }
        self.database
            .transaction("summary.save", async |mut tx| {
                save_summary(&mut tx, key, update).await
            })
            .await
    }
}

#[derive(Debug, Clone, Copy)]
enum Row<'a> {
    Job(&'a Job),
    Stage(&'a Stage),
    Executor(&'a Executor),
}

impl Row<'_> {
    async fn save(self, tx: &mut Connection, key: AttemptKey) -> Result<(), Error> {
        match self {
            Self::Job(job) => save_job(tx, key, job).await,
            Self::Stage(stage) => save_stage(tx, key, stage).await,
            Self::Executor(executor) => save_executor(tx, key, executor).await,
        }
    }
}

async fn is_behind(tx: &mut Connection, key: AttemptKey, event_bytes: i64) -> Result<bool, Error> {
    let row = sqlx::query(
        "SELECT event_bytes FROM history_attempts WHERE application_id = $1 AND attempt_number = $2",
    )
    .bind(key.application_id.to_string())
    .bind(i64::from(key.attempt_number))
    .fetch_optional(tx)
    .await?;
    let saved: i64 = row.map_or(Ok(0), |row| row.try_get("event_bytes"))?;
    Ok(saved > event_bytes)
}

async fn clear(tx: &mut Connection, key: AttemptKey) -> Result<(), Error> {
    for statement in [
        "DELETE FROM history_jobs WHERE application_id = $1 AND attempt_number = $2",
        "DELETE FROM history_stages WHERE application_id = $1 AND attempt_number = $2",
        "DELETE FROM history_executors WHERE application_id = $1 AND attempt_number = $2",
        "UPDATE history_attempts SET event_bytes = 0 WHERE application_id = $1 AND attempt_number = $2",
    ] {
        sqlx::query(statement)
            .bind(key.application_id.to_string())
            .bind(i64::from(key.attempt_number))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

async fn save_job(tx: &mut Connection, key: AttemptKey, job: &Job) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO history_jobs (application_id, attempt_number, job_id, status, failure, document)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (application_id, attempt_number, job_id) DO UPDATE SET
            status = excluded.status, failure = excluded.failure, document = excluded.document",
    )
    .bind(key.application_id.to_string())
    .bind(i64::from(key.attempt_number))
    .bind(i64::from(job.job_id))
    .bind(document_of(&job.status))
    .bind(job.failure.clone().unwrap_or_default())
    .bind(document_of(job))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_stage(tx: &mut Connection, key: AttemptKey, stage: &Stage) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO history_stages
            (application_id, attempt_number, stage_id, stage_attempt, status, document)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (application_id, attempt_number, stage_id, stage_attempt) DO UPDATE SET
            status = excluded.status, document = excluded.document",
    )
    .bind(key.application_id.to_string())
    .bind(i64::from(key.attempt_number))
    .bind(i64::from(stage.stage_id))
    .bind(i64::from(stage.attempt_id))
    .bind(document_of(&stage.status))
    .bind(document_of(stage))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_executor(
    tx: &mut Connection,
    key: AttemptKey,
    executor: &Executor,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO history_executors
            (application_id, attempt_number, executor_id, is_active, document)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (application_id, attempt_number, executor_id) DO UPDATE SET
            is_active = excluded.is_active, document = excluded.document",
    )
    .bind(key.application_id.to_string())
    .bind(i64::from(key.attempt_number))
    .bind(executor.id.clone())
    .bind(i64::from(executor.is_active))
    .bind(document_of(executor))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_summary(
    tx: &mut Connection,
    key: AttemptKey,
    update: &LogUpdate<'_>,
) -> Result<Saved, Error> {
    let summary = update.summary;
    let application = &summary.application;
    let time = |time: Option<SparkTime>| time.unwrap_or(SparkTime::NEVER).0;
    let written = sqlx::query(
        "UPDATE history_attempts SET log_state = $3, log_problem = $4, is_listed = $5, is_completed = $6,
            is_incomplete = $7, start_time = $8, end_time = $9, last_updated = $10, event_count = $11,
            event_bytes = $12, document = $13
         WHERE application_id = $1 AND attempt_number = $2 AND event_bytes <= $12",
    )
    .bind(key.application_id.to_string())
    .bind(i64::from(key.attempt_number))
    .bind(update.log_state.as_str())
    .bind(update.log_problem.to_owned())
    .bind(i64::from(application.start_time.is_some()))
    .bind(i64::from(summary.is_completed))
    .bind(i64::from(summary.is_incomplete))
    .bind(time(application.start_time))
    .bind(time(application.end_time))
    .bind(time(summary.last_updated))
    .bind(column(summary.event_count))
    .bind(column(summary.event_bytes))
    .bind(document_of(&SummaryDocument::of(application)))
    .execute(tx)
    .await?;
    Ok(if written.rows_affected() == 0 {
        Saved::Behind
    } else {
        Saved::Done
    })
}
