//! The only place that spawns.

use std::{
    any::Any,
    borrow::Cow,
    collections::BTreeMap,
    future::Future,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, anyhow};
use futures::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What a task may return: nothing, or a result whose error fails the process.
pub trait TaskOutput: Send + 'static {
    /// The output as a result.
    ///
    /// # Errors
    ///
    /// The task's own error.
    fn into_result(self) -> anyhow::Result<()>;
}

impl TaskOutput for () {
    fn into_result(self) -> anyhow::Result<()> {
        Ok(())
    }
}

impl<E: Into<anyhow::Error> + Send + 'static> TaskOutput for Result<(), E> {
    fn into_result(self) -> anyhow::Result<()> {
        self.map_err(Into::into)
    }
}

/// The tasks of a process. A task that returns an error or panics fails the process; one that ends
/// well before the stop just ends. Clones share the tasks.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    abort: CancellationToken,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    next_number: u64,
    /// Names by number, because a name can run twice.
    running: BTreeMap<u64, Cow<'static, str>>,
    failure: Option<anyhow::Error>,
}

impl Tasks {
    /// Starts `future`. Its name appears in the log when it fails or does not stop.
    ///
    /// The task is expected to end soon after [`Tasks::stop`] is cancelled; after the grace it is
    /// dropped at its next await.
    pub fn spawn<F>(&self, name: impl Into<Cow<'static, str>>, future: F)
    where
        F: Future<Output: TaskOutput> + Send + 'static,
    {
        let name = name.into();
        let number = self.started(name.clone());
        let tasks = self.clone();
        let task = async move {
            let outcome = tokio::select! {
                outcome = AssertUnwindSafe(future).catch_unwind() => outcome,
                () = tasks.abort.cancelled() => return,
            };
            let result = match outcome {
                Ok(output) => output.into_result(),
                Err(panic) => Err(anyhow!("panicked: {}", panic_message(&*panic))),
            };
            tasks.ended(number, &name, result);
        };
        // TaskTracker::spawn is tokio::spawn that can be waited for.
        self.tracker.spawn(task);
    }

    /// Cancelled when the process is to stop. Cancelling it stops the process.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells every task to stop, waits for them up to `grace` and then drops those that are left.
    ///
    /// # Errors
    ///
    /// The first failure of a task since the start, or the names of the tasks that did not stop.
    pub async fn drain(&self, grace: Duration) -> anyhow::Result<()> {
        self.stop.cancel();
        self.tracker.close();
        let waited = tokio::time::timeout(grace, self.tracker.wait()).await;
        let (failure, running) = {
            let mut state = self.lock();
            (
                state.failure.take(),
                state.running.values().cloned().collect::<Vec<_>>(),
            )
        };
        self.abort.cancel();
        if let Some(failure) = failure {
            return Err(failure);
        }
        waited.with_context(|| {
            format!(
                "these tasks did not stop within {} s: {}",
                grace.as_secs(),
                running.join(", ")
            )
        })
    }

    /// Drops every task at its next await.
    pub fn abort(&self) {
        self.stop.cancel();
        self.abort.cancel();
    }

    fn started(&self, name: Cow<'static, str>) -> u64 {
        let mut state = self.lock();
        let number = state.next_number;
        state.next_number += 1;
        state.running.insert(number, name);
        number
    }

    fn ended(&self, number: u64, name: &str, result: anyhow::Result<()>) {
        let mut state = self.lock();
        state.running.remove(&number);
        let Err(error) = result else { return };
        if state.failure.is_some() {
            // Only the first failure is told at the end, so the later ones are told here.
            tracing::error!(
                task.name = name,
                error = format!("{error:#}"),
                "task failed too"
            );
            return;
        }
        tracing::error!(task.name = name, "task failed, stopping the process");
        state.failure = Some(error.context(format!("task {name} failed")));
        self.stop.cancel();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "no message"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn failing_task_stops_the_others_and_is_named() {
        let tasks = Tasks::default();
        let stop = tasks.stop().clone();
        tasks.spawn("waiter", async move { stop.cancelled().await });
        tasks.spawn("launcher", async {
            Err::<(), _>(std::io::Error::other("disk full"))
        });
        tasks.stop().cancelled().await;
        let error = tasks.drain(GRACE).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "task launcher failed: disk full");
    }

    #[tokio::test]
    async fn panic_is_a_failure() {
        let tasks = Tasks::default();
        tasks.spawn("indexer", async { broken() });
        tasks.stop().cancelled().await;
        let error = tasks.drain(GRACE).await.unwrap_err();
        assert_eq!(
            format!("{error:#}"),
            "task indexer failed: panicked: index out of range"
        );
    }

    fn broken() {
        panic!("index out of range");
    }

    #[tokio::test]
    async fn task_that_ends_well_does_not_stop_the_process() {
        let tasks = Tasks::default();
        tasks.spawn("once", async {});
        tasks.tracker.close();
        tasks.tracker.wait().await;
        assert!(!tasks.stop().is_cancelled());
        assert!(tasks.drain(GRACE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn stubborn_task_is_named_and_dropped_after_the_grace() {
        let tasks = Tasks::default();
        tasks.spawn("stubborn", std::future::pending::<()>());
        let error = tasks.drain(GRACE).await.unwrap_err();
        assert!(
            error.to_string().ends_with("within 1 s: stubborn"),
            "{error}"
        );
        tasks.tracker.wait().await;
    }
}
