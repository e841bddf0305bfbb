//! Reads lines: from the archive, and after its end from the cluster.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Serving, Target, before, pages::PageStart, resolve::not_found};
use crate::{
    applications::AttemptView,
    archive::{ArchivePage, Limits, OpenGaps, PageEnd, StreamIndex},
    cluster::{LiveContainer, LiveLogs},
    domain::{
        completeness::Completeness,
        cursor::{Cursor, LinePlace},
        lines::{Line, PlacedLine},
        stream::Source,
    },
    error::Error,
};

/// How much earlier than the cursor's second the live log is asked for, so that the cursor's line
/// is in it even when two outputs were written out of order.
pub(super) const OVERLAP: SignedDuration = SignedDuration::from_secs(1);

/// How often in all something is done that comes upon objects that were deleted meanwhile.
const TRIES: usize = 4;

/// Some lines.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether nothing more is known now.
    pub at_end: bool,
    /// Whether nothing more will come.
    pub finished: bool,
    /// What the answer vouches for.
    pub completeness: Completeness,
}

impl Answer {
    fn of(page: ArchivePage, finished: bool) -> Self {
        // Lines behind the time that was asked for do not come any more once a later one is there.
        let may_grow = !finished && page.end != PageEnd::Until;
        Self {
            at_end: page.end != PageEnd::Full,
            finished,
            completeness: Completeness::of(page.gaps, may_grow),
            lines: page.lines,
            next: page.next,
        }
    }
}

/// What is known of a stream at one moment.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) index: Arc<StreamIndex>,
    /// The attempt has ended and nothing new came for a while.
    pub(super) ended: bool,
    pub(super) open_gaps: OpenGaps,
}

impl Serving {
    /// Reads lines after a cursor.
    ///
    /// # Errors
    ///
    /// `LOG_STREAM_NOT_FOUND` when neither archive nor cluster has the stream.
    pub async fn read(
        &self,
        target: &Target,
        cursor: Cursor,
        limits: Limits,
    ) -> Result<Answer, Error> {
        let mut deletions = Deletions::default();
        loop {
            match self.read_now(target, cursor, limits).await {
                Err(error) => deletions.excuse(error)?,
                done => return done,
            }
        }
    }

    async fn read_now(
        &self,
        target: &Target,
        cursor: Cursor,
        limits: Limits,
    ) -> Result<Answer, Error> {
        let recent = self.recent_page(target, cursor, limits).await?;
        let (moment, mut page) = if let Some(found) = recent {
            found
        } else {
            let moment = self.moment(target).await?;
            let page = self.page(target, &moment, cursor, limits).await?;
            (moment, page)
        };
        let Moment { index, ended, .. } = moment;
        let mut finished = false;
        if page.end == PageEnd::Archive && ended {
            if index.is_empty() {
                return Err(not_found("the stream has no lines").into());
            }
            finished = true;
        } else if page.end == PageEnd::Archive {
            let live = self.live_after(target, &index, page.next).await?;
            if live.is_none() && index.is_empty() {
                return Err(not_found("the stream has neither archived nor live lines").into());
            }
            let mut live = live.unwrap_or_default().into_iter();
            page.take(&mut live, limits);
        }
        Ok(Answer::of(page, finished))
    }

    /// The page as it was a moment ago, when it is still the same.
    async fn recent_page(
        &self,
        target: &Target,
        cursor: Cursor,
        limits: Limits,
    ) -> Result<Option<(Moment, ArchivePage)>, Error> {
        let Some(moment) = self.recent_moment(target) else {
            return Ok(None);
        };
        let page = self.page(target, &moment, cursor, limits).await?;
        // Nothing that came since is in a full one, and to a stream that has ended nothing comes.
        let is_same = page.end == PageEnd::Full || moment.ended;
        Ok(is_same.then_some((moment, page)))
    }

    /// What the archive has after a cursor.
    async fn page(
        &self,
        target: &Target,
        moment: &Moment,
        cursor: Cursor,
        limits: Limits,
    ) -> Result<ArchivePage, Error> {
        let begin = PageStart {
            stream: target.stream.clone(),
            index: Arc::clone(&moment.index),
            cursor,
        };
        self.pages
            .page(&self.objects, begin, limits, moment.open_gaps)
            .await
    }

