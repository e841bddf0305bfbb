//! Accepting applications.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    ops::Range,
};

use moka_core::ApplicationId;
use moka_db::{Connection, DatabaseKind};
use sqlx::AssertSqlSafe;

use super::{
    SqlStore,
    batch::{Batch, Type, Value},
    events::Entry,
    group::{Outcome, Write},
    read, record, rows,
};
use crate::{
    domain::{
        application::{Application, Event},
        spec::Tier,
        state::ApplicationState,
        submission::Submission,
        tries::{self, Decision, Sibling},
    },
    store::{Error, Result, Submitted},
};

/// A submission on its way into the database.
#[derive(Debug)]
pub(super) struct Candidate {
    /// As it will be, but for its version and predecessor.
    application: Application,
    /// The submission as JSON.
    pub(super) document: String,
    tags: String,
}

/// What became of a candidate.
#[derive(Debug)]
pub(super) enum Decided {
    /// It is a new application.
    New {
        version: i64,
        predecessor: Option<ApplicationId>,
    },
    /// The same three made this one before.
    Existing(Box<Application>),
    /// The next lower try has not ended.
    PredecessorLive(ApplicationId),
    /// A higher try exists.
    Overtaken { highest: u32 },
}

const APPLICATION: &[(&str, Type)] = &[
    ("application_id", Type::Text),
    ("project", Type::Text),
    ("idempotency_key", Type::Text),
    ("try_number", Type::BigInt),
    ("submission", Type::Text),
    ("predecessor_id", Type::Text),
    ("state", Type::Text),
    ("create_time", Type::BigInt),
    ("update_time", Type::BigInt),
    ("version", Type::BigInt),
    ("display_name", Type::Text),
    ("owner", Type::Text),
    ("workflow", Type::Text),
    ("run", Type::Text),
    ("queue", Type::Text),
    ("tier", Type::Text),
    ("tags", Type::Text),
    ("deadline_time", Type::BigInt),
];

/// A key of a project.
type Key<'a> = (&'a str, &'a str);

pub(super) async fn submit(
    store: &SqlStore,
    submissions: Vec<(ApplicationId, Submission)>,
) -> Result<Vec<Result<Submitted>>> {
    let now = store.now();
    let applications: Vec<_> = submissions
        .into_iter()
        .map(|(id, submission)| Application::accepted(id, submission, now))
        .collect();
    let candidate = |application: &Application| {
        Write::Submit(Box::new(Candidate {
            document: rows::to_json(&application.submission),
            tags: rows::to_json(&application.submission.spec.tags),
            application: application.clone(),
        }))
    };
    let writes = applications.iter().map(candidate).collect();
    let outcomes = store.queue.write(writes).await?;
    let submitted = applications.into_iter().zip(outcomes);
    let submitted = submitted.map(|(application, outcome)| match outcome? {
        Outcome::Submitted(decided) => decided.into_submitted(application),
        Outcome::Recorded(_) => Err(Error::Stopped),
    });
    Ok(submitted.collect())
}

impl Decided {
    fn into_submitted(self, candidate: Application) -> Result<Submitted> {
        match self {
            Self::New {
                version,
                predecessor,
            } => Ok(Submitted {
                application: Application {
                    predecessor,
                    version,
                    ..candidate
                },
                created: true,
            }),
            Self::Existing(application) => Ok(Submitted {
                application: *application,
                created: false,
            }),
            Self::PredecessorLive(id) => Err(Error::PredecessorLive(id)),
            Self::Overtaken { highest } => Err(Error::Overtaken { highest }),
        }
    }
}

/// Inserts what is new and adds its entries. Called under the lock of the sequence. A candidate
/// that is not accepted leaves its number unused.
pub(super) async fn insert(
    tx: &mut Connection,
    kind: DatabaseKind,
    candidates: &[&Candidate],
    numbers: Range<i64>,
    entries: &mut Vec<Entry>,
) -> Result<Vec<Decided>> {
    let mut insertion = Insertion::new(kind, candidates.len(), entries);
    insertion.numbers = numbers.collect();
    insertion.insert_unrelated(tx, candidates).await?;
    insertion.decide_others(tx, candidates).await?;
    Ok(insertion.decided.into_iter().flatten().collect())
}

