//! The status lane of a cluster: from what the watches see to what is written down.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::StreamExt as _;
use moka_core::AttemptName;
use tokio::sync::Semaphore;

use super::{
    ClusterWorkers, STORE_PAUSE,
    examine::{Error, Examined, turn},
    inbox::Receiver,
    lane::{Lane, Next},
    live_attempts::{Known, Record},
    pause,
};
use crate::{
    domain::{
        application::Application,
        lifecycle::Happening,
        noted::Noted,
        observation::{Observation, Owner},
        verdict::{Verdict, judge},
    },
    launcher::{Sighting, Target},
    store::CleanUpStage,
};

const ACTOR: &str = "status";
/// Looks at a time. Most only write down what was seen, and share commits.
const CONCURRENCY: usize = 256;
/// Looks at a time that read from the API server: they must not keep the others waiting.
const READS: usize = 12;
/// Live attempts that are read at a time.
const PAGE_LIMIT: u32 = 2000;

/// Keeps the memory up to date with what the watches see, while the lease is held.
pub(super) async fn watch(mut lanes: ClusterWorkers) {
    let stop = lanes.workers.stop.clone();
    let metrics = lanes.workers.journal.metrics.clone();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        lanes.memory.lock().begin();
        let mut sightings = lanes.launcher.sightings();
        loop {
            let sighting = tokio::select! {
                () = stop.cancelled() => break,
                () = lanes.lease.lost() => break,
                sighting = sightings.next() => sighting,
            };
            let Some(sighting) = sighting else { break };
            if let Sighting::Interrupted { reason } = &sighting {
                metrics.watch_restarted(&lanes.cluster);
                tracing::warn!(cluster = lanes.cluster, reason, "watch interrupted");
            }
            let now = lanes.workers.clock.now();
            lanes.memory.lock().saw(sighting, now);
        }
        lanes.memory.lock().clear();
    }
}

