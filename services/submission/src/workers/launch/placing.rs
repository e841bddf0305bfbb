//! The first half of a launch: from the fleet's rules and the scheduler's answer to a committed
//! intent.

use std::collections::BTreeMap;

use moka_core::{AttemptName, ErrorReason, PublicError};
use tokio::time::Instant;

use super::{ACTOR, Error, creating};
use crate::{
    client::scheduling::PlacementRequest,
    domain::{
        application::{Application, Placement},
        candidates::{self, Candidates, Round},
        exit::{Exit, ExitCategory},
        launch_spec::LaunchSpec,
        lifecycle::Happening,
        rules::Strategy,
    },
    workers::Workers,
};

/// Whether a launch goes on.
pub(super) enum Outlook {
    /// With these.
    Goes(Goes),
    /// Not now.
    Held,
}

/// How a launch goes on.
pub(super) enum Goes {
    /// The clusters to ask for, the best processor first.
    To(Vec<Round>),
    /// It is refused.
    Refused(PublicError),
}

/// Where an application could go now, from this process.
pub(super) fn candidates(
    workers: &Workers,
    application: &Application,
    strategy: Option<&Strategy>,
) -> Outlook {
    let fleet = workers.fleet.borrow().clone();
    let is_open = |name: &str| match workers.clusters.get(name) {
        Some(cluster) => match cluster.gate.hindrance() {
            None => true,
            Some(hindrance) => {
                workers.journal.metrics.held_back(hindrance.obstacle);
                false
            }
        },
        None => false,
    };
    match candidates::candidates(application, strategy, &fleet, is_open) {
        Candidates::Now(rounds) => Outlook::Goes(Goes::To(rounds)),
        Candidates::Later => Outlook::Held,
        Candidates::Never(refusal) => Outlook::Goes(Goes::Refused(refusal)),
    }
}

/// Places a launch, and goes on with its create.
pub(super) async fn place(
    workers: &Workers,
    application: Application,
    goes: &Goes,
    strategy: Option<&Strategy>,
    until: Instant,
) -> Result<(), Error> {
    let chosen = match goes {
        Goes::To(rounds) => choose(workers, &application, rounds, strategy).await?,
        Goes::Refused(refusal) => Choice::Refused(Exit::without_container(
            ExitCategory::LaunchRefused,
            format!("{}: {refusal}", refusal.reason.as_str()),
        )),
    };
    let (placement, launch) = match chosen {
        Choice::Refused(exit) => {
            let refused = Happening::Refused(exit);
            let journal = &workers.journal;
            journal
                .record(application.id, None, &refused, ACTOR)
                .await?;
            return Ok(());
        }
        Choice::Place(placement, launch) => (placement, launch),
    };
    let Some(cluster) = workers.clusters.get(&placement.cluster) else {
        return Err(Error::UnknownCluster(placement.cluster));
    };
    // An intent is only written down when its turn is near: until then it may still go elsewhere.
    let pass = cluster.gate.place().map_err(|hindrance| Error::Held {
        cluster: placement.cluster.clone(),
        hindrance,
    })?;
    let placed = Happening::Placed {
        attempt_number: application.next_attempt_number(),
        placement,
        launch,
    };
    let journal = &workers.journal;
    let recorded = journal.record(application.id, None, &placed, ACTOR).await?;
    match recorded {
        // This intent, and not one that somebody else committed meanwhile, for another cluster.
        Some(recorded) if recorded.changed_from.is_some() => {
            creating::create(
                workers,
                &recorded.application,
                &*cluster.launcher,
                pass,
                until,
            )
            .await
        }
        // Placed by somebody else or cancelled.
        _ => Ok(()),
    }
}

enum Choice {
    Place(Placement, Box<LaunchSpec>),
    Refused(Exit),
}

/// Asks the scheduler for one round after the other.
async fn choose(
    workers: &Workers,
    application: &Application,
    rounds: &[Round],
    strategy: Option<&Strategy>,
) -> Result<Choice, Error> {
    let mut refusal = None;
    let mut unavailable = None;
    for round in rounds {
        match ask(workers, application, &round.launch_by_cluster, strategy).await {
            Ok((placement, launch)) => return Ok(Choice::Place(placement, Box::new(launch))),
            Err(Error::Placement(error)) => match error.reason {
                ErrorReason::GangExceedsQueue | ErrorReason::UnknownQueue => {
                    let message = format!("{}: {error}", error.reason.as_str());
                    refusal = Some(Exit::without_container(ExitCategory::Quota, message));
                }
                ErrorReason::NoClusterAvailable => unavailable = Some(error),
                _ => return Err(error.into()),
            },
            Err(error) => return Err(error),
        }
    }
    match (unavailable, refusal) {
        (None, Some(exit)) => Ok(Choice::Refused(exit)),
        (Some(error), _) => Err(error.into()),
        (None, None) => Err(PublicError::new(
            ErrorReason::NoClusterAvailable,
            "no cluster of the fleet can be asked",
        )
        .into()),
    }
}

/// Asks for a place in one of some clusters. Their launches differ in little that the scheduler
/// must know; where they do, the one that it chose is asked for again by itself.
async fn ask(
    workers: &Workers,
    application: &Application,
    launch_by_cluster: &BTreeMap<String, LaunchSpec>,
    strategy: Option<&Strategy>,
) -> Result<(Placement, LaunchSpec), Error> {
    let name = AttemptName::new(application.id, application.next_attempt_number());
    let of = |launch: &LaunchSpec| {
        let mut request = PlacementRequest::new(name, launch, workers.pace.with_sidecar);
        if let Some(strategy) = strategy {
            let preferred = strategy.settings.clusters.iter();
            request.preferred_clusters = preferred
                .filter(|name| launch_by_cluster.contains_key(*name))
                .cloned()
                .collect();
        }
        request
    };
    let mut requests = launch_by_cluster.values();
    let Some(first) = requests.next() else {
        let message = "no cluster of the fleet can be asked";
        return Err(PublicError::new(ErrorReason::NoClusterAvailable, message).into());
    };
    let first = of(first);
    let request = PlacementRequest {
        clusters: launch_by_cluster.keys().cloned().collect(),
        ..first.clone()
    };
    let mut placement = workers.scheduler.place(&request).await?.placement;
    let Some(launch) = launch_by_cluster.get(&placement.cluster) else {
        return Err(Error::UnknownCluster(placement.cluster));
    };
    let own = of(launch);
    if own != first {
        let request = PlacementRequest {
            clusters: vec![placement.cluster.clone()],
            ..own
        };
        placement = workers.scheduler.place(&request).await?.placement;
    }
    placement.namespace = namespace(workers, &placement.cluster);
    Ok((placement, launch.clone()))
}

fn namespace(workers: &Workers, cluster: &str) -> String {
    let fleet = workers.fleet.borrow();
    match fleet.clusters.get(cluster) {
        Some(cluster) if !cluster.settings.namespace.is_empty() => {
            cluster.settings.namespace.clone()
        }
        _ => workers.pace.namespace.clone(),
    }
}
