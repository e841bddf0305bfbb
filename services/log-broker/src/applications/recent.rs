//! What submission said a moment ago of applications that have ended.

use std::sync::Arc;

use async_trait::async_trait;
use moka_core::{ApplicationId, PublicError};
use tokio::time::Instant;

use super::{ApplicationView, Applications};
use crate::recent::Recent;

/// Does not ask at once again about an application that has ended, which changes only when it is
/// retried.
#[derive(Debug)]
pub struct RecentApplications {
    source: Arc<dyn Applications>,
    ended: Recent<ApplicationView>,
}

impl RecentApplications {
    /// Nothing is known yet.
    pub fn new(source: Arc<dyn Applications>) -> Self {
        Self {
            source,
            ended: Recent::default(),
        }
    }
}

#[async_trait]
impl Applications for RecentApplications {
    async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
        if let Some(view) = self.ended.get(id) {
            return Ok(Some(view));
        }
        let asked = Instant::now();
        let view = self.source.get(id).await?;
        if let Some(view) = view.as_ref().filter(|view| view.ended.is_some()) {
            self.ended.note(id, asked, view);
        }
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use jiff::Timestamp;

    use super::*;

    #[derive(Debug, Default)]
    struct Counting {
        ended: Option<Timestamp>,
        asked: AtomicU32,
    }

    #[async_trait]
    impl Applications for Counting {
        async fn get(&self, id: ApplicationId) -> Result<Option<ApplicationView>, PublicError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            Ok(Some(ApplicationView {
                id,
                project: "a".to_owned(),
                ended: self.ended,
                attempts: Vec::new(),
            }))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_has_ended_is_not_asked_for_again() {
        for (ended, times) in [(Some(Timestamp::UNIX_EPOCH), 1), (None, 2)] {
            let source = Arc::new(Counting {
                ended,
                ..Counting::default()
            });
            let recent = RecentApplications::new(Arc::clone(&source) as Arc<dyn Applications>);
            let first = recent.get(ApplicationId::ZERO).await.unwrap();
            assert_eq!(recent.get(ApplicationId::ZERO).await.unwrap(), first);
            assert_eq!(source.asked.load(Ordering::Relaxed), times);
        }
    }
}
