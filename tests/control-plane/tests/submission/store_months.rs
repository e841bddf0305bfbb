//! What happened is kept by month on PostgreSQL, also what an earlier release has written.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use moka_core::clock::{Clock, ManualClock};
use moka_db::{Database, Migration, PoolOptions};
use moka_submission::{
    domain::filter,
    store::{ChangeFilter, ListQuery, Store},
};
use moka_xtask::postgres::TemporaryPostgres;

use crate::store_order::{store, submit};

/// The schema of the earlier release.
const FIRST: &[Migration] = &[Migration {
    name: "20261121000000_applications",
    sqlite: "",
    postgres: include_str!(
        "../../../../services/submission/migrations/postgres/20261121000000_applications.sql"
    ),
}];

/// What the earlier release runs for a submission, with its columns.
const EARLIER_SUBMISSION: &str = "
INSERT INTO applications (application_id, project, idempotency_key, try_number, submission, \
state, create_time, update_time, version) VALUES ('m0000000000000000000000000@', 'team-a', \
'earlier-@', 0, '{\"project\":\"team-a\",\"idempotency_key\":\"earlier-@\",\"try_number\":0,\
\"display_name\":\"report\",\"spec\":{\"type\":\"PYTHON\",\"image\":\"a\",\
\"main_application_file\":\"local:///a.py\",\"main_class\":null,\"arguments\":[],\
\"spark_version\":\"4.0.1\",\"spark_conf\":{},\"driver\":null,\"executor\":null,\
\"queue\":\"root.earlier\",\"environment\":{}}}', \
'QUEUED', 1763700000000000, 1763700000000000, @);
INSERT INTO application_events (sequence, application_id, project, state, previous_state, \
attempt_number, time, message) VALUES (@, 'm0000000000000000000000000@', 'team-a', 'QUEUED', NULL, \
0, 1763700000000000, 'accepted');
INSERT INTO audit_log (sequence, time, actor, action, application_id, detail) \
VALUES (@, 1763700000000000, 'api', 'submit', 'm0000000000000000000000000@', 'accepted');
UPDATE event_sequence SET last_sequence = @ WHERE id = 1;";

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

async fn tables(postgres: &TemporaryPostgres, family: &str) -> Vec<String> {
    let sql = format!("SELECT tableoid::regclass FROM {family} ORDER BY sequence");
    let answer = postgres.psql("postgres", &sql).await.unwrap();
    answer.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_land_in_their_month_and_a_month_is_dropped_whole() {
    let postgres = TemporaryPostgres::start().await.unwrap();
    let clock = Arc::new(ManualClock::new(at("2026-11-15T12:00:00Z")));
    let store = store(&postgres, Arc::clone(&clock) as Arc<dyn Clock>).await;
    submit(&store, "november").await;
    clock.advance(SignedDuration::from_hours(24 * 20));
    let december = submit(&store, "december").await;
    // Nobody has made room for February.
    clock.advance(SignedDuration::from_hours(24 * 70));
    submit(&store, "february").await;
    for family in ["application_events", "audit_log"] {
        let expected = ["2026_11", "2026_12", "default"].map(|part| format!("{family}_{part}"));
        assert_eq!(tables(&postgres, family).await, expected);
    }
    store.prepare_months().await.unwrap();
    store.prepare_months().await.unwrap();
    for family in ["application_events", "audit_log"] {
        let expected = ["2026_11", "2026_12", "2027_02"].map(|part| format!("{family}_{part}"));
        assert_eq!(tables(&postgres, family).await, expected);
    }

    // The middle of December: its events cannot be told any more, but only November is dropped.
    let forgotten = store
        .prune_events(at("2026-12-20T00:00:00Z"))
        .await
        .unwrap();
    assert_eq!(forgotten, 2);
    assert_eq!(
        store
            .prune_events(at("2026-12-20T00:00:00Z"))
            .await
            .unwrap(),
        0
    );
    let expected = ["2026_12", "2027_02"].map(|part| format!("application_events_{part}"));
    assert_eq!(tables(&postgres, "application_events").await, expected);
    let left = store
        .changes(&ChangeFilter::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!(left.pruned_through, december);

    store.prune_audit(at("2026-12-31T00:00:00Z")).await.unwrap();
    let expected = ["2026_12", "2027_02"].map(|part| format!("audit_log_{part}"));
    assert_eq!(tables(&postgres, "audit_log").await, expected);
    let gone = "SELECT count(*) FROM pg_class WHERE relname LIKE '%_2026_11'";
    assert_eq!(postgres.psql("postgres", gone).await.unwrap(), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_earlier_release_stay_and_its_statements_go_on() {
    let postgres = TemporaryPostgres::start().await.unwrap();
    let database = Database::connect(&postgres.url(), PoolOptions::default())
        .await
        .unwrap();
    database.migrate(FIRST).await.unwrap();
    let earlier = |number: &str| EARLIER_SUBMISSION.replace('@', number);
    postgres.psql("postgres", &earlier("1")).await.unwrap();
    let clock = Arc::new(ManualClock::new(at("2026-11-15T12:00:00Z")));
    let store = store(&postgres, Arc::clone(&clock) as Arc<dyn Clock>).await;

    let changes = store
        .changes(&ChangeFilter::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!(changes.matching.len(), 1);
    let query = ListQuery {
        filter: filter::parse("queue = \"root.earlier\" AND display_name = report").unwrap(),
        limit: 10,
        ..ListQuery::default()
    };
    assert_eq!(store.list(&query).await.unwrap().applications.len(), 1);
    let kept_in = tables(&postgres, "application_events").await;
    assert!(
        kept_in[0].starts_with("application_events_before_"),
        "{kept_in:?}"
    );

    // It still runs beside this one.
    postgres.psql("postgres", &earlier("2")).await.unwrap();
    assert_eq!(submit(&store, "new").await, 3);
    let changes = store
        .changes(&ChangeFilter::default(), 0, 10)
        .await
        .unwrap();
    let seen: Vec<_> = changes
        .matching
        .iter()
        .map(|one| one.event.sequence)
        .collect();
    assert_eq!(seen, [1, 2, 3]);
    let prune = "DELETE FROM application_events WHERE sequence <= 1; \
                 UPDATE event_sequence SET pruned_through = 1 WHERE id = 1";
    postgres.psql("postgres", prune).await.unwrap();
    let changes = store
        .changes(&ChangeFilter::default(), 0, 10)
        .await
        .unwrap();
    assert_eq!((changes.matching.len(), changes.pruned_through), (2, 1));
}
