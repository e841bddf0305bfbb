//! What final attempts left in their clusters.

use std::{collections::BTreeMap, time::Duration};

use moka_core::ApplicationId;
use moka_db::Isolation;
use sqlx::AssertSqlSafe;

use super::{SqlStore, read, rows};
use crate::store::{CleanUp, CleanUpStage, Result};

pub(super) async fn due(store: &SqlStore, cluster: &str, limit: u32) -> Result<Vec<CleanUp>> {
    let now = store.now().as_microsecond();
    let sql = format!(
        "SELECT application_id, number, clean_up FROM attempts WHERE cluster = $1 \
         AND clean_up IN ('RELEASE', 'RETAIN') AND clean_up_not_before <= $2 \
         ORDER BY clean_up_not_before LIMIT {limit}"
    );
    store
        .database
        .read("list_clean_ups", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(cluster)
                .bind(now)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let mut ids = rows
                .iter()
                .map(|row| rows::parse(row, "application_id"))
                .collect::<Result<Vec<ApplicationId>>>()?;
            ids.sort_unstable();
            ids.dedup();
            let found = read::by_ids(&mut tx, store.database.kind(), &ids).await?;
            let by_id: BTreeMap<_, _> = found.into_iter().map(|one| (one.id, one)).collect();
            let mut due = Vec::with_capacity(rows.len());
            for row in &rows {
                let id: ApplicationId = rows::parse(row, "application_id")?;
                let Some(application) = by_id.get(&id) else {
                    continue;
                };
                let stage: String = rows::get(row, "clean_up")?;
                due.push(CleanUp {
                    application: application.clone(),
                    attempt_number: rows::number(row, "number")?,
                    stage: if stage == CleanUpStage::Release.as_str() {
                        CleanUpStage::Release
                    } else {
                        CleanUpStage::Retain
                    },
                });
            }
            Ok(due)
        })
        .await
}

pub(super) async fn set(
    store: &SqlStore,
    id: ApplicationId,
    attempt_number: u32,
    stage: CleanUpStage,
    pause: Duration,
) -> Result<()> {
    let not_before = store.after(pause);
    store
        .database
        .transaction_at(Isolation::ReadCommitted, "set_clean_up", async |mut tx| {
            let sql = "UPDATE attempts SET clean_up = $3, clean_up_not_before = $4 \
                       WHERE application_id = $1 AND number = $2 AND clean_up <> 'LIVE'";
            sqlx::query(sql)
                .bind(id.to_string())
                .bind(i64::from(attempt_number))
                .bind(stage.as_str())
                .bind(not_before)
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(())
        })
        .await
}
