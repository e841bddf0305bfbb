//! What submission tells, and how far it was listened to.

use moka_db::{Connection, Error};
use sqlx::Row as _;

use super::{LogState, SeenAttempt, Store};

impl Store {
    /// Where the watch of submission goes on; `None` asks for a snapshot.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn watch_cursor(&self) -> Result<Option<String>, Error> {
        self.database
            .read("watch_cursor.get", async |mut tx| {
                let row = sqlx::query("SELECT cursor FROM history_submission_watch WHERE id = 1")
                    .fetch_optional(&mut *tx)
                    .await?;
                let cursor = row
                    .map(|row| row.try_get::<String, _>("cursor"))
                    .transpose()?;
                Ok::<_, Error>(cursor.filter(|cursor| !cursor.is_empty()))
            })
            .await
    }

    /// Writes down attempts and, in the same transaction, that everything up to `cursor` was dealt
    /// with. An empty cursor asks for a snapshot next time; `None` leaves it as it is. What is
    /// known from a later version of submission's record stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record_attempts(
        &self,
        attempts: &[SeenAttempt],
        cursor: Option<&str>,
    ) -> Result<(), Error> {
        self.database
            .transaction("attempts.record", async |mut tx| {
                for attempt in attempts {
                    record(&mut tx, attempt).await?;
                }
                if let Some(cursor) = cursor {
                    sqlx::query(
                        "INSERT INTO history_submission_watch (id, cursor) VALUES (1, $1)
                         ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor",
                    )
                    .bind(cursor)
                    .execute(&mut *tx)
                    .await?;
                }
                Ok::<_, Error>(())
            })
            .await
    }
}

async fn record(tx: &mut Connection, attempt: &SeenAttempt) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO history_attempts (application_id, attempt_number, spark_application_id,
            submission_version, ended_at, log_state, log_problem, is_listed, is_completed, is_incomplete,
            start_time, end_time, last_updated, event_count, event_bytes, document)
         VALUES ($1, $2, $3, $4, $5, $6, '', 0, 0, 0, -1, -1, -1, 0, 0, '{}')
         ON CONFLICT (application_id, attempt_number) DO UPDATE SET
            spark_application_id = excluded.spark_application_id,
            submission_version = excluded.submission_version,
            ended_at = excluded.ended_at
         WHERE history_attempts.submission_version < excluded.submission_version",
    )
    .bind(attempt.key.application_id.to_string())
    .bind(i64::from(attempt.key.attempt_number))
    .bind(attempt.spark_application_id.clone())
    .bind(attempt.submission_version)
    .bind(attempt.ended_at)
    .bind(LogState::Waiting.as_str())
    .execute(tx)
    .await?;
    Ok(())
}
