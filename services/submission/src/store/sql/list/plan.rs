//! How a database would find a page, for the suite that asks it.

use moka_db::DatabaseKind;
use sqlx::AssertSqlSafe;

use super::{WINDOWS, Walk};
use crate::store::{
    ListQuery, Result,
    sql::{SqlStore, rows},
};

/// So that PostgreSQL reads a table of a few rows as it would a large one.
const AS_IF_LARGE: &str = "SELECT set_config('enable_seqscan', 'off', true), \
     set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true)";

/// How the database would find a page: its words, line by line.
pub(in crate::store) async fn plan(store: &SqlStore, query: &ListQuery) -> Result<Vec<String>> {
    let kind = store.database.kind();
    let (explain, column) = match kind {
        DatabaseKind::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
        DatabaseKind::Postgres => ("EXPLAIN", "QUERY PLAN"),
    };
    store
        .database
        .read("explain_list", async |mut tx| {
            if kind == DatabaseKind::Postgres {
                let settings = sqlx::query(AS_IF_LARGE).execute(&mut *tx).await;
                settings.map_err(moka_db::Error::from)?;
            }
            let walk = Walk::new(kind, query);
            let mut lines = Vec::new();
            for (sql, parameters) in [
                walk.window_statement(WINDOWS.0),
                walk.page_statement(query.after.as_ref()),
            ] {
                let sql = AssertSqlSafe(format!("{explain} {sql}"));
                let rows = parameters.bind(sqlx::query(sql)).fetch_all(&mut *tx).await;
                for row in &rows.map_err(moka_db::Error::from)? {
                    lines.push(rows::get(row, column)?);
                }
            }
            Ok(lines)
        })
        .await
}
