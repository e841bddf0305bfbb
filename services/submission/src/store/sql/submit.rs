//! Accepting an application.

use moka_core::ApplicationId;
use moka_db::{Connection, Isolation};

use super::{SqlStore, events, for_update, next_sequence, rows};
use crate::{
    domain::{
        application::{Application, Event},
        state::ApplicationState,
        submission::Submission,
        tries::{self, Decision, Sibling},
    },
    store::{Error, Result, Submitted},
};

pub(super) async fn submit(
    store: &SqlStore,
    id: ApplicationId,
    submission: &Submission,
) -> Result<Submitted> {
    let kind = store.database.kind();
    let now = store.now();
    let submitted = store
        .database
        .transaction_at(Isolation::ReadCommitted, "submit", async |mut tx| {
            // Submissions follow one another: two tries of one key that come at the same time
            // must see each other.
            let lock = for_update(
                kind,
                "SELECT last_sequence FROM event_sequence WHERE id = 1",
            );
            sqlx::query(lock)
                .fetch_one(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let siblings = siblings(&mut tx, submission).await?;
            let predecessor = match tries::decide(&siblings, submission.try_number) {
                Decision::New { predecessor } => predecessor,
                Decision::PredecessorLive(id) => return Err(Error::PredecessorLive(id)),
                Decision::Overtaken { highest } => return Err(Error::Overtaken { highest }),
                Decision::Existing(id) => {
                    let application = super::read::by_id(&mut tx, id).await?;
                    return Ok(Submitted {
                        application: application.ok_or(moka_db::Error::NotFound)?,
                        created: false,
                    });
                }
            };
            let application = Application {
                id,
                submission: submission.clone(),
                predecessor,
                state: ApplicationState::Queued,
                attempts: Vec::new(),
                create_time: now,
                update_time: now,
                end_time: None,
                version: next_sequence(&mut tx).await?,
                next_attempt_time: None,
            };
            insert(&mut tx, &application).await?;
            let event = Event {
                sequence: application.version,
                application_id: id,
                state: application.state,
                previous_state: None,
                attempt_number: 0,
                time: now,
                message: "accepted".to_owned(),
            };
            events::insert(&mut tx, &submission.project, &event, "api", "submit").await?;
            Ok(Submitted {
                application,
                created: true,
            })
        })
        .await?;
    store.wrote(submitted.application.version);
    Ok(submitted)
}

pub(super) async fn find(
    store: &SqlStore,
    project: &str,
    key: &str,
    try_number: u32,
) -> Result<Option<Application>> {
    store
        .database
        .read("find_application", async |mut tx| {
            let sql = "SELECT application_id, submission, predecessor_id, state, create_time, \
                       update_time, end_time, version, next_attempt_time FROM applications \
                       WHERE project = $1 AND idempotency_key = $2 AND try_number = $3";
            let rows = sqlx::query(sql)
                .bind(project)
                .bind(key)
                .bind(i64::from(try_number))
                .fetch_all(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            Ok(rows::applications(&mut tx, rows).await?.pop())
        })
        .await
}

async fn siblings(tx: &mut Connection, submission: &Submission) -> Result<Vec<Sibling>> {
    let sql = "SELECT application_id, try_number, state FROM applications \
               WHERE project = $1 AND idempotency_key = $2";
    let rows = sqlx::query(sql)
        .bind(&submission.project)
        .bind(&submission.idempotency_key)
        .fetch_all(tx)
        .await
        .map_err(moka_db::Error::from)?;
    let sibling = |row| {
        Ok(Sibling {
            id: rows::parse(row, "application_id")?,
            try_number: rows::number(row, "try_number")?,
            state: rows::parse(row, "state")?,
        })
    };
    rows.iter().map(sibling).collect()
}

async fn insert(tx: &mut Connection, application: &Application) -> Result<()> {
    let Application {
        id,
        submission,
        predecessor,
        state,
        create_time,
        version,
        ..
    } = application;
    let sql = "INSERT INTO applications (application_id, project, idempotency_key, try_number, \
               submission, predecessor_id, state, create_time, update_time, version, \
               deadline_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10)";
    sqlx::query(sql)
        .bind(id.to_string())
        .bind(&submission.project)
        .bind(&submission.idempotency_key)
        .bind(i64::from(submission.try_number))
        .bind(rows::to_json(submission))
        .bind(predecessor.map(|id| id.to_string()))
        .bind(state.as_str())
        .bind(create_time.as_microsecond())
        .bind(version)
        .bind(super::record::deadline_time(application))
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}
