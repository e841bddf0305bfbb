//! Transitions: rows, events and audit rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use jiff::Timestamp;
use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind};
use sqlx::AssertSqlSafe;

use super::{
    SqlStore,
    batch::{Batch, Type},
    events::Entry,
    group::{Outcome, Write},
    read, rows,
};
use crate::{
    domain::{
        application::{Application, Attempt, Event},
        deadline,
        lifecycle::{Effect, Happening, apply_to},
        state::ApplicationState,
    },
    store::{Error, Recorded, Result},
};

/// A happening on its way into the database.
#[derive(Debug)]
pub(super) struct Change {
    id: ApplicationId,
    attempt_number: Option<u32>,
    happening: Happening,
    actor: &'static str,
}

pub(super) async fn record(
    store: &SqlStore,
    id: ApplicationId,
    attempt_number: Option<u32>,
    happening: &Happening,
    actor: &'static str,
) -> Result<Option<Recorded>> {
    let change = Change {
        id,
        attempt_number,
        happening: happening.clone(),
        actor,
    };
    let write = Write::Record(Box::new(change));
    match store.queue.write_patiently(write).await? {
        Outcome::Recorded(recorded) => Ok(recorded),
        Outcome::Submitted(_) => Err(Error::Stopped),
    }
}

/// What a group's happenings come to.
#[derive(Debug, Default)]
pub(super) struct Decided {
    /// One for each happening.
    pub(super) outcomes: Vec<Option<Recorded>>,
    /// One for each that changed a state; their numbers follow later.
    pub(super) entries: Vec<Entry>,
    /// As they are after everything.
    applications: BTreeMap<ApplicationId, Application>,
    /// Applications whose rows are not as they were.
    changed: BTreeSet<ApplicationId>,
    /// Until when those must not be launched whose next attempt was just decided.
    postponed: BTreeMap<ApplicationId, i64>,
    /// Attempts that are not as they were.
    attempts: BTreeSet<(ApplicationId, u32)>,
    /// The last attempt that ended.
    ended: BTreeMap<ApplicationId, u32>,
}

