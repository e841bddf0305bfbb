//! Which database a URL names.

use std::fmt;

use crate::Error;

/// The databases that Moka runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DatabaseKind {
    /// One file, one machine: the embedded default.
    Sqlite,
    /// Many replicas over one server.
    Postgres,
}

impl DatabaseKind {
    /// Reads the kind from a URL's scheme.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] for any other scheme.
    pub fn of_url(url: &str) -> Result<Self, Error> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            _ => Err(Error::InvalidUrl {
                problem: "a database URL starts with `sqlite:` or `postgres://`".to_owned(),
            }),
        }
    }

    /// The clause that makes a claim skip rows that another transaction holds. Empty on SQLite,
    /// where one writer at a time runs anyway.
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE SKIP LOCKED",
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}
