//! The partitions of what happened: one a month, made ahead and dropped whole. SQLite has plain
//! tables.

use jiff::Timestamp;
use moka_db::{Connection, DatabaseKind, Isolation};
use sqlx::AssertSqlSafe;

use super::{SqlStore, rows};
use crate::{domain::month::Month, store::Result};

/// How many months there are partitions for: this one and two ahead.
const MONTHS: usize = 3;
/// Replicas that look at the same time wait for one another. The number only has to be ours.
const TAKE_ADVISORY_LOCK: &str = "SELECT pg_advisory_xact_lock(1836018530) IS NULL";

/// A table that is kept by month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Events,
    Audit,
}

impl Family {
    const ALL: [Self; 2] = [Self::Events, Self::Audit];

    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Events => "application_events",
            Self::Audit => "audit_log",
        }
    }
}

/// A partition and the moment before which everything in it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) name: String,
    pub(super) end: Timestamp,
}

impl Partition {
    /// From a partition's name: `<table>_2026_11`, or `<table>_before_2026_11` for what was there
    /// before there were months.
    fn parse(family: Family, name: String) -> Option<Self> {
        let rest = name.strip_prefix(family.table())?.strip_prefix('_')?;
        let end = match rest.strip_prefix("before_") {
            Some(month) => Month::parse(month)?.begin(),
            None => Month::parse(rest)?.next().begin(),
        };
        Some(Self { name, end })
    }
}

/// Makes the partitions that are missing.
pub(super) async fn prepare(store: &SqlStore) -> Result<()> {
    if store.database.kind() == DatabaseKind::Sqlite {
        return Ok(());
    }
    let this_month = Month::of(store.now());
    store
        .database
        .transaction_at(
            Isolation::ReadCommitted,
            "prepare_months",
            async |mut tx| {
                run(&mut tx, TAKE_ADVISORY_LOCK).await?;
                for family in Family::ALL {
                    let existing = partitions(&mut tx, family).await?;
                    let months =
                        std::iter::successors(Some(this_month), |month| Some(month.next()));
                    for month in months.take(MONTHS) {
                        let end = month.next().begin();
                        if existing.iter().all(|one| one.end < end) {
                            create(&mut tx, family, month).await?;
                        }
                    }
                }
                Ok(())
            },
        )
        .await
}

/// The partitions of a family, but for the default one.
pub(super) async fn partitions(tx: &mut Connection, family: Family) -> Result<Vec<Partition>> {
    let sql = "SELECT CAST(child.relname AS TEXT) AS name FROM pg_inherits \
               JOIN pg_class AS child ON child.oid = pg_inherits.inhrelid \
               JOIN pg_class AS parent ON parent.oid = pg_inherits.inhparent \
               WHERE parent.oid = to_regclass($1) ORDER BY child.relname";
    let rows = sqlx::query(sql)
        .bind(family.table())
        .fetch_all(tx)
        .await
        .map_err(moka_db::Error::from)?;
    let names = rows
        .iter()
        .map(|row| rows::get::<String>(row, "name"))
        .collect::<Result<Vec<_>>>()?;
    let partition = |name| Partition::parse(family, name);
    Ok(names.into_iter().filter_map(partition).collect())
}

/// Attaching, unlike creating a partition in place, lets others go on writing. Rows of the month
/// that came before it was there move out of the default partition.
async fn create(tx: &mut Connection, family: Family, month: Month) -> Result<()> {
    let table = family.table();
    let begin = month.begin().as_microsecond();
    let end = month.next().begin().as_microsecond();
    for statement in [
        format!("LOCK TABLE {table}_default IN ACCESS EXCLUSIVE MODE"),
        format!("CREATE TABLE {table}_{month} (LIKE {table} INCLUDING DEFAULTS)"),
        format!(
            "WITH moved AS (DELETE FROM {table}_default WHERE time >= {begin} AND time < {end} \
             RETURNING *) INSERT INTO {table}_{month} SELECT * FROM moved"
        ),
        format!(
            "ALTER TABLE {table} ATTACH PARTITION {table}_{month} \
             FOR VALUES FROM ({begin}) TO ({end})"
        ),
    ] {
        run(tx, &statement).await?;
    }
    tracing::info!(table, month = %month, "partition made");
    Ok(())
}

/// Drops a partition and everything in it.
pub(super) async fn drop_partition(tx: &mut Connection, partition: &Partition) -> Result<()> {
    run(tx, &format!("DROP TABLE {}", partition.name)).await?;
    tracing::info!(partition = partition.name, "partition dropped");
    Ok(())
}

async fn run(tx: &mut Connection, statement: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_end_with_their_month() {
        for (name, end) in [
            ("audit_log_2026_12", Some("2027-01-01T00:00:00Z")),
            ("audit_log_before_2026_12", Some("2026-12-01T00:00:00Z")),
            ("audit_log_default", None),
            ("application_events_2026_12", None),
        ] {
            let partition = Partition::parse(Family::Audit, name.to_owned());
            assert_eq!(
                partition.map(|partition| partition.end),
                end.map(|end| end.parse().unwrap()),
                "{name}"
            );
        }
    }
}
