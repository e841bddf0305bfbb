//! Pages of streams, the next one made while the reader takes this one.
//!
//! Whoever asks for the page after the one that he was given a moment ago reads the log from one end
//! to the other, and will ask for the next. It is made meanwhile, and reading goes on where it stopped,
//! not at the last place before the cursor from which lines can be counted.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{task::JoinHandle, time::sleep};

use crate::{
    archive::{ArchivePage, Limits, OpenGaps, PageEnd, PageReader, RawObjects, StreamIndex},
    background::spawn,
    domain::{cursor::Cursor, stream::StreamName},
    error::Error,
    metrics::ReaderMetrics,
};

/// How long the next call is waited for.
const KEPT: Duration = Duration::from_secs(1);
/// Of so many readers, each with a page and the object that it is read from.
const MAX_READERS: usize = 16;

/// Makes pages. Clones share what is kept for the next calls.
#[derive(Debug, Clone)]
pub struct Pages {
    kept: Arc<Mutex<Kept>>,
    metrics: ReaderMetrics,
}

#[derive(Debug, Default)]
struct Kept {
    readings: Vec<Reading>,
    /// The number of the next one.
    next_number: u64,
}

/// Where a page begins.
#[derive(Debug, Clone)]
pub(super) struct PageStart {
    pub(super) stream: StreamName,
    pub(super) index: Arc<StreamIndex>,
    pub(super) cursor: Cursor,
}

/// A reader who may go on.
#[derive(Debug)]
struct Reading {
    number: u64,
    start: PageStart,
    state: State,
}

#[derive(Debug)]
enum State {
    /// He has asked for one page.
    Read(Box<PageReader>),
    /// He has asked for two, one after the other, so that the next one is made.
    Making(Limits, JoinHandle<Result<Made, Error>>),
}

/// A page and the reader of the next one.
type Made = (ArchivePage, PageReader);

impl Pages {
    /// Nobody reads yet.
    pub fn new(metrics: ReaderMetrics) -> Self {
        Self {
            kept: Arc::default(),
            metrics,
        }
    }

    /// What the archive has after a cursor.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when an object was deleted after it was listed.
    pub(super) async fn page(
        &self,
        objects: &RawObjects,
        start: PageStart,
        limits: Limits,
        open_gaps: OpenGaps,
    ) -> Result<ArchivePage, Error> {
        let state = self.take(&start);
        let goes_on = state.is_some();
        let (made, reader) = match state {
            Some(State::Making(expected, making)) if expected == limits => {
                (made_full(making).await, None)
            }
            Some(State::Read(reader)) => (None, Some(*reader)),
            _ => (None, None),
        };
        let (page, reader) = if let Some(made) = made {
            self.metrics.pages_ahead.inc();
            made
        } else {
            let reader = reader.unwrap_or_else(|| PageReader::after(&start.index, start.cursor));
            make(reader, &start.index, objects, limits, open_gaps).await?
        };
        if page.end == PageEnd::Full {
            let next = PageStart {
                cursor: page.next,
                ..start
            };
            let state = if goes_on {
                let (index, objects) = (Arc::clone(&next.index), objects.clone());
                let make = async move { make(reader, &index, &objects, limits, open_gaps).await };
                State::Making(limits, spawn(make))
            } else {
                State::Read(Box::new(reader))
            };
            self.keep(next, state);
        }
        Ok(page)
    }

    fn keep(&self, start: PageStart, state: State) {
        let number = {
            let mut kept = self.kept();
            if kept.readings.len() >= MAX_READERS {
                return;
            }
            kept.next_number += 1;
            let number = kept.next_number;
            kept.readings.push(Reading {
                number,
                start,
                state,
            });
            number
        };
        let pages = self.clone();
        drop(spawn(async move {
            sleep(KEPT).await;
            let mut kept = pages.kept();
            kept.readings.retain(|reading| reading.number != number);
        }));
    }

