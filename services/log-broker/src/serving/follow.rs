//! Follows a stream for as long as it may grow.

use std::{sync::Arc, time::Duration};

use moka_core::ErrorReason;
use tokio::time::Instant;

use super::{
    Answer, Serving, Target,
    live_tail::{LiveTail, News},
    read::counts_right,
    shared_tails::SharedTail,
};
use crate::{
    archive::Limits,
    domain::{
        completeness::Completeness,
        cursor::{Cursor, LinePlace},
        lines::PlacedLine,
    },
    error::Error,
};

/// How often a follower hears that nothing is new.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// What it is given at a time.
pub(super) const LIMITS: Limits = Limits {
    lines: 1000,
    text_bytes: 1 << 20,
    until: None,
};

/// One follower. It reads when it is asked for more, so a slow one holds one answer and no queue.
#[derive(Debug)]
pub struct Follower {
    serving: Serving,
    target: Target,
    cursor: Cursor,
    /// What is known of the stream up to the cursor.
    completeness: Completeness,
    /// Whether the last reading came to the end of what was known.
    caught_up: bool,
    tail: Option<SharedTail>,
    last_answer: Instant,
    finished: bool,
}

impl Follower {
    /// A follower from a cursor on.
    pub fn new(serving: Serving, target: Target, cursor: Cursor) -> Self {
        serving.metrics.readers.followers.inc();
        Self {
            // It goes on for as long as the stream.
            serving: serving.answering_by(None),
            target,
            cursor,
            completeness: Completeness::of(Vec::new(), true),
            caught_up: false,
            tail: None,
            last_answer: Instant::now(),
            finished: false,
        }
    }

    /// The stream that is followed.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Waits for the next answer: lines, a sign of life, or the last one, which says whether the
    /// stream is complete. `None` after it.
    ///
    /// # Errors
    ///
    /// When the store fails, or the stream does not exist; the follower goes on at its cursor when
    /// it is asked again.
    pub async fn next(&mut self) -> Result<Option<Answer>, Error> {
        while !self.finished {
            if self.tail.is_none() && self.caught_up {
                self.tail = self.open_tail().await;
            }
            let answer = match &mut self.tail {
                Some(tail) => match tail.next(SIGN_OF_LIFE).await {
                    News::Lines(lines) => self.live_answer(lines),
                    News::Quiet => self.look_around().await?,
                    News::Over => {
                        self.look_up_attempt().await;
                        (self.tail, self.caught_up) = (None, false);
                        continue;
                    }
                },
                None => self.read().await?,
            };
            if self.target.attempt.ended.is_some() {
                self.tail = None;
            }
            self.cursor = answer.next;
            self.finished = answer.finished;
            if !answer.lines.is_empty()
                || answer.finished
                || self.last_answer.elapsed() >= SIGN_OF_LIFE
            {
                self.last_answer = Instant::now();
                let given: usize = answer.lines.iter().map(|line| line.text.len()).sum();
                self.serving
                    .metrics
                    .readers
                    .followed_bytes
                    .inc_by(given as u64);
                return Ok(Some(answer));
            }
            tokio::time::sleep(self.serving.settings.poll_interval).await;
            self.look_up_attempt().await;
        }
        Ok(None)
    }

    /// Reads although the connection tells nothing: it may be dead, and the archive know more.
    async fn look_around(&mut self) -> Result<Answer, Error> {
        self.look_up_attempt().await;
        let answer = self.read().await?;
        if !answer.lines.is_empty() {
            self.tail = None;
        }
        Ok(answer)
    }

    /// Reads on, as a reader would.
    async fn read(&mut self) -> Result<Answer, Error> {
        match self.serving.read(&self.target, self.cursor, LIMITS).await {
            Ok(answer) => {
                self.caught_up = answer.at_end;
                self.completeness = answer.completeness.clone();
                Ok(answer)
            }
            // A pod that has not started has no log yet.
            Err(Error::Public(error))
                if error.reason == ErrorReason::LogStreamNotFound
                    && self.target.attempt.ended.is_none() =>
            {
                Ok(self.nothing_yet())
            }
            Err(error) => Err(error),
        }
    }

    /// Connects behind the cursor's line. Without a connection the follower reads again and again.
    async fn open_tail(&mut self) -> Option<SharedTail> {
        let Cursor::Line(place) = self.cursor else {
            return None;
        };
        if self.target.attempt.ended.is_some() {
            return None;
        }
        match self.connect(place).await {
            Ok(tail) => tail,
            Err(error) => {
                tracing::debug!(error = %crate::error::chain(&error), "no connection to the live log");
                None
            }
        }
    }

    async fn connect(&self, place: LinePlace) -> Result<Option<SharedTail>, Error> {
        let Some((live, container)) = self.serving.live_container(&self.target) else {
            return Ok(None);
        };
        let open = async || {
            let opening = LiveTail::open(Arc::clone(&live), container.clone(), place);
            let Some((tail, lines_before)) = opening.await? else {
                return Ok(None);
            };
            // The archive is listed only for a connection that has the line.
            let index = self.serving.moment(&self.target).await?.index;
            let counted = counts_right(&*live, &container, &lines_before, place, &index).await?;
            Ok(counted.then_some(tail))
        };
        self.serving.tails.join(&container, place, open).await
    }

    fn live_answer(&self, lines: Vec<PlacedLine>) -> Answer {
        let next = lines.last().map_or(self.cursor, PlacedLine::after);
        Answer {
            lines: lines.into_iter().map(|placed| placed.line).collect(),
            next,
            ..self.nothing_yet()
        }
    }

    /// Learns whether the attempt has ended. When submission does not answer, the last word counts.
    async fn look_up_attempt(&mut self) {
        if self.target.attempt.ended.is_some() {
            return;
        }
        let name = self.target.attempt.name;
        match self.serving.applications.get(name.application_id).await {
            Ok(Some(application)) => {
                let mut attempts = application.attempts.into_iter();
                if let Some(attempt) = attempts.find(|attempt| attempt.name == name) {
                    self.target.attempt = attempt;
                }
            }
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "following on without submission"),
        }
    }

    fn nothing_yet(&self) -> Answer {
        Answer {
            lines: Vec::new(),
            next: self.cursor,
            at_end: true,
            finished: false,
            completeness: self.completeness.clone(),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.serving.metrics.readers.followers.dec();
    }
}
