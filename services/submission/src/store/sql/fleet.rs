//! Clusters, projects' rules and strategies.
//!
//! One row holds the fleet's revision. Each write locks it first, so that writes follow one another
//! and each may decide by what it reads.

mod clusters;
mod health;
mod loads;
mod projects;
mod strategies;

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind, Isolation, Tx};

use super::{SqlStore, for_update};
use crate::{
    domain::{
        application::Application,
        fleet::{ClusterHealth, Fleet},
        rules::{
            Cluster, ClusterSettings, ClusterState, Defaults, OverridePolicy, Project, Strategy,
            StrategySettings,
        },
        state::ApplicationState,
    },
    store::fleet::{Error, FleetStore, Result},
};

const REVISION: &str = "SELECT revision FROM fleet_revision WHERE id = 1";

/// Runs a write once every write before it is done.
async fn write<T, F>(
    store: &SqlStore,
    name: &'static str,
    work: impl Fn(Tx) -> F + Send + Sync,
) -> Result<T>
where
    T: Send,
    F: Future<Output = Result<T>> + Send,
{
    let kind = store.database.kind();
    store
        .database
        .transaction_at(Isolation::ReadCommitted, name, async |mut tx| {
            lock(&mut tx, kind).await?;
            work(tx).await
        })
        .await
}

async fn lock(tx: &mut Connection, kind: DatabaseKind) -> Result<i64> {
    let revision: i64 = sqlx::query_scalar(for_update(kind, REVISION))
        .fetch_one(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(revision)
}

/// A change, for the audit log.
struct Change<'a> {
    actor: &'a str,
    action: &'static str,
    resource: &'a str,
    detail: &'a str,
}

/// Notes a change and returns its revision.
async fn note(tx: &mut Connection, time: i64, change: &Change<'_>) -> Result<i64> {
    let raise = "UPDATE fleet_revision SET revision = revision + 1 WHERE id = 1 RETURNING revision";
    let revision: i64 = sqlx::query_scalar(raise)
        .fetch_one(&mut *tx)
        .await
        .map_err(moka_db::Error::from)?;
    let sql = "INSERT INTO fleet_audit_log (revision, time, actor, action, resource, detail) \
               VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(sql)
        .bind(revision)
        .bind(time)
        .bind(change.actor)
        .bind(change.action)
        .bind(change.resource)
        .bind(change.detail)
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(revision)
}

/// Refuses a write on top of something that the caller has not seen.
fn check_revision(expected: i64, found: i64) -> Result<()> {
    if expected == found {
        Ok(())
    } else {
        Err(Error::RevisionConflict(found))
    }
}

async fn fleet(store: &SqlStore) -> Result<Fleet> {
    store
        .database
        .read("read_fleet", async |mut tx| {
            let revision: i64 = sqlx::query_scalar(REVISION)
                .fetch_one(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let clusters = clusters::all(&mut tx).await?;
            let projects = projects::all(&mut tx).await?;
            Ok(Fleet {
                revision,
                clusters: clusters
                    .into_iter()
                    .map(|one| (one.name.clone(), one))
                    .collect(),
                projects: projects
                    .into_iter()
                    .map(|one| (one.name.clone(), one))
                    .collect(),
            })
        })
        .await
}

#[async_trait]
impl FleetStore for SqlStore {
    async fn fleet_revision(&self) -> Result<i64> {
        self.database
            .read("read_fleet_revision", async |mut tx| {
                let revision: i64 = sqlx::query_scalar(REVISION)
                    .fetch_one(&mut *tx)
                    .await
                    .map_err(moka_db::Error::from)?;
                Ok(revision)
            })
            .await
    }

    async fn fleet(&self) -> Result<Fleet> {
        fleet(self).await
    }

    async fn cluster(&self, name: &str) -> Result<Option<Cluster>> {
        clusters::get(self, name).await
    }

    async fn clusters(&self, after: Option<&str>, limit: u32) -> Result<Vec<Cluster>> {
        clusters::list(self, after, limit).await
    }

    async fn register_cluster(
        &self,
        name: &str,
        settings: &ClusterSettings,
        actor: &str,
    ) -> Result<Cluster> {
        clusters::register(self, name, settings, actor).await
    }

    async fn write_cluster(
        &self,
        name: &str,
        settings: &ClusterSettings,
        revision: i64,
        actor: &str,
    ) -> Result<Cluster> {
        clusters::write(self, name, settings, revision, actor).await
    }

    async fn set_cluster_state(
        &self,
        name: &str,
        state: ClusterState,
        reason: &str,
        actor: &str,
    ) -> Result<Cluster> {
        clusters::set_state(self, name, state, reason, actor).await
    }

    async fn note_drained(&self, name: &str, actor: &str) -> Result<()> {
        clusters::note_drained(self, name, actor).await
    }

    async fn remove_cluster(&self, name: &str, actor: &str) -> Result<()> {
        clusters::remove(self, name, actor).await
    }

    async fn healths(&self) -> Result<BTreeMap<String, ClusterHealth>> {
        health::all(self).await
    }

    async fn write_health(&self, name: &str, health: &ClusterHealth) -> Result<()> {
        health::write(self, name, health).await
    }

    async fn loads(&self) -> Result<BTreeMap<(String, ApplicationState), u32>> {
        loads::by_cluster_and_state(self).await
    }

    async fn hold_launches(
        &self,
        ids: &[ApplicationId],
        holder: &str,
        pause: Duration,
    ) -> Result<()> {
        loads::hold_launches(self, ids, holder, pause).await
    }

    async fn pending_in(
        &self,
        cluster: &str,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<Application>> {
        loads::pending_in(self, cluster, after, limit).await
    }

    async fn count_workers(&self, holder: &str, lease: Duration) -> Result<u32> {
        loads::count_workers(self, holder, lease).await
    }

    async fn project(&self, name: &str) -> Result<Option<Project>> {
        projects::get(self, name).await
    }

    async fn projects(&self, after: Option<&str>, limit: u32) -> Result<Vec<Project>> {
        projects::list(self, after, limit).await
    }

    async fn write_project(
        &self,
        name: &str,
        defaults: &Defaults,
        policy: &OverridePolicy,
        revision: i64,
        actor: &str,
    ) -> Result<Project> {
        projects::write(self, name, defaults, policy, revision, actor).await
    }

    async fn delete_project(&self, name: &str, actor: &str) -> Result<()> {
        projects::delete(self, name, actor).await
    }

    async fn strategy(&self, project: &str, workflow: &str) -> Result<Option<Strategy>> {
        strategies::get(self, project, workflow).await
    }

    async fn strategies_of(&self, workflows: &[(String, String)]) -> Result<Vec<Strategy>> {
        strategies::of_workflows(self, workflows).await
    }

    async fn strategies(
        &self,
        project: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<Strategy>> {
        strategies::list(self, project, after, limit).await
    }

    async fn write_strategy(
        &self,
        project: &str,
        workflow: &str,
        settings: &StrategySettings,
        revision: i64,
        actor: &str,
    ) -> Result<Strategy> {
        strategies::write(self, project, workflow, settings, revision, actor).await
    }

    async fn delete_strategy(&self, project: &str, workflow: &str, actor: &str) -> Result<()> {
        strategies::delete(self, project, workflow, actor).await
    }
}
