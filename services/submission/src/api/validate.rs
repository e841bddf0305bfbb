//! `ValidateApplication`: what would become of a request now. Reads everything, writes nothing.

use std::collections::BTreeMap;

use moka_core::{AttemptName, ErrorReason, PublicError};
use moka_proto::submission::v1::{
    ConsideredCluster, ValidateApplicationRequest, ValidateApplicationResponse,
};
use moka_rpc::Violations;

use super::{Api, Error, convert, submit};
use crate::{
    client::scheduling::{Candidate, Placed, PlacementRequest},
    domain::{
        application::{Application, Placement},
        candidates::{Candidates, candidates},
        explain::{ClusterFacts, PlacementFacts},
        fleet::Fleet,
        launch_spec::LaunchSpec,
        manifest::spark_application,
        preview,
        resolve::{Rules, resolve},
        rules::Strategy,
        submission::Submission,
    },
};

pub(super) async fn validate(
    api: &Api,
    request: &ValidateApplicationRequest,
) -> Result<ValidateApplicationResponse, Error> {
    let mut violations = Violations::new();
    let request = violations.required("request", request.request.as_ref());
    violations.into_result()?;
    let request = request.expect("a request without violations has a request");
    let submission = submit::parse(request)?;
    submit::check(api, &submission).await?;

    let mut outlook = Outlook::default();
    outlook.warn_of_earlier(api, &submission).await?;
    let (fleet, strategy) = rules(api, &submission).await?;
    let application = preview::application(submission);
    outlook
        .look(api, &application, &fleet, strategy.as_ref())
        .await?;
    let (placement, launch) = match outlook.place.take() {
        Some(place) => place,
        None => (
            Placement::default(),
            without_place(&application, &fleet, strategy.as_ref())?,
        ),
    };
    Ok(outlook.answer(api, application, placement, &launch))
}

/// Whether there is a place now for an application that waits for one; `None` while no cluster
/// takes anything, or the scheduler does not answer.
pub(super) async fn place_now(
    api: &Api,
    application: &Application,
) -> Result<Option<PlacementFacts>, Error> {
    let (fleet, strategy) = rules(api, &application.submission).await?;
    let mut outlook = Outlook::default();
    outlook
        .look(api, application, &fleet, strategy.as_ref())
        .await?;
    let Outlook { place, refusal, .. } = outlook;
    Ok(match (place, refusal) {
        (Some((placement, _)), _) => Some(PlacementFacts::Place {
            cluster: placement.cluster,
            queue: placement.queue,
        }),
        (None, Some(error)) => Some(PlacementFacts::NoPlace {
            reason: error.reason.as_str().to_owned(),
            message: error.message,
        }),
        (None, None) => None,
    })
}

/// What is found out on the way.
#[derive(Default)]
struct Outlook {
    place: Option<(Placement, LaunchSpec)>,
    considered: BTreeMap<String, Candidate>,
    warnings: Vec<String>,
    /// Why there is no place, when somebody who knows says so.
    refusal: Option<PublicError>,
}

impl Outlook {
    async fn warn_of_earlier(&mut self, api: &Api, submission: &Submission) -> Result<(), Error> {
        let Submission {
            project,
            idempotency_key,
            try_number,
            ..
        } = submission;
        let earlier = api
            .store
            .find(project, idempotency_key, *try_number)
            .await?;
        if let Some(earlier) = earlier {
            self.warnings.push(format!(
                "Application {} has this key and try number already.",
                earlier.id
            ));
        }
        Ok(())
    }

    /// Asks for a place as a launch does, and notes why there is none.
    async fn look(
        &mut self,
        api: &Api,
        application: &Application,
        fleet: &Fleet,
        strategy: Option<&Strategy>,
    ) -> Result<(), Error> {
        let healths = api
            .sources
            .fleet
            .healths()
            .await
            .map_err(PublicError::from)?;
        let facts = |name: &str| {
            let cluster = fleet.clusters.get(name)?;
            ClusterFacts::new(cluster.clone(), healths.get(name)).hindrance()
        };
        self.warnings
            .extend(fleet.clusters.keys().filter_map(|name| facts(name)));
        match candidates(application, strategy, fleet, |name| facts(name).is_none()) {
            Candidates::Now(rounds) => {
                for round in rounds {
                    let place = self.ask(api, application, strategy, &round.launch_by_cluster);
                    self.place = place.await;
                    if let Some((placement, _)) = &mut self.place {
                        placement.namespace = namespace(api, fleet, &placement.cluster);
                        break;
                    }
                }
            }
            Candidates::Later => {
                let message = "No cluster takes new attempts now; it would wait.";
                self.warnings.push(message.to_owned());
            }
            Candidates::Never(error) => {
                self.warnings.push(format!(
                    "It would be refused at its launch: {}: {error}.",
                    error.reason.as_str()
                ));
                self.refusal = Some(error);
            }
        }
        Ok(())
    }

