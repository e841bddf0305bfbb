//! Forgetting what happened long ago.

use jiff::Timestamp;
use moka_db::{Connection, DatabaseKind, Isolation};
use sqlx::AssertSqlSafe;

use super::{
    SqlStore,
    months::{self, Family},
    rows,
};
use crate::store::Result;

/// How many rows one transaction forgets at most.
const ROWS: i64 = 10_000;
/// How many transactions one call makes at most.
const ROUNDS: usize = 100;

/// Forgets events before a time: moves the mark below which there are none to be told, and drops
/// the months that are below it altogether. Returns how many events that were.
pub(super) async fn events(store: &SqlStore, before: Timestamp) -> Result<u64> {
    let kind = store.database.kind();
    let mut forgotten = 0;
    for _ in 0..ROUNDS {
        let round = store
            .database
            .transaction_at(Isolation::ReadCommitted, "prune_events", async |mut tx| {
                let forgotten = move_mark(&mut tx, before).await?;
                if forgotten > 0 {
                    delete_marked(&mut tx, kind).await?;
                }
                Ok::<_, crate::store::Error>(forgotten)
            })
            .await?;
        forgotten += round;
        if round == 0 {
            break;
        }
    }
    if kind == DatabaseKind::Postgres {
        drop_months(store, Family::Events, before).await?;
    }
    Ok(forgotten)
}

/// Forgets audit rows before a time.
pub(super) async fn audit(store: &SqlStore, before: Timestamp) -> Result<()> {
    if store.database.kind() == DatabaseKind::Postgres {
        return drop_months(store, Family::Audit, before).await;
    }
    let sql = format!(
        "DELETE FROM audit_log WHERE time < $1 AND sequence IN \
         (SELECT sequence FROM audit_log ORDER BY sequence LIMIT {ROWS})"
    );
    store
        .database
        .transaction_at(Isolation::ReadCommitted, "prune_audit", async |mut tx| {
            sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(before.as_microsecond())
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(())
        })
        .await
}

/// Times rise with sequence numbers but for clocks that were set back, so what goes is everything
/// up to a number. Looks at the oldest rows only.
async fn move_mark(tx: &mut Connection, before: Timestamp) -> Result<u64> {
    let sql = format!(
        "SELECT count(*) AS count, max(sequence) AS through FROM (SELECT sequence, time \
         FROM application_events WHERE sequence > (SELECT pruned_through FROM event_sequence \
         WHERE id = 1) ORDER BY sequence LIMIT {ROWS}) AS oldest WHERE time < $1"
    );
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(before.as_microsecond())
        .fetch_one(&mut *tx)
        .await
        .map_err(moka_db::Error::from)?;
    let Some(through) = rows::get::<Option<i64>>(&row, "through")? else {
        return Ok(0);
    };
    mark(tx, through).await?;
    Ok(rows::number(&row, "count")?.into())
}

async fn mark(tx: &mut Connection, through: i64) -> Result<()> {
    let sql = "UPDATE event_sequence SET pruned_through = $1 WHERE id = 1 AND pruned_through < $1";
    sqlx::query(sql)
        .bind(through)
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

/// On PostgreSQL rows go with their month; only those that are in none are deleted.
async fn delete_marked(tx: &mut Connection, kind: DatabaseKind) -> Result<()> {
    let sql = match kind {
        DatabaseKind::Sqlite => {
            "DELETE FROM application_events WHERE sequence <= \
             (SELECT pruned_through FROM event_sequence WHERE id = 1)"
        }
        DatabaseKind::Postgres => {
            "DELETE FROM application_events_default WHERE sequence <= \
             (SELECT pruned_through FROM event_sequence WHERE id = 1)"
        }
    };
    sqlx::query(sql)
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

/// Each in a transaction of its own: dropping waits for whoever reads the table.
async fn drop_months(store: &SqlStore, family: Family, before: Timestamp) -> Result<()> {
    let partitions = store
        .database
        .read("list_months", async |mut tx| {
            months::partitions(&mut tx, family).await
        })
        .await?;
    for partition in partitions.iter().filter(|one| one.end <= before) {
        store
            .database
            .transaction_at(Isolation::ReadCommitted, "drop_month", async |mut tx| {
                if family == Family::Events {
                    let sql = format!("SELECT max(sequence) FROM {}", partition.name);
                    let last: Option<i64> = sqlx::query_scalar(AssertSqlSafe(sql))
                        .fetch_one(&mut *tx)
                        .await
                        .map_err(moka_db::Error::from)?;
                    if let Some(last) = last {
                        mark(&mut tx, last).await?;
                    }
                }
                months::drop_partition(&mut tx, partition).await
            })
            .await?;
    }
    Ok(())
}
