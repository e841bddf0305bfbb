//! One connection to a running container's log for all who follow it.
//!
//! A task reads it when somebody waits for more, and keeps the last lines for whoever is a little
//! behind. Who is further behind reads on as anybody does who has no connection.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use super::{
    follow::{LIMITS, SIGN_OF_LIFE},
    live_tail::{LiveTail, News},
};
use crate::{
    background::spawn,
    cluster::LiveContainer,
    domain::{
        cursor::{Cursor, LinePlace},
        lines::PlacedLine,
    },
    error::Error,
    metrics::ReaderMetrics,
};

/// What is kept for those who are behind, beside the newest lines.
const KEPT_BYTES: usize = 128 << 10;
/// How long nobody else connects while somebody does: not forever, since he may be a caller who
/// takes nothing and so does not go on.
const OPENING: Duration = Duration::from_secs(30);
/// How long nobody connects again after somebody could not.
const RETRY: Duration = Duration::from_secs(1);
/// How long a connection may take to come to a line that is known from elsewhere.
const CATCHING_UP: Duration = Duration::from_secs(5);

/// The connections that are open. Clones share them.
#[derive(Debug, Clone)]
pub struct SharedTails {
    connections: Arc<Mutex<BTreeMap<LiveContainer, State>>>,
    metrics: ReaderMetrics,
}

#[derive(Debug)]
enum State {
    Open(Connection),
    /// Somebody connects, or just could not: others do not try before then.
    Waiting(Instant),
}

#[derive(Debug, Clone)]
struct Connection {
    window: watch::Sender<Window>,
    /// Somebody waits for what is behind the window.
    wanted: Arc<Notify>,
}

/// A follower's share of a connection.
#[derive(Debug)]
pub(super) struct SharedTail {
    connection: Connection,
    window: watch::Receiver<Window>,
    /// How many lines of the connection were given or passed.
    position: u64,
}

/// The last lines that a connection told.
#[derive(Debug)]
struct Window {
    /// After the line before them.
    before: Cursor,
    /// How many lines there were before them.
    passed: u64,
    lines: VecDeque<PlacedLine>,
    size_bytes: usize,
    /// Nothing more will come.
    is_over: bool,
}

impl SharedTails {
    /// None is open yet.
    pub fn new(metrics: ReaderMetrics) -> Self {
        Self {
            connections: Arc::default(),
            metrics,
        }
    }

    /// Goes behind a line: on the open connection, or on the one that `open` makes, which is behind
    /// that line. `None` when neither has the line, and while somebody else connects or has just
    /// failed to.
    ///
    /// # Errors
    ///
    /// When `open` fails.
    pub(super) async fn join(
        &self,
        container: &LiveContainer,
        place: LinePlace,
        open: impl AsyncFnOnce() -> Result<Option<LiveTail>, Error>,
    ) -> Result<Option<SharedTail>, Error> {
        let opening = match self.look_for(container) {
            Known::Connection(tail) => return Ok(tail.behind(place).await),
            Known::NotNow => return Ok(None),
            Known::Nothing(opening) => opening,
        };
        let tail = open().await?;
        Ok(tail.and_then(|tail| opening.end(tail, place)))
    }

    /// What there is, or the right to connect.
    fn look_for<'a>(&'a self, container: &'a LiveContainer) -> Known<'a> {
        let now = Instant::now();
        let mut connections = self.connections();
        connections.retain(|_, state| !matches!(state, State::Waiting(until) if *until <= now));
        match connections.get(container) {
            Some(State::Waiting(_)) => return Known::NotNow,
            Some(State::Open(connection)) => {
                if let Some(tail) = connection.share() {
                    return Known::Connection(tail);
                }
            }
            None => {}
        }
        connections.insert(container.clone(), State::Waiting(now + OPENING));
        Known::Nothing(Opening {
            tails: self,
            container,
        })
    }

    fn connections(&self) -> MutexGuard<'_, BTreeMap<LiveContainer, State>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a connection, unless there is another one meanwhile.
    fn forget(&self, container: &LiveContainer, connection: &Connection) {
        let mut connections = self.connections();
        if let Some(State::Open(known)) = connections.get(container)
            && known.window.same_channel(&connection.window)
        {
            connections.remove(container);
        }
    }
}

enum Known<'a> {
    Connection(SharedTail),
    NotNow,
    Nothing(Opening<'a>),
}

/// The right to connect to a container.
struct Opening<'a> {
    tails: &'a SharedTails,
    container: &'a LiveContainer,
}

