//! `ExplainApplication`: asks everybody who knows something, at once, and does not wait for those
//! who do not answer.

use std::future::Future;

use moka_core::PublicError;
use moka_proto::submission::v1::{ExplainApplicationRequest, ExplainApplicationResponse};
use tokio::time::timeout;

use super::{Api, Error, convert, not_found, parse_id, validate};
use crate::{
    domain::{
        application::Application,
        explain::{
            ClusterFacts, Evidence, PlacementFacts, QueueFacts, SchedulingFacts, Sight, explain,
        },
        state::ApplicationState,
    },
    launcher::{self, Target},
    store::fleet,
};

/// Clusters that are looked at: more than a fleet has.
const MOST_CLUSTERS: u32 = 1000;

pub(super) async fn get(
    api: &Api,
    request: &ExplainApplicationRequest,
) -> Result<ExplainApplicationResponse, Error> {
    let id = parse_id(&request.application_id)?;
    let application = api.store.get(id).await?.ok_or_else(|| not_found(id))?;
    let state = application.state;
    let evidence = gather(api, application).await;
    let explanation = convert::explanation(id, state, explain(evidence));
    Ok(ExplainApplicationResponse {
        explanation: Some(explanation),
    })
}

async fn gather(api: &Api, application: Application) -> Evidence {
    let (placement, clusters, queues, scheduling, sight) = tokio::join!(
        placement(api, &application),
        clusters(api, &application),
        queues(api, &application),
        scheduling(api, &application),
        sight(api, &application),
    );
    let mut unanswered = Vec::new();
    Evidence {
        now: api.clock.now(),
        clusters: answered(clusters, &mut unanswered),
        placement: answered(placement, &mut unanswered).flatten(),
        queues: answered(queues, &mut unanswered),
        scheduling: answered(scheduling, &mut unanswered),
        sight: answered(sight, &mut unanswered),
        application,
        unanswered,
    }
}

/// `None` when it need not be asked; a sentence when it did not answer.
type Answer<T> = Option<Result<T, String>>;

fn answered<T>(answer: Answer<T>, unanswered: &mut Vec<String>) -> Option<T> {
    match answer? {
        Ok(value) => Some(value),
        Err(sentence) => {
            unanswered.push(sentence);
            None
        }
    }
}

/// Whether there is a place, of an application that waits for one.
async fn placement(api: &Api, application: &Application) -> Answer<Option<PlacementFacts>> {
    if !waits(application.state) || is_placed(application.state) {
        return None;
    }
    let look = timeout(api.sources.patience, validate::place_now(api, application));
    Some(match look.await {
        Ok(Ok(facts)) => Ok(facts),
        Ok(Err(error)) => Err(format!("submission: {}", PublicError::from(error))),
        Err(_elapsed) => Err(format!("placement: {}", silent(api))),
    })
}

/// The clusters that matter: all of them before there is a place, afterwards that of the attempt.
async fn clusters(api: &Api, application: &Application) -> Answer<Vec<ClusterFacts>> {
    if !waits(application.state) {
        return None;
    }
    let place = match application.attempt() {
        Some(attempt) if is_placed(application.state) => Some(&attempt.placement.cluster),
        _ => None,
    };
    let fleet = &api.sources.fleet;
    let read = async {
        let healths = fleet.healths().await?;
        let clusters = fleet.clusters(None, MOST_CLUSTERS).await?;
        let facts = clusters
            .into_iter()
            .filter(|cluster| place.is_none_or(|place| *place == cluster.name))
            .map(|cluster| {
                let health = healths.get(&cluster.name);
                ClusterFacts::new(cluster, health)
            });
        Ok::<_, fleet::Error>(facts.collect())
    };
    Some(match timeout(api.sources.patience, read).await {
        Ok(Ok(facts)) => Ok(facts),
        Ok(Err(_)) | Err(_) => Err("submission: the fleet could not be read".to_owned()),
    })
}

async fn queues(api: &Api, application: &Application) -> Answer<Vec<QueueFacts>> {
    if !waits(application.state) {
        return None;
    }
    let (cluster, path) = match application.attempt() {
        Some(attempt) if is_placed(application.state) => {
            (attempt.placement.cluster.as_str(), &attempt.placement.queue)
        }
        _ => ("", &application.submission.spec.queue),
    };
    if path.is_empty() {
        return None;
    }
    Some(of_scheduler(api, api.sources.insight.queue(cluster, path)).await)
}

async fn scheduling(api: &Api, application: &Application) -> Answer<SchedulingFacts> {
    if !is_placed(application.state) {
        return None;
    }
    let name = application.attempt_name()?;
    let cluster = &application.attempt()?.placement.cluster;
    Some(of_scheduler(api, api.sources.insight.state(cluster, name)).await)
}

/// What is in the cluster. Of a final application, only while something may be left there.
async fn sight(api: &Api, application: &Application) -> Answer<Sight> {
    use ApplicationState::{Cancelled, Queued, RetryWait, Succeeded};
    if matches!(
        application.state,
        Queued | RetryWait | Succeeded | Cancelled
    ) {
        return None;
    }
    let attempt = application.attempt()?;
    let cluster = &attempt.placement.cluster;
    if cluster.is_empty() {
        return None;
    }
    let target = Target::of(application, attempt);
    let look = timeout(
        api.sources.patience,
        api.sources.inspector.inspect(cluster, &target),
    );
    Some(match look.await {
        Ok(Ok(sight)) => Ok(sight),
        Ok(Err(launcher::Error::Refused(message) | launcher::Error::Unavailable(message))) => {
            Err(format!("cluster {cluster}: {message}"))
        }
        Ok(Err(error @ launcher::Error::Busy { .. })) => Err(format!("cluster {cluster}: {error}")),
        Err(_elapsed) => Err(format!("cluster {cluster}: {}", silent(api))),
    })
}

async fn of_scheduler<T>(
    api: &Api,
    call: impl Future<Output = Result<T, PublicError>>,
) -> Result<T, String> {
    match timeout(api.sources.patience, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("scheduler-adapter: {error}")),
        Err(_elapsed) => Err(format!("scheduler-adapter: {}", silent(api))),
    }
}

fn silent(api: &Api) -> String {
    format!("no answer within {:?}", api.sources.patience)
}

fn waits(state: ApplicationState) -> bool {
    matches!(
        state,
        ApplicationState::Queued | ApplicationState::RetryWait
    ) || is_placed(state)
}

fn is_placed(state: ApplicationState) -> bool {
    matches!(
        state,
        ApplicationState::Launching | ApplicationState::Submitted
    )
}