    /// What is kept of whoever reads on there.
    fn take(&self, start: &PageStart) -> Option<State> {
        let mut kept = self.kept();
        let found = kept
            .readings
            .iter()
            .position(|reading| reading.start.is_at(start))?;
        Some(kept.readings.swap_remove(found).state)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PageStart {
    fn is_at(&self, other: &Self) -> bool {
        self.cursor == other.cursor
            && self.stream == other.stream
            && Arc::ptr_eq(&self.index, &other.index)
    }
}

async fn make(
    mut reader: PageReader,
    index: &StreamIndex,
    objects: &RawObjects,
    limits: Limits,
    open_gaps: OpenGaps,
) -> Result<Made, Error> {
    let page = reader.page(index, objects, limits, open_gaps).await?;
    Ok((page, reader))
}

/// The page that is being made, when it is as good as one that is made now: a full one. Another may
/// end at a gap that was waited for then, and whoever makes a failed one again sees the error.
async fn made_full(making: JoinHandle<Result<Made, Error>>) -> Option<Made> {
    let made = making.await.ok()?.ok()?;
    Some(made).filter(|(page, _)| page.end == PageEnd::Full)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use moka_objects::{MemoryStore, ObjectKey, ObjectStore, PutCondition};

    use super::*;
    use crate::{archive::GrowingIndex, domain::stream::Source, metrics::Metrics};

    const LIMITS: Limits = Limits {
        lines: 1,
        text_bytes: 100,
        until: None,
    };
    const OPEN_GAPS: OpenGaps = OpenGaps {
        put_after: Timestamp::MAX,
        ended: true,
    };

    /// The start of a stream of four lines.
    async fn stream() -> (RawObjects, PageStart) {
        let stream = StreamName {
            attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
            source: Source::EventLog {
                file: "a".to_owned(),
            },
        };
        let record = |offset| format!("{{\"path\":\"/a\",\"offset\":{offset},\"log\":\"x\"}}\n");
        let text: String = [0, 2, 4, 6].map(record).concat();
        let store = MemoryStore::new();
        let key = ObjectKey::new("1").unwrap();
        let put = store.put(&key, text.into(), PutCondition::Always);
        put.await.unwrap();
        let objects = RawObjects::new(Arc::new(store), 1 << 20, Metrics::default());
        let mut growing = GrowingIndex::unsaved(StreamIndex::of_source(&stream.source));
        let listed = objects.list("").await.unwrap();
        growing.refresh(&objects, listed, 0, None).await.unwrap();
        let start = PageStart {
            stream,
            index: Arc::clone(growing.index()),
            cursor: Cursor::Begin,
        };
        (objects, start)
    }

    fn kept(pages: &Pages) -> usize {
        pages.kept().readings.len()
    }

    #[tokio::test]
    async fn third_page_is_made_before_it_is_asked_for_unless_something_is_otherwise() {
        let (objects, start) = stream().await;
        let page = async |pages: &Pages, start: &PageStart, limits| {
            let page = pages.page(&objects, start.clone(), limits, OPEN_GAPS);
            let page = page.await.unwrap();
            let cursor = page.next;
            (
                page,
                PageStart {
                    cursor,
                    ..start.clone()
                },
            )
        };
        let other_index = Arc::new(StreamIndex::clone(&start.index));
        for (other_limits, other, ahead) in [(false, false, 1), (true, false, 0), (false, true, 0)]
        {
            let metrics = ReaderMetrics::default();
            let pages = Pages::new(metrics.clone());
            let (_, second) = page(&pages, &start, LIMITS).await;
            let (_, mut third) = page(&pages, &second, LIMITS).await;
            assert_eq!((kept(&pages), metrics.pages_ahead.get()), (1, 0));
            if other {
                third.index = Arc::clone(&other_index);
            }
            let limits = Limits {
                lines: if other_limits { 2 } else { 1 },
                ..LIMITS
            };
            let (read, _) = page(&pages, &third, limits).await;
            assert_eq!(read.lines.len(), limits.lines);
            assert_eq!(read.next, Cursor::Offset(4 + 2 * limits.lines as u64));
            assert_eq!(metrics.pages_ahead.get(), ahead);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn readers_are_kept_for_a_second_and_no_more_than_may_be() {
        let (objects, start) = stream().await;
        let pages = Pages::new(ReaderMetrics::default());
        for _ in 0..=MAX_READERS {
            let page = pages.page(&objects, start.clone(), LIMITS, OPEN_GAPS);
            page.await.unwrap();
        }
        assert_eq!(kept(&pages), 16);
        sleep(Duration::from_millis(999)).await;
        assert_eq!(kept(&pages), 16);
        sleep(Duration::from_millis(2)).await;
        assert_eq!(kept(&pages), 0);
    }
}
