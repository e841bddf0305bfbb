//! How fast an event log becomes answers: history-index's parser and fold on one core, beside a
//! real History Server that answers its first question about the same log.

use std::{
    fs::{self, File},
    hint::black_box,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use moka_history_index::domain::{codec::Codec, log_reader::LogReader};
use moka_xtask::{cluster, history_server::HistoryServer, workspace};
use tokio::time::Instant;

use crate::figure::{Figure, middle};

const CORPUS: &str = "tests/corpora/spark-events/logs.tar.zst";
/// The largest plain log of the corpus: a SQL application.
const LOG: &str = "logs/local-1795176741830.inprogress";
const PIECE_BYTES: usize = 256 * 1024;
const RUNS: usize = 9;

/// Measures events and bytes a second; the median of nine runs.
///
/// # Errors
/// When the corpus is missing, or the History Server does not list the log.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let log = unpack(folder.path())?;
    let bytes = fs::read(&log)?;
    let mut seconds = Vec::new();
    let mut events = 0;
    for _ in 0..RUNS {
        let begun = Instant::now();
        events = index(&bytes)?;
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let ours = middle(seconds);
    let theirs = history_server_seconds(&log).await?;
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (events, megabytes) = (events as f64, bytes.len() as f64 / 1e6);
    let peer = "Spark History Server 4.0.1, first answer about jobs";
    Ok(vec![
        Figure::alone("index_events_per_s", events / ours, "1/s").beside(events / theirs, peer),
        Figure::alone("index_mb_per_s", megabytes / ours, "MB/s").beside(megabytes / theirs, peer),
    ])
}

/// Unpacks the corpus and returns the log.
fn unpack(folder: &Path) -> Result<PathBuf> {
    let archive = workspace::root().join(CORPUS);
    let file = File::open(&archive).with_context(|| format!("opening {}", archive.display()))?;
    tar::Archive::new(zstd::Decoder::new(file)?).unpack(folder)?;
    Ok(folder.join(LOG))
}

/// Reads and folds the whole log and returns how many events it had.
fn index(log: &[u8]) -> Result<u64> {
    let mut reader = LogReader::default();
    for piece in log.chunks(PIECE_BYTES) {
        reader.feed("log", &Codec::Plain, piece)?;
    }
    reader.close("log");
    black_box(reader.fold().snapshot());
    Ok(reader.tally().event_count)
}

/// Seconds from the question about jobs to the answer, on a server that has listed the log: it
/// reads the log then, on one thread.
async fn history_server_seconds(log: &Path) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let name = log.file_name().context("a log has a name")?;
    fs::copy(log, folder.path().join(name))?;
    let server = HistoryServer::start(&cluster::spark_home().await?, folder.path()).await?;
    let id = name
        .to_str()
        .unwrap_or_default()
        .trim_end_matches(".inprogress");
    server
        .get_json(&format!("/api/v1/applications/{id}"))
        .await?;
    let begun = Instant::now();
    let jobs = server
        .get_json(&format!("/api/v1/applications/{id}/jobs"))
        .await?;
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(
        jobs.as_array().is_some_and(|jobs| !jobs.is_empty()),
        "the History Server knows no job"
    );
    Ok(seconds)
}
