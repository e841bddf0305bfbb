//! `PlaceApplication`.

use std::collections::BTreeMap;

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
        resources::PodResources,
    },
    error,
};

/// Longest queue path that is looked up, in bytes: 64 for a name and 15 levels.
const QUEUE_BYTES: usize = 1024;
/// Most executors of a gang.
const MAXIMUM_EXECUTORS: i32 = 100_000;
/// Most clusters that a request may name.
const MAXIMUM_CLUSTERS: usize = 1000;
/// Most extended resources of a pod, and most units of each.
const MAXIMUM_DEVICES: usize = 16;
const MAXIMUM_QUANTITY: i64 = 1_000_000;
/// Most node labels that pods may ask for.
const MAXIMUM_NODE_LABELS: usize = 32;
/// Longest name of a label or resource with its domain, and longest value of a label.
const NAME_BYTES: usize = 317;
const LABEL_VALUE_BYTES: usize = 63;
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
        check_executors(&mut violations, &request);
        check_size(&mut violations, "request.driver", request.driver.as_ref());
        if request.executor_count.max(request.executor_count_maximum) > 0 {
            check_size(
                &mut violations,
                "request.executor",
                request.executor.as_ref(),
            );
        }
        check_devices(&mut violations, &request);
        check_node_selector(&mut violations, &request.node_selector);
        violations.max_length(
            "request.priority_class_name",
            &request.priority_class_name,
            NAME_BYTES,
        );
        self.check_clusters(&mut violations, &request);
        let attempt = request.attempt_name.parse();
        if let Err(error) = &attempt {
            violations.add(
                "request.attempt_name",
                ParseAttemptNameError::to_string(error),
            );
        }
        violations.into_result()?;
        let pod = |size: Option<common::v1::PodSize>, extended| PodResources {
            size: size.map(convert::pod_size).unwrap_or_default(),
            extended,
        };
        let executor_count = request.executor_count.unsigned_abs();
        Ok(PlacementRequest {
            attempt: attempt.expect("an attempt that cannot be read is a violation"),
            queue: request.queue,
            driver: pod(request.driver, request.driver_extended_resources),
            executor: pod(request.executor, request.executor_extended_resources),
            executor_count,
            executor_count_maximum: match request.executor_count_maximum.unsigned_abs() {
                0 => executor_count,
                maximum => maximum,
            },
            clusters: request.clusters,
            preferred_clusters: request.preferred_clusters,
            node_selector: request.node_selector,
        })
    }

    /// A preferred cluster may be gone: what knows of it is older than the request.
    fn check_clusters(&self, violations: &mut Violations, request: &v1::PlacementRequest) {
        for (field, clusters) in [
            ("request.clusters", &request.clusters),
            ("request.preferred_clusters", &request.preferred_clusters),
        ] {
            if clusters.len() > MAXIMUM_CLUSTERS {
                let description = format!("must name at most {MAXIMUM_CLUSTERS} clusters");
                violations.add(field, description);
            }
        }
        let unknown = request
            .clusters
            .iter()
            .find(|cluster| !self.yunikorns.contains_key(*cluster));
        if let Some(cluster) = unknown {
            violations.add("request.clusters", self.unknown_cluster(cluster));
        }
    }
}

fn check_executors(violations: &mut Violations, request: &v1::PlacementRequest) {
    let (count, maximum) = (request.executor_count, request.executor_count_maximum);
    let range = 0..=MAXIMUM_EXECUTORS;
    violations.range("request.executor_count", &count, &range);
    violations.range("request.executor_count_maximum", &maximum, &range);
    if maximum != 0 && maximum < count {
        violations.add(
            "request.executor_count_maximum",
            format!("must be 0 or at least executor_count, which is {count}"),
        );
    }
}

fn check_devices(violations: &mut Violations, request: &v1::PlacementRequest) {
    for (field, resources) in [
        (
            "request.driver_extended_resources",
            &request.driver_extended_resources,
        ),
        (
            "request.executor_extended_resources",
            &request.executor_extended_resources,
        ),
    ] {
        if resources.len() > MAXIMUM_DEVICES {
            violations.add(field, format!("must be at most {MAXIMUM_DEVICES} entries"));
        }
        for (name, quantity) in resources {
            violations.max_length(field, name, NAME_BYTES);
            if !name.contains('/') {
                violations.add(field, "must be resources such as nvidia.com/gpu");
            }
            violations.range(field, quantity, &(1..=MAXIMUM_QUANTITY));
        }
    }
}

fn check_node_selector(violations: &mut Violations, labels: &BTreeMap<String, String>) {
    const FIELD: &str = "request.node_selector";
    if labels.len() > MAXIMUM_NODE_LABELS {
        violations.add(
            FIELD,
            format!("must be at most {MAXIMUM_NODE_LABELS} labels"),
        );
    }
    for (name, value) in labels {
        violations.non_empty(FIELD, name);
        violations.max_length(FIELD, name, NAME_BYTES);
        violations.max_length(FIELD, value, LABEL_VALUE_BYTES);
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
