//! Follows a stream for as long as it may grow.

use std::time::Duration;

use moka_core::ErrorReason;
use tokio::time::Instant;

use super::{Answer, Serving, Target};
use crate::{
    archive::Limits,
    domain::{
        completeness::{Completeness, Verdict},
        cursor::Cursor,
    },
    error::Error,
    metrics::Metrics,
};

/// How often a follower hears that nothing is new.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const LIMITS: Limits = Limits {
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
    last_answer: Instant,
    finished: bool,
}

impl Follower {
    /// A follower from a cursor on.
    pub fn new(serving: Serving, target: Target, cursor: Cursor) -> Self {
        serving.metrics.followers.inc();
        Self {
            serving,
            target,
            cursor,
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
            let answer = match self.serving.read(&self.target, self.cursor, LIMITS).await {
                Ok(answer) => answer,
                // A pod that has not started has no log yet.
                Err(Error::Public(error))
                    if error.reason == ErrorReason::LogStreamNotFound
                        && self.target.attempt.ended.is_none() =>
                {
                    self.nothing_yet()
                }
                Err(error) => return Err(error),
            };
            self.cursor = answer.next;
            self.finished = answer.finished;
            if !answer.lines.is_empty()
                || answer.finished
                || self.last_answer.elapsed() >= SIGN_OF_LIFE
            {
                self.last_answer = Instant::now();
                let given: usize = answer.lines.iter().map(|line| line.text.len()).sum();
                self.serving.metrics.followed_bytes.inc_by(given as u64);
                return Ok(Some(answer));
            }
            tokio::time::sleep(self.serving.settings.poll_interval).await;
            self.look_up_attempt().await;
        }
        Ok(None)
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
            completeness: Completeness {
                verdict: Verdict::Open,
                gaps: Vec::new(),
            },
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let Metrics { followers, .. } = &self.serving.metrics;
        followers.dec();
    }
}
