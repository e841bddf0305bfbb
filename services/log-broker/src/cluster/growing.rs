//! Lines of a log of the Kubernetes API while it grows.

use std::io;

use bytes::Bytes;
use futures::{AsyncBufRead, AsyncBufReadExt, StreamExt, stream};

use super::LiveLines;
use crate::{
    domain::{cri::parse_api_line, lines::LineJoiner},
    error::Error,
};

/// A line that is longer than this ends the stream: it is read from the archive.
const MAX_LINE_BYTES: usize = 4 << 20;

/// The lines of a body as they come. Ends with the body, whose last line counts only with its end.
pub(super) fn lines(
    body: impl AsyncBufRead + Send + Unpin + 'static,
    failed: impl Fn(io::Error) -> Error + Send + 'static,
) -> LiveLines {
    let state = (body, LineJoiner::default(), failed);
    let lines = stream::try_unfold(state, async |(mut body, mut joiner, failed)| {
        loop {
            let Some(line) = next_line(&mut body).await.map_err(&failed)? else {
                return Ok(None);
            };
            if let Some((time, text)) = parse_api_line(&line) {
                let placed = joiner.push_joined(time, Bytes::copy_from_slice(text));
                return Ok(Some((placed, (body, joiner, failed))));
            }
        }
    });
    lines.fuse().boxed()
}

/// The text need not be UTF-8, so it is not read as lines of text.
async fn next_line(body: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let available = body.fill_buf().await?;
        if available.is_empty() {
            return Ok(None);
        }
        let end = memchr::memchr(b'\n', available);
        let length = end.unwrap_or(available.len());
        line.extend_from_slice(&available[..length]);
        body.consume_unpin(length + usize::from(end.is_some()));
        if line.len() > MAX_LINE_BYTES {
            return Ok(None);
        }
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{TryStreamExt, io::Cursor};
    use moka_kube::Error as KubeError;

    use super::*;

    async fn texts(body: Vec<u8>) -> Vec<Bytes> {
        let failed = |error: io::Error| Error::Cluster {
            cluster: "local".to_owned(),
            source: KubeError::Unavailable(error.to_string()),
        };
        let lines = lines(Cursor::new(body), failed).try_concat().await.unwrap();
        lines.into_iter().map(|placed| placed.line.text).collect()
    }

    #[tokio::test]
    async fn whole_lines_come_and_a_torn_last_one_does_not() {
        let body = b"2026-11-21T03:00:00.1Z one\nno line\n2026-11-21T03:00:00.2Z \xff\n2026-11-21T";
        assert_eq!(texts(body.to_vec()).await, [&b"one"[..], b"\xff"]);
    }

    #[tokio::test]
    async fn line_without_an_end_does_not_fill_the_memory() {
        let line = |length: usize| [b"2026-11-21T03:00:00Z ", &*vec![b'x'; length], b"\n"].concat();
        let limit = MAX_LINE_BYTES - b"2026-11-21T03:00:00Z ".len();
        let pieces = texts(line(limit)).await;
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), limit);
        assert!(texts(line(limit + 64 * 1024)).await.is_empty());
    }
}
