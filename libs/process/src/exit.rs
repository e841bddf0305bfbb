//! How a process ends.

use std::process::ExitCode;

/// Why the process ended, as its exit code tells it. The numbers follow `sysexits.h`.
///
/// A wiring function that fails says which one it means by adding it as context:
/// `open_database().await.context(Exit::Unavailable)?`. Errors without one count as
/// [`Exit::Failed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Exit {
    /// 0: stopped as asked, all work drained.
    #[error("stopped as asked")]
    Clean,
    /// 2: the command line or an environment variable cannot be parsed.
    #[error("the command line cannot be parsed")]
    Usage,
    /// 69: something that the service needs did not answer at start; starting again may help.
    #[error("something this service needs is not available")]
    Unavailable,
    /// 70: a task failed, panicked or did not stop in time.
    #[error("the service failed")]
    Failed,
    /// 78: the options are well-formed, but cannot be used as they are.
    #[error("the configuration cannot be used")]
    Configuration,
    /// 130: a second signal, SIGINT, ended the process before it had drained.
    #[error("interrupted before everything was drained")]
    Interrupted,
    /// 143: a second signal, SIGTERM, ended the process before it had drained.
    #[error("terminated before everything was drained")]
    Terminated,
}

impl Exit {
    /// The number that the parent process sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Usage => 2,
            Self::Unavailable => 69,
            Self::Failed => 70,
            Self::Configuration => 78,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The exit that an error carries as context, [`Exit::Failed`] when it carries none.
    pub fn of(error: &anyhow::Error) -> Self {
        error.downcast_ref().copied().unwrap_or(Self::Failed)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn exit_is_found_below_other_context() {
        let error = Err::<(), _>(std::io::Error::other("refused"))
            .context(Exit::Unavailable)
            .context("opening the database")
            .unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Unavailable);
        assert_eq!(Exit::of(&anyhow::anyhow!("no exit named")), Exit::Failed);
    }
}
