//! What workers see of clusters: overwritten every few seconds, so neither counted as a change of
//! the fleet nor audited.

use std::collections::BTreeMap;

use moka_db::Isolation;

use crate::{
    domain::fleet::ClusterHealth,
    store::{
        fleet::Result,
        sql::{SqlStore, rows},
    },
};

pub(super) async fn all(store: &SqlStore) -> Result<BTreeMap<String, ClusterHealth>> {
    store
        .database
        .read("read_cluster_health", async |mut tx| {
            let rows = sqlx::query("SELECT name, health FROM cluster_health")
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter()
                .map(|row| Ok((rows::get(row, "name")?, rows::json(row, "health")?)))
                .collect()
        })
        .await
}

pub(super) async fn write(store: &SqlStore, name: &str, health: &ClusterHealth) -> Result<()> {
    let document = rows::to_json(health);
    store
        .database
        .transaction_at(
            Isolation::ReadCommitted,
            "write_cluster_health",
            async |mut tx| {
                let sql = "INSERT INTO cluster_health (name, health) \
                           SELECT name, $2 FROM clusters WHERE name = $1 \
                           ON CONFLICT (name) DO UPDATE SET health = excluded.health";
                sqlx::query(sql)
                    .bind(name)
                    .bind(&document)
                    .execute(&mut *tx)
                    .await
                    .map_err(moka_db::Error::from)?;
                Ok(())
            },
        )
        .await
}