    /// As a launch asks: for all clusters of a round at once, and once more for the chosen one when
    /// what it would launch is of another size.
    async fn ask(
        &mut self,
        api: &Api,
        application: &Application,
        strategy: Option<&Strategy>,
        launch_by_cluster: &BTreeMap<String, LaunchSpec>,
    ) -> Option<(Placement, LaunchSpec)> {
        let name = AttemptName::new(application.id, application.next_attempt_number());
        let of = |launch: &LaunchSpec| {
            let with_sidecar = api.sources.manifests.exporter.is_some();
            let mut request = PlacementRequest::new(name, launch, with_sidecar);
            let preferred = strategy.iter().flat_map(|one| &one.settings.clusters);
            request.preferred_clusters = preferred
                .filter(|name| launch_by_cluster.contains_key(*name))
                .cloned()
                .collect();
            request
        };
        let first = of(launch_by_cluster.values().next()?);
        let all = PlacementRequest {
            clusters: launch_by_cluster.keys().cloned().collect(),
            ..first.clone()
        };
        let mut placement = self.place(api, all).await?;
        let launch = launch_by_cluster.get(&placement.cluster)?;
        let own = of(launch);
        if own != first {
            let request = PlacementRequest {
                clusters: vec![placement.cluster.clone()],
                ..own
            };
            placement = self.place(api, request).await?;
        }
        Some((placement, launch.clone()))
    }

    async fn place(&mut self, api: &Api, request: PlacementRequest) -> Option<Placement> {
        match api.sources.scheduler.place(&request).await {
            Ok(Placed {
                placement,
                considered,
            }) => {
                for one in considered {
                    self.considered.insert(one.cluster.clone(), one);
                }
                Some(placement)
            }
            Err(error) => {
                let reason = error.reason.as_str();
                self.warnings
                    .push(format!("There is no place now: {reason}: {error}."));
                if is_verdict(&error) {
                    self.refusal = Some(error);
                }
                None
            }
        }
    }

    fn answer(
        self,
        api: &Api,
        application: Application,
        placement: Placement,
        launch: &LaunchSpec,
    ) -> ValidateApplicationResponse {
        let (cluster, queue) = (placement.cluster.clone(), launch.queue.clone());
        let spec = preview::filled(application.submission.spec.clone(), launch.clone());
        let application = preview::placed(application, placement, launch.clone());
        let attempt = application.attempt();
        let attempt = attempt.expect("an application that was placed has an attempt");
        let manifest = spark_application(&application, attempt, launch, &api.sources.manifests);
        let mut considered: Vec<_> = self
            .considered
            .into_values()
            .map(considered_cluster)
            .collect();
        considered.sort_by(|left, right| right.score.total_cmp(&left.score));
        ValidateApplicationResponse {
            manifest_json: format!("{manifest:#}"),
            queue: if attempt.placement.queue.is_empty() {
                queue
            } else {
                attempt.placement.queue.clone()
            },
            cluster,
            spec: Some(convert::spec::spec(spec)),
            considered,
            warnings: self.warnings,
        }
    }
}

/// Whether the scheduler says that there is no place, and not only that it cannot tell.
fn is_verdict(error: &PublicError) -> bool {
    matches!(
        error.reason,
        ErrorReason::NoClusterAvailable
            | ErrorReason::GangExceedsQueue
            | ErrorReason::UnknownQueue
            | ErrorReason::InvalidField
    )
}

fn considered_cluster(candidate: Candidate) -> ConsideredCluster {
    let Candidate {
        cluster,
        score,
        eligible,
        reasons,
    } = candidate;
    ConsideredCluster {
        cluster,
        eligible,
        score,
        reasons,
    }
}

async fn rules(
    api: &Api,
    submission: &Submission,
) -> Result<(Fleet, Option<Strategy>), PublicError> {
    let store = &api.sources.fleet;
    let strategy = match submission.spec.workflow.as_str() {
        "" => None,
        workflow => store.strategy(&submission.project, workflow).await?,
    };
    Ok((store.fleet().await?, strategy))
}

/// What it would be launched with, as far as that is known without a cluster.
fn without_place(
    application: &Application,
    fleet: &Fleet,
    strategy: Option<&Strategy>,
) -> Result<LaunchSpec, PublicError> {
    let submission = &application.submission;
    let under = |cluster| {
        let rules = Rules {
            strategy,
            project: fleet.projects.get(&submission.project),
            cluster,
            architecture: None,
        };
        resolve(&submission.spec, rules)
    };
    let mut resolved = fleet.clusters.values().map(|cluster| under(Some(cluster)));
    let first = resolved.find_map(Result::ok);
    Ok(match first {
        Some(launch) => launch,
        None => under(None)?,
    })
}

fn namespace(api: &Api, fleet: &Fleet, cluster: &str) -> String {
    match fleet.clusters.get(cluster) {
        Some(cluster) if !cluster.settings.namespace.is_empty() => {
            cluster.settings.namespace.clone()
        }
        _ => api.sources.namespace.clone(),
    }
}
