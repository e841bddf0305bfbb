//! Rows and what they mean.

use std::{collections::BTreeMap, str::FromStr};

use jiff::Timestamp;
use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind};
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::batch::{self, in_list};
use crate::{
    domain::{
        application::{Application, Attempt, Ending, Event, Placement},
        exit::Exit,
        state::ApplicationState,
    },
    store::{Error, Result},
};

/// Columns of [`application`].
pub(super) const APPLICATION: &str = "application_id, submission, predecessor_id, state, \
     create_time, update_time, end_time, version, next_attempt_time";

/// Columns of [`attempt`].
const ATTEMPT: &str = "number, reason, placement, launch, uid, spark_application_id, \
     attempts.create_time AS attempt_create_time, start_time, \
     attempts.end_time AS attempt_end_time, ending_category, ending_message, is_killed, \
     exit_category, exit_code, exit_message, exit_log_tail";

/// Columns of [`event`].
pub(super) const EVENT: &str = "sequence, application_id, state, previous_state, attempt_number, \
     time, message";

/// A time from its microseconds since the epoch. Only times that were a [`Timestamp`] are stored.
pub(super) fn time(microseconds: i64) -> Timestamp {
    Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Turns rows of [`APPLICATION`] into applications with their attempts, in the rows' order.
pub(super) async fn applications(
    tx: &mut Connection,
    kind: DatabaseKind,
    rows: Vec<AnyRow>,
) -> Result<Vec<Application>> {
    let mut found = rows.iter().map(application).collect::<Result<Vec<_>>>()?;
    if found.is_empty() {
        return Ok(found);
    }
    let sql = format!(
        "SELECT application_id, {ATTEMPT} FROM attempts WHERE {} ORDER BY application_id, number",
        in_list(kind, "application_id", 1)
    );
    let ids: Vec<_> = found.iter().map(|one| one.id.to_string()).collect();
    let query =
        sqlx::query(AssertSqlSafe(sql)).bind(batch::list(kind, ids.iter().map(String::as_str)));
    let rows = query.fetch_all(tx).await.map_err(moka_db::Error::from)?;
    let mut attempts = BTreeMap::<ApplicationId, Vec<Attempt>>::new();
    for row in &rows {
        attempts
            .entry(parse(row, "application_id")?)
            .or_default()
            .push(attempt(row)?);
    }
    for application in &mut found {
        application.attempts = attempts.remove(&application.id).unwrap_or_default();
    }
    Ok(found)
}

/// The statement that reads the one application for which a condition on its columns holds, with
/// its attempts. Its rows are for [`one_application`].
pub(super) fn select_one(condition: &str) -> String {
    format!(
        "SELECT application.*, {ATTEMPT} FROM \
         (SELECT {APPLICATION} FROM applications WHERE {condition}) AS application \
         LEFT JOIN attempts ON attempts.application_id = application.application_id \
         ORDER BY number"
    )
}

/// Reads what [`select_one`] found.
pub(super) fn one_application(rows: &[AnyRow]) -> Result<Option<Application>> {
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut found = application(first)?;
    for row in rows {
        if get::<Option<i64>>(row, "number")?.is_some() {
            found.attempts.push(attempt(row)?);
        }
    }
    Ok(Some(found))
}

/// `$first, …` for `count` values.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    let all: Vec<_> = (first..first + count).map(|n| format!("${n}")).collect();
    all.join(", ")
}

fn application(row: &AnyRow) -> Result<Application> {
    Ok(Application {
        id: parse(row, "application_id")?,
        submission: json(row, "submission")?,
        predecessor: parse_some(row, "predecessor_id")?,
        state: parse(row, "state")?,
        attempts: Vec::new(),
        create_time: time(get(row, "create_time")?),
        update_time: time(get(row, "update_time")?),
        end_time: get::<Option<i64>>(row, "end_time")?.map(time),
        version: get(row, "version")?,
        next_attempt_time: get::<Option<i64>>(row, "next_attempt_time")?.map(time),
    })
}

fn attempt(row: &AnyRow) -> Result<Attempt> {
    let ending = match parse_some(row, "ending_category")? {
        Some(category) => Some(Ending {
            category,
            message: get(row, "ending_message")?,
        }),
        None => None,
    };
    let exit = match parse_some(row, "exit_category")? {
        Some(category) => Some(Exit {
            category,
            exit_code: get::<Option<i64>>(row, "exit_code")?
                .and_then(|code| i32::try_from(code).ok()),
            message: get(row, "exit_message")?,
            log_tail: get(row, "exit_log_tail")?,
        }),
        None => None,
    };
    Ok(Attempt {
        number: number(row, "number")?,
        reason: get(row, "reason")?,
        placement: json::<Placement>(row, "placement")?,
        launch: json_some(row, "launch")?,
        uid: get(row, "uid")?,
        spark_application_id: get(row, "spark_application_id")?,
        create_time: time(get(row, "attempt_create_time")?),
        start_time: get::<Option<i64>>(row, "start_time")?.map(time),
        end_time: get::<Option<i64>>(row, "attempt_end_time")?.map(time),
        ending,
        is_killed: get::<i64>(row, "is_killed")? != 0,
        exit,
    })
}

/// Reads a row of [`EVENT`].
pub(super) fn event(row: &AnyRow) -> Result<Event> {
    Ok(Event {
        sequence: get(row, "sequence")?,
        application_id: parse(row, "application_id")?,
        state: parse(row, "state")?,
        previous_state: parse_some::<ApplicationState>(row, "previous_state")?,
        attempt_number: number(row, "attempt_number")?,
        time: time(get(row, "time")?),
        message: get(row, "message")?,
    })
}

/// A column's value.
pub(super) fn get<'r, T>(row: &'r AnyRow, column: &'static str) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
{
    Ok(row.try_get(column).map_err(moka_db::Error::from)?)
}

/// A text column that names something.
pub(super) fn parse<T>(row: &AnyRow, column: &'static str) -> Result<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let text: String = get(row, column)?;
    text.parse()
        .map_err(|error: T::Err| corrupt(column, &error))
}

fn parse_some<T>(row: &AnyRow, column: &'static str) -> Result<Option<T>>
where
    T: FromStr<Err: std::fmt::Display>,
{
    let text: Option<String> = get(row, column)?;
    text.map(|text| {
        text.parse()
            .map_err(|error: T::Err| corrupt(column, &error))
    })
    .transpose()
}

/// A count.
pub(super) fn number(row: &AnyRow, column: &'static str) -> Result<u32> {
    let number: i64 = get(row, column)?;
    u32::try_from(number).map_err(|error| corrupt(column, &error))
}

/// A column of JSON.
pub(super) fn json<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<T> {
    let text: String = get(row, column)?;
    serde_json::from_str(&text).map_err(|error| corrupt(column, &error))
}

fn json_some<T: DeserializeOwned>(row: &AnyRow, column: &'static str) -> Result<Option<T>> {
    let text: Option<String> = get(row, column)?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| corrupt(column, &error)))
        .transpose()
}

fn corrupt(column: &'static str, problem: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        column,
        problem: problem.to_string(),
    }
}

/// The JSON form of a value of ours.
pub(super) fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our own types have only text keys and finite numbers")
}