/// Locks and reads the applications, and applies the happenings one after the other in memory.
pub(super) async fn decide(
    tx: &mut Connection,
    kind: DatabaseKind,
    now: Timestamp,
    changes: &[&Change],
) -> Result<Decided> {
    let ids: BTreeSet<_> = changes.iter().map(|change| change.id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    let found = read::by_ids_for_update(tx, kind, &ids).await?;
    let mut decided = Decided {
        applications: found.into_iter().map(|one| (one.id, one)).collect(),
        ..Decided::default()
    };
    for change in changes {
        let outcome = decided.apply(change, now);
        decided.outcomes.push(outcome);
    }
    Ok(decided)
}

impl Decided {
    fn apply(&mut self, change: &Change, now: Timestamp) -> Option<Recorded> {
        let application = self.applications.get_mut(&change.id)?;
        let deadline = deadline_time(application);
        let effect = apply_to(application, change.attempt_number, &change.happening, now);
        let attempt_number = application.attempt().map_or(0, |one| one.number);
        if effect != Effect::Nothing && attempt_number > 0 {
            self.attempts.insert((change.id, attempt_number));
        }
        // What is noted of an attempt may change which deadline is the next.
        if deadline_time(application) != deadline {
            self.changed.insert(change.id);
        }
        let mut changed_from = None;
        if let Effect::Changed {
            previous_state,
            message,
        } = effect
        {
            changed_from = Some(previous_state);
            self.changed.insert(change.id);
            if let Some(time) = application.next_attempt_time {
                self.postponed.insert(change.id, time.as_microsecond());
            }
            if application.state.is_final() || application.state == ApplicationState::RetryWait {
                self.ended.insert(change.id, attempt_number);
            }
            self.entries.push(Entry {
                event: Event {
                    sequence: 0,
                    application_id: change.id,
                    state: application.state,
                    previous_state: changed_from,
                    attempt_number,
                    time: now,
                    message,
                },
                project: application.submission.project.clone(),
                actor: change.actor,
                action: name_of(&change.happening),
            });
        }
        Some(Recorded {
            application: application.clone(),
            changed_from,
        })
    }

    /// Gives every entry, and the application in its outcome, its number.
    pub(super) fn number(&mut self, numbers: &mut Range<i64>) {
        let mut entries = self.entries.iter_mut();
        for recorded in self.outcomes.iter_mut().flatten() {
            let Some(application) = self.applications.get_mut(&recorded.application.id) else {
                continue;
            };
            if recorded.changed_from.is_some()
                && let (Some(entry), Some(number)) = (entries.next(), numbers.next())
            {
                entry.event.sequence = number;
                application.version = number;
            }
            recorded.application.version = application.version;
        }
    }
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

/// Writes the rows of what was decided.
pub(super) async fn store(
    tx: &mut Connection,
    kind: DatabaseKind,
    decided: &Decided,
) -> Result<()> {
    write_attempts(tx, kind, decided).await?;
    begin_clean_up(tx, kind, decided).await?;
    write_applications(tx, kind, decided).await
}

async fn write_applications(
    tx: &mut Connection,
    kind: DatabaseKind,
    decided: &Decided,
) -> Result<()> {
    const COLUMNS: &[(&str, Type)] = &[
        ("application_id", Type::Text),
        ("state", Type::Text),
        ("update_time", Type::BigInt),
        ("end_time", Type::BigInt),
        ("version", Type::BigInt),
        ("next_attempt_time", Type::BigInt),
        ("cluster", Type::Text),
        ("queue", Type::Text),
        ("deadline_time", Type::BigInt),
        ("postponed_until", Type::BigInt),
    ];
    let mut batch = Batch::new(kind, COLUMNS);
    for id in &decided.changed {
        let application = &decided.applications[id];
        let asked_for = application.submission.spec.queue.as_str();
        let (cluster, queue) = application.attempt().map_or(("", asked_for), |attempt| {
            let placement = &attempt.placement;
            (placement.cluster.as_str(), placement.queue.as_str())
        });
        batch.push([
            (&id.to_string()).into(),
            application.state.as_str().into(),
            application.update_time.as_microsecond().into(),
            application.end_time.map(Timestamp::as_microsecond).into(),
            application.version.into(),
            application
                .next_attempt_time
                .map(Timestamp::as_microsecond)
                .into(),
            cluster.into(),
            queue.into(),
            deadline_time(application).into(),
            decided.postponed.get(id).copied().into(),
        ]);
    }
    let sql = format!(
        "UPDATE applications SET state = source.state, update_time = source.update_time, \
         end_time = source.end_time, version = source.version, \
         next_attempt_time = source.next_attempt_time, \
         launch_not_before = COALESCE(source.postponed_until, launch_not_before), \
         cluster = source.cluster, queue = source.queue, \
         deadline_time = source.deadline_time \
         FROM {} WHERE applications.application_id = source.application_id",
        batch.source()
    );
    execute(tx, batch, sql).await
}

/// The column `deadline_time`.
pub(super) fn deadline_time(application: &Application) -> Option<i64> {
    deadline::next(application).map(|deadline| deadline.time.as_microsecond())
}

async fn write_attempts(tx: &mut Connection, kind: DatabaseKind, decided: &Decided) -> Result<()> {
    const COLUMNS: &[(&str, Type)] = &[
        ("application_id", Type::Text),
        ("number", Type::BigInt),
        ("reason", Type::Text),
        ("cluster", Type::Text),
        ("placement", Type::Text),
        ("launch", Type::Text),
        ("uid", Type::Text),
        ("spark_application_id", Type::Text),
        ("create_time", Type::BigInt),
        ("start_time", Type::BigInt),
        ("end_time", Type::BigInt),
        ("ending_category", Type::Text),
        ("ending_message", Type::Text),
        ("exit_category", Type::Text),
        ("exit_code", Type::BigInt),
        ("exit_message", Type::Text),
        ("exit_log_tail", Type::Text),
        ("is_killed", Type::BigInt),
        ("clean_up", Type::Text),
    ];
    let mut batch = Batch::new(kind, COLUMNS);
    for (id, number) in &decided.attempts {
        if let Some(attempt) = decided.applications[id].attempt_numbered(*number) {
            push_attempt(&mut batch, *id, attempt);
        }
    }
    // Place and size are fixed when an attempt begins.
    let sql = format!(
        "INSERT INTO attempts ({names}) SELECT {names} FROM {source} WHERE true \
         ON CONFLICT (application_id, number) DO UPDATE SET uid = excluded.uid, \
         spark_application_id = excluded.spark_application_id, \
         start_time = excluded.start_time, end_time = excluded.end_time, \
         ending_category = excluded.ending_category, \
         ending_message = excluded.ending_message, is_killed = excluded.is_killed, \
         exit_category = excluded.exit_category, exit_code = excluded.exit_code, \
         exit_message = excluded.exit_message, exit_log_tail = excluded.exit_log_tail",
        names = batch.names(),
        source = batch.source(),
    );
    execute(tx, batch, sql).await
}

fn push_attempt(batch: &mut Batch, id: ApplicationId, attempt: &Attempt) {
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
    let launch = launch.as_ref().map(rows::to_json);
    let ending = ending.as_ref();
    let exit = exit.as_ref();
    batch.push([
        (&id.to_string()).into(),
        (*number).into(),
        reason.into(),
        (&placement.cluster).into(),
        (&rows::to_json(placement)).into(),
        launch.as_ref().into(),
        uid.as_ref().into(),
        spark_application_id.as_ref().into(),
        create_time.as_microsecond().into(),
        start_time.map(Timestamp::as_microsecond).into(),
        end_time.map(Timestamp::as_microsecond).into(),
        ending.map(|ending| ending.category.as_str()).into(),
        ending.map(|ending| &ending.message).into(),
        exit.map(|exit| exit.category.as_str()).into(),
        exit.and_then(|exit| exit.exit_code.map(i64::from)).into(),
        exit.map(|exit| &exit.message).into(),
        exit.map(|exit| &exit.log_tail).into(),
        i64::from(*is_killed).into(),
        "LIVE".into(),
    ]);
}

/// From now on finalizers may go. An attempt without a cluster left nothing anywhere.
async fn begin_clean_up(tx: &mut Connection, kind: DatabaseKind, decided: &Decided) -> Result<()> {
    let columns = &[("application_id", Type::Text), ("number", Type::BigInt)];
    let mut batch = Batch::new(kind, columns);
    for (id, number) in &decided.ended {
        batch.push([(&id.to_string()).into(), (*number).into()]);
    }
    let sql = format!(
        "UPDATE attempts SET clean_up = CASE cluster WHEN '' THEN 'DONE' ELSE 'RELEASE' END \
         FROM {} WHERE attempts.application_id = source.application_id \
         AND attempts.number <= source.number AND clean_up = 'LIVE'",
        batch.source()
    );
    execute(tx, batch, sql).await
}

async fn execute(tx: &mut Connection, batch: Batch, sql: String) -> Result<()> {
    if !batch.is_empty() {
        let query = batch.bind(sqlx::query(AssertSqlSafe(sql)));
        query.execute(tx).await.map_err(moka_db::Error::from)?;
    }
    Ok(())
}
