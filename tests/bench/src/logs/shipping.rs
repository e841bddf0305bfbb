//! What log-shipper needs for what it ships.

use anyhow::{Result, ensure};

use super::{
    node::{Node, new_attempt, shipped},
    store::LogStore,
    text::EventLogText,
};
use crate::{cpu::cpu_seconds, figure::Figure, programs::Programs};

/// Event logs that are shipped side by side.
const FILES: usize = 32;
const FILE_BYTES: usize = 16_000_000;
/// So many files for the memory, in attempts of so many.
const ATTEMPTS: usize = 40;
const FILES_PER_ATTEMPT: usize = 50;
const SMALL_FILE_BYTES: usize = 200_000;

/// Megabytes of event logs a second of one core, the kernel's part included.
pub(super) async fn rate(store: &LogStore, text: &EventLogText) -> Result<Figure> {
    let programs = Programs::beside_this_one()?;
    let node = Node::new()?;
    let log = text.repeated(FILE_BYTES);
    let attempt = new_attempt();
    for number in 0..FILES {
        node.write(attempt, &format!("spark-{number}"), &log)?;
    }
    let shipper = node.ship(&programs, store).await?;
    shipped(&shipper, FILES * log.len()).await?;
    let seconds = shipper.cpu_seconds()?;
    let name = store.figure("ship_mb_per_s", "ship_mb_per_s_directory");
    let rate = megabytes(FILES * log.len()) / seconds;
    let compressed = megabytes(FILES * log.len()) / compression_seconds(&log)?;
    Ok(Figure::alone(name, rate, "MB/s of a core").beside(compressed, "zstd -3 of the bare text"))
}

/// The most memory that it takes for 2,000 files.
pub(super) async fn memory(store: &LogStore, text: &EventLogText) -> Result<Figure> {
    let programs = Programs::beside_this_one()?;
    let node = Node::new()?;
    let log = text.repeated(SMALL_FILE_BYTES);
    for _ in 0..ATTEMPTS {
        let attempt = new_attempt();
        for number in 0..FILES_PER_ATTEMPT {
            node.write(attempt, &format!("spark-{number}.inprogress"), &log)?;
        }
    }
    let shipper = node.ship(&programs, store).await?;
    shipped(&shipper, ATTEMPTS * FILES_PER_ATTEMPT * log.len()).await?;
    let peak = shipper.peak_resident_bytes()?;
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let peak = peak as f64 / 1e6;
    Ok(Figure::alone("ship_rss_mb", peak, "MB"))
}

/// CPU seconds that this program needs to compress all files, as the shipper compresses them.
fn compression_seconds(log: &[u8]) -> Result<f64> {
    let own = std::process::id();
    let before = cpu_seconds(own)?;
    for _ in 0..FILES {
        let compressed = zstd::encode_all(log, zstd::DEFAULT_COMPRESSION_LEVEL)?;
        ensure!(compressed.len() < log.len(), "text becomes smaller");
    }
    Ok(cpu_seconds(own)? - before)
}

/// Bytes in megabytes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn megabytes(size_bytes: usize) -> f64 {
    size_bytes as f64 / 1e6
}
