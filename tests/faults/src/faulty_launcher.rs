//! A way to a cluster on which requests and answers are lost, late, doubled and refused.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use moka_process::Tasks;
use moka_submission::{
    domain::{
        application::{Application, Attempt},
        observation::{DriverView, ExecutorView, Observation},
    },
    launcher::{
        Created, Error, Fence, Grace, Launcher, Leftover, Result, Sighting, SimulatedCluster,
        Target,
    },
};
use tokio::time::sleep;

use crate::dice::Dice;

/// How long a request may be on its way after its sender gave up, in milliseconds.
const LATEST_MILLISECONDS: u64 = 120_000;

/// One cluster, as far away as chance has it. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct FaultyLauncher {
    pub(crate) cluster: SimulatedCluster,
    pub(crate) dice: Dice,
    /// The network outlives every process.
    pub(crate) network: Tasks,
    pub(crate) away: Arc<AtomicBool>,
    /// Creates that were sent and neither arrived nor were lost.
    pub(crate) under_way: Arc<Mutex<usize>>,
}

impl FaultyLauncher {
    async fn request(&self) -> Result<()> {
        sleep(self.dice.pause(50)).await;
        if self.away.load(Ordering::Relaxed) {
            return Err(unavailable("no route"));
        }
        if self.dice.breaks("a request refused for now", 100) {
            let retry_after = self.dice.happens(500).then(|| self.dice.pause(5_000));
            return Err(Error::Busy { retry_after });
        }
        if self.dice.breaks("a request lost", 100) {
            return Err(unavailable("connection refused"));
        }
        if self.dice.breaks("a slow request", 40) {
            sleep(self.dice.pause(20_000)).await;
        }
        Ok(())
    }

    fn answer<T>(&self, answer: T) -> Result<T> {
        if self.dice.breaks("an answer lost", 120) {
            return Err(unavailable("connection reset"));
        }
        Ok(answer)
    }

    /// The create is on its way, whatever becomes of who sent it.
    fn send_late(&self, application: &Application, attempt: &Attempt) {
        let (this, application, attempt) = (self.clone(), application.clone(), attempt.clone());
        *this.under_way.lock().unwrap() += 1;
        self.network.spawn("late create", async move {
            sleep(this.dice.pause(LATEST_MILLISECONDS)).await;
            let target = Target::of(&application, &attempt);
            let seen = this.cluster.observe(&target).await.unwrap();
            // Between a deleted object's last finalizer and its tombstone the name is free. That no
            // create arrives just then is trusted (docs/launch-protocol.md).
            let had_one = !this.cluster.launched(target.name).is_empty();
            if seen.object.is_some() || !had_one {
                this.cluster.create(&application, &attempt).await.unwrap();
            }
            *this.under_way.lock().unwrap() -= 1;
        });
    }
}

fn unavailable(problem: &str) -> Error {
    Error::Unavailable(problem.to_owned())
}

#[async_trait]
impl Launcher for FaultyLauncher {
    async fn create(&self, application: &Application, attempt: &Attempt) -> Result<Created> {
        self.request().await?;
        if self.dice.breaks("a create that arrives late", 150) {
            self.send_late(application, attempt);
            if self.dice.happens(500) {
                // The sender waits for its whole deadline.
                sleep(std::time::Duration::from_secs(10)).await;
            }
            return Err(unavailable("no answer within 10 s"));
        }
        if self.dice.breaks("a create that arrives twice", 50) {
            self.send_late(application, attempt);
        }
        let created = self.cluster.create(application, attempt).await?;
        self.answer(created)
    }

    async fn fence(&self, target: &Target) -> Result<Fence> {
        self.request().await?;
        let fence = self.cluster.fence(target).await?;
        self.answer(fence)
    }

    async fn observe(&self, target: &Target) -> Result<Observation> {
        self.request().await?;
        let observation = self.cluster.observe(target).await?;
        if self.dice.breaks("an old observation", 60) {
            sleep(self.dice.pause(30_000)).await;
        }
        Ok(observation)
    }

    async fn driver(&self, target: &Target) -> Result<Option<DriverView>> {
        self.request().await?;
        let driver = self.cluster.driver(target).await?;
        if self.dice.breaks("an old observation", 60) {
            sleep(self.dice.pause(30_000)).await;
        }
        Ok(driver)
    }

    async fn driver_log(&self, target: &Target) -> Result<String> {
        self.request().await?;
        self.cluster.driver_log(target).await
    }

    async fn executors(&self, target: &Target) -> Result<Vec<ExecutorView>> {
        self.request().await?;
        self.cluster.executors(target).await
    }

    async fn stop(&self, target: &Target, grace: Grace) -> Result<()> {
        self.request().await?;
        self.cluster.stop(target, grace).await?;
        self.answer(())
    }

    async fn release(&self, target: &Target) -> Result<u64> {
        self.request().await?;
        let released = self.cluster.release(target).await?;
        self.answer(released)
    }

    async fn release_ended(&self, target: &Target, driver_uid: &str) -> Result<bool> {
        self.request().await?;
        let released = self.cluster.release_ended(target, driver_uid).await?;
        self.answer(released)
    }

    async fn remove(&self, target: &Target) -> Result<()> {
        self.request().await?;
        self.cluster.remove(target).await?;
        self.answer(())
    }

    async fn probe(&self) -> Result<()> {
        self.request().await
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>> {
        self.request().await?;
        self.cluster.leftovers().await
    }

    async fn remove_leftover(&self, leftover: &Leftover) -> Result<()> {
        self.request().await?;
        self.cluster.remove_leftover(leftover).await
    }

    fn sightings(&self) -> BoxStream<'static, Sighting> {
        let (dice, away) = (self.dice.clone(), Arc::clone(&self.away));
        let carried = move |sighting| {
            let count = if away.load(Ordering::Relaxed) || dice.breaks("a change not told", 250) {
                0
            } else if dice.breaks("a change told twice", 250) {
                2
            } else {
                1
            };
            stream::iter(vec![sighting; count])
        };
        self.cluster.sightings().flat_map(carried).boxed()
    }
}
