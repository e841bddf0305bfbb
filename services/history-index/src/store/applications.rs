//! Looking up attempts.

use moka_core::ApplicationId;
use moka_db::Error;

use super::{AttemptKey, AttemptRecord, LogState, Store};
use crate::domain::model::SparkTime;

/// Which applications to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplicationFilter {
    /// Only those whose completion is this.
    pub is_completed: Option<bool>,
    /// Not those that started before.
    pub start_from: Option<SparkTime>,
    /// Not those that started after.
    pub start_to: Option<SparkTime>,
    /// Not those that ended before.
    pub end_from: Option<SparkTime>,
    /// Not those that ended after.
    pub end_to: Option<SparkTime>,
    /// Not those that have not ended.
    pub without_running: bool,
}

impl Store {
    /// Finds an attempt by our id (number 0 is the last one whose log has been read) or by Spark's.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn find_attempt(
        &self,
        id: &str,
        attempt_number: u32,
    ) -> Result<Option<AttemptRecord>, Error> {
        let column_is_ours = id.parse::<ApplicationId>().is_ok();
        let statement = if column_is_ours {
            "SELECT * FROM history_attempts
             WHERE application_id = $1 AND ($2 = 0 OR attempt_number = $2)
             ORDER BY is_listed DESC, attempt_number DESC LIMIT 1"
        } else {
            "SELECT * FROM history_attempts
             WHERE spark_application_id = $1 AND ($2 = 0 OR attempt_number = $2)
             ORDER BY is_listed DESC, attempt_number DESC, application_id DESC LIMIT 1"
        };
        self.database
            .read("attempt.find", async |mut tx| {
                let row = sqlx::query(statement)
                    .bind(id.to_owned())
                    .bind(i64::from(attempt_number))
                    .fetch_optional(&mut *tx)
                    .await?;
                row.as_ref().map(AttemptRecord::read).transpose()
            })
            .await
    }

    /// A page of attempts whose log is not settled, in the order of their keys. Those that ended
    /// before `ended_from` (microseconds since the epoch) are given up.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn attempts_to_read(
        &self,
        after: Option<AttemptKey>,
        ended_from: i64,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let (id, number) = after.map_or_else(
            || (String::new(), 0),
            |key| (key.application_id.to_string(), key.attempt_number),
        );
        self.database
            .read("attempts.list_to_read", async |mut tx| {
                let rows = sqlx::query(
                    "SELECT * FROM history_attempts
                     WHERE log_state <> $1 AND spark_application_id <> ''
                        AND (ended_at IS NULL OR ended_at >= $2)
                        AND (application_id > $3 OR (application_id = $3 AND attempt_number > $4))
                     ORDER BY application_id, attempt_number LIMIT $5",
                )
                .bind(LogState::Settled.as_str())
                .bind(ended_from)
                .bind(id.clone())
                .bind(i64::from(number))
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await?;
                rows.iter().map(AttemptRecord::read).collect()
            })
            .await
    }

    /// Applications whose log has been read, those that ended last first, then those that run;
    /// after the given end and Spark id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_applications(
        &self,
        filter: ApplicationFilter,
        after: Option<(SparkTime, String)>,
        limit: u32,
    ) -> Result<Vec<AttemptRecord>, Error> {
        let (end, id) = after.unwrap_or((SparkTime(i64::MAX), String::new()));
        let bound = |time: Option<SparkTime>, default: i64| time.map_or(default, |time| time.0);
        self.database
            .read("applications.list", async |mut tx| {
                let rows = sqlx::query(
                    "SELECT * FROM history_attempts
                     WHERE is_listed = 1 AND ($1 < 0 OR is_completed = $1)
                        AND start_time >= $2 AND start_time <= $3
                        AND ((is_completed = 1 AND end_time >= $4 AND end_time <= $5)
                            OR (is_completed = 0 AND $6 = 0))
                        AND (end_time < $7 OR (end_time = $7 AND spark_application_id < $8))
                     ORDER BY end_time DESC, spark_application_id DESC LIMIT $9",
                )
                .bind(filter.is_completed.map_or(-1, i64::from))
                .bind(bound(filter.start_from, i64::MIN))
                .bind(bound(filter.start_to, i64::MAX))
                .bind(bound(filter.end_from, i64::MIN))
                .bind(bound(filter.end_to, i64::MAX))
                .bind(i64::from(filter.without_running))
                .bind(end.0)
                .bind(id.clone())
                .bind(i64::from(limit))
                .fetch_all(&mut *tx)
                .await?;
                rows.iter().map(AttemptRecord::read).collect()
            })
            .await
    }
}
