//! How fast logs get from a node into the object store and out of it again: the real programs on
//! a directory and before a real S3 server, or on the real local cluster, everything on the same
//! cores.

mod archive;
mod assembling;
mod broker;
mod following;
mod node;
mod reading;
mod searching;
mod shipping;
mod store;
mod text;

use anyhow::Result;

use self::{broker::Installation, store::LogStore, text::EventLogText};
use crate::figure::Figure;

/// Measures everything.
///
/// # Errors
/// When something does not start or a call fails.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let mut figures = measure_shipping().await?;
    figures.extend(measure_assembling().await?);
    figures.extend(measure_reading().await?);
    figures.extend(measure_searching().await?);
    figures.extend(measure_following().await?);
    Ok(figures)
}

/// Measures log-shipper: what it ships in a second of one core, and its memory on many files.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_shipping() -> Result<Vec<Figure>> {
    let text = EventLogText::of_corpus()?;
    let mut figures = vec![shipping::rate(&LogStore::s3().await?, &text).await?];
    figures.push(shipping::rate(&LogStore::directory().await?, &text).await?);
    figures.push(shipping::memory(&LogStore::s3().await?, &text).await?);
    Ok(figures)
}

/// Measures the assembler on one large event log.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_assembling() -> Result<Vec<Figure>> {
    let text = EventLogText::of_corpus()?;
    let mut figures = Vec::new();
    for store in [LogStore::s3().await?, LogStore::directory().await?] {
        figures.push(assembling::measure(&store, &text).await?);
    }
    Ok(figures)
}

/// Measures `ReadLog` and `DownloadLog` of a large log, and tails of a huge one.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_reading() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for store in [LogStore::s3().await?, LogStore::directory().await?] {
        let installation = Installation::start(&store).await?;
        figures.extend(reading::throughput(&store, &installation).await?);
        figures.extend(reading::tails(&store, &installation).await?);
    }
    Ok(figures)
}

/// Measures `SearchLog` of a literal, beside GNU grep on the same text.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_searching() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for store in [LogStore::s3().await?, LogStore::directory().await?] {
        let installation = Installation::start(&store).await?;
        figures.extend(searching::measure(&store, &installation).await?);
    }
    Ok(figures)
}

/// Measures `FollowLog` on the real local cluster, which it starts and leaves running.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_following() -> Result<Vec<Figure>> {
    following::measure().await
}
