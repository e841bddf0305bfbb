//! Watches that survive whatever the API server does.

use std::{fmt::Debug, pin::Pin, time::Duration};

use futures::{Stream, StreamExt as _, stream};
use kube::{
    Api, Resource,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Config, Event},
    },
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::{Error, error::chain};

/// A list that takes longer is begun anew, however its bytes trickle.
const LONGEST_LIST: Duration = Duration::from_mins(5);

/// What a watch tells. After a [`WatchEvent::Snapshot`] the events bring a copy of it up to date.
#[derive(Debug)]
pub enum WatchEvent<K> {
    /// All objects there are now: replaces all that is known. What is known and not in it was
    /// deleted. Comes first, after each loss of the thread (410) and at each periodic relist.
    Snapshot(Vec<K>),
    /// An object is new or changed.
    Applied(K),
    /// An object is gone; this was its last state.
    Deleted(K),
    /// The server does not answer or refuses; the watch goes on by itself, after a pause. Until the
    /// next event of another kind, what is known may be stale.
    Interrupted(Error),
}

/// What to watch, and how often to list it anew.
#[derive(Debug, Clone, Default)]
pub struct WatchOptions {
    /// A label selector, such as `moka.dev/application-id`; all objects when empty.
    pub labels: String,
    /// A field selector; none when empty.
    pub fields: String,
    /// Time between lists, against events that were lost without a trace; never when absent.
    pub relist_interval: Option<Duration>,
}

impl WatchOptions {
    /// Watches what a label selector names, listing again every ten minutes.
    pub fn labels(selector: impl Into<String>) -> Self {
        Self {
            labels: selector.into(),
            fields: String::new(),
            relist_interval: Some(Duration::from_mins(10)),
        }
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        if !self.labels.is_empty() {
            config = config.labels(&self.labels);
        }
        if !self.fields.is_empty() {
            config = config.fields(&self.fields);
        }
        config
    }
}

/// Watches objects for as long as the stream is polled; it does not end. Uses bookmarks, resumes
/// where it was when the server cuts the connection, and backs off (up to 30 s, with jitter) on
/// errors.
pub fn watch<K>(api: Api<K>, options: WatchOptions) -> impl Stream<Item = WatchEvent<K>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watch_parts(api, options, Some)
}

/// Like [`watch()`], but keeps only what `part` takes of each object, so that a list of many large
/// objects is never in memory as a whole. Objects of which it takes nothing are as if there were
/// none.
pub fn watch_parts<K, T>(
    api: Api<K>,
    options: WatchOptions,
    part: impl Fn(K) -> Option<T> + Send + 'static,
) -> impl Stream<Item = WatchEvent<T>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send + 'static,
{
    let watch = Watch {
        events: open(&api, &options),
        api,
        options,
        part,
        listed: None,
        relist_at: Some(Instant::now() + LONGEST_LIST),
    };
    stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await;
        Some((event, watch))
    })
}

type Events<K> = Pin<Box<dyn Stream<Item = watcher::Result<Event<K>>> + Send>>;

struct Watch<K: Resource, T, F> {
    api: Api<K>,
    options: WatchOptions,
    events: Events<K>,
    part: F,
    /// The objects of a list that is not complete yet.
    listed: Option<Vec<T>>,
    relist_at: Option<Instant>,
}

impl<K, T, F> Watch<K, T, F>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    F: Fn(K) -> Option<T>,
{
    async fn next(&mut self) -> WatchEvent<T> {
        loop {
            let event = match self.relist_at {
                Some(at) => tokio::time::timeout_at(at, self.events.next()).await,
                None => Ok(self.events.next().await),
            };
            if let Ok(Some(event)) = event {
                if let Some(event) = self.take(event) {
                    return event;
                }
            } else {
                // Time to list again. A watcher does not end by itself; if it did, this would be
                // right.
                self.events = open(&self.api, &self.options);
                self.relist_at = Some(Instant::now() + LONGEST_LIST);
            }
        }
    }

    fn take(&mut self, event: watcher::Result<Event<K>>) -> Option<WatchEvent<T>> {
        match event {
            Ok(Event::Init) => {
                self.listed = Some(Vec::new());
                None
            }
            Ok(Event::InitApply(object)) => {
                let part = (self.part)(object);
                self.listed.get_or_insert_default().extend(part);
                None
            }
            Ok(Event::InitDone) => {
                self.relist_at = self
                    .options
                    .relist_interval
                    .map(|interval| Instant::now() + interval);
                Some(WatchEvent::Snapshot(self.listed.take().unwrap_or_default()))
            }
            Ok(Event::Apply(object)) => (self.part)(object).map(WatchEvent::Applied),
            Ok(Event::Delete(object)) => (self.part)(object).map(WatchEvent::Deleted),
            Err(error) => Some(WatchEvent::Interrupted(interruption(error))),
        }
    }
}

fn open<K>(api: &Api<K>, options: &WatchOptions) -> Events<K>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    Box::pin(watcher::watcher(api.clone(), options.config()).default_backoff())
}

fn interruption(error: watcher::Error) -> Error {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error.into(),
        watcher::Error::WatchError(status) => Error::from(&*status),
        error @ watcher::Error::NoResourceVersion => Error::Refused(chain(&error)),
    }
}
