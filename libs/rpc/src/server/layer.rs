//! What happens around every call.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Request, Response};
use moka_core::{ErrorReason, PublicError};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::{Instrument, Span, info_span};

use super::{
    ServerOptions,
    body::{CallBody, Cut},
    metrics::{CallMetrics, CallRecord},
};
use crate::{AnswerBy, deadline, status_of, trace};

/// Services that every server has. They are neither limited nor traced: a full server still has to
/// say that it is healthy.
pub(super) const INFRASTRUCTURE: [&str; 2] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// When a caller that was refused may try again.
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub(super) struct CallLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: ServerOptions,
    metrics: CallMetrics,
    services: Vec<&'static str>,
    capacity: Arc<Semaphore>,
    stop: CancellationToken,
}

impl CallLayer {
    pub(super) fn new(
        options: ServerOptions,
        metrics: CallMetrics,
        services: Vec<&'static str>,
        stop: CancellationToken,
    ) -> Self {
        let capacity = Arc::new(Semaphore::new(options.concurrency_limit));
        Self {
            shared: Arc::new(Shared {
                options,
                metrics,
                services,
                capacity,
                stop,
            }),
        }
    }
}

impl<S> Layer<S> for CallLayer {
    type Service = CallService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CallService {
            inner,
            shared: Arc::clone(&self.shared),
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct CallService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> Service<Request<Body>> for CallService<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Future: Send> + Clone + Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let call = self.shared.begin(&request);
        // The clone has not been polled ready, the original has.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let span = call.span.clone();
        Box::pin(async move { call.run(&mut inner, request).await }.instrument(span))
    }
}

/// One call, from its headers on.
struct Call {
    record: CallRecord,
    span: Span,
    admission: Admission,
    /// When the handler must have answered.
    answer_by: Option<Instant>,
    cut: Cut,
}

enum Admission {
    Unlimited,
    Admitted(OwnedSemaphorePermit),
    Refused,
}

impl Shared {
    fn begin(&self, request: &Request<Body>) -> Call {
        let (service, method) = split_path(request.uri().path());
        let infrastructure = INFRASTRUCTURE.into_iter().find(|name| *name == service);
        let own = self.services.iter().copied().find(|name| *name == service);
        let admission = match infrastructure {
            Some(_) => Admission::Unlimited,
            None => match Arc::clone(&self.capacity).try_acquire_owned() {
                Ok(permit) => Admission::Admitted(permit),
                Err(_full) => Admission::Refused,
            },
        };
        let now = Instant::now();
        let given = deadline::read(request.headers());
        let to_answer = given
            .unwrap_or(self.options.default_deadline)
            .min(self.options.maximum_deadline);
        Call {
            record: self.metrics.begin(own.or(infrastructure), method),
            span: own.map_or_else(Span::none, |own| {
                request_span(own, method, request.headers())
            }),
            admission,
            answer_by: now.checked_add(to_answer),
            cut: Cut::new(
                given.and_then(|given| now.checked_add(given)),
                self.stop.clone(),
            ),
        }
    }
}

impl Call {
    async fn run<S>(
        self,
        inner: &mut S,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, S::Error>
    where
        S: Service<Request<Body>, Response = Response<Body>>,
    {
        let Self {
            mut record,
            span,
            admission,
            answer_by,
            cut,
        } = self;
        if let Some(answer_by) = answer_by {
            request.extensions_mut().insert(AnswerBy(answer_by));
        }
        let response = match (&admission, answer_by) {
            (Admission::Refused, _) => status_of(&overloaded()).into_http(),
            (_, None) => inner.call(request).await?,
            (_, Some(answer_by)) => match timeout_at(answer_by, inner.call(request)).await {
                Ok(response) => response?,
                Err(_elapsed) => status_of(&deadline_exceeded()).into_http(),
            },
        };
        record.observe(response.headers());
        Ok(response.map(|body| {
            let permit = match admission {
                Admission::Admitted(permit) => Some(permit),
                Admission::Unlimited | Admission::Refused => None,
            };
            Body::new(CallBody::new(body, record, span, permit, cut))
        }))
    }
}

/// `/package.Service/Method`, as the gRPC specification has it.
fn split_path(path: &str) -> (&str, &str) {
    path.strip_prefix('/')
        .and_then(|path| path.split_once('/'))
        .unwrap_or_default()
}

fn request_span(service: &'static str, method: &str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        "rpc",
        otel.name = format!("rpc.{method}"),
        otel.kind = "server",
        rpc.service = service,
        rpc.method = method,
        rpc.code = tracing::field::Empty,
    );
    trace::adopt(&span, headers);
    span
}

fn overloaded() -> PublicError {
    PublicError::new(ErrorReason::Overloaded, "too many calls at once; try again")
        .retry_after(OVERLOAD_RETRY)
}

pub(super) fn deadline_exceeded() -> PublicError {
    PublicError::new(
        ErrorReason::DeadlineExceeded,
        "the deadline passed before the answer was complete",
    )
}
