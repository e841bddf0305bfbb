//! Clusters.

use moka_db::Connection;
use sqlx::{AssertSqlSafe, any::AnyRow};

use super::{Change, check_revision, note, write as write_in_turn};
use crate::{
    domain::rules::{Cluster, ClusterSettings, ClusterState},
    store::{
        fleet::{Error, Result},
        sql::{
            SqlStore,
            rows::{self, time},
        },
    },
};

const COLUMNS: &str = "name, state, settings, revision, create_time, update_time";

fn cluster(row: &AnyRow) -> Result<Cluster> {
    Ok(Cluster {
        name: rows::get(row, "name")?,
        state: rows::parse(row, "state")?,
        settings: rows::json(row, "settings")?,
        revision: rows::get(row, "revision")?,
        create_time: time(rows::get(row, "create_time")?),
        update_time: time(rows::get(row, "update_time")?),
    })
}

pub(super) async fn all(tx: &mut Connection) -> Result<Vec<Cluster>> {
    let sql = format!("SELECT {COLUMNS} FROM clusters ORDER BY name");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(tx)
        .await
        .map_err(moka_db::Error::from)?;
    rows.iter().map(cluster).collect()
}

async fn one(tx: &mut Connection, name: &str) -> Result<Option<Cluster>> {
    let sql = format!("SELECT {COLUMNS} FROM clusters WHERE name = $1");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(name)
        .fetch_optional(tx)
        .await
        .map_err(moka_db::Error::from)?;
    row.as_ref().map(cluster).transpose()
}

async fn existing(tx: &mut Connection, name: &str) -> Result<Cluster> {
    let found = one(tx, name).await?;
    found.ok_or_else(|| Error::ClusterNotFound(name.to_owned()))
}

pub(super) async fn get(store: &SqlStore, name: &str) -> Result<Option<Cluster>> {
    store
        .database
        .read("get_cluster", async |mut tx| one(&mut tx, name).await)
        .await
}

pub(super) async fn list(
    store: &SqlStore,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Cluster>> {
    let sql = format!("SELECT {COLUMNS} FROM clusters WHERE name > $1 ORDER BY name LIMIT {limit}");
    store
        .database
        .read("list_clusters", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(after.unwrap_or_default())
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter().map(cluster).collect()
        })
        .await
}

pub(super) async fn register(
    store: &SqlStore,
    name: &str,
    settings: &ClusterSettings,
    actor: &str,
) -> Result<Cluster> {
    let now = store.now();
    write_in_turn(store, "register_cluster", async |mut tx| {
        if let Some(found) = one(&mut tx, name).await? {
            return Ok(found);
        }
        let document = rows::to_json(settings);
        let change = Change {
            actor,
            action: "register_cluster",
            resource: name,
            detail: &document,
        };
        let revision = note(&mut tx, now.as_microsecond(), &change).await?;
        let sql = "INSERT INTO clusters (name, state, settings, revision, create_time, \
                   update_time) VALUES ($1, $2, $3, $4, $5, $5)";
        sqlx::query(sql)
            .bind(name)
            .bind(ClusterState::Active.as_str())
            .bind(&document)
            .bind(revision)
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        Ok(Cluster {
            name: name.to_owned(),
            state: ClusterState::Active,
            settings: settings.clone(),
            revision,
            create_time: now,
            update_time: now,
        })
    })
    .await
}

pub(super) async fn write(
    store: &SqlStore,
    name: &str,
    settings: &ClusterSettings,
    revision: i64,
    actor: &str,
) -> Result<Cluster> {
    write_in_turn(store, "write_cluster", async |mut tx| {
        let mut cluster = existing(&mut tx, name).await?;
        check_revision(revision, cluster.revision)?;
        // What is watched is one namespace, so nothing may be left in another.
        if settings.namespace != cluster.settings.namespace {
            check_empty(&mut tx, name, "has applications in its namespace").await?;
        }
        cluster.settings = settings.clone();
        let document = rows::to_json(settings);
        let change = Change {
            actor,
            action: "update_cluster",
            resource: name,
            detail: &document,
        };
        save(store, &mut tx, &mut cluster, &change).await?;
        Ok(cluster)
    })
    .await
}

