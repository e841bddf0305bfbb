//! Searches one stream or many, a bounded amount of log at a time.

use std::sync::Mutex;

use moka_core::{ApplicationId, ErrorReason, PublicError};
use tokio::time::Instant;

use super::{
    Serving, StreamRequest, Target, page_key,
    read::{Deletions, Moment},
    resolve::not_found,
};
use crate::{
    archive::{ArchiveSearch, Limits, PageReader, SearchBudget, SearchEnd},
    domain::{
        completeness::Completeness,
        cursor::Cursor,
        hits::{Collector, Context, Hit, HitLimits},
        pattern::Pattern,
        retention::LogKind,
        stream::StreamName,
    },
    error::Error,
    retention::Retention,
};

/// A page ends after so much text.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Where to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// One stream.
    Stream(StreamRequest),
    /// All streams of an attempt; `None` for the last one that has logs.
    Attempt(ApplicationId, Option<u32>),
    /// All streams of all attempts.
    Application(ApplicationId),
}

/// What to search for, and where.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Where.
    pub scope: SearchScope,
    /// What.
    pub pattern: Pattern,
    /// Lines around a hit.
    pub context: Context,
    /// Most hits of a page.
    pub maximum_hits: usize,
}

/// A page of hits.
#[derive(Debug, Clone)]
pub struct SearchAnswer {
    /// The hits, each with its stream.
    pub hits: Vec<(StreamName, Hit)>,
    /// Where the next page begins, as [`Serving::search`] takes it; `None` after the last.
    pub next: Option<String>,
    /// Bytes that were looked at.
    pub searched_bytes: u64,
    /// What the page vouches for.
    pub completeness: Completeness,
}

impl Serving {
    /// A page of hits, after the end of another page.
    ///
    /// # Errors
    ///
    /// `LOG_STREAM_NOT_FOUND` when there is nothing to search, `INVALID_PAGE_TOKEN` when `after` is
    /// no end of a page.
    pub async fn search(
        &self,
        request: &SearchRequest,
        after: Option<&str>,
    ) -> Result<SearchAnswer, Error> {
        let mut targets = self.targets(&request.scope).await?;
        let mut cursor = Cursor::Begin;
        if let Some((key, token)) = after.map(position) {
            targets.retain(|target| page_key(&target.stream).as_str() >= key);
            if let Some(first) = targets.first()
                && page_key(&first.stream) == key
            {
                cursor =
                    Cursor::decode(token, &first.stream).map_err(|_invalid| invalid_token())?;
            }
        } else if targets.is_empty() {
            return Err(not_found("there are no logs to search").into());
        }
        let mut page = Page::new(self, request);
        let mut is_first = true;
        for target in targets {
            if page.is_full() {
                page.answer.next = Some(end_of(&target.stream, Cursor::Begin));
                break;
            }
            let paused = match page.search(self, &target, cursor).await {
                // What was found in the streams before is not thrown away.
                Err(Error::Indexing { .. }) if !is_first => Some(Cursor::Begin),
                paused => paused?,
            };
            if let Some(paused) = paused {
                page.answer.next = Some(end_of(&target.stream, paused));
                break;
            }
            cursor = Cursor::Begin;
            is_first = false;
        }
        let mut answer = page.answer;
        answer.searched_bytes = page.budget.searched_bytes;
        self.metrics
            .readers
            .searched_bytes
            .inc_by(answer.searched_bytes);
        Ok(answer)
    }

    /// The streams, in order.
    async fn targets(&self, scope: &SearchScope) -> Result<Vec<Target>, Error> {
        let (id, attempts) = match scope {
            SearchScope::Stream(stream) => return Ok(vec![self.resolve(stream.clone()).await?]),
            SearchScope::Attempt(id, number) => {
                let application = self.application(*id).await?;
                (id, vec![self.attempt(application, *number).await?])
            }
            SearchScope::Application(id) => (id, self.application(*id).await?.attempts),
        };
        let record = self.retention.record(*id).await?;
        let mut targets = Vec::new();
        for attempt in attempts {
            let mut streams = self.stream_names(&attempt).await?;
            streams.retain(|stream| !record.is_deleted(LogKind::of_stream(stream.source.kind())));
            targets.extend(streams.into_iter().map(|stream| Target {
                stream,
                attempt: attempt.clone(),
            }));
        }
        if targets.is_empty() {
            Retention::refuse_deleted(&record, LogKind::Containers)?;
            Retention::refuse_deleted(&record, LogKind::RawEvents)?;
        }
        Ok(targets)
    }
}

struct Page<'a> {
    request: &'a SearchRequest,
    answer: SearchAnswer,
    text_bytes: usize,
    budget: SearchBudget,
}

