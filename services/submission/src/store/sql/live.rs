//! Live attempts, as the lanes of a cluster need them: names and what is noted, page by page.

use jiff::Timestamp;
use moka_core::AttemptName;
use sqlx::{AssertSqlSafe, any::AnyRow};

use super::{
    SqlStore,
    rows::{self, APPLICATION},
};
use crate::{
    domain::{application::Application, noted::Noted},
    store::{LiveAttempt, Result},
};

pub(super) async fn attempts(
    store: &SqlStore,
    cluster: &str,
    after: Option<AttemptName>,
    limit: u32,
) -> Result<Vec<LiveAttempt>> {
    let columns = "application_id, number, uid, spark_application_id, start_time, ending_category";
    let rows = page(
        store,
        "list_live_attempts",
        columns,
        "",
        cluster,
        after,
        limit,
    )
    .await?;
    let live = |row: &AnyRow| {
        Ok(LiveAttempt {
            name: name(row)?,
            noted: Noted {
                uid: rows::get::<Option<String>>(row, "uid")?.map(Into::into),
                has_driver: rows::get::<Option<String>>(row, "spark_application_id")?.is_some(),
                has_started: rows::get::<Option<i64>>(row, "start_time")?.is_some(),
                is_ending: rows::get::<Option<String>>(row, "ending_category")?.is_some(),
            },
        })
    };
    rows.iter().map(live).collect()
}

pub(super) async fn ending(
    store: &SqlStore,
    cluster: &str,
    after: Option<AttemptName>,
    limit: u32,
) -> Result<Vec<AttemptName>> {
    let columns = "application_id, number";
    let condition = "AND ending_category IS NOT NULL";
    let rows = page(
        store,
        "list_endings",
        columns,
        condition,
        cluster,
        after,
        limit,
    )
    .await?;
    rows.iter().map(name).collect()
}

#[expect(
    clippy::too_many_arguments,
    reason = "a statement's parts and its parameters"
)]
async fn page(
    store: &SqlStore,
    name: &'static str,
    columns: &str,
    condition: &str,
    cluster: &str,
    after: Option<AttemptName>,
    limit: u32,
) -> Result<Vec<AnyRow>> {
    let sql = format!(
        "SELECT {columns} FROM attempts WHERE cluster = $1 AND clean_up = 'LIVE' {condition} \
         AND (application_id, number) > ($2, $3) ORDER BY application_id, number LIMIT {limit}"
    );
    // Before every name is the empty one.
    let (id, number) = after.map_or((String::new(), 0), |name| {
        (name.application_id.to_string(), i64::from(name.number))
    });
    store
        .database
        .read(name, async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(cluster)
                .bind(id.clone())
                .bind(number)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok::<_, crate::store::Error>(rows)
        })
        .await
}

fn name(row: &AnyRow) -> Result<AttemptName> {
    let id = rows::parse(row, "application_id")?;
    Ok(AttemptName::new(id, rows::number(row, "number")?))
}

pub(super) async fn overdue(
    store: &SqlStore,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Application>> {
    let sql = format!(
        "SELECT {APPLICATION} FROM applications WHERE deadline_time <= $1 \
         ORDER BY deadline_time LIMIT {limit}"
    );
    let kind = store.database.kind();
    store
        .database
        .read("list_overdue", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(now.as_microsecond())
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows::applications(&mut tx, kind, rows).await
        })
        .await
}