pub(super) async fn set_state(
    store: &SqlStore,
    name: &str,
    state: ClusterState,
    reason: &str,
    actor: &str,
) -> Result<Cluster> {
    write_in_turn(store, "set_cluster_state", async |mut tx| {
        let mut cluster = existing(&mut tx, name).await?;
        match state {
            ClusterState::Active => {
                turn(store, &mut tx, &mut cluster, state, reason, actor).await?;
            }
            ClusterState::Draining | ClusterState::Drained => {
                let state = drained_or_not(&mut tx, name).await?;
                turn(store, &mut tx, &mut cluster, state, reason, actor).await?;
            }
        }
        Ok(cluster)
    })
    .await
}

pub(super) async fn note_drained(store: &SqlStore, name: &str, actor: &str) -> Result<()> {
    write_in_turn(store, "note_drained", async |mut tx| {
        let mut cluster = existing(&mut tx, name).await?;
        if cluster.state != ClusterState::Active {
            let state = drained_or_not(&mut tx, name).await?;
            turn(store, &mut tx, &mut cluster, state, "", actor).await?;
        }
        Ok(())
    })
    .await
}

async fn drained_or_not(tx: &mut Connection, name: &str) -> Result<ClusterState> {
    Ok(if lives(tx, name).await? {
        ClusterState::Draining
    } else {
        ClusterState::Drained
    })
}

async fn turn(
    store: &SqlStore,
    tx: &mut Connection,
    cluster: &mut Cluster,
    state: ClusterState,
    reason: &str,
    actor: &str,
) -> Result<()> {
    if state == cluster.state {
        return Ok(());
    }
    cluster.state = state;
    let name = cluster.name.clone();
    let change = Change {
        actor,
        action: match state {
            ClusterState::Active => "resume_cluster",
            ClusterState::Draining => "drain_cluster",
            ClusterState::Drained => "note_drained",
        },
        resource: &name,
        detail: reason,
    };
    save(store, tx, cluster, &change).await
}

pub(super) async fn remove(store: &SqlStore, name: &str, actor: &str) -> Result<()> {
    let now = store.now().as_microsecond();
    write_in_turn(store, "remove_cluster", async |mut tx| {
        let cluster = existing(&mut tx, name).await?;
        if cluster.state == ClusterState::Active {
            return Err(Error::ClusterNotEmpty {
                name: name.to_owned(),
                problem: "takes new attempts: drain it first".to_owned(),
            });
        }
        check_empty(
            &mut tx,
            name,
            "has attempts whose objects or tombstones are still there",
        )
        .await?;
        let change = Change {
            actor,
            action: "remove_cluster",
            resource: name,
            detail: "",
        };
        note(&mut tx, now, &change).await?;
        for sql in [
            "DELETE FROM clusters WHERE name = $1",
            "DELETE FROM cluster_health WHERE name = $1",
        ] {
            sqlx::query(sql)
                .bind(name)
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
        }
        Ok(())
    })
    .await
}

/// Writes what changed, with the change's revision.
async fn save(
    store: &SqlStore,
    tx: &mut Connection,
    cluster: &mut Cluster,
    change: &Change<'_>,
) -> Result<()> {
    cluster.update_time = store.now();
    let now = cluster.update_time.as_microsecond();
    cluster.revision = note(tx, now, change).await?;
    let sql = "UPDATE clusters SET state = $2, settings = $3, revision = $4, update_time = $5 \
               WHERE name = $1";
    sqlx::query(sql)
        .bind(&cluster.name)
        .bind(cluster.state.as_str())
        .bind(rows::to_json(&cluster.settings))
        .bind(cluster.revision)
        .bind(now)
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

async fn lives(tx: &mut Connection, name: &str) -> Result<bool> {
    is_there(
        tx,
        "SELECT 1 AS one FROM attempts WHERE cluster = $1 AND clean_up = 'LIVE' LIMIT 1",
        name,
    )
    .await
}

async fn check_empty(tx: &mut Connection, name: &str, problem: &str) -> Result<()> {
    let sql = "SELECT 1 AS one FROM attempts WHERE cluster = $1 AND clean_up <> 'DONE' LIMIT 1";
    if is_there(tx, sql, name).await? {
        return Err(Error::ClusterNotEmpty {
            name: name.to_owned(),
            problem: problem.to_owned(),
        });
    }
    Ok(())
}

async fn is_there(tx: &mut Connection, sql: &'static str, name: &str) -> Result<bool> {
    let row = sqlx::query(sql)
        .bind(name)
        .fetch_optional(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(row.is_some())
}
