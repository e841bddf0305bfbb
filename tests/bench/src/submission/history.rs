//! Five million applications of five months, made by the database itself.

use anyhow::Result;
use moka_xtask::postgres::TemporaryPostgres;

/// How many applications there are.
pub(crate) const ROWS: u64 = 5_000_000;
/// How many of them, the newest, have not ended.
const LIVE_ROWS: u64 = 10_000;
/// Applications whose events are still kept.
const ROWS_WITH_EVENTS: u64 = 200_000;
/// When the first was accepted: 1 June 2026.
const FIRST_MILLISECOND: u64 = 1_780_272_000_000;
/// One application every 2.6 s.
const STEP_MILLISECONDS: u64 = 2_600;

/// The application id of a row, as SQL over `number`: time in ten base-32 digits, the version and
/// variant of a UUIDv7, and the number in its random digits.
fn id_of(number: &str) -> String {
    let milliseconds = format!("({FIRST_MILLISECOND} + {number} * {STEP_MILLISECONDS})");
    let digits: Vec<_> = (0..10)
        .rev()
        .map(|digit| {
            let shift = 5 * digit;
            format!(
                "substr('0123456789abcdefghjkmnpqrstvwxyz', \
                 (({milliseconds} >> {shift}) & 31)::int + 1, 1)"
            )
        })
        .collect();
    format!(
        "'m' || {} || 'e008' || lpad(({number})::text, 12, '0')",
        digits.join(" || ")
    )
}

/// The id of an application by its number.
pub(crate) fn id(number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let milliseconds = FIRST_MILLISECOND + number * STEP_MILLISECONDS;
    let digit = |digit: u32| {
        let value = (milliseconds >> (5 * digit)) & 31;
        char::from(DIGITS[usize::try_from(value).unwrap_or_default()])
    };
    let time: String = (0..10).rev().map(digit).collect();
    format!("m{time}e008{number:012}")
}

/// Fills the tables. Indexes are made afterwards, which is faster.
pub(crate) async fn load(postgres: &TemporaryPostgres) -> Result<()> {
    let run = async |statements: &str| postgres.psql("postgres", statements).await;
    let document = run("SELECT submission FROM applications LIMIT 1").await?;
    run("TRUNCATE applications, attempts, application_events, audit_log").await?;
    let definitions = "FROM pg_indexes JOIN pg_class ON pg_class.relname = indexname \
         WHERE schemaname = 'public' AND tablename IN ('applications', 'attempts') \
         AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = pg_class.oid)";
    let indexes = run(&format!("SELECT indexdef || ';' {definitions}")).await?;
    let drops = run(&format!(
        "SELECT 'DROP INDEX ' || indexname || ';' {definitions}"
    ))
    .await?;
    run(&drops).await?;
    run(&applications(&document)).await?;
    run(&attempts()).await?;
    run(&events()).await?;
    run(&indexes).await?;
    // As months of autovacuum would have left it.
    run("VACUUM (ANALYZE)").await?;
    run("CHECKPOINT").await?;
    Ok(())
}

fn applications(document: &str) -> String {
    let document = document.replace('\'', "''");
    let time = format!("({FIRST_MILLISECOND} + number * {STEP_MILLISECONDS}) * 1000");
    let live = ROWS - LIVE_ROWS;
    format!(
        "INSERT INTO applications (application_id, project, idempotency_key, try_number, \
         submission, state, create_time, update_time, end_time, version, launch_not_before, \
         display_name, owner, workflow, run, queue, cluster, tier, tags) \
         SELECT {id}, 'team-' || (number * number) % 50, 'history-' || number, 0, '{document}', \
         CASE WHEN number >= {live} \
         THEN (ARRAY['QUEUED','LAUNCHING','SUBMITTED','RUNNING','CANCELLING'])[1 + number % 5] \
         WHEN number % 20 = 7 THEN 'FAILED' WHEN number % 50 = 3 THEN 'CANCELLED' \
         ELSE 'SUCCEEDED' END, \
         {time}, {time} + 600000000, CASE WHEN number < {live} THEN {time} + 600000000 END, \
         number + 1, 9000000000000000, 'report.py', 'owner-' || (number / 50 * 7) % 200, \
         'workflow-' || (number * 13) % 5000, '2026-11-21', 'root.bench', \
         'cluster-' || number % 10, (ARRAY['', 'TIER_1', 'TIER_2', 'TIER_3'])[1 + number % 4], \
         '{{\"cost\":\"' || number % 1000 || '\"}}' \
         FROM generate_series(0::bigint, {ROWS} - 1) AS number",
        id = id_of("number"),
    )
}

fn attempts() -> String {
    let time = format!("({FIRST_MILLISECOND} + number * {STEP_MILLISECONDS}) * 1000");
    let live = ROWS - LIVE_ROWS;
    format!(
        "ALTER TABLE attempts DROP CONSTRAINT attempts_application_id_fkey; \
         INSERT INTO attempts (application_id, number, cluster, placement, uid, create_time, \
         start_time, end_time, exit_category, exit_code, exit_message, exit_log_tail, clean_up) \
         SELECT {id}, 1, 'cluster-' || number % 10, \
         '{{\"cluster\":\"cluster-' || number % 10 || '\",\"queue\":\"root.bench\",\
         \"namespace\":\"spark-jobs\",\"scheduler_name\":\"yunikorn\",\
         \"driver\":{{\"labels\":{{}},\"annotations\":{{}}}},\
         \"executor\":{{\"labels\":{{}},\"annotations\":{{}}}}}}', \
         'uid-' || number, {time}, {time} + 30000000, {time} + 600000000, \
         CASE WHEN number < {live} THEN 'SUCCESS' END, 0, '', '', \
         CASE WHEN number < {live} THEN 'DONE' ELSE 'LIVE' END \
         FROM generate_series(0::bigint, {ROWS} - 1) AS number WHERE number % 5 > 0 OR number < {live}",
        id = id_of("number"),
    )
}

fn events() -> String {
    let time = format!("({FIRST_MILLISECOND} + number * {STEP_MILLISECONDS}) * 1000");
    let first = ROWS - ROWS_WITH_EVENTS;
    format!(
        "INSERT INTO application_events (sequence, application_id, project, state, \
         previous_state, attempt_number, time, message) \
         SELECT number * 5 + step, {id}, 'team-' || (number * number) % 50, \
         (ARRAY['QUEUED','LAUNCHING','SUBMITTED','RUNNING','SUCCEEDED'])[step], NULL, 1, \
         {time} + step * 1000000, 'changed' \
         FROM generate_series({first}::bigint, {ROWS} - 1) AS number, generate_series(1, 5) AS step; \
         UPDATE event_sequence SET last_sequence = {ROWS} * 5 + 5",
        id = id_of("number"),
    )
}