/// Compares the memory with the database from time to time, and right at the start: the truth is
/// there and in the cluster, never in an event that may have been missed.
pub(super) async fn reconcile(mut lanes: ClusterWorkers) {
    let workers = lanes.workers.clone();
    loop {
        tokio::select! {
            () = workers.stop.cancelled() => return,
            () = lanes.lease.held() => {}
        }
        let wait = match list(&lanes).await {
            Ok(live) => {
                let now = workers.clock.now();
                lanes.memory.lock().listed(&live, now);
                workers.pace.reconcile
            }
            Err(error) => {
                tracing::warn!(%error, "live attempts cannot be listed");
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = lanes.lease.lost() => {}
            goes_on = pause(&workers.stop, wait) => if !goes_on { return },
        }
    }
}

async fn list(lanes: &ClusterWorkers) -> crate::store::Result<BTreeSet<AttemptName>> {
    let mut names = BTreeSet::new();
    loop {
        let after = names.last().copied();
        let store = &lanes.workers.store;
        let page = store
            .live_attempts(&lanes.cluster, after, PAGE_LIMIT)
            .await?;
        if page.is_empty() {
            return Ok(names);
        }
        let mut memory = lanes.memory.lock();
        for one in page {
            names.insert(one.name);
            memory.is_live(one.name, one.noted);
        }
    }
}

/// Looks at the attempts that were named, a bounded number at a time.
pub(super) async fn status_lane(lanes: ClusterWorkers, inbox: Receiver) {
    let lane = Lane {
        name: "look",
        concurrency: CONCURRENCY,
        named: lanes.to_examine.clone(),
        inbox,
    };
    let reads = Arc::new(Semaphore::new(READS));
    let look = |lanes, name| {
        let reads = Arc::clone(&reads);
        async move { look(&lanes, &reads, name).await }
    };
    lane.run(lanes, look).await;
}

async fn look(lanes: &ClusterWorkers, reads: &Semaphore, name: AttemptName) -> Result<Next, Error> {
    let known = lanes.memory.lock().take(name);
    let changed = known.as_ref().and_then(|known| known.changed);
    let next = match known {
        Some(Known {
            record: Record::Live(noted),
            observation,
            ..
        }) => from_memory(lanes, reads, name, &noted, &observation).await?,
        _ => from_cluster(lanes, reads, name, None).await?,
    };
    if let Some(changed) = changed {
        lanes
            .workers
            .journal
            .metrics
            .status
            .looked(changed.elapsed());
    }
    Ok(next)
}

/// What is certain from what the watches saw is written down at once. What ends an attempt is read
/// from the API server first.
async fn from_memory(
    lanes: &ClusterWorkers,
    reads: &Semaphore,
    name: AttemptName,
    noted: &Noted,
    observation: &Observation,
) -> Result<Next, Error> {
    let workers = &lanes.workers;
    let finding = judge(
        noted,
        observation,
        workers.pace.patience,
        workers.clock.now(),
    );
    if finding.verdict != Verdict::Wait {
        return from_cluster(lanes, reads, name, Some(observation)).await;
    }
    for happening in &finding.news {
        let recorded = workers
            .journal
            .record(name.application_id, Some(name.number), happening, ACTOR)
            .await?;
        if matches!(happening, Happening::DriverStarted { .. }) && recorded.is_some() {
            lanes.tell_age(observation);
        }
    }
    Ok(Next::OnChange)
}

/// What the database says now, and then the API server.
async fn from_cluster(
    lanes: &ClusterWorkers,
    reads: &Semaphore,
    name: AttemptName,
    seen: Option<&Observation>,
) -> Result<Next, Error> {
    let found = lanes.workers.store.get(name.application_id).await?;
    let ours = found.filter(|application| {
        let attempt = application.attempt_numbered(name.number);
        attempt.is_some_and(|attempt| attempt.placement.cluster == lanes.cluster)
    });
    let Some(application) = ours else {
        // Labelled like ours, but of another installation.
        lanes.memory.lock().forget(name);
        return Ok(Next::OnChange);
    };
    let Some(attempt) = application.live_attempt(name.number) else {
        return leftover(lanes, reads, &application, name).await;
    };
    let noted = Noted::of(attempt);
    let is_ending = noted.is_ending;
    lanes.memory.lock().is_live(name, noted);
    if is_ending {
        // Named for the ending lane just now.
        return Ok(Next::OnChange);
    }
    match lanes.examine(application, seen, ACTOR, Some(reads)).await? {
        Examined::Stop(..) => lanes.to_end.send(name),
        Examined::Waits | Examined::Over => {}
    }
    Ok(Next::OnChange)
}

/// Something of an attempt that is over: cleaning it up begins anew when it should not be there.
async fn leftover(
    lanes: &ClusterWorkers,
    reads: &Semaphore,
    application: &Application,
    name: AttemptName,
) -> Result<Next, Error> {
    let Some(attempt) = application.attempt_numbered(name.number) else {
        return Ok(Next::OnChange);
    };
    let uid = attempt.uid.as_deref();
    lanes.memory.lock().is_over(name, uid);
    let target = Target::of(application, attempt);
    let observation = {
        let _turn = turn(Some(reads)).await;
        lanes.launcher.observe(&target).await?
    };
    let driver_remains = observation
        .driver
        .as_ref()
        .is_some_and(|driver| driver.has_finalizer || !driver.has_ended());
    let object_remains = observation.object.as_ref().is_some_and(|object| {
        object.owner == Owner::Attempt
            && (object.has_finalizer || uid.is_some_and(|uid| *uid != *object.uid))
    });
    if driver_remains || object_remains {
        let store = &lanes.workers.store;
        let stage = CleanUpStage::Release;
        store
            .set_clean_up(application.id, name.number, stage, Duration::ZERO)
            .await?;
    }
    Ok(Next::OnChange)
}
