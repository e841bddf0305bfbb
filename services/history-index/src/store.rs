//! The catalogue: what is known of every application, in SQLite or PostgreSQL.

mod applications;
pub mod conformance;
mod documents;
mod pages;
mod records;
mod save;
mod watch;

use moka_db::{Database, Error, Migration, PoolOptions};

pub use self::{
    applications::ApplicationFilter,
    documents::Documents,
    records::{AttemptKey, AttemptRecord, LogState, SeenAttempt, Summary},
    save::{LogUpdate, Saved},
};

const MIGRATIONS: &[Migration] = moka_db::migrations!["20261121000000_history"];

/// The catalogue's database. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
}

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// When the database cannot be reached or migrated.
    pub async fn open(url: &str, options: PoolOptions) -> Result<Self, Error> {
        let database = Database::connect(url, options).await?;
        database.migrate(MIGRATIONS).await?;
        Ok(Self { database })
    }
}
