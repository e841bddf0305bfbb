//! The queue of applications to launch: a table, leased row by row.

use std::{collections::BTreeMap, time::Duration};

use moka_core::ApplicationId;
use moka_db::Isolation;
use sqlx::AssertSqlSafe;

use super::{SqlStore, read, rows};
use crate::store::{Launchable, Result};

/// Before another attempt begins, the name of the one before it is taken for good: as long as that
/// is not certain, its driver might still appear.
pub(super) async fn lease(
    store: &SqlStore,
    holder: &str,
    lease: Duration,
    limit: u32,
) -> Result<Vec<Launchable>> {
    let now = store.now().as_microsecond();
    let until = store.after(lease);
    let sql = format!(
        "UPDATE applications SET launch_holder = $1, launch_not_before = $2 \
         WHERE application_id IN (SELECT application_id FROM applications \
         WHERE state IN ('QUEUED', 'LAUNCHING', 'RETRY_WAIT') AND launch_not_before <= $3 \
         AND (state <> 'RETRY_WAIT' OR NOT EXISTS (SELECT 1 FROM attempts \
         WHERE attempts.application_id = applications.application_id AND clean_up = 'RELEASE')) \
         ORDER BY application_id LIMIT {limit}{}) RETURNING application_id, launch_failures",
        store.database.kind().skip_locked()
    );
    store
        .database
        .transaction_at(
            Isolation::ReadCommitted,
            "lease_launches",
            async |mut tx| {
                let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                    .bind(holder)
                    .bind(until)
                    .bind(now)
                    .fetch_all(&mut *tx)
                    .await
                    .map_err(moka_db::Error::from)?;
                let leased: BTreeMap<ApplicationId, u32> = rows
                    .iter()
                    .map(|row| {
                        let failures = rows::number(row, "launch_failures")?;
                        Ok((rows::parse(row, "application_id")?, failures))
                    })
                    .collect::<Result<_>>()?;
                let ids: Vec<_> = leased.keys().copied().collect();
                let found = read::by_ids(&mut tx, store.database.kind(), &ids).await?;
                let launchable =
                    |application: crate::domain::application::Application| Launchable {
                        failures: leased.get(&application.id).copied().unwrap_or_default(),
                        application,
                    };
                Ok(found.into_iter().map(launchable).collect())
            },
        )
        .await
}

pub(super) async fn postpone(
    store: &SqlStore,
    id: ApplicationId,
    holder: &str,
    pause: Duration,
) -> Result<()> {
    let not_before = store.after(pause);
    store
        .database
        .transaction_at(
            Isolation::ReadCommitted,
            "postpone_launch",
            async |mut tx| {
                let sql = "UPDATE applications SET launch_holder = NULL, launch_not_before = $3, \
                       launch_failures = launch_failures + 1 \
                       WHERE application_id = $1 AND launch_holder = $2";
                sqlx::query(sql)
                    .bind(id.to_string())
                    .bind(holder)
                    .bind(not_before)
                    .execute(&mut *tx)
                    .await
                    .map_err(moka_db::Error::from)?;
                Ok(())
            },
        )
        .await
}
