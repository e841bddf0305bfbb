//! `PlaceApplication`.

use moka_core::{ErrorReason, PublicError, attempt::ParseAttemptNameError};
use moka_proto::{
    common,
    scheduling::v1::{self, PlaceApplicationRequest, PlaceApplicationResponse},
};
use moka_rpc::Violations;

use super::{Api, convert};
use crate::{
    domain::{
        placement::{PlacementRequest, place},
        pod_metadata::{self, SCHEDULER_NAME},
    },
    error,
};

/// Longest queue path that is looked up, in bytes: 64 for a name and 15 levels.
const QUEUE_BYTES: usize = 1024;
/// Most executors of a gang.
const MAXIMUM_EXECUTORS: i32 = 100_000;
/// Most clusters that a request may name.
const MAXIMUM_CLUSTERS: usize = 1000;
/// Largest pod: 10,000 cores and 1 PiB, so that a gang's sum cannot overflow.
const MAXIMUM_MILLICORES: i64 = 10_000_000;
const MAXIMUM_MEMORY_BYTES: i64 = 1 << 50;

impl Api {
    pub(super) fn place(
        &self,
        request: PlaceApplicationRequest,
    ) -> Result<PlaceApplicationResponse, PublicError> {
        let answer = self.try_place(request);
        self.metrics
            .placement(answer.as_ref().err().map(|error| error.reason));
        answer
    }

    fn try_place(
        &self,
        request: PlaceApplicationRequest,
    ) -> Result<PlaceApplicationResponse, PublicError> {
        let request = self.parse(request)?;
        let candidates =
            place(&request, &self.fleet()).map_err(|error| error::of_no_place(&error))?;
        let best = candidates
            .first()
            .expect("a placement has at least one candidate");
        tracing::debug!(
            attempt.name = %request.attempt,
            placement.cluster = %best.cluster,
            placement.score = best.score,
            "placed an attempt"
        );
        let placement = v1::Placement {
            cluster: best.cluster.clone(),
            queue: request.queue.clone(),
            scheduler_name: SCHEDULER_NAME.to_owned(),
            driver: Some(convert::pod_metadata(pod_metadata::of_driver(
                &request,
                self.gang_policy,
            ))),
            executor: Some(convert::pod_metadata(pod_metadata::of_executor(&request))),
        };
        Ok(PlaceApplicationResponse {
            placement: Some(placement),
            candidates: candidates.into_iter().map(convert::candidate).collect(),
        })
    }

    fn parse(&self, request: PlaceApplicationRequest) -> Result<PlacementRequest, PublicError> {
        let Some(request) = request.request else {
            let missing = PublicError::new(ErrorReason::InvalidField, "the request is empty");
            return Err(missing.with_field("request", "must be set"));
        };
        let mut violations = Violations::new();
        violations.non_empty("request.queue", &request.queue);
        violations.max_length("request.queue", &request.queue, QUEUE_BYTES);
        violations.range(
            "request.executor_count",
            &request.executor_count,
            &(0..=MAXIMUM_EXECUTORS),
        );
        check_size(&mut violations, "request.driver", request.driver.as_ref());
        if request.executor_count > 0 {
            check_size(
                &mut violations,
                "request.executor",
                request.executor.as_ref(),
            );
        }
        self.check_clusters(&mut violations, &request.clusters);
        let attempt = request.attempt_name.parse();
        if let Err(error) = &attempt {
            violations.add(
                "request.attempt_name",
                ParseAttemptNameError::to_string(error),
            );
        }
        violations.into_result()?;
        Ok(PlacementRequest {
            attempt: attempt.expect("an attempt that cannot be read is a violation"),
            queue: request.queue,
            driver: request.driver.map(convert::pod_size).unwrap_or_default(),
            executor: request.executor.map(convert::pod_size).unwrap_or_default(),
            executor_count: u32::try_from(request.executor_count).unwrap_or_default(),
            clusters: request.clusters,
        })
    }

    fn check_clusters(&self, violations: &mut Violations, clusters: &[String]) {
        if clusters.len() > MAXIMUM_CLUSTERS {
            let description = format!("must name at most {MAXIMUM_CLUSTERS} clusters");
            violations.add("request.clusters", description);
        }
        let unknown = clusters
            .iter()
            .find(|cluster| !self.yunikorns.contains_key(*cluster));
        if let Some(cluster) = unknown {
            violations.add("request.clusters", self.unknown_cluster(cluster));
        }
    }
}

fn check_size(violations: &mut Violations, field: &str, size: Option<&common::v1::PodSize>) {
    let Some(size) = violations.required(field, size) else {
        return;
    };
    let millicores = format!("{field}.cpu_millicores");
    violations.range(&millicores, &size.cpu_millicores, &(1..=MAXIMUM_MILLICORES));
    let bytes = format!("{field}.memory_bytes");
    violations.range(&bytes, &size.memory_bytes, &(1..=MAXIMUM_MEMORY_BYTES));
}