/// [`insert`] on PostgreSQL, where one statement takes the numbers and writes applications, events
/// and audit rows: what waits for an answer less often holds the sequence for a shorter time.
/// Returns the last number that was taken, too.
pub(super) async fn insert_at_once(
    tx: &mut Connection,
    candidates: &[&Candidate],
    entries: &mut Vec<Entry>,
) -> Result<(Vec<Decided>, i64)> {
    let mut insertion = Insertion::new(DatabaseKind::Postgres, candidates.len(), entries);
    let last = insertion.tell_unrelated(tx, candidates).await?;
    insertion.decide_others(tx, candidates).await?;
    Ok((insertion.decided.into_iter().flatten().collect(), last))
}

struct Insertion<'a> {
    kind: DatabaseKind,
    numbers: VecDeque<i64>,
    entries: &'a mut Vec<Entry>,
    decided: Vec<Option<Decided>>,
}

impl<'a> Insertion<'a> {
    fn new(kind: DatabaseKind, count: usize, entries: &'a mut Vec<Entry>) -> Self {
        Self {
            kind,
            numbers: VecDeque::new(),
            entries,
            decided: (0..count).map(|_| None).collect(),
        }
    }

    /// [`Insertion::insert_unrelated`], with numbers, events and audit rows. Every candidate gets a
    /// number; those that are left are for the others.
    async fn tell_unrelated(
        &mut self,
        tx: &mut Connection,
        candidates: &[&Candidate],
    ) -> Result<i64> {
        let mut keys = HashSet::new();
        let mut batch = Batch::new(self.kind, APPLICATION);
        let mut indexes = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if keys.insert(candidate.key()) {
                indexes.insert(candidate.application.id, index);
                let ordinal = i64::try_from(indexes.len()).unwrap_or(i64::MAX);
                candidate.push(&mut batch, ordinal, None);
            }
        }
        let count = i64::try_from(candidates.len()).unwrap_or(i64::MAX);
        let columns = batch.names();
        let values = columns.replace("version", "taken.last_sequence - $19 + source.version");
        let sql = format!(
            "WITH taken AS (UPDATE event_sequence SET last_sequence = last_sequence + $19 \
             WHERE id = 1 RETURNING last_sequence), \
             added AS (INSERT INTO applications ({columns}) SELECT {values} \
             FROM taken, {source} WHERE (SELECT earlier.application_id FROM applications \
             AS earlier WHERE earlier.project = source.project AND earlier.idempotency_key = \
             source.idempotency_key LIMIT 1) IS NULL \
             RETURNING application_id, project, create_time, version), \
             told AS (INSERT INTO application_events (sequence, application_id, project, state, \
             attempt_number, time, message) SELECT version, application_id, project, 'QUEUED', 0, \
             create_time, 'accepted' FROM added), \
             audited AS (INSERT INTO audit_log (sequence, time, actor, action, application_id, \
             detail) SELECT version, create_time, 'api', 'submit', application_id, 'accepted' \
             FROM added) \
             SELECT taken.last_sequence, added.application_id, added.version \
             FROM taken LEFT JOIN added ON TRUE",
            source = batch.source(),
        );
        let rows = batch
            .bind(sqlx::query(AssertSqlSafe(sql)))
            .bind(count)
            .fetch_all(tx)
            .await
            .map_err(moka_db::Error::from)?;
        let mut last = 0;
        let mut used = BTreeSet::new();
        for row in &rows {
            last = rows::get(row, "last_sequence")?;
            let Some(version) = rows::get::<Option<i64>>(row, "version")? else {
                continue;
            };
            let id: ApplicationId = rows::parse(row, "application_id")?;
            if let Some(index) = indexes.get(&id) {
                used.insert(version);
                self.decided[*index] = Some(Decided::New {
                    version,
                    predecessor: None,
                });
            }
        }
        self.numbers = (last - count + 1..=last)
            .filter(|number| !used.contains(number))
            .collect();
        Ok(last)
    }

    /// Inserts the first candidate of every key that has no application yet, which are nearly all:
    /// one statement looks and inserts.
    async fn insert_unrelated(
        &mut self,
        tx: &mut Connection,
        candidates: &[&Candidate],
    ) -> Result<()> {
        let mut keys = HashSet::new();
        let mut batch = Batch::new(self.kind, APPLICATION);
        let mut numbered = BTreeMap::new();
        for (index, candidate) in candidates.iter().enumerate() {
            if keys.insert(candidate.key())
                && let Some(version) = self.numbers.pop_front()
            {
                candidate.push(&mut batch, version, None);
                numbered.insert(candidate.application.id, (index, version));
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        // A scalar subquery, because a join might be planned to read the whole table.
        let sql = format!(
            "INSERT INTO applications ({names}) SELECT {names} FROM {source} WHERE (SELECT \
             earlier.application_id FROM applications AS earlier WHERE earlier.project = \
             source.project AND earlier.idempotency_key = source.idempotency_key LIMIT 1) IS NULL \
             RETURNING application_id",
            names = batch.names(),
            source = batch.source(),
        );
        let rows = batch
            .bind(sqlx::query(AssertSqlSafe(sql)))
            .fetch_all(tx)
            .await
            .map_err(moka_db::Error::from)?;
        for row in &rows {
            let id: ApplicationId = rows::parse(row, "application_id")?;
            if let Some((index, version)) = numbered.remove(&id) {
                self.accept(candidates, index, version, None);
            }
        }
        self.numbers
            .extend(numbered.into_values().map(|(_, version)| version));
        Ok(())
    }

    /// Decides about the rest one after the other, and inserts what is new of it.
    async fn decide_others(
        &mut self,
        tx: &mut Connection,
        candidates: &[&Candidate],
    ) -> Result<()> {
        let undecided = |index: &usize| self.decided[*index].is_none();
        let others: Vec<_> = (0..candidates.len()).filter(undecided).collect();
        if others.is_empty() {
            return Ok(());
        }
        let keys = others.iter().map(|index| candidates[*index].key());
        let mut siblings = siblings(tx, self.kind, keys.collect()).await?;
        let mut batch = Batch::new(self.kind, APPLICATION);
        let mut existing = Vec::new();
        for index in others {
            let candidate = candidates[index];
            let siblings = siblings.entry(candidate.owned_key()).or_default();
            match tries::decide(siblings, candidate.application.submission.try_number) {
                Decision::New { predecessor } => {
                    let Some(version) = self.numbers.pop_front() else {
                        continue;
                    };
                    candidate.push(&mut batch, version, predecessor);
                    siblings.push(Sibling {
                        id: candidate.application.id,
                        try_number: candidate.application.submission.try_number,
                        state: ApplicationState::Queued,
                    });
                    self.accept(candidates, index, version, predecessor);
                }
                Decision::Existing(id) => existing.push((index, id)),
                Decision::PredecessorLive(id) => {
                    self.decided[index] = Some(Decided::PredecessorLive(id));
                }
                Decision::Overtaken { highest } => {
                    self.decided[index] = Some(Decided::Overtaken { highest });
                }
            }
        }
        if !batch.is_empty() {
            let names = batch.names();
            let sql = format!(
                "INSERT INTO applications ({names}) SELECT {names} FROM {}",
                batch.source()
            );
            let query = batch.bind(sqlx::query(AssertSqlSafe(sql)));
            query
                .execute(&mut *tx)
                .await
                .map_err(moka_db::Error::from)?;
        }
        self.read_existing(tx, existing).await
    }

    async fn read_existing(
        &mut self,
        tx: &mut Connection,
        existing: Vec<(usize, ApplicationId)>,
    ) -> Result<()> {
        let ids: BTreeSet<_> = existing.iter().map(|(_, id)| *id).collect();
        let ids: Vec<_> = ids.into_iter().collect();
        let found = read::by_ids(tx, self.kind, &ids).await?;
        let found: BTreeMap<_, _> = found.into_iter().map(|one| (one.id, one)).collect();
        for (index, id) in existing {
            let application = found.get(&id).ok_or(moka_db::Error::NotFound)?;
            self.decided[index] = Some(Decided::Existing(Box::new(application.clone())));
        }
        Ok(())
    }

    fn accept(
        &mut self,
        candidates: &[&Candidate],
        index: usize,
        version: i64,
        predecessor: Option<ApplicationId>,
    ) {
        let candidate = candidates[index];
        self.entries.push(Entry {
            event: Event {
                sequence: version,
                application_id: candidate.application.id,
                state: ApplicationState::Queued,
                previous_state: None,
                attempt_number: 0,
                time: candidate.application.create_time,
                message: "accepted".to_owned(),
            },
            project: candidate.application.submission.project.clone(),
            actor: "api",
            action: "submit",
        });
        self.decided[index] = Some(Decided::New {
            version,
            predecessor,
        });
    }
}

impl Candidate {
    fn key(&self) -> Key<'_> {
        let submission = &self.application.submission;
        (&submission.project, &submission.idempotency_key)
    }

    fn owned_key(&self) -> (String, String) {
        let (project, key) = self.key();
        (project.to_owned(), key.to_owned())
    }

    fn push(&self, batch: &mut Batch, version: i64, predecessor: Option<ApplicationId>) {
        let Submission {
            project,
            idempotency_key,
            try_number,
            display_name,
            spec,
            terms: _,
        } = &self.application.submission;
        let id = self.application.id.to_string();
        let predecessor = predecessor.map(|id| id.to_string());
        let now = self.application.create_time.as_microsecond();
        batch.push([
            (&id).into(),
            project.into(),
            idempotency_key.into(),
            (*try_number).into(),
            (&self.document).into(),
            predecessor.as_ref().into(),
            ApplicationState::Queued.as_str().into(),
            now.into(),
            now.into(),
            version.into(),
            display_name.into(),
            (&spec.owner).into(),
            (&spec.workflow).into(),
            (&spec.run).into(),
            (&spec.queue).into(),
            Value::Text(spec.tier.map_or("", Tier::as_str)),
            (&self.tags).into(),
            record::deadline_time(&self.application).into(),
        ]);
    }
}

