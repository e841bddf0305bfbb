//! A caller that watches all applications.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use moka_core::AttemptName;
use moka_proto::submission::v1::{
    ApplicationState, WatchApplicationsRequest, submission_service_client::SubmissionServiceClient,
    watch_applications_response::Step,
};
use moka_rpc::{ClientOptions, client::without_deadline};
use tokio::{
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};

const POLL: Duration = Duration::from_millis(50);

/// What changes of a driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    Started,
    Ended,
}

impl Change {
    fn state(self) -> ApplicationState {
        match self {
            Self::Started => ApplicationState::Running,
            Self::Ended => ApplicationState::Succeeded,
        }
    }

    fn to(state: i32) -> Self {
        if state == i32::from(ApplicationState::Running) {
            Self::Started
        } else {
            Self::Ended
        }
    }
}

/// An application and the state that it is expected to have.
type Key = (String, i32);

#[derive(Debug, Default)]
struct Times {
    made: BTreeMap<Key, Instant>,
    made_in_pods: BTreeMap<(String, Change), Instant>,
    seen: BTreeMap<Key, Instant>,
}

/// The running watch.
pub(super) struct Observer {
    expected: usize,
    times: Arc<Mutex<Times>>,
    task: JoinHandle<Result<()>>,
}

/// Tells when an expected change was made.
pub(super) struct Made {
    key: Key,
    /// The same, as a watch of pods names it.
    pod: (String, Change),
    times: Arc<Mutex<Times>>,
}

impl Made {
    pub(super) fn at(self, time: Instant) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.made.insert(self.key, time);
        times.made_in_pods.insert(self.pod, time);
    }
}

impl Observer {
    /// Watches from now on; returns when the snapshot is complete.
    pub(super) async fn start(url: &str) -> Result<Self> {
        let channel = moka_rpc::client::connect(url, &ClientOptions::default())?;
        let mut client = SubmissionServiceClient::new(channel);
        let request = without_deadline(WatchApplicationsRequest::default());
        let mut steps = client.watch_applications(request).await?.into_inner();
        let times = Arc::new(Mutex::new(Times::default()));
        let writes = Arc::clone(&times);
        let (tell_ready, ready) = oneshot::channel();
        let task = tokio::task::spawn(async move {
            let mut tell_ready = Some(tell_ready);
            while let Some(step) = steps.message().await? {
                match step.step {
                    Some(Step::SnapshotEnd(_)) => {
                        tell_ready.take().map(|ready| ready.send(()));
                    }
                    Some(Step::Change(change)) => {
                        let seen = Instant::now();
                        let event = change.event.context("a change has an event")?;
                        let key = (event.application_id, event.state);
                        let mut times = writes.lock().unwrap_or_else(PoisonError::into_inner);
                        times.seen.entry(key).or_insert(seen);
                    }
                    _ => {}
                }
            }
            Ok(())
        });
        ready.await.context("the watch ended")?;
        Ok(Self {
            expected: 0,
            times,
            task,
        })
    }

    /// A change that is about to be made.
    pub(super) fn expect(&mut self, name: AttemptName, change: Change) -> Made {
        self.expected += 1;
        Made {
            key: (name.application_id.to_string(), change.state().into()),
            pod: (name.driver_pod(), change),
            times: Arc::clone(&self.times),
        }
    }

    /// Waits until every change was seen, and tells how long each took, in order of size, and what
    /// it was.
    pub(super) async fn finish(&self, patience: Duration) -> Result<Vec<(Duration, Change)>> {
        let begun = Instant::now();
        loop {
            let latencies = self.latencies();
            if latencies.len() == self.expected {
                self.task.abort();
                return Ok(latencies);
            }
            ensure!(
                begun.elapsed() < patience && !self.task.is_finished(),
                "only {} of {} changes were seen",
                latencies.len(),
                self.expected
            );
            sleep(POLL).await;
        }
    }

    /// How long each change took to somebody who watched the pods, in order of size.
    pub(super) fn latencies_of(
        &self,
        seen: &BTreeMap<(String, Change), Instant>,
    ) -> Vec<(Duration, Change)> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = |(key, seen): (&(String, Change), &Instant)| {
            let made = times.made_in_pods.get(key)?;
            Some((seen.saturating_duration_since(*made), key.1))
        };
        let mut latencies: Vec<_> = seen.iter().filter_map(latency).collect();
        latencies.sort_unstable();
        latencies
    }

    /// How much later each change was seen than by somebody who watched the pods, in order of size.
    pub(super) fn latencies_after(
        &self,
        seen: &BTreeMap<(String, Change), Instant>,
    ) -> Vec<(Duration, Change)> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = |((id, state), ours): (&Key, &Instant)| {
            let name = AttemptName::new(id.parse().ok()?, 1);
            let change = Change::to(*state);
            let pods = seen.get(&(name.driver_pod(), change))?;
            Some((ours.saturating_duration_since(*pods), change))
        };
        let mut latencies: Vec<_> = times.seen.iter().filter_map(latency).collect();
        latencies.sort_unstable();
        latencies
    }

    fn latencies(&self) -> Vec<(Duration, Change)> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let latency = |(key, seen): (&Key, &Instant)| {
            let made = times.made.get(key)?;
            // It may be seen before its maker has the answer.
            Some((seen.saturating_duration_since(*made), Change::to(key.1)))
        };
        let mut latencies: Vec<_> = times.seen.iter().filter_map(latency).collect();
        latencies.sort_unstable();
        latencies
    }
}
