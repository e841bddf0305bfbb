//! Transitions: row, event and audit row in one transaction.

use moka_core::ApplicationId;
use moka_db::{Connection, Isolation};

use super::{SqlStore, events, for_update, next_sequence, read, rows};
use crate::{
    domain::{
        application::{Application, Attempt, Event},
        deadline,
        lifecycle::{Effect, Happening, apply_to},
        state::ApplicationState,
    },
    store::{Recorded, Result},
};

pub(super) async fn record(
    store: &SqlStore,
    id: ApplicationId,
    attempt_number: Option<u32>,
    happening: &Happening,
    actor: &'static str,
) -> Result<Option<Recorded>> {
    let kind = store.database.kind();
    let now = store.now();
    let name = name_of(happening);
    let recorded = store
        .database
        .transaction_at(Isolation::ReadCommitted, name, async |mut tx| {
            let lock = "SELECT application_id FROM applications WHERE application_id = $1";
            sqlx::query(for_update(kind, lock))
                .bind(id.to_string())
                .fetch_optional(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
            let Some(mut application) = read::by_id(&mut tx, id).await? else {
                return Ok(None);
            };
            let effect = apply_to(&mut application, attempt_number, happening, now);
            let changed_from = match effect {
                Effect::Nothing => None,
                Effect::Noted => {
                    write_attempt(&mut tx, &application).await?;
                    write_deadline(&mut tx, &application).await?;
                    None
                }
                Effect::Changed {
                    previous_state,
                    message,
                } => {
                    write_attempt(&mut tx, &application).await?;
                    if application.state.is_final()
                        || application.state == ApplicationState::RetryWait
                    {
                        begin_clean_up(&mut tx, id).await?;
                    }
                    application.version = next_sequence(&mut tx).await?;
                    write_application(&mut tx, &application).await?;
                    let event = Event {
                        sequence: application.version,
                        application_id: id,
                        state: application.state,
                        previous_state: Some(previous_state),
                        attempt_number: application.attempt().map_or(0, |one| one.number),
                        time: now,
                        message,
                    };
                    let project = &application.submission.project;
                    events::insert(&mut tx, project, &event, actor, name).await?;
                    Some(previous_state)
                }
            };
            Ok::<_, crate::store::Error>(Some(Recorded {
                application,
                changed_from,
            }))
        })
        .await?;
    if let Some(recorded) = &recorded
        && recorded.changed_from.is_some()
    {
        store.wrote(recorded.application.version);
    }
    Ok(recorded)
}

fn name_of(happening: &Happening) -> &'static str {
    match happening {
        Happening::Placed { .. } => "record_placement",
        Happening::Refused(_) => "record_refusal",
        Happening::Created { .. } => "record_creation",
        Happening::DriverSeen { .. } => "record_driver",
        Happening::DriverStarted { .. } => "record_start",
        Happening::Ending(_) => "record_ending",
        Happening::Ended(_) => "record_exit",
        Happening::CancelRequested { .. } => "request_cancel",
        Happening::DeadlinePassed { .. } => "record_deadline",
    }
}

async fn write_application(tx: &mut Connection, application: &Application) -> Result<()> {
    let (cluster, queue) = application.attempt().map_or(("", ""), |attempt| {
        let placement = &attempt.placement;
        (placement.cluster.as_str(), placement.queue.as_str())
    });
    let sql = "UPDATE applications SET state = $2, update_time = $3, end_time = $4, version = $5, \
               next_attempt_time = $6, launch_not_before = COALESCE($6, launch_not_before), \
               cluster = $7, queue = $8, deadline_time = $9 WHERE application_id = $1";
    sqlx::query(sql)
        .bind(application.id.to_string())
        .bind(application.state.as_str())
        .bind(application.update_time.as_microsecond())
        .bind(application.end_time.map(jiff::Timestamp::as_microsecond))
        .bind(application.version)
        .bind(
            application
                .next_attempt_time
                .map(jiff::Timestamp::as_microsecond),
        )
        .bind(cluster)
        .bind(queue)
        .bind(deadline_time(application))
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

/// What is noted of an attempt may change which deadline is the next.
async fn write_deadline(tx: &mut Connection, application: &Application) -> Result<()> {
    let sql = "UPDATE applications SET deadline_time = $2 WHERE application_id = $1 \
               AND deadline_time IS NOT NULL";
    sqlx::query(sql)
        .bind(application.id.to_string())
        .bind(deadline_time(application))
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

/// The column `deadline_time`.
pub(super) fn deadline_time(application: &Application) -> Option<i64> {
    deadline::next(application).map(|deadline| deadline.time.as_microsecond())
}

/// Only the current attempt changes.
async fn write_attempt(tx: &mut Connection, application: &Application) -> Result<()> {
    let Some(attempt) = application.attempt() else {
        return Ok(());
    };
    let Attempt {
        number,
        reason,
        placement,
        launch,
        uid,
        spark_application_id,
        create_time,
        start_time,
        end_time,
        ending,
        is_killed,
        exit,
    } = attempt;
    let sql = "INSERT INTO attempts (application_id, number, cluster, placement, uid, \
               spark_application_id, create_time, start_time, end_time, ending_category, \
               ending_message, exit_category, exit_code, exit_message, exit_log_tail, reason, launch, \
               is_killed, clean_up) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
               $15, $16, $17, $18, 'LIVE') \
               ON CONFLICT (application_id, number) DO UPDATE SET uid = excluded.uid, \
               spark_application_id = excluded.spark_application_id, \
               start_time = excluded.start_time, end_time = excluded.end_time, \
               ending_category = excluded.ending_category, \
               ending_message = excluded.ending_message, is_killed = excluded.is_killed, \
               exit_category = excluded.exit_category, exit_code = excluded.exit_code, \
               exit_message = excluded.exit_message, exit_log_tail = excluded.exit_log_tail";
    sqlx::query(sql)
        .bind(application.id.to_string())
        .bind(i64::from(*number))
        .bind(&placement.cluster)
        .bind(rows::to_json(placement))
        .bind(uid.clone())
        .bind(spark_application_id.clone())
        .bind(create_time.as_microsecond())
        .bind(start_time.map(jiff::Timestamp::as_microsecond))
        .bind(end_time.map(jiff::Timestamp::as_microsecond))
        .bind(
            ending
                .as_ref()
                .map(|ending| ending.category.as_str().to_owned()),
        )
        .bind(ending.as_ref().map(|ending| ending.message.clone()))
        .bind(exit.as_ref().map(|exit| exit.category.as_str().to_owned()))
        .bind(exit.as_ref().and_then(|exit| exit.exit_code.map(i64::from)))
        .bind(exit.as_ref().map(|exit| exit.message.clone()))
        .bind(exit.as_ref().map(|exit| exit.log_tail.clone()))
        .bind(reason)
        .bind(launch.as_ref().map(rows::to_json))
        .bind(i64::from(*is_killed))
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

/// From now on finalizers may go. An attempt without a cluster left nothing anywhere.
async fn begin_clean_up(tx: &mut Connection, id: ApplicationId) -> Result<()> {
    let sql = "UPDATE attempts SET clean_up = CASE cluster WHEN '' THEN 'DONE' ELSE 'RELEASE' END \
               WHERE application_id = $1 AND clean_up = 'LIVE'";
    sqlx::query(sql)
        .bind(id.to_string())
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}
