//! Five million applications of past months.

use anyhow::Result;
use moka_xtask::postgres::TemporaryPostgres;

pub(crate) async fn load(_postgres: &TemporaryPostgres) -> Result<()> {
    Ok(())
}
