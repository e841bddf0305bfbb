//! One transaction that writes a group of submissions and happenings.
//!
//! Rows that a happening concerns are locked first, in the order of their ids, and the sequence
//! last: two replicas' groups wait for each other and never deadlock. Submissions are decided under
//! the lock of the sequence, so two tries of one key see each other wherever they come in.

use std::ops::Range;

use jiff::Timestamp;
use moka_db::{Connection, Database, DatabaseKind, Isolation};

use super::{
    events,
    record::{self, Change},
    submit::{self, Candidate, Decided},
};
use crate::store::{Recorded, Result};

/// Something to be written.
#[derive(Debug)]
pub(super) enum Write {
    /// A submission.
    Submit(Box<Candidate>),
    /// A happening.
    Record(Box<Change>),
}

impl Write {
    /// The submission, if it is one.
    fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Submit(candidate) => Some(candidate),
            Self::Record(_) => None,
        }
    }

    /// About how much memory it takes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Submit(candidate) => 1024 + candidate.document.len(),
            Self::Record(_) => 4096,
        }
    }
}

/// What became of a write.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "moved once, from a transaction to its caller"
)]
pub(super) enum Outcome {
    /// Of a submission.
    Submitted(Decided),
    /// Of a happening; `None` when there is no such application.
    Recorded(Option<Recorded>),
}

/// A committed group.
#[derive(Debug)]
pub(super) struct Written {
    /// One for each write, in their order.
    pub(super) outcomes: Vec<Outcome>,
    /// The last number that was given.
    pub(super) last_sequence: Option<i64>,
}

/// Writes all of it or nothing.
pub(super) async fn write(
    database: &Database,
    now: Timestamp,
    writes: &[Write],
) -> Result<Written> {
    let kind = database.kind();
    let candidates: Option<Vec<_>> = writes.iter().map(Write::candidate).collect();
    if let (DatabaseKind::Postgres, Some(candidates)) = (kind, candidates) {
        return submit(database, &candidates).await;
    }
    database
        .transaction_at(Isolation::ReadCommitted, "write", async |mut tx| {
            let tx: &mut Connection = &mut tx;
            let mut candidates = Vec::new();
            let mut changes = Vec::new();
            for write in writes {
                match write {
                    Write::Submit(candidate) => candidates.push(&**candidate),
                    Write::Record(change) => changes.push(&**change),
                }
            }
            let mut recorded = record::decide(tx, kind, now, &changes).await?;
            let wanted = recorded.entries.len() + candidates.len();
            let mut last_sequence = None;
            let mut entries = Vec::new();
            let mut decided = Vec::new();
            if wanted > 0 {
                let mut numbers = take_numbers(tx, wanted).await?;
                last_sequence = Some(numbers.end - 1);
                recorded.number(&mut numbers);
                entries.append(&mut recorded.entries);
                decided = submit::insert(tx, kind, &candidates, numbers, &mut entries).await?;
            }
            record::store(tx, kind, &recorded).await?;
            events::insert(tx, kind, &entries).await?;
            let mut decided = decided.into_iter();
            let mut recorded = recorded.outcomes.into_iter();
            let outcome = |write: &Write| match write {
                Write::Submit(_) => decided.next().map(Outcome::Submitted),
                Write::Record(_) => recorded.next().map(Outcome::Recorded),
            };
            let outcomes = writes.iter().filter_map(outcome).collect();
            Ok(Written {
                outcomes,
                last_sequence,
            })
        })
        .await
}

/// Writes submissions alone, in three round trips: the lock, one statement, the commit.
async fn submit(database: &Database, candidates: &[&Candidate]) -> Result<Written> {
    const LOCK: &str = "SELECT last_sequence FROM event_sequence WHERE id = 1 FOR UPDATE";
    database
        .locking_transaction(LOCK, "submit", async |mut tx| {
            let tx: &mut Connection = &mut tx;
            let mut entries = Vec::new();
            let (decided, last) = submit::insert_at_once(tx, candidates, &mut entries).await?;
            events::insert(tx, DatabaseKind::Postgres, &entries).await?;
            Ok(Written {
                outcomes: decided.into_iter().map(Outcome::Submitted).collect(),
                last_sequence: Some(last),
            })
        })
        .await
}

/// The next sequence numbers. Holds the lock on all further ones until the transaction ends.
async fn take_numbers(tx: &mut Connection, count: usize) -> Result<Range<i64>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "UPDATE event_sequence SET last_sequence = last_sequence + $1 WHERE id = 1 \
               RETURNING last_sequence";
    let last: i64 = sqlx::query_scalar(sql)
        .bind(count)
        .fetch_one(tx)
        .await
        .map_err(moka_db::Error::from)?;
    Ok(last - count + 1..last + 1)
}
