//! Group commit: what is to be written at the same time is written in one transaction.
//!
//! One task takes whatever is waiting, writes it together and answers. While it does, the next
//! group gathers, so a group is as large as the load makes it, and an idle store writes at once.
//! What nobody waits for, the happenings, is not written more often than needed: a transaction
//! costs the same whether it has one or twenty.

use std::{fmt, sync::Arc, time::Duration};

use moka_core::clock::Clock;
use moka_db::Database;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{
    group::{self, Outcome, Write},
    rows,
};
use crate::store::{Error, Result};

/// Most bytes of requests that wait or are being written.
const WAITING_BYTES: usize = 64 * 1024 * 1024;
/// Most calls that wait.
const WAITING_CALLS: usize = 4096;
/// A group takes no further call when it has so many writes.
const GROUP_WRITES: usize = 512;
/// A group takes no further call when its writes have so many bytes.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// Between the beginnings of two groups that no caller waits for.
const GATHER: Duration = Duration::from_millis(20);
/// How long a worker waits for its place; a caller does not wait at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who has waited this long while the database did not answer is told so, and not kept for another
/// try.
const LONGEST_OUTAGE: Duration = Duration::from_secs(5);

/// One call's writes, and where their outcomes go.
struct Call {
    writes: Vec<Write>,
    bytes: usize,
    answer: oneshot::Sender<Vec<Result<Outcome>>>,
    place: OwnedSemaphorePermit,
    entered_at: Instant,
}

impl Call {
    /// Whether it is a caller's, who has to hear that his application is accepted.
    fn is_waited_for(&self) -> bool {
        let is_submission = |write: &Write| matches!(write, Write::Submit(_));
        self.writes.iter().any(is_submission)
    }
}

/// Where calls wait. Clones share it.
#[derive(Clone)]
pub(super) struct Queue {
    calls: mpsc::Sender<Call>,
    bytes: Arc<Semaphore>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// The other end of the queue.
pub(super) struct Writer {
    calls: mpsc::Receiver<Call>,
    database: Database,
    clock: Arc<dyn Clock>,
    written: Arc<watch::Sender<i64>>,
}

/// An empty queue and its writer, which ends when all queues are gone.
pub(super) fn pair(
    database: Database,
    clock: Arc<dyn Clock>,
    written: Arc<watch::Sender<i64>>,
) -> (Queue, Writer) {
    let (sender, receiver) = mpsc::channel(WAITING_CALLS);
    let queue = Queue {
        calls: sender,
        bytes: Arc::new(Semaphore::new(WAITING_BYTES)),
    };
    let writer = Writer {
        calls: receiver,
        database,
        clock,
        written,
    };
    (queue, writer)
}

impl Queue {
    /// Writes, or says at once that too much is waiting. One outcome for each write.
    pub(super) async fn write(&self, writes: Vec<Write>) -> Result<Vec<Result<Outcome>>> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = bytes_of(&writes);
        let place = Arc::clone(&self.bytes)
            .try_acquire_many_owned(permits(bytes))
            .map_err(|_full| Error::Overloaded)?;
        let (call, answer) = call(writes, bytes, place);
        self.calls
            .try_send(call)
            .map_err(|_full| Error::Overloaded)?;
        answer.await.map_err(|_gone| Error::Stopped)
    }

    /// Writes one thing after waiting for a place.
    pub(super) async fn write_patiently(&self, write: Write) -> Result<Outcome> {
        let writes = vec![write];
        let bytes = bytes_of(&writes);
        let entering = async {
            let place = Arc::clone(&self.bytes)
                .acquire_many_owned(permits(bytes))
                .await
                .map_err(|_closed| Error::Stopped)?;
            let (call, answer) = call(writes, bytes, place);
            self.calls
                .send(call)
                .await
                .map_err(|_closed| Error::Stopped)?;
            Ok(answer)
        };
        let answer = timeout(PATIENCE, entering)
            .await
            .unwrap_or(Err(Error::Overloaded))?;
        let outcomes = answer.await.map_err(|_gone| Error::Stopped)?;
        outcomes.into_iter().next().unwrap_or(Err(Error::Stopped))
    }
}

fn call(
    writes: Vec<Write>,
    bytes: usize,
    place: OwnedSemaphorePermit,
) -> (Call, oneshot::Receiver<Vec<Result<Outcome>>>) {
    let (answer, receiver) = oneshot::channel();
    let call = Call {
        writes,
        bytes,
        answer,
        place,
        entered_at: Instant::now(),
    };
    (call, receiver)
}

