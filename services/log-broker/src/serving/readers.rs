//! How many calls that take long or cost much run at a time.

use std::{sync::Arc, time::Duration};

use moka_core::{ErrorReason, PublicError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// When a caller that was refused may try again.
const RETRY: Duration = Duration::from_secs(5);

/// How many of each kind at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Calls of `FollowLog`.
    pub followers: u32,
    /// Calls of `DownloadLog`.
    pub downloads: u32,
    /// Calls of `SearchLog`.
    pub searches: u32,
}

impl ReaderLimits {
    /// Of all kinds together.
    pub fn sum(self) -> usize {
        permits(self.followers) + permits(self.downloads) + permits(self.searches)
    }
}

fn permits(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(Semaphore::MAX_PERMITS)
}

/// Counts calls in hand. Clones share the counts.
#[derive(Debug, Clone)]
pub struct Readers {
    limits: ReaderLimits,
    followers: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

/// Stands for a call; it is over when this is dropped.
#[derive(Debug)]
pub struct Admission {
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    /// Nobody reads yet.
    pub fn new(limits: ReaderLimits) -> Self {
        Self {
            limits,
            followers: Arc::new(Semaphore::new(permits(limits.followers))),
            downloads: Arc::new(Semaphore::new(permits(limits.downloads))),
            searches: Arc::new(Semaphore::new(permits(limits.searches))),
        }
    }

    /// One more follower.
    ///
    /// # Errors
    ///
    /// `OVERLOADED` when there are as many as may be.
    pub fn follower(&self) -> Result<Admission, PublicError> {
        admit(&self.followers, self.limits.followers, "followers")
    }

    /// One more download.
    ///
    /// # Errors
    ///
    /// `OVERLOADED` when there are as many as may be.
    pub fn download(&self) -> Result<Admission, PublicError> {
        admit(&self.downloads, self.limits.downloads, "downloads")
    }

    /// One more search.
    ///
    /// # Errors
    ///
    /// `OVERLOADED` when there are as many as may be.
    pub fn search(&self) -> Result<Admission, PublicError> {
        admit(&self.searches, self.limits.searches, "searches")
    }
}

fn admit(free: &Arc<Semaphore>, limit: u32, kind: &str) -> Result<Admission, PublicError> {
    let permit = Arc::clone(free).try_acquire_owned();
    let permit = permit.map_err(|_none_free| {
        let message = format!("there are {limit} {kind}, as many as may be at a time");
        PublicError::new(ErrorReason::Overloaded, message).retry_after(RETRY)
    });
    Ok(Admission { _permit: permit? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_more_than_the_limit_is_refused_until_another_is_over() {
        let limits = ReaderLimits {
            followers: 2,
            downloads: 0,
            searches: 1,
        };
        let readers = Readers::new(limits);
        let held = [readers.follower().unwrap(), readers.follower().unwrap()];
        let error = readers.follower().unwrap_err();
        assert_eq!(error.reason, ErrorReason::Overloaded);
        assert_eq!(
            error.message,
            "there are 2 followers, as many as may be at a time"
        );
        assert_eq!(error.retry_after, Some(RETRY));
        assert!(readers.download().is_err());
        assert!(readers.search().is_ok());
        drop(held);
        assert!(readers.follower().is_ok());
    }
}
