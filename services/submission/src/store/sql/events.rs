//! Events and the audit log.

use std::collections::BTreeMap;

use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind};
use sqlx::AssertSqlSafe;

use super::{
    SqlStore,
    batch::{Batch, Type},
    read,
    rows::{self, EVENT},
};
use crate::{
    domain::{application::Event, state::ApplicationState},
    store::{Change, ChangeFilter, Changes, Result},
};

/// An event and what the audit log says of it, under the event's number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) event: Event,
    pub(super) project: String,
    pub(super) actor: &'static str,
    pub(super) action: &'static str,
}

/// Writes events and their audit rows.
pub(super) async fn insert(
    tx: &mut Connection,
    kind: DatabaseKind,
    entries: &[Entry],
) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    insert_events(tx, kind, entries).await?;
    insert_audit_rows(tx, kind, entries).await
}

async fn insert_events(tx: &mut Connection, kind: DatabaseKind, entries: &[Entry]) -> Result<()> {
    const COLUMNS: &[(&str, Type)] = &[
        ("sequence", Type::BigInt),
        ("application_id", Type::Text),
        ("project", Type::Text),
        ("state", Type::Text),
        ("previous_state", Type::Text),
        ("attempt_number", Type::BigInt),
        ("time", Type::BigInt),
        ("message", Type::Text),
    ];
    let mut batch = Batch::new(kind, COLUMNS);
    for Entry { event, project, .. } in entries {
        batch.push([
            event.sequence.into(),
            (&event.application_id.to_string()).into(),
            project.into(),
            event.state.as_str().into(),
            event.previous_state.map(ApplicationState::as_str).into(),
            event.attempt_number.into(),
            event.time.as_microsecond().into(),
            (&event.message).into(),
        ]);
    }
    insert_batch(tx, "application_events", batch).await
}

async fn insert_audit_rows(
    tx: &mut Connection,
    kind: DatabaseKind,
    entries: &[Entry],
) -> Result<()> {
    const COLUMNS: &[(&str, Type)] = &[
        ("sequence", Type::BigInt),
        ("time", Type::BigInt),
        ("actor", Type::Text),
        ("action", Type::Text),
        ("application_id", Type::Text),
        ("detail", Type::Text),
    ];
    let mut batch = Batch::new(kind, COLUMNS);
    for Entry {
        event,
        actor,
        action,
        ..
    } in entries
    {
        batch.push([
            event.sequence.into(),
            event.time.as_microsecond().into(),
            (*actor).into(),
            (*action).into(),
            (&event.application_id.to_string()).into(),
            (&event.message).into(),
        ]);
    }
    insert_batch(tx, "audit_log", batch).await
}

async fn insert_batch(tx: &mut Connection, table: &'static str, batch: Batch) -> Result<()> {
    let sql = format!(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {source}",
        names = batch.names(),
        source = batch.source(),
    );
    let query = batch.bind(sqlx::query(AssertSqlSafe(sql)));
    query.execute(tx).await.map_err(moka_db::Error::from)?;
    Ok(())
}

pub(super) async fn of_application(
    store: &SqlStore,
    id: ApplicationId,
    after: i64,
    limit: u32,
) -> Result<Vec<Event>> {
    let sql = format!(
        "SELECT {EVENT} FROM application_events WHERE application_id = $1 AND sequence > $2 \
         ORDER BY sequence LIMIT {limit}"
    );
    store
        .database
        .read("list_events", async |mut tx| {
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                .bind(id.to_string())
                .bind(after)
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            rows.iter().map(rows::event).collect()
        })
        .await
}

pub(super) async fn changes(
    store: &SqlStore,
    filter: &ChangeFilter,
    after: i64,
    limit: u32,
) -> Result<Changes> {
    let sql = format!(
        "SELECT {EVENT} FROM application_events WHERE sequence > $1 \
         AND ($2 = '' OR application_id = $2) AND ($3 = '' OR project = $3) \
         ORDER BY sequence LIMIT {limit}"
    );
    let application_id = filter
        .application_id
        .map_or_else(String::new, |id| id.to_string());
    let project = filter.project.clone().unwrap_or_default();
    store
        .database
        .read("read_changes", async |mut tx| {
            let sequence = "SELECT last_sequence, pruned_through FROM event_sequence WHERE id = 1";
            let row = sqlx::query(sequence)
                .fetch_one(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let last = rows::get(&row, "last_sequence")?;
            let pruned_through: i64 = rows::get(&row, "pruned_through")?;
            let rows = sqlx::query(AssertSqlSafe(sql.clone()))
                // What is forgotten may be there until its month goes.
                .bind(after.max(pruned_through))
                .bind(application_id.clone())
                .bind(project.clone())
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let events = rows.iter().map(rows::event).collect::<Result<Vec<_>>>()?;
            let full = events.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
            let through = match events.last() {
                Some(event) if full => event.sequence,
                _ => last,
            };
            let matching = with_applications(&mut tx, store.database.kind(), events).await?;
            Ok(Changes {
                matching,
                through,
                last,
                pruned_through,
            })
        })
        .await
}

async fn with_applications(
    tx: &mut Connection,
    kind: DatabaseKind,
    events: Vec<Event>,
) -> Result<Vec<Change>> {
    let mut ids: Vec<_> = events.iter().map(|event| event.application_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = read::by_ids(tx, kind, &ids).await?;
    let by_id: BTreeMap<_, _> = found.into_iter().map(|one| (one.id, one)).collect();
    let change = |event: Event| {
        let application = by_id.get(&event.application_id)?.clone();
        Some(Change { event, application })
    };
    Ok(events.into_iter().filter_map(change).collect())
}
