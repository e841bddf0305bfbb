//! Reading applications.

use std::collections::BTreeMap;

use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind};
use sqlx::AssertSqlSafe;

use super::{
    SqlStore,
    batch::{self, in_list},
    rows::{self, APPLICATION},
};
use crate::{
    domain::{application::Application, state::ApplicationState},
    store::Result,
};

pub(super) async fn get(store: &SqlStore, id: ApplicationId) -> Result<Option<Application>> {
    let sql = rows::select_one("application_id = $1");
    store
        .database
        .query("get_application", async |mut tx| {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(id.to_string());
            let rows = query.fetch_all(&mut *tx).await;
            rows::one_application(&rows.map_err(moka_db::Error::from)?)
        })
        .await
}

pub(super) async fn find(
    store: &SqlStore,
    project: &str,
    key: &str,
    try_number: u32,
) -> Result<Option<Application>> {
    let sql = rows::select_one("project = $1 AND idempotency_key = $2 AND try_number = $3");
    store
        .database
        .query("find_application", async |mut tx| {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(project)
                .bind(key)
                .bind(i64::from(try_number));
            let rows = query.fetch_all(&mut *tx).await;
            rows::one_application(&rows.map_err(moka_db::Error::from)?)
        })
        .await
}

/// Applications by their ids, in the order of the ids.
pub(super) async fn by_ids(
    tx: &mut Connection,
    kind: DatabaseKind,
    ids: &[ApplicationId],
) -> Result<Vec<Application>> {
    select(tx, kind, ids, "").await
}

/// [`by_ids`], locked until the transaction ends. SQLite has one writer at a time anyway.
pub(super) async fn by_ids_for_update(
    tx: &mut Connection,
    kind: DatabaseKind,
    ids: &[ApplicationId],
) -> Result<Vec<Application>> {
    let lock = match kind {
        DatabaseKind::Sqlite => "",
        DatabaseKind::Postgres => " FOR UPDATE",
    };
    select(tx, kind, ids, lock).await
}

async fn select(
    tx: &mut Connection,
    kind: DatabaseKind,
    ids: &[ApplicationId],
    lock: &'static str,
) -> Result<Vec<Application>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let sql = format!(
        "SELECT {APPLICATION} FROM applications WHERE {} ORDER BY application_id{lock}",
        in_list(kind, "application_id", 1)
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(batch::list(kind, ids.iter().map(String::as_str)))
        .fetch_all(&mut *tx)
        .await
        .map_err(moka_db::Error::from)?;
    rows::applications(tx, kind, rows).await
}

pub(super) async fn live_counts(store: &SqlStore) -> Result<BTreeMap<ApplicationState, i64>> {
    store
        .database
        .read("count_live_applications", async |mut tx| {
            let sql = "SELECT state, count(*) AS count FROM applications WHERE state IN ('QUEUED', \
                       'LAUNCHING', 'SUBMITTED', 'RUNNING', 'CANCELLING', 'RETRY_WAIT') \
                       GROUP BY state";
            let rows = sqlx::query(sql)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter()
                .map(|row| Ok((rows::parse(row, "state")?, rows::get(row, "count")?)))
                .collect()
        })
        .await
}
