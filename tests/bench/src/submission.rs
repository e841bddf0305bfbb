//! How fast the front door accepts, answers, launches and tells: the real programs over TCP on a
//! PostgreSQL with its stock settings, everything on the same cores, beside pgbench and bare
//! creates in the same run.

mod accept;
mod floor;
mod history;
mod installation;
pub(crate) mod launching;
mod load;
mod reads;
pub(crate) mod status;

use anyhow::Result;
use moka_xtask::postgres::TemporaryPostgres;

use self::installation::Installation;
use crate::figure::Figure;

/// Measures everything.
///
/// # Errors
/// When something does not start or a call fails.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let mut figures = measure_accepting().await?;
    figures.extend(measure_reads().await?);
    figures.extend(launching::measure().await?);
    figures.extend(status::measure().await?);
    Ok(figures)
}

/// Measures accepting one by one and in bulk on an empty database.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_accepting() -> Result<Vec<Figure>> {
    let postgres = TemporaryPostgres::start_durable().await?;
    let installation = Installation::start(&postgres).await?;
    accept::measure(&postgres, &installation).await
}

/// Measures reads, and accepting one by one, on a full database.
///
/// # Errors
/// As [`measure`].
pub(crate) async fn measure_reads() -> Result<Vec<Figure>> {
    let postgres = TemporaryPostgres::start_durable().await?;
    let installation = Installation::start(&postgres).await?;
    history::load(&postgres).await?;
    let mut figures = reads::measure(&installation).await?;
    figures.extend(accept::with_history(&installation).await?);
    Ok(figures)
}
