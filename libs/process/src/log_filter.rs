//! What is logged, changeable while the process runs.

use tracing_subscriber::{EnvFilter, Registry, filter::ParseError, reload};

/// A handle on the installed filter.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter {
    handle: reload::Handle<EnvFilter, Registry>,
}

/// Why a filter was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The text is no list of directives.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The subscriber is gone, which happens only while the process ends.
    #[error(transparent)]
    Gone(#[from] reload::Error),
}

impl LogFilter {
    pub(crate) fn new(handle: reload::Handle<EnvFilter, Registry>) -> Self {
        Self { handle }
    }

    /// The directives in force.
    pub(crate) fn show(&self) -> Result<String, Error> {
        Ok(self.handle.with_current(ToString::to_string)?)
    }

    /// Replaces the directives.
    pub(crate) fn change(&self, directives: &str) -> Result<(), Error> {
        let filter = EnvFilter::try_new(directives.trim())?;
        self.handle.reload(filter)?;
        tracing::info!(log.filter = directives.trim(), "log filter changed");
        Ok(())
    }
}
