//! How fast the front door accepts and answers: the real program over TCP on a PostgreSQL with its
//! stock settings, everything on the same cores, beside pgbench in the same run.

mod accept;
mod floor;
mod history;
mod installation;
mod load;
mod reads;
pub(crate) mod status;

use anyhow::Result;
use moka_xtask::postgres::TemporaryPostgres;

use self::installation::Installation;
use crate::figure::Figure;

/// Measures accepting one by one and in bulk on an empty database, then reads on a full one.
///
/// # Errors
/// When something does not start or a call fails.
pub(crate) async fn measure() -> Result<Vec<Figure>> {
    let postgres = TemporaryPostgres::start_durable().await?;
    let installation = Installation::start(&postgres).await?;
    let mut figures = accept::measure(&postgres, &installation).await?;
    history::load(&postgres).await?;
    figures.extend(reads::measure(&installation).await?);
    drop(installation);
    figures.extend(status::measure().await?);
    Ok(figures)
}