    /// The cursor before the last so many lines.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn tail(&self, target: &Target, line_count: usize) -> Result<Cursor, Error> {
        let mut deletions = Deletions::default();
        loop {
            match self.tail_now(target, line_count).await {
                Err(error) => deletions.excuse(error)?,
                done => return done,
            }
        }
    }

    async fn tail_now(&self, target: &Target, line_count: usize) -> Result<Cursor, Error> {
        let Moment { index, ended, .. } = self.moment(target).await?;
        let archive_end = index.tail(&self.objects, 0, ended).await?;
        let live = if ended {
            None
        } else {
            self.live_after(target, &index, archive_end).await?
        };
        let live = live.unwrap_or_default();
        match live.len().checked_sub(line_count) {
            // The last line before the tail is a live one.
            Some(skipped @ 1..) => Ok(live[skipped - 1].after()),
            Some(0) => Ok(archive_end),
            None => {
                index
                    .tail(&self.objects, line_count - live.len(), ended)
                    .await
            }
        }
    }

    pub(super) async fn moment(&self, target: &Target) -> Result<Moment, Error> {
        if let Some(moment) = self.recent_moment(target).filter(|moment| moment.ended) {
            return Ok(moment);
        }
        let (objects, grammar, stream) = (&self.objects, &self.grammar, &target.stream);
        let refreshed = self
            .indexes
            .refreshed(objects, grammar, stream, self.prepare_until());
        let index = refreshed.await?;
        let moment = self.moment_of(target, index);
        if moment.ended {
            self.indexes.save_rest(objects, grammar, stream).await;
        }
        Ok(moment)
    }

    /// What was known a moment ago.
    fn recent_moment(&self, target: &Target) -> Option<Moment> {
        let age = self.settings.relist_after;
        let index = self.indexes.recent(&target.stream, age)?;
        Some(self.moment_of(target, index))
    }

    fn moment_of(&self, target: &Target, index: Arc<StreamIndex>) -> Moment {
        let now = self.clock.now();
        let ended = self.has_ended(&target.attempt, index.last_modified(), now);
        let open_gaps = OpenGaps {
            put_after: before(now, self.settings.gap_wait),
            ended,
        };
        Moment {
            index,
            ended,
            open_gaps,
        }
    }

    fn has_ended(
        &self,
        attempt: &AttemptView,
        modified: Option<Timestamp>,
        now: Timestamp,
    ) -> bool {
        let quiet_until = before(now, self.settings.settle);
        attempt.ended.is_some_and(|ended| {
            ended <= quiet_until && modified.is_none_or(|modified| modified <= quiet_until)
        })
    }

    /// Who has the stream's live lines; `None` for event logs, and without clusters.
    pub(super) fn live_container(
        &self,
        target: &Target,
    ) -> Option<(Arc<dyn LiveLogs>, LiveContainer)> {
        let Source::Container { pod, container } = &target.stream.source else {
            return None;
        };
        let container = LiveContainer {
            cluster: target.attempt.cluster.clone(),
            namespace: target.attempt.namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
        };
        Some((self.live.clone()?, container))
    }

    /// Live lines after the end of the archive; `None` when the cluster has no such log, or does
    /// not answer while the archive has something.
    pub(super) async fn live_after(
        &self,
        target: &Target,
        index: &StreamIndex,
        cursor: Cursor,
    ) -> Result<Option<Vec<PlacedLine>>, Error> {
        let Some((live, container)) = self.live_container(target) else {
            return Ok(None);
        };
        // When no archived line is late enough, the live log is asked for what follows the archive.
        let cursor = match cursor {
            Cursor::Time(_) if !index.is_empty() => index.tail(&self.objects, 0, false).await?,
            cursor => cursor,
        };
        match ask_live(&*live, &container, index, cursor).await {
            Err(error) if !index.is_empty() => {
                tracing::warn!(error = %crate::error::chain(&error), "live log not read, archive only");
                Ok(None)
            }
            answer => answer,
        }
    }
}

/// Counts how often something came upon a deleted object. It is done again: the next listing does
/// not have the object.
#[derive(Debug, Default)]
pub(super) struct Deletions {
    met: usize,
}

impl Deletions {
    /// Gives the error back when nothing is gained by another try.
    pub(super) fn excuse(&mut self, error: Error) -> Result<(), Error> {
        self.met += 1;
        match error {
            Error::Gone { .. } if self.met < TRIES => Ok(()),
            error => Err(error),
        }
    }
}

/// Live lines are used only when the cursor's line is among them, or nothing was read and nothing
/// is archived: else the file was rotated meanwhile, and what is in between comes from the archive.
async fn ask_live(
    live: &dyn LiveLogs,
    container: &LiveContainer,
    index: &StreamIndex,
    cursor: Cursor,
) -> Result<Option<Vec<PlacedLine>>, Error> {
    let place = match cursor {
        Cursor::Line(place) => place,
        _ if !index.is_empty() => return Ok(Some(Vec::new())),
        Cursor::Time(time) => return live.read(container, Some(time)).await,
        Cursor::Begin | Cursor::Offset(_) => return live.read(container, None).await,
    };
    let since = place.time.checked_sub(OVERLAP).ok();
    let Some(mut lines) = live.read(container, since).await? else {
        return Ok(None);
    };
    match lines.iter().position(|line| line.is_at(cursor)) {
        Some(position) if counts_right(live, container, &lines, place, index).await? => {
            Ok(Some(lines.split_off(position + 1)))
        }
        _ => Ok(Some(Vec::new())),
    }
}

/// Whether the live lines of the cursor's time are counted from their first one. They are not when
/// a rotation has cut the lines of that very time in two: then the file begins with that time,
/// though the stream does not.
pub(super) async fn counts_right(
    live: &dyn LiveLogs,
    container: &LiveContainer,
    lines: &[PlacedLine],
    cursor: LinePlace,
    index: &StreamIndex,
) -> Result<bool, Error> {
    if lines
        .first()
        .is_some_and(|line| line.is_up_to(Cursor::Time(cursor.time)))
    {
        return Ok(true);
    }
    // The lines before may only have been left out because they are older than was asked for.
    let file_begin = live.first_time(container).await?;
    let stream_begin = index
        .layout()
        .segments()
        .next()
        .and_then(|first| index.runs()[first.run].first_time);
    Ok(file_begin.is_some_and(|time| time < cursor.time)
        || stream_begin.is_none_or(|begin| begin == cursor.time))
}
