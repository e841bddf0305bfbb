//! Leases by name, such as that on a cluster.

use std::time::Duration;

use moka_db::Isolation;

use super::SqlStore;
use crate::store::Result;

pub(super) async fn take(
    store: &SqlStore,
    name: &str,
    holder: &str,
    lease: Duration,
) -> Result<bool> {
    let now = store.now().as_microsecond();
    let until = store.after(lease);
    store
        .database
        .transaction_at(Isolation::ReadCommitted, "take_lease", async |mut tx| {
            let sql = "INSERT INTO leases (name, holder, expire_time) VALUES ($1, $2, $3) \
                       ON CONFLICT (name) DO UPDATE \
                       SET holder = excluded.holder, expire_time = excluded.expire_time \
                       WHERE leases.holder = excluded.holder OR leases.expire_time <= $4";
            let result = sqlx::query(sql)
                .bind(name)
                .bind(holder)
                .bind(until)
                .bind(now)
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(result.rows_affected() > 0)
        })
        .await
}
