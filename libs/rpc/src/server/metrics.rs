//! Counts and times calls.

use http::HeaderMap;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;
use tonic::{Code, Status};

use crate::status::code_name;

/// From a lookup in memory to a stream that is followed for an hour.
const DURATION_BUCKETS: [f64; 13] = [
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0,
];

/// Label of services and methods that this server does not have, which a caller could invent for
/// ever.
const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    service: &'static str,
    method: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    service: &'static str,
    method: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: &'static str,
}

/// The metrics of one server.
#[derive(Debug, Clone)]
pub(super) struct CallMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<MethodLabels, Histogram>,
    in_flight: Family<ServiceLabels, Gauge>,
}

impl CallMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let requests = Family::default();
        let durations = Family::new_with_constructor(
            (|| Histogram::new(DURATION_BUCKETS)) as fn() -> Histogram,
        );
        let in_flight = Family::default();
        registry.register(
            "rpc_requests",
            "Calls that ended, by gRPC code",
            requests.clone(),
        );
        registry.register_with_unit(
            "rpc_duration",
            "Time from a call's headers to its end, the whole stream included",
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "rpc_in_flight",
            "Calls that have not ended",
            in_flight.clone(),
        );
        Self {
            requests,
            durations,
            in_flight,
        }
    }

    /// A call to a service of this server, or to none of them.
    pub(super) fn begin(&self, service: Option<&'static str>, method: &str) -> CallRecord {
        let service = service.unwrap_or(UNKNOWN);
        self.in_flight
            .get_or_create(&ServiceLabels { service })
            .inc();
        CallRecord {
            metrics: self.clone(),
            service,
            method: method.to_owned(),
            began: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

/// A call in flight; counted when it is dropped. Until a status is seen the call counts as
/// cancelled, which is what it is when the caller goes away.
#[derive(Debug)]
pub(super) struct CallRecord {
    metrics: CallMetrics,
    service: &'static str,
    method: String,
    began: Instant,
    code: Code,
}

impl CallRecord {
    /// Looks for the status in headers or trailers.
    pub(super) fn observe(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.code = status.code();
        }
    }

    pub(super) fn code(&self) -> Code {
        self.code
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        let service = self.service;
        let known = service != UNKNOWN && self.code != Code::Unimplemented;
        let method = if known {
            std::mem::take(&mut self.method)
        } else {
            UNKNOWN.to_owned()
        };
        let metrics = &self.metrics;
        metrics
            .in_flight
            .get_or_create(&ServiceLabels { service })
            .dec();
        metrics
            .durations
            .get_or_create(&MethodLabels {
                service,
                method: method.clone(),
            })
            .observe(self.began.elapsed().as_secs_f64());
        let code = code_name(self.code);
        metrics
            .requests
            .get_or_create(&RequestLabels {
                service,
                method,
                code,
            })
            .inc();
    }
}
