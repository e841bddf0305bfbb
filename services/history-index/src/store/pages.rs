//! Pages of jobs, stages and executors, by their keys.

use moka_db::Error;
use sqlx::Row as _;

use super::{AttemptKey, Documents, Store, documents};
use crate::domain::model::{Executor, Job, Stage};

impl Store {
    /// Jobs with greater numbers than `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_jobs(
        &self,
        key: AttemptKey,
        after: Option<i32>,
        limit: u32,
    ) -> Result<Documents<Job>, Error> {
        self.database
            .read("jobs.list", async |mut tx| {
                let rows = sqlx::query(
                    "SELECT document, failure FROM history_jobs
                     WHERE application_id = $1 AND attempt_number = $2 AND job_id > $3
                     ORDER BY job_id LIMIT $4",
                )
                .bind(key.application_id.to_string())
                .bind(i64::from(key.attempt_number))
                .bind(after.map_or(i64::MIN, i64::from))
                .bind(i64::from(limit) + 1)
                .fetch_all(&mut *tx)
                .await?;
                let jobs = rows
                    .iter()
                    .map(|row| documents::job(row.try_get("document")?, row.try_get("failure")?));
                Ok::<_, Error>(Documents::cut(jobs.collect::<Result<_, Error>>()?, limit))
            })
            .await
    }

    /// One job.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_job(&self, key: AttemptKey, job_id: i32) -> Result<Option<Job>, Error> {
        let before = job_id.checked_sub(1);
        let found = self.list_jobs(key, before, 1).await?.items.pop();
        Ok(found.filter(|job| job.job_id == job_id))
    }

    /// Stage attempts after the given one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_stages(
        &self,
        key: AttemptKey,
        after: Option<(i32, i32)>,
        limit: u32,
    ) -> Result<Documents<Stage>, Error> {
        let (stage_id, stage_attempt) = after.map_or((i64::MIN, 0), |(id, attempt)| {
            (i64::from(id), i64::from(attempt))
        });
        self.database
            .read("stages.list", async |mut tx| {
                let rows = sqlx::query(
                    "SELECT document FROM history_stages
                     WHERE application_id = $1 AND attempt_number = $2
                        AND (stage_id > $3 OR (stage_id = $3 AND stage_attempt > $4))
                     ORDER BY stage_id, stage_attempt LIMIT $5",
                )
                .bind(key.application_id.to_string())
                .bind(i64::from(key.attempt_number))
                .bind(stage_id)
                .bind(stage_attempt)
                .bind(i64::from(limit) + 1)
                .fetch_all(&mut *tx)
                .await?;
                let stages = rows
                    .iter()
                    .map(|row| documents::read(row.try_get("document")?));
                Ok::<_, Error>(Documents::cut(stages.collect::<Result<_, Error>>()?, limit))
            })
            .await
    }

    /// Executors and the driver, with names after `after`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_executors(
        &self,
        key: AttemptKey,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Documents<Executor>, Error> {
        let after = after.unwrap_or_default().to_owned();
        self.database
            .read("executors.list", async |mut tx| {
                let rows = sqlx::query(
                    "SELECT document FROM history_executors
                     WHERE application_id = $1 AND attempt_number = $2 AND executor_id > $3
                     ORDER BY executor_id LIMIT $4",
                )
                .bind(key.application_id.to_string())
                .bind(i64::from(key.attempt_number))
                .bind(after.clone())
                .bind(i64::from(limit) + 1)
                .fetch_all(&mut *tx)
                .await?;
                let executors = rows
                    .iter()
                    .map(|row| documents::read(row.try_get("document")?));
                Ok::<_, Error>(Documents::cut(
                    executors.collect::<Result<_, Error>>()?,
                    limit,
                ))
            })
            .await
    }
}
