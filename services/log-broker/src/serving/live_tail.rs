//! The end of a running container's log, told as it is written.
//!
//! The kubelet keeps a connection open and sends what comes. Around a rotation it may leave out
//! lines: those that the runtime writes into the old file after its renaming. So no line is given
//! before the file is known to be the one that the follower began with; a line that was left out
//! can then only be behind those that are given.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use jiff::Timestamp;
use tokio::time::{Instant, timeout, timeout_at};

use super::read::OVERLAP;
use crate::{
    archive::Limits,
    cluster::{LiveContainer, LiveLines, LiveLogs},
    domain::{
        cursor::{Cursor, LinePlace},
        lines::PlacedLine,
    },
    error::Error,
};

/// How long the cursor's line may take to come: it is there already.
const FINDING: Duration = Duration::from_secs(5);
/// How much may come before the cursor's line.
const FINDING_BYTES: usize = 4 << 20;
/// Lines that come within this time are given together: each answer costs a question.
const GATHER: Duration = Duration::from_millis(50);

/// What came.
#[derive(Debug)]
pub(super) enum News {
    /// Lines that follow those before.
    Lines(Vec<PlacedLine>),
    /// Nothing for a while.
    Quiet,
    /// The log has to be read anew: it was rotated, the container has ended, or the connection has.
    Over,
}

/// An open connection behind a cursor.
pub(super) struct LiveTail {
    live: Arc<dyn LiveLogs>,
    container: LiveContainer,
    lines: LiveLines,
    /// Lines that came together with the cursor's.
    pending: Vec<PlacedLine>,
    /// Time of the first line of the file that is read.
    file_begin: Timestamp,
}

impl std::fmt::Debug for LiveTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveTail")
            .field("container", &self.container)
            .field("file_begin", &self.file_begin)
            .finish_non_exhaustive()
    }
}

impl LiveTail {
    /// Connects behind a line, and gives the first lines that came up to it. `None` when the
    /// present file does not have it, so that what is in between has to come from the archive.
    ///
    /// # Errors
    ///
    /// When the cluster does not answer.
    pub(super) async fn open(
        live: Arc<dyn LiveLogs>,
        container: LiveContainer,
        place: LinePlace,
    ) -> Result<Option<(Self, Vec<PlacedLine>)>, Error> {
        let file_begin = match live.first_time(&container).await? {
            Some(time) if time <= place.time => time,
            _ => return Ok(None),
        };
        let since = place.time.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        let Some(lines) = live.follow(&container, since).await? else {
            return Ok(None);
        };
        let mut tail = Self {
            live,
            container,
            lines,
            pending: Vec::new(),
            file_begin,
        };
        let Ok(found) = timeout(FINDING, tail.find(place)).await else {
            return Ok(None);
        };
        Ok(found?.map(|lines_before| (tail, lines_before)))
    }

    /// Reads up to a line, and returns the first lines that came before it or the line itself.
    async fn find(&mut self, place: LinePlace) -> Result<Option<Vec<PlacedLine>>, Error> {
        let mut first = None;
        let mut size_bytes = 0;
        while let Some(lines) = self.lines.next().await {
            let mut lines = lines?;
            let found = lines
                .iter()
                .position(|line| line.is_at(Cursor::Line(place)));
            size_bytes += text_bytes(&lines);
            if let Some(found) = found {
                self.pending = lines.split_off(found + 1);
            }
            let first = first.get_or_insert(lines);
            if found.is_some() {
                return Ok(Some(std::mem::take(first)));
            }
            if size_bytes > FINDING_BYTES {
                break;
            }
        }
        Ok(None)
    }

    /// Waits for what comes.
    pub(super) async fn next(&mut self, limits: Limits, patience: Duration) -> News {
        let mut lines = std::mem::take(&mut self.pending);
        if lines.is_empty() {
            match timeout(patience, self.lines.next()).await {
                Ok(Some(Ok(first))) => lines = first,
                Ok(Some(Err(_)) | None) => return News::Over,
                Err(_elapsed) => return News::Quiet,
            }
        }
        let deadline = Instant::now() + GATHER;
        let mut size_bytes = text_bytes(&lines);
        while lines.len() < limits.lines && size_bytes < limits.text_bytes {
            // An end of the stream is met again by the next call.
            let Ok(Some(Ok(more))) = timeout_at(deadline, self.lines.next()).await else {
                break;
            };
            size_bytes += text_bytes(&more);
            lines.extend(more);
        }
        match self.live.first_time(&self.container).await {
            Ok(Some(time)) if time == self.file_begin => News::Lines(lines),
            _ => News::Over,
        }
    }
}

fn text_bytes(lines: &[PlacedLine]) -> usize {
    lines.iter().map(|line| line.line.text.len()).sum()
}
