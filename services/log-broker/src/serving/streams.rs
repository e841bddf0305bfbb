//! Which streams an application has.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use moka_core::labels::DRIVER_CONTAINER;
use moka_objects::ObjectMeta;

use super::Serving;
use crate::{
    applications::{ApplicationView, AttemptView},
    domain::stream::{Source, StreamKind, StreamName},
    error::Error,
};

/// Streams whose first and last object are read at once.
const CONCURRENT_STREAMS: usize = 8;

/// A stream that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamView {
    /// Its name.
    pub name: StreamName,
    /// Bytes of its raw objects.
    pub archived_bytes: u64,
    /// Time of the first line of the first object.
    pub first_time: Option<Timestamp>,
    /// Highest time in the last object.
    pub last_time: Option<Timestamp>,
    /// Whether it may still grow.
    pub live: bool,
}

struct Found {
    name: StreamName,
    objects: Vec<ObjectMeta>,
    live: bool,
}

impl Serving {
    /// A page of the application's streams, in order of their names, and whether there are more.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn streams(
        &self,
        application: &ApplicationView,
        after: Option<&str>,
        page_size: usize,
    ) -> Result<(Vec<StreamView>, bool), Error> {
        let mut found = Vec::new();
        for attempt in &application.attempts {
            found.extend(self.streams_of(attempt).await?);
        }
        found.retain(|stream| after.is_none_or(|after| page_key(&stream.name).as_str() > after));
        let more = found.len() > page_size;
        found.truncate(page_size);
        let page = stream::iter(found)
            .map(|found| self.view(found))
            .buffered(CONCURRENT_STREAMS);
        Ok((page.try_collect().await?, more))
    }

    /// The names of an attempt's streams, in order.
    pub(super) async fn stream_names(
        &self,
        attempt: &AttemptView,
    ) -> Result<Vec<StreamName>, Error> {
        let found = self.streams_of(attempt).await?;
        Ok(found.into_iter().map(|found| found.name).collect())
    }

    async fn streams_of(&self, attempt: &AttemptView) -> Result<Vec<Found>, Error> {
        let mut by_source: BTreeMap<Source, Vec<ObjectMeta>> = BTreeMap::new();
        let name = attempt.name;
        for prefix in [
            self.grammar.containers_prefix(name),
            self.grammar.events_prefix(name),
        ] {
            for object in self.objects.list(&prefix).await? {
                if let Some(source) = self.grammar.source_of(name, object.key.as_str()) {
                    by_source.entry(source).or_default().push(object);
                }
            }
        }
        let live = attempt.ended.is_none();
        if live
            && self
                .live
                .as_ref()
                .is_some_and(|live| live.knows(&attempt.cluster))
        {
            let (pod, container) = (name.driver_pod(), DRIVER_CONTAINER.to_owned());
            by_source
                .entry(Source::Container { pod, container })
                .or_default();
        }
        let mut found: Vec<_> = by_source
            .into_iter()
            .map(|(source, objects)| Found {
                name: StreamName {
                    attempt: name,
                    source,
                },
                objects,
                live,
            })
            .collect();
        found.sort_by_key(|stream| page_key(&stream.name));
        Ok(found)
    }

    async fn view(&self, found: Found) -> Result<StreamView, Error> {
        let mut view = StreamView {
            name: found.name,
            archived_bytes: found.objects.iter().map(|object| object.size_bytes).sum(),
            first_time: None,
            last_time: None,
            live: found.live,
        };
        if let (StreamKind::Container, Some(first), Some(last)) = (
            view.name.source.kind(),
            found.objects.first(),
            found.objects.last(),
        ) {
            let runs = self.objects.runs(&first.key).await?.unwrap_or_default();
            view.first_time = runs.iter().filter_map(|run| run.first_time).min();
            let runs = self.objects.runs(&last.key).await?.unwrap_or_default();
            view.last_time = runs.iter().filter_map(|run| run.maximum_time).max();
        }
        Ok(view)
    }
}

/// Orders streams by attempt number, pod and container; attempts in numbers, not letters.
pub(crate) fn page_key(name: &StreamName) -> String {
    format!("{:010}/{name}", name.attempt.number)
}
