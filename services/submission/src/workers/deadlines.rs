//! The deadline lane: gives up what did not run or end in time. Any replica may; a deadline that
//! two find is written down once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Workers, pause};
use crate::{
    domain::{deadline, lifecycle::Happening, steady_time::SteadyTime},
    store,
};

const ACTOR: &str = "deadline";
const POLL: Duration = Duration::from_secs(1);
const PAGE_LIMIT: u32 = 200;

/// Looks for deadlines that have passed, until the process stops.
pub async fn deadline_lane(workers: Workers) {
    let mut time = SteadyTime::new(workers.clock.now());
    let mut looked = Instant::now();
    while pause(&workers.stop, POLL).await {
        let elapsed = SignedDuration::try_from(looked.elapsed()).unwrap_or(SignedDuration::MAX);
        looked = Instant::now();
        let now = time.after(elapsed, workers.clock.now());
        if let Err(error) = give_up(&workers, now).await {
            tracing::warn!(%error, "deadlines cannot be enforced");
        }
    }
}

async fn give_up(workers: &Workers, now: Timestamp) -> store::Result<()> {
    for application in workers.store.overdue(now, PAGE_LIMIT).await? {
        let Some(passed) = deadline::next(&application).filter(|one| one.time <= now) else {
            continue;
        };
        let number = application
            .attempt()
            .filter(|attempt| attempt.exit.is_none())
            .map(|attempt| attempt.number);
        let message = passed.message;
        let happening = Happening::DeadlinePassed { message };
        workers
            .journal
            .record(application.id, number, &happening, ACTOR)
            .await?;
    }
    Ok(())
}
