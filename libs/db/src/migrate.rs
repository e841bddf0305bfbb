//! Forward-only migrations, embedded in the binary.

use std::time::Duration;

use sqlx::Row as _;

use crate::{Connection, Database, DatabaseKind, Error, Isolation};

/// One step of a schema, written once per database. [`crate::migrations!`] makes them from files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// `<yyyymmddhhmmss>_<what it does>`: names sort in the order of application.
    pub name: &'static str,
    /// The script for SQLite.
    pub sqlite: &'static str,
    /// The script for PostgreSQL.
    pub postgres: &'static str,
}

impl Migration {
    fn script(&self, kind: DatabaseKind) -> &'static str {
        match kind {
            DatabaseKind::Sqlite => self.sqlite,
            DatabaseKind::Postgres => self.postgres,
        }
    }
}

/// Embeds `migrations/sqlite/<name>.sql` and `migrations/postgres/<name>.sql` of the calling crate,
/// in the order given.
///
/// ```text
/// const MIGRATIONS: &[moka_db::Migration] = moka_db::migrations!["20261121000000_applications"];
/// ```
#[macro_export]
macro_rules! migrations {
    [$($name:literal),* $(,)?] => {
        &[$($crate::Migration {
            name: $name,
            sqlite: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite/", $name, ".sql"
            )),
            postgres: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"), "/migrations/postgres/", $name, ".sql"
            )),
        }),*]
    };
}

/// Locks of this kind are per database; the number only has to be ours (`moka` in ASCII).
const TAKE_ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(1836018529) IS NULL";

/// Building an index over years of rows takes its time.
const LONGEST_MIGRATION: Duration = Duration::from_mins(10);

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS moka_migrations (
    name TEXT NOT NULL PRIMARY KEY,
    script TEXT NOT NULL,
    applied_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)";

impl Database {
    /// Applies what is missing, all in one transaction, and returns how many that were. Replicas
    /// that start together wait for each other. Migrations that only the database knows are
    /// left alone: they come from a later release, under which this one still has to run.
    ///
    /// # Errors
    /// [`Error::Migration`] when an applied script was edited, when a script fails, or when names
    /// do not ascend.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<usize, Error> {
        check_order(migrations)?;
        let kind = self.kind;
        let patient = Self {
            transaction_timeout: LONGEST_MIGRATION,
            retry_timeout: LONGEST_MIGRATION,
            ..self.clone()
        };
        patient
            .transaction_at(Isolation::ReadCommitted, "migrate", async |mut tx| {
                apply_missing(&mut tx, kind, migrations).await
            })
            .await
    }
}

async fn apply_missing(
    tx: &mut Connection,
    kind: DatabaseKind,
    migrations: &[Migration],
) -> Result<usize, Error> {
    if kind == DatabaseKind::Postgres {
        sqlx::raw_sql("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
            .execute(&mut *tx)
            .await?;
        sqlx::query(TAKE_ADVISORY_LOCK).execute(&mut *tx).await?;
    }
    sqlx::query(CREATE_TABLE).execute(&mut *tx).await?;
    let mut applied_count = 0;
    for migration in migrations {
        let script = migration.script(kind);
        let known = sqlx::query("SELECT script FROM moka_migrations WHERE name = $1")
            .bind(migration.name)
            .fetch_optional(&mut *tx)
            .await?;
        match known {
            Some(row) if row.try_get::<String, _>("script")? == script => {}
            Some(_) => return Err(edited(migration.name)),
            None => {
                apply(tx, migration.name, script).await?;
                applied_count += 1;
            }
        }
    }
    Ok(applied_count)
}

async fn apply(tx: &mut Connection, name: &'static str, script: &'static str) -> Result<(), Error> {
    tracing::info!(migration = name, "applying a migration");
    sqlx::raw_sql(script)
        .execute(&mut *tx)
        .await
        .map_err(|error| match error.into() {
            Error::Defect(error) => Error::Migration {
                name: name.to_owned(),
                problem: format!("the script failed: {error}"),
            },
            error => error,
        })?;
    sqlx::query("INSERT INTO moka_migrations (name, script) VALUES ($1, $2)")
        .bind(name)
        .bind(script)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

fn check_order(migrations: &[Migration]) -> Result<(), Error> {
    match migrations
        .windows(2)
        .find(|pair| pair[0].name >= pair[1].name)
    {
        Some(pair) => Err(Error::Migration {
            name: pair[1].name.to_owned(),
            problem: format!("names must ascend, but it follows {}", pair[0].name),
        }),
        None => Ok(()),
    }
}

fn edited(name: &str) -> Error {
    Error::Migration {
        name: name.to_owned(),
        problem: "it was applied with another text; add a new migration instead of editing"
            .to_owned(),
    }
}
