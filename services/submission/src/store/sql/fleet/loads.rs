//! How much there is in clusters, and who works on it.

use std::{collections::BTreeMap, time::Duration};

use moka_core::ApplicationId;
use moka_db::Isolation;
use sqlx::AssertSqlSafe;

use crate::{
    domain::{application::Application, state::ApplicationState},
    store::{
        fleet::Result,
        sql::{SqlStore, read, rows},
    },
};

pub(super) async fn by_cluster_and_state(
    store: &SqlStore,
) -> Result<BTreeMap<(String, ApplicationState), u32>> {
    let sql = "SELECT cluster, state, COUNT(*) AS count FROM applications \
               WHERE state IN ('QUEUED', 'LAUNCHING', 'SUBMITTED', 'RUNNING', 'CANCELLING', \
               'RETRY_WAIT') GROUP BY cluster, state";
    store
        .database
        .read("count_by_cluster", async |mut tx| {
            let rows = sqlx::query(sql)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter()
                .map(|row| {
                    let cluster: String = rows::get(row, "cluster")?;
                    let key = (cluster, rows::parse(row, "state")?);
                    Ok((key, rows::number(row, "count")?))
                })
                .collect()
        })
        .await
}

pub(super) async fn hold_launches(
    store: &SqlStore,
    ids: &[ApplicationId],
    holder: &str,
    pause: Duration,
) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let not_before = store.after(pause);
    let sql = format!(
        "UPDATE applications SET launch_holder = NULL, launch_not_before = $1 \
         WHERE launch_holder = $2 AND application_id IN ({})",
        rows::placeholders(3, ids.len())
    );
    store
        .database
        .transaction_at(Isolation::ReadCommitted, "hold_launches", async |mut tx| {
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(not_before)
                .bind(holder);
            for id in ids {
                query = query.bind(id.to_string());
            }
            query
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(())
        })
        .await
}

pub(super) async fn pending_in(
    store: &SqlStore,
    cluster: &str,
    after: Option<ApplicationId>,
    limit: u32,
) -> Result<Vec<Application>> {
    let kind = store.database.kind();
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let sql = format!(
        "SELECT a.application_id FROM applications a JOIN attempts t \
         ON t.application_id = a.application_id \
         WHERE a.state IN ('LAUNCHING', 'SUBMITTED') AND t.cluster = $1 AND t.clean_up = 'LIVE' \
         AND t.start_time IS NULL AND t.ending_category IS NULL AND a.application_id > $2 \
         ORDER BY a.application_id LIMIT {limit}"
    );
    store
        .database
        .read("list_pending_attempts", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(cluster)
                .bind(&after)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let ids = rows
                .iter()
                .map(|row| rows::parse(row, "application_id"))
                .collect::<crate::store::Result<Vec<ApplicationId>>>()?;
            Ok(read::by_ids(&mut tx, kind, &ids).await?)
        })
        .await
}

pub(super) async fn count_workers(store: &SqlStore, holder: &str, lease: Duration) -> Result<u32> {
    let name = format!("worker/{holder}");
    let now = store.now().as_microsecond();
    let until = store.after(lease);
    store
        .database
        .transaction_at(Isolation::ReadCommitted, "count_workers", async |mut tx| {
            let sql = "INSERT INTO leases (name, holder, expire_time) VALUES ($1, $2, $3) \
                       ON CONFLICT (name) DO UPDATE SET expire_time = excluded.expire_time";
            sqlx::query(sql)
                .bind(&name)
                .bind(holder)
                .bind(until)
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let sql = "DELETE FROM leases WHERE name LIKE 'worker/%' AND expire_time <= $1";
            sqlx::query(sql)
                .bind(now)
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let sql = "SELECT COUNT(*) AS count FROM leases WHERE name LIKE 'worker/%'";
            let row = sqlx::query(sql)
                .fetch_one(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(rows::number(&row, "count")?)
        })
        .await
}
