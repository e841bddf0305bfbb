//! log-shipper's real program, on a folder laid out as a node, before a real S3 server with a
//! faulty line between them. Its process is killed and stopped, files are rotated, cut off and
//! torn; then every line is read back through log-broker, which must have each once.
//!
//! `cargo run -p moka-tests-shipping -- --runs 1000` goes on for longer than the test does.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

mod chance;
pub mod hard;
mod node;
mod reader;
mod report;
mod run;
mod shipper;
mod store_proxy;

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use moka_objects::S3Store;
use moka_xtask::s3_server::TemporaryS3;
pub use report::Report;
use tempfile::TempDir;

/// Runs at the same time: most of a run is waiting.
const CONCURRENT_RUNS: usize = 8;
const BUCKET: &str = "shipping";

/// Does so many runs with the seeds from `first_seed` on, and gives their figures together.
///
/// # Panics
///
/// When a line is lost, repeated, changed or out of order in what is read back.
pub async fn runs(first_seed: u32, run_count: u32) -> Report {
    let (server, store) = store().await;
    let folder = TempDir::with_prefix("moka-shipping-program-").unwrap();
    let program = shipper::build(folder.path()).await;
    let reports = stream::iter(first_seed..first_seed + run_count)
        .map(|seed| run::run(seed, &program, server.endpoint(), Arc::clone(&store)))
        .buffer_unordered(CONCURRENT_RUNS);
    reports
        .fold(Report::default(), async |sum, report| sum.and(report))
        .await
}

/// A real S3 server with an empty bucket.
async fn store() -> (TemporaryS3, Arc<S3Store>) {
    let server = TemporaryS3::start().await.unwrap();
    let store = server.bucket(BUCKET).await.unwrap();
    (server, Arc::new(store))
}
