//! Projects' rules.

use moka_db::Connection;
use sqlx::{AssertSqlSafe, any::AnyRow};

use super::{Change, check_revision, note, write as write_in_turn};
use crate::{
    domain::rules::{Defaults, OverridePolicy, Project},
    store::{
        fleet::Result,
        sql::{
            SqlStore,
            rows::{self, time},
        },
    },
};

const COLUMNS: &str = "name, defaults, policy, revision, create_time, update_time";

fn project(row: &AnyRow) -> Result<Project> {
    Ok(Project {
        name: rows::get(row, "name")?,
        defaults: rows::json(row, "defaults")?,
        policy: rows::json(row, "policy")?,
        revision: rows::get(row, "revision")?,
        create_time: time(rows::get(row, "create_time")?),
        update_time: time(rows::get(row, "update_time")?),
    })
}

pub(super) async fn all(tx: &mut Connection) -> Result<Vec<Project>> {
    let sql = format!("SELECT {COLUMNS} FROM projects ORDER BY name");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .fetch_all(tx)
        .await
        .map_err(moka_db::Error::from)?;
    rows.iter().map(project).collect()
}

async fn one(tx: &mut Connection, name: &str) -> Result<Option<Project>> {
    let sql = format!("SELECT {COLUMNS} FROM projects WHERE name = $1");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(name)
        .fetch_optional(tx)
        .await
        .map_err(moka_db::Error::from)?;
    row.as_ref().map(project).transpose()
}

pub(super) async fn get(store: &SqlStore, name: &str) -> Result<Option<Project>> {
    store
        .database
        .read("get_project", async |mut tx| one(&mut tx, name).await)
        .await
}

pub(super) async fn list(
    store: &SqlStore,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Project>> {
    let sql = format!("SELECT {COLUMNS} FROM projects WHERE name > $1 ORDER BY name LIMIT {limit}");
    store
        .database
        .read("list_projects", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(after.unwrap_or_default())
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter().map(project).collect()
        })
        .await
}

pub(super) async fn write(
    store: &SqlStore,
    name: &str,
    defaults: &Defaults,
    policy: &OverridePolicy,
    revision: i64,
    actor: &str,
) -> Result<Project> {
    let now = store.now();
    write_in_turn(store, "write_project", async |mut tx| {
        let found = one(&mut tx, name).await?;
        check_revision(revision, found.as_ref().map_or(0, |one| one.revision))?;
        let (defaults_document, policy_document) = (rows::to_json(defaults), rows::to_json(policy));
        let change = Change {
            actor,
            action: "update_project",
            resource: name,
            detail: &format!(r#"{{"defaults":{defaults_document},"policy":{policy_document}}}"#),
        };
        let revision = note(&mut tx, now.as_microsecond(), &change).await?;
        let sql = "INSERT INTO projects (name, defaults, policy, revision, create_time, \
                   update_time) VALUES ($1, $2, $3, $4, $5, $5) \
                   ON CONFLICT (name) DO UPDATE SET defaults = excluded.defaults, \
                   policy = excluded.policy, revision = excluded.revision, \
                   update_time = excluded.update_time";
        sqlx::query(sql)
            .bind(name)
            .bind(&defaults_document)
            .bind(&policy_document)
            .bind(revision)
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        Ok(Project {
            name: name.to_owned(),
            defaults: defaults.clone(),
            policy: policy.clone(),
            revision,
            create_time: found.map_or(now, |one| one.create_time),
            update_time: now,
        })
    })
    .await
}

pub(super) async fn delete(store: &SqlStore, name: &str, actor: &str) -> Result<()> {
    let now = store.now().as_microsecond();
    write_in_turn(store, "delete_project", async |mut tx| {
        let gone = sqlx::query("DELETE FROM projects WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        if gone.rows_affected() > 0 {
            let change = Change {
                actor,
                action: "delete_project",
                resource: name,
                detail: "",
            };
            note(&mut tx, now, &change).await?;
        }
        Ok(())
    })
    .await
}
