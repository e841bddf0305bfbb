//! What a watch of the drivers' pods that does nothing else sees, and when: the API server's share
//! of every latency.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use moka_kube::{WatchEvent, WatchOptions, watch_parts};
use tokio::{task::JoinHandle, time::Instant};

use super::observer::Change;

/// When each driver was first seen in each state.
type Seen = BTreeMap<(String, Change), Instant>;

/// The running watch.
pub(super) struct BareWatch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl BareWatch {
    /// Watches pods with these labels from now on.
    pub(super) fn start(pods: Api<Pod>, labels: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let writes = Arc::clone(&seen);
        let options = WatchOptions::labels(labels.to_owned());
        let mut events = watch_parts(pods, options, part).boxed();
        let task = tokio::task::spawn(async move {
            while let Some(event) = events.next().await {
                if let WatchEvent::Applied(key) = event {
                    let mut seen = writes.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.entry(key).or_insert_with(Instant::now);
                }
            }
        });
        Self { seen, task }
    }

    /// Ends it, and tells what it has seen.
    pub(super) fn finish(self) -> Seen {
        self.task.abort();
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the signature that watches call"
)]
fn part(pod: Pod) -> Option<(String, Change)> {
    let change = match pod.status.as_ref()?.phase.as_deref()? {
        "Running" => Change::Started,
        "Succeeded" => Change::Ended,
        _ => return None,
    };
    Some((pod.name_any(), change))
}
