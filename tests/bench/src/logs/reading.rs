//! Reading a large log from the archive, and the end of a huge one.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use moka_proto::logs::v1::{
    CompletenessVerdict, DownloadLogRequest, ReadLogRequest, ReadLogResponse,
};
use tokio::{
    runtime,
    task::block_in_place,
    time::{Instant, sleep},
};

use super::{archive::Filler, broker::Installation, shipping::megabytes, store::LogStore};
use crate::figure::Figure;

const LOG_BYTES: u64 = 1_000_000_000;
const HUGE_LOG_BYTES: u64 = 10_000_000_000;
const TAIL_LINES: i32 = 100;
const TAILS: usize = 200;
const OBJECT_READS: &str = "moka_log_broker_object_reads_total";
/// What was put last has settled after this.
const SETTLED: Duration = Duration::from_secs(2);

/// Megabytes a second to one reader: by pages, and as a download.
pub(super) async fn throughput(
    store: &LogStore,
    installation: &Installation,
) -> Result<Vec<Figure>> {
    let filler = Filler::new(store.objects(), installation.attempt)?;
    filler.fill(LOG_BYTES).await?;
    sleep(SETTLED).await;
    // The index is made once.
    read(installation, tail(installation)).await?;
    let begun = Instant::now();
    let before = installation.broker.cpu_seconds()?;
    let size_bytes = read_all(installation)?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_seconds = installation.broker.cpu_seconds()? - before;
    let begun = Instant::now();
    let downloaded = download(installation).await?;
    let download_seconds = begun.elapsed().as_secs_f64();
    ensure!(
        downloaded == size_bytes,
        "a download has {downloaded} bytes, the pages have {size_bytes}"
    );
    let text = megabytes(size_bytes);
    Ok(vec![
        Figure::alone(
            store.figure("read_mb_per_s", "read_mb_per_s_directory"),
            text / seconds,
            "MB/s",
        ),
        Figure::alone(
            store.figure("read_mb_per_core_s", "read_mb_per_core_s_directory"),
            text / cpu_seconds,
            "MB/s of a core",
        ),
        Figure::alone(
            store.figure("download_mb_per_s", "download_mb_per_s_directory"),
            text / download_seconds,
            "MB/s",
        ),
    ])
}

/// How long the last 100 lines of 10 GB take: the first time, when the log has to be read, and
/// then; and how many objects are read for it.
pub(super) async fn tails(store: &LogStore, installation: &Installation) -> Result<Vec<Figure>> {
    let filler = Filler::new(store.objects(), installation.attempt)?;
    filler.fill(HUGE_LOG_BYTES).await?;
    sleep(SETTLED).await;
    let begun = Instant::now();
    let text = read(installation, tail(installation)).await?;
    let first_seconds = begun.elapsed().as_secs_f64();
    ensure!(text.lines.len() == 100, "{} lines", text.lines.len());
    let reads = installation.broker.counter(OBJECT_READS).await?;
    let mut times = Vec::new();
    for _ in 0..TAILS {
        let begun = Instant::now();
        let again = read(installation, tail(installation)).await?;
        times.push(begun.elapsed());
        ensure!(again.lines == text.lines, "another tail");
    }
    let reads = installation.broker.counter(OBJECT_READS).await? - reads;
    times.sort();
    let p99 = times[TAILS * 99 / 100].as_secs_f64() * 1e3;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let reads = reads as f64 / TAILS as f64;
    Ok(vec![
        Figure::alone(
            store.figure("tail_first_s", "tail_first_s_directory"),
            first_seconds,
            "s",
        ),
        Figure::alone(store.figure("tail_ms", "tail_ms_directory"), p99, "ms"),
        Figure::alone(
            store.figure("tail_object_reads", "tail_object_reads_directory"),
            reads,
            "objects",
        ),
    ])
}

fn tail(installation: &Installation) -> ReadLogRequest {
    ReadLogRequest {
        stream: Some(installation.stream()),
        tail_lines: TAIL_LINES,
        ..ReadLogRequest::default()
    }
}

async fn read(installation: &Installation, request: ReadLogRequest) -> Result<ReadLogResponse> {
    let answer = installation.client()?.read_log(request).await?;
    Ok(answer.into_inner())
}

/// Reads every page as one thread that does nothing else, and returns the size of the text.
fn read_all(installation: &Installation) -> Result<usize> {
    block_in_place(|| {
        let mut reader = runtime::Builder::new_current_thread();
        let reader = reader.enable_all().build()?;
        reader.block_on(read_pages(installation))
    })
}

async fn read_pages(installation: &Installation) -> Result<usize> {
    let mut client = installation.client()?;
    let mut request = ReadLogRequest {
        stream: Some(installation.stream()),
        maximum_lines: 10_000,
        ..ReadLogRequest::default()
    };
    let mut size_bytes = 0;
    loop {
        let answer = client.read_log(request.clone()).await?.into_inner();
        size_bytes += answer
            .lines
            .iter()
            .map(|line| line.text.len() + 1)
            .sum::<usize>();
        if answer.at_end {
            let completeness = answer.completeness.context("a verdict")?;
            ensure!(
                completeness.verdict() == CompletenessVerdict::Complete,
                "{completeness:?}"
            );
            return Ok(size_bytes);
        }
        request.cursor = answer.next_cursor;
    }
}

async fn download(installation: &Installation) -> Result<usize> {
    let request = DownloadLogRequest {
        stream: Some(installation.stream()),
        ..DownloadLogRequest::default()
    };
    let mut parts = installation
        .client()?
        .download_log(request)
        .await?
        .into_inner();
    let mut size_bytes = 0;
    while let Some(part) = parts.message().await? {
        size_bytes += part.data.len();
    }
    Ok(size_bytes)
}