fn bytes_of(writes: &[Write]) -> usize {
    writes.iter().map(Write::bytes).sum()
}

/// A call that is larger than everything together waits until nothing else does.
fn permits(bytes: usize) -> u32 {
    u32::try_from(bytes.min(WAITING_BYTES)).unwrap_or(u32::MAX)
}

impl Writer {
    /// Writes until all queues are gone.
    pub(super) async fn run(mut self) {
        let mut group = Vec::new();
        let mut answers = true;
        let mut not_before = Instant::now();
        while let Some(call) = self.calls.recv().await {
            self.gather(call, &mut group, not_before).await;
            not_before = Instant::now() + GATHER;
            // Whoever has given up need not be waited for.
            group.retain(|call| !call.answer.is_closed());
            if !answers {
                dismiss(&mut group);
            }
            if !group.is_empty() {
                answers = self.write(&mut group).await;
            }
        }
    }

    /// Takes what is waiting, and unless a caller waits for it, what comes until then.
    async fn gather(&mut self, first: Call, group: &mut Vec<Call>, mut until: Instant) {
        let (mut writes, mut bytes) = (0, 0);
        let mut next = Some(first);
        while let Some(call) = next {
            if call.is_waited_for() {
                until = Instant::now();
            }
            writes += call.writes.len();
            bytes += call.bytes;
            group.push(call);
            if writes >= GROUP_WRITES || bytes >= GROUP_BYTES {
                return;
            }
            next = timeout_at(until, self.calls.recv()).await.unwrap_or(None);
        }
    }

    /// Says whether the database answers.
    async fn write(&self, group: &mut Vec<Call>) -> bool {
        let mut writes = Vec::new();
        let mut waiting = Vec::with_capacity(group.len());
        for call in group.drain(..) {
            waiting.push((call.writes.len(), call.answer, call.place));
            writes.extend(call.writes);
        }
        let outcomes = self.outcomes(writes).await;
        let is_outage = |outcome: &Result<Outcome>| {
            let error = outcome.as_ref().err();
            error.is_some_and(Error::is_outage)
        };
        let answers = !outcomes.iter().any(is_outage);
        let mut outcomes = outcomes.into_iter();
        for (count, answer, place) in waiting {
            let outcomes = outcomes.by_ref().take(count).collect();
            drop(place);
            // Whoever does not wait any more can ask again: every write may be repeated.
            let _ = answer.send(outcomes);
        }
        answers
    }

    async fn outcomes(&self, writes: Vec<Write>) -> Vec<Result<Outcome>> {
        let error = match self.transaction(&writes).await {
            Ok(outcomes) => return outcomes.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if writes.len() == 1 {
            return vec![Err(error)];
        }
        if error.is_outage() {
            let shared = Arc::new(error);
            let failed = |_| Err(Error::Group(Arc::clone(&shared)));
            return writes.iter().map(failed).collect();
        }
        // One of them cannot be written. That must not keep the others out.
        tracing::warn!(%error, writes = writes.len(), "a group failed, writing one by one");
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            outcomes.push(match self.transaction(&[write]).await {
                Ok(outcomes) => outcomes.into_iter().next().ok_or(Error::Stopped),
                Err(error) => Err(error),
            });
        }
        outcomes
    }

    async fn transaction(&self, writes: &[Write]) -> Result<Vec<Outcome>> {
        let now = rows::time(self.clock.now().as_microsecond());
        let written = group::write(&self.database, now, writes).await?;
        if let Some(last) = written.last_sequence {
            self.written.send_modify(|known| *known = last.max(*known));
        }
        Ok(written.outcomes)
    }
}

/// Answers those that have waited through an outage.
fn dismiss(group: &mut Vec<Call>) {
    let has_waited = |call: &mut Call| call.entered_at.elapsed() >= LONGEST_OUTAGE;
    for call in group.extract_if(.., has_waited) {
        let outage = moka_db::Error::Unavailable(sqlx::Error::PoolTimedOut);
        let outage = Arc::new(Error::Database(outage));
        let failed = |_: &Write| Err(Error::Group(Arc::clone(&outage)));
        let outcomes = call.writes.iter().map(failed).collect();
        let _ = call.answer.send(outcomes);
    }
}