impl<'a> Page<'a> {
    fn new(serving: &Serving, request: &'a SearchRequest) -> Self {
        Self {
            request,
            answer: SearchAnswer {
                hits: Vec::new(),
                next: None,
                searched_bytes: 0,
                completeness: Completeness::of(Vec::new(), false),
            },
            text_bytes: 0,
            budget: SearchBudget {
                searched_bytes: 0,
                maximum_bytes: serving.settings.search_bytes,
                until: Instant::now() + serving.settings.search_time,
            },
        }
    }

    fn is_full(&self) -> bool {
        self.answer.hits.len() >= self.request.maximum_hits
            || self.text_bytes >= MAX_TEXT_BYTES
            || self.budget.is_spent()
    }

    /// Adds a stream's hits; gives the cursor at which the next page goes on in it.
    async fn search(
        &mut self,
        serving: &Serving,
        target: &Target,
        from: Cursor,
    ) -> Result<Option<Cursor>, Error> {
        let mut deletions = Deletions::default();
        loop {
            match self.search_now(serving, target, from).await {
                Err(error) => deletions.excuse(error)?,
                done => return done,
            }
        }
    }

    async fn search_now(
        &mut self,
        serving: &Serving,
        target: &Target,
        from: Cursor,
    ) -> Result<Option<Cursor>, Error> {
        let moment = serving.moment(target).await?;
        let limits = HitLimits {
            hits: self.request.maximum_hits - self.answer.hits.len(),
            text_bytes: MAX_TEXT_BYTES - self.text_bytes,
        };
        let mut collector =
            Collector::new(&self.request.pattern, self.request.context, limits, from);
        let search = ArchiveSearch {
            index: &moment.index,
            objects: &serving.objects,
            pattern: &self.request.pattern,
            lines_before: self.request.context.before,
            open_gaps: moment.open_gaps,
            nothing_in: Mutex::default(),
        };
        let (end, steps) = search.run(&mut collector, &mut self.budget).await?;
        let mut paused = match end {
            SearchEnd::Paused(cursor) => Some(cursor),
            SearchEnd::Archive | SearchEnd::Gap => None,
        };
        if end == SearchEnd::Archive && !moment.ended {
            let live = self.search_live(serving, target, &moment, &mut collector);
            let found = live.await;
            match found {
                Err(error) if !matches!(self.request.scope, SearchScope::Stream(_)) => {
                    tracing::warn!(error = %crate::error::chain(&error), "live log not searched");
                }
                found => found?,
            }
            paused = collector.is_full().then(|| collector.searched());
        } else if end == SearchEnd::Archive && moment.index.is_empty() {
            return Err(not_found("the stream has no lines").into());
        }
        let gaps = moment.index.layout().gaps_before(steps).cloned();
        let is_over = moment.ended && end == SearchEnd::Archive;
        let found = Completeness::of(gaps.collect(), !is_over);
        self.answer.completeness = self.answer.completeness.clone().and(found);
        let hits = collector.into_hits();
        self.text_bytes += hits.iter().map(Hit::text_bytes).sum::<usize>();
        let stream = &target.stream;
        let named = hits.into_iter().map(|hit| (stream.clone(), hit));
        self.answer.hits.extend(named);
        Ok(paused)
    }

    /// Searches what only the cluster has.
    async fn search_live(
        &mut self,
        serving: &Serving,
        target: &Target,
        moment: &Moment,
        collector: &mut Collector<'_>,
    ) -> Result<(), Error> {
        let index = &moment.index;
        let everything = Limits {
            lines: usize::MAX,
            text_bytes: usize::MAX,
            until: None,
        };
        let start = index
            .tail(&serving.objects, self.request.context.before, false)
            .await?;
        let archived = PageReader::after(index, start)
            .page(index, &serving.objects, everything, moment.open_gaps)
            .await?;
        let live = serving.live_after(target, index, archived.next).await?;
        if live.is_none() && index.is_empty() {
            return Err(not_found("the stream has neither archived nor live lines").into());
        }
        if !collector.is_waiting() {
            collector.seed(&archived.lines, archived.next);
        }
        for line in live.unwrap_or_default() {
            self.budget.spend(line.line.text.len() as u64);
            collector.push(&line.line, line.after());
        }
        Ok(())
    }
}

/// How the end of a page is told to the next one.
fn end_of(stream: &StreamName, cursor: Cursor) -> String {
    format!("{}\n{}", page_key(stream), cursor.encode(stream))
}

fn position(end: &str) -> (&str, &str) {
    end.rsplit_once('\n').unwrap_or((end, ""))
}

fn invalid_token() -> PublicError {
    PublicError::new(
        ErrorReason::InvalidPageToken,
        "the page token is damaged; start from the first page",
    )
}
