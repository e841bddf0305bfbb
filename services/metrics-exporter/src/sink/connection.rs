//! One connection, from its first line to its end.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::Sink;

/// How much is written at once.
const PORTION_BYTES: usize = 32 * 1024;
/// How long the agent may take to accept a portion.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait for complaints about the last lines.
const LAST_REPLIES_TIMEOUT: Duration = Duration::from_millis(500);
/// How much of a complaint is kept.
const REPLY_BYTES: usize = 512;

/// Writes whatever arrives until the connection breaks, or until `finish` is cancelled and
/// everything is written: then it ends well.
///
/// The reader runs all the time: an agent that nobody listens to would stop reading in the end, and
/// its complaints are the only sign of a refused line.
pub(super) async fn serve(
    sink: &Sink,
    reader: &mut OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
    finish: &CancellationToken,
) -> io::Result<()> {
    tokio::select! {
        result = write_lines(sink, writer, finish) => result?,
        error = read_replies(sink, reader) => return Err(error),
    }
    writer.shutdown().await?;
    // The agent closes the connection when it has read everything; if it takes longer, so be it.
    let _ = timeout(LAST_REPLIES_TIMEOUT, read_replies(sink, reader)).await;
    Ok(())
}

async fn write_lines(
    sink: &Sink,
    writer: &mut OwnedWriteHalf,
    finish: &CancellationToken,
) -> io::Result<()> {
    loop {
        let finishing = finish.is_cancelled();
        let portion = sink.take(PORTION_BYTES);
        if !portion.is_empty() {
            timeout(WRITE_TIMEOUT, writer.write_all(portion.as_bytes())).await??;
            sink.written();
        } else if finishing {
            return Ok(());
        } else {
            tokio::select! {
                () = sink.arrived() => {}
                () = finish.cancelled() => {}
            }
        }
    }
}

/// Reads until the connection ends, which is always an error: the agent has no reason to end it.
async fn read_replies(sink: &Sink, reader: &mut OwnedReadHalf) -> io::Error {
    let mut line = Vec::new();
    let mut bytes = [0; 1024];
    loop {
        let count = match reader.read(&mut bytes).await {
            Ok(0) => {
                return io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the agent closed the connection",
                );
            }
            Ok(count) => count,
            Err(error) => return error,
        };
        for byte in &bytes[..count] {
            if *byte == b'\n' {
                complain(sink, &line);
                line.clear();
            } else if line.len() < REPLY_BYTES {
                line.push(*byte);
            }
        }
    }
}

fn complain(sink: &Sink, line: &[u8]) {
    let reply = String::from_utf8_lossy(line).trim().to_owned();
    if reply.is_empty() {
        return;
    }
    sink.shared.metrics.error_replies.inc();
    tracing::debug!(reply, "the agent complained of a line");
    sink.failed(reply);
}
