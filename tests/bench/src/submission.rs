//! How fast the front door accepts, and how soon a status is seen: the real program over TCP on a
//! PostgreSQL with its stock settings, everything on the same cores, beside pgbench in the same
//! run.

mod accept;
mod floor;
mod installation;
mod load;
pub(crate) mod status;

use anyhow::Result;
use moka_xtask::postgres::TemporaryPostgres;

use self::installation::Installation;
use crate::figure::Figure;

/// Measures accepting one by one and in bulk on an empty database, then how soon a status is seen.
///
/// # Errors
/// When something does not start or a call fails.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let postgres = TemporaryPostgres::start_durable().await?;
    let installation = Installation::start(&postgres).await?;
    let mut figures = accept::measure(&postgres, &installation).await?;
    drop(installation);
    figures.extend(status::measure().await?);
    Ok(figures)
}