async fn siblings(
    tx: &mut Connection,
    kind: DatabaseKind,
    keys: BTreeSet<Key<'_>>,
) -> Result<BTreeMap<(String, String), Vec<Sibling>>> {
    let columns = &[("project", Type::Text), ("idempotency_key", Type::Text)];
    let mut batch = Batch::new(kind, columns);
    for (project, key) in keys {
        batch.push([project.into(), key.into()]);
    }
    let sql = format!(
        "SELECT found.application_id, found.project, found.idempotency_key, found.try_number, \
         found.state FROM {} JOIN applications AS found ON found.project = source.project \
         AND found.idempotency_key = source.idempotency_key",
        batch.source()
    );
    let rows = batch
        .bind(sqlx::query(AssertSqlSafe(sql)))
        .fetch_all(tx)
        .await
        .map_err(moka_db::Error::from)?;
    let mut siblings = BTreeMap::<_, Vec<_>>::new();
    for row in &rows {
        let key = (
            rows::get(row, "project")?,
            rows::get(row, "idempotency_key")?,
        );
        siblings.entry(key).or_default().push(Sibling {
            id: rows::parse(row, "application_id")?,
            try_number: rows::number(row, "try_number")?,
            state: rows::parse(row, "state")?,
        });
    }
    Ok(siblings)
}
