//! What PostgreSQL itself commits: pgbench writes the rows of a submission into tables with the
//! same indexes, in one prepared transaction, with as many connections as there are callers.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use moka_core::clock::SystemClock;
use moka_db::{Database, PoolOptions};
use moka_process::Tasks;
use moka_submission::store::SqlStore;
use moka_xtask::postgres::TemporaryPostgres;
use tokio::process::Command;

const DATABASE: &str = "floor";

/// Numbers rise as they do in ids and sequences of ours, so that indexes grow at their end.
const SCRIPT: &str = "BEGIN;
INSERT INTO applications (application_id, project, idempotency_key, try_number, submission, \
predecessor_id, state, create_time, update_time, version, display_name, owner, workflow, run, \
queue, tier, tags) \
VALUES ('m' || lpad(nextval('numbers')::text, 26, '0'), 'team-a', 'key-' || currval('numbers'), 0, \
:document, NULL, 'QUEUED', 1795219200000000 + currval('numbers'), \
1795219200000000 + currval('numbers'), currval('numbers'), 'report.py', 'search-team', \
'nightly-report', '2026-11-21', 'root.bench', '', '{}');
INSERT INTO application_events (sequence, application_id, project, state, previous_state, \
attempt_number, time, message) VALUES (currval('numbers'), \
'm' || lpad(currval('numbers')::text, 26, '0'), 'team-a', 'QUEUED', NULL, 0, \
1795219200000000 + currval('numbers'), 'accepted');
INSERT INTO audit_log (sequence, time, actor, action, application_id, detail) \
VALUES (currval('numbers'), 1795219200000000 + currval('numbers'), 'api', 'submit', \
'm' || lpad(currval('numbers')::text, 26, '0'), 'accepted');
COMMIT;
";

/// The tables, in a database of their own.
pub(crate) struct Floor {
    script: tempfile::NamedTempFile,
    document: String,
}

impl Floor {
    /// Makes them. `document` is what the service stored of a request.
    pub(crate) async fn prepare(postgres: &TemporaryPostgres, document: String) -> Result<Self> {
        let create = format!("CREATE DATABASE {DATABASE}");
        postgres.psql("postgres", &create).await?;
        let url = postgres.url();
        let (server, _) = url.rsplit_once('/').context("the URL names a database")?;
        let url = format!("{server}/{DATABASE}");
        let database = Database::connect(&url, PoolOptions::default()).await?;
        SqlStore::open(database.clone(), Arc::new(SystemClock), &Tasks::default()).await?;
        database.close().await;
        postgres
            .psql(DATABASE, "CREATE SEQUENCE numbers CACHE 100")
            .await?;
        let script = tempfile::NamedTempFile::new()?;
        std::fs::write(script.path(), SCRIPT)?;
        Ok(Self { script, document })
    }

    /// Transactions per second.
    pub(crate) async fn rate(
        &self,
        postgres: &TemporaryPostgres,
        connections: usize,
        seconds: u64,
    ) -> Result<f64> {
        let output = Command::new(postgres.program("pgbench"))
            .args(["--host=127.0.0.1", "--username=postgres", "--no-vacuum"])
            .args(["--protocol=prepared", "--jobs=2"])
            .arg(format!("--port={}", postgres.port()))
            .arg(format!("--client={connections}"))
            .arg(format!("--time={seconds}"))
            .arg(format!("--define=document={}", self.document))
            .arg("--file")
            .arg(self.script.path())
            .arg(DATABASE)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        ensure!(
            output.status.success(),
            "pgbench failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let rate = text
            .lines()
            .find_map(|line| line.strip_prefix("tps = "))
            .and_then(|rest| rest.split(' ').next());
        Ok(rate.context("pgbench tells no rate")?.parse()?)
    }
}
