//! Strategies by workflow.

use moka_db::Connection;
use sqlx::{AssertSqlSafe, any::AnyRow};

use super::{Change, check_revision, note, write as write_in_turn};
use crate::{
    domain::rules::{Strategy, StrategySettings},
    store::{
        fleet::Result,
        sql::{
            SqlStore,
            rows::{self, time},
        },
    },
};

const COLUMNS: &str = "project, workflow, settings, revision, create_time, update_time";

fn strategy(row: &AnyRow) -> Result<Strategy> {
    Ok(Strategy {
        project: rows::get(row, "project")?,
        workflow: rows::get(row, "workflow")?,
        settings: rows::json(row, "settings")?,
        revision: rows::get(row, "revision")?,
        create_time: time(rows::get(row, "create_time")?),
        update_time: time(rows::get(row, "update_time")?),
    })
}

async fn one(tx: &mut Connection, project: &str, workflow: &str) -> Result<Option<Strategy>> {
    let sql = format!("SELECT {COLUMNS} FROM strategies WHERE project = $1 AND workflow = $2");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(project)
        .bind(workflow)
        .fetch_optional(tx)
        .await
        .map_err(moka_db::Error::from)?;
    row.as_ref().map(strategy).transpose()
}

pub(super) async fn get(
    store: &SqlStore,
    project: &str,
    workflow: &str,
) -> Result<Option<Strategy>> {
    store
        .database
        .read("get_strategy", async |mut tx| {
            one(&mut tx, project, workflow).await
        })
        .await
}

pub(super) async fn of_workflows(
    store: &SqlStore,
    workflows: &[(String, String)],
) -> Result<Vec<Strategy>> {
    if workflows.is_empty() {
        return Ok(Vec::new());
    }
    let conditions: Vec<_> = (0..workflows.len())
        .map(|n| format!("(project = ${} AND workflow = ${})", 2 * n + 1, 2 * n + 2))
        .collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM strategies WHERE {}",
        conditions.join(" OR ")
    );
    store
        .database
        .read("list_strategies_of", async |mut tx| {
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()));
            for (project, workflow) in workflows {
                query = query.bind(project).bind(workflow);
            }
            let rows = query
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter().map(strategy).collect()
        })
        .await
}

pub(super) async fn list(
    store: &SqlStore,
    project: Option<&str>,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Result<Vec<Strategy>> {
    let (after_project, after_workflow) = after.unwrap_or_default();
    let only = match project {
        Some(_) => "AND project = $3 ",
        None => "",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM strategies WHERE (project, workflow) > ($1, $2) \
         {only}ORDER BY project, workflow LIMIT {limit}"
    );
    store
        .database
        .read("list_strategies", async |mut tx| {
            let mut query = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(after_project)
                .bind(after_workflow);
            if let Some(project) = project {
                query = query.bind(project);
            }
            let rows = query
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter().map(strategy).collect()
        })
        .await
}

pub(super) async fn write(
    store: &SqlStore,
    project: &str,
    workflow: &str,
    settings: &StrategySettings,
    revision: i64,
    actor: &str,
) -> Result<Strategy> {
    let now = store.now();
    write_in_turn(store, "write_strategy", async |mut tx| {
        let found = one(&mut tx, project, workflow).await?;
        check_revision(revision, found.as_ref().map_or(0, |one| one.revision))?;
        let document = rows::to_json(settings);
        let change = Change {
            actor,
            action: "update_strategy",
            resource: &format!("{project}/{workflow}"),
            detail: &document,
        };
        let revision = note(&mut tx, now.as_microsecond(), &change).await?;
        let sql = "INSERT INTO strategies (project, workflow, settings, revision, create_time, \
                   update_time) VALUES ($1, $2, $3, $4, $5, $5) \
                   ON CONFLICT (project, workflow) DO UPDATE SET settings = excluded.settings, \
                   revision = excluded.revision, update_time = excluded.update_time";
        sqlx::query(sql)
            .bind(project)
            .bind(workflow)
            .bind(&document)
            .bind(revision)
            .bind(now.as_microsecond())
            .execute(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        Ok(Strategy {
            project: project.to_owned(),
            workflow: workflow.to_owned(),
            settings: settings.clone(),
            revision,
            create_time: found.map_or(now, |one| one.create_time),
            update_time: now,
        })
    })
    .await
}

pub(super) async fn delete(
    store: &SqlStore,
    project: &str,
    workflow: &str,
    actor: &str,
) -> Result<()> {
    let now = store.now().as_microsecond();
    write_in_turn(store, "delete_strategy", async |mut tx| {
        let gone = sqlx::query("DELETE FROM strategies WHERE project = $1 AND workflow = $2")
            .bind(project)
            .bind(workflow)
            .execute(&mut *tx)
            .await
            .map_err(moka_db::Error::from)?;
        if gone.rows_affected() > 0 {
            let change = Change {
                actor,
                action: "delete_strategy",
                resource: &format!("{project}/{workflow}"),
                detail: "",
            };
            note(&mut tx, now, &change).await?;
        }
        Ok(())
    })
    .await
}