impl Opening<'_> {
    fn end(self, tail: LiveTail, place: LinePlace) -> Option<SharedTail> {
        let connection = Connection::behind(place);
        let shared = connection.share();
        let (tails, container) = (self.tails.clone(), self.container.clone());
        let state = State::Open(connection.clone());
        tails.connections().insert(container.clone(), state);
        drop(spawn(async move {
            tails.metrics.live_connections.inc();
            tokio::select! {
                () = connection.read(tail) => {}
                () = connection.window.closed() => {}
            }
            connection.end();
            tails.forget(&container, &connection);
            tails.metrics.live_connections.dec();
        }));
        shared
    }
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        let mut connections = self.tails.connections();
        if let Some(State::Waiting(until)) = connections.get_mut(self.container) {
            *until = Instant::now() + RETRY;
        }
    }
}

impl Connection {
    fn behind(place: LinePlace) -> Self {
        let window = Window {
            before: Cursor::Line(place),
            passed: 0,
            lines: VecDeque::new(),
            size_bytes: 0,
            is_over: false,
        };
        Self {
            window: watch::Sender::new(window),
            wanted: Arc::default(),
        }
    }

    /// A share that has passed nothing; `None` when the connection has ended.
    fn share(&self) -> Option<SharedTail> {
        let window = self.window.subscribe();
        let position = window.borrow().passed;
        let is_over = window.borrow().is_over;
        (!is_over).then(|| SharedTail {
            connection: self.clone(),
            window,
            position,
        })
    }

    /// Reads for as long as somebody wants more.
    async fn read(&self, mut tail: LiveTail) {
        loop {
            self.wanted.notified().await;
            match tail.next(LIMITS, SIGN_OF_LIFE).await {
                News::Lines(lines) => self.window.send_modify(|window| window.push(lines)),
                News::Quiet => {}
                News::Over => return,
            }
        }
    }

    fn end(&self) {
        self.window.send_modify(|window| window.is_over = true);
    }
}

impl SharedTail {
    /// Waits for what comes. A share that is too far behind is told that it is over.
    pub(super) async fn next(&mut self, patience: Duration) -> News {
        let deadline = Instant::now() + patience;
        loop {
            match self.window.borrow_and_update().behind(self.position) {
                News::Quiet => {}
                News::Lines(lines) => {
                    self.position += lines.len() as u64;
                    return News::Lines(lines);
                }
                News::Over => return News::Over,
            }
            self.connection.wanted.notify_one();
            if timeout_at(deadline, self.window.changed()).await.is_err() {
                return News::Quiet;
            }
        }
    }

    /// Goes behind a line, once the connection has told it. `None` when it has passed the line, and
    /// when it does not come: such a connection is of no use to anybody.
    async fn behind(mut self, place: LinePlace) -> Option<Self> {
        let (cursor, before) = (Cursor::Line(place), self.window.borrow().before);
        if cursor.is_up_to(before) {
            return (cursor == before).then_some(self);
        }
        let deadline = Instant::now() + CATCHING_UP;
        loop {
            let patience = deadline.saturating_duration_since(Instant::now());
            let lines = match self.next(patience).await {
                News::Lines(lines) => lines,
                News::Quiet => {
                    self.connection.end();
                    return None;
                }
                News::Over => return None,
            };
            if let Some(found) = lines.iter().position(|line| line.is_at(cursor)) {
                self.position -= (lines.len() - found - 1) as u64;
                return Some(self);
            }
            if lines.iter().any(|line| cursor.is_up_to(line.after())) {
                return None;
            }
        }
    }
}

impl Window {
    fn push(&mut self, lines: Vec<PlacedLine>) {
        let newest = lines.len();
        self.size_bytes += lines.iter().map(size_bytes).sum::<usize>();
        self.lines.extend(lines);
        while self.size_bytes > KEPT_BYTES && self.lines.len() > newest {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.size_bytes -= size_bytes(&oldest);
            self.before = oldest.after();
            self.passed += 1;
        }
    }

    /// What is behind a position. It is over for those of whom lines are not kept any more.
    fn behind(&self, position: u64) -> News {
        let Some(skipped) = position.checked_sub(self.passed) else {
            return News::Over;
        };
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let mut text_bytes = 0;
        let fits = |line: &&PlacedLine| {
            let fits = text_bytes < LIMITS.text_bytes;
            text_bytes += line.line.text.len();
            fits
        };
        let lines = self.lines.iter().skip(skipped).take(LIMITS.lines);
        let lines: Vec<_> = lines.take_while(fits).cloned().collect();
        match (lines.is_empty(), self.is_over) {
            (false, _) => News::Lines(lines),
            (true, true) => News::Over,
            (true, false) => News::Quiet,
        }
    }
}

fn size_bytes(line: &PlacedLine) -> usize {
    size_of::<PlacedLine>() + line.line.text.len()
}
