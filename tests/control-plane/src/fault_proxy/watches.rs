//! How the events of watches come through: late, twice, in another order, or not at all.

use std::{io, time::Duration};

use axum::body::Bytes;
use futures::{
    Stream, StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use tokio::time::{Instant, sleep, timeout_at};

/// What is told together is gathered for so long.
const GATHER: Duration = Duration::from_millis(700);
/// Pause between the bytes of a slow or silent watch.
const PAUSE: Duration = Duration::from_millis(20);
/// Bytes of a slow watch that come at a time.
const SLOW_BYTES: usize = 256;

/// How the events of watches come through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Watches {
    /// As the API server tells them.
    #[default]
    True,
    /// Late, the newest first, and each twice.
    Shuffled,
    /// A few bytes at a time.
    Slow,
    /// Not at all, although bytes come all the time.
    Silent,
}

type Lines = BoxStream<'static, io::Result<Bytes>>;

impl Watches {
    /// What becomes of a watch's answer.
    pub(super) fn distort(
        self,
        answer: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Lines {
        match self {
            Self::True => answer.boxed(),
            Self::Shuffled => shuffled(lines(answer)),
            Self::Slow => answer.map_ok(|bytes| slowly(&bytes)).try_flatten().boxed(),
            Self::Silent => silence(answer),
        }
    }
}

/// The lines of an answer, each with its end.
fn lines(answer: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Lines {
    let whole = answer.map_ok(Some).chain(stream::once(async { Ok(None) }));
    let cut = whole.scan(Vec::new(), |rest: &mut Vec<u8>, part| {
        let lines = part.map(|part| {
            rest.extend_from_slice(&part.unwrap_or_default());
            let end = rest.iter().rposition(|&byte| byte == b'\n');
            let whole: Vec<u8> = rest.drain(..end.map_or(0, |end| end + 1)).collect();
            let lines = whole.split_inclusive(|&byte| byte == b'\n');
            let lines: Vec<_> = lines.map(Bytes::copy_from_slice).map(Ok).collect();
            stream::iter(lines)
        });
        async move { Some(lines) }
    });
    cut.try_flatten().boxed()
}

fn shuffled(lines: Lines) -> Lines {
    let batches = stream::unfold(lines, |mut lines| async {
        let mut batch = vec![lines.next().await?];
        let until = Instant::now() + GATHER;
        while let Ok(Some(line)) = timeout_at(until, lines.next()).await {
            batch.push(line);
        }
        // What a failure ends is not told twice.
        let told: io::Result<Vec<Bytes>> = batch.into_iter().rev().collect();
        let twice = told.map(|told| {
            let twice = told.into_iter().flat_map(|line| [line.clone(), line]);
            stream::iter(twice.map(Ok).collect::<Vec<_>>())
        });
        Some((twice, lines))
    });
    batches.try_flatten().boxed()
}

fn slowly(bytes: &Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
    let parts: Vec<_> = bytes
        .chunks(SLOW_BYTES)
        .map(Bytes::copy_from_slice)
        .collect();
    stream::iter(parts).then(|part| async {
        sleep(PAUSE).await;
        Ok(part)
    })
}

/// Blanks, until the answer ends.
fn silence(answer: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Lines {
    let blanks = stream::repeat(Bytes::from_static(b" ")).then(|blank| async {
        sleep(PAUSE).await;
        Ok(blank)
    });
    let ended = answer.for_each(|_| async {});
    blanks.take_until(Box::pin(ended)).boxed()
}
