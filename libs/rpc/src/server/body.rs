//! The answer on its way out: watched, and cut when its time is over.

use std::{
    fmt,
    future::{self, Future},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use moka_core::{ErrorReason, PublicError};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};
use tracing::Span;

use super::{layer::deadline_exceeded, metrics::CallRecord};
use crate::{status::code_name, status_of};

/// Ends an answer that waits: at the caller's deadline, or when the server drains.
pub(super) struct Cut {
    reason: Pin<Box<dyn Future<Output = PublicError> + Send>>,
}

impl Cut {
    pub(super) fn new(deadline: Option<Instant>, stop: CancellationToken) -> Self {
        let reason = Box::pin(async move {
            tokio::select! {
                () = at(deadline) => deadline_exceeded(),
                () = stop.cancelled() => draining(),
            }
        });
        Self { reason }
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cut").finish_non_exhaustive()
    }
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => future::pending().await,
    }
}

fn draining() -> PublicError {
    PublicError::new(
        ErrorReason::PeerUnavailable,
        "the server is shutting down; continue with another replica",
    )
}

/// A body that holds what belongs to its call until the last frame is sent or the caller has gone.
#[derive(Debug)]
pub(super) struct CallBody {
    /// `None` after a cut.
    inner: Option<Body>,
    record: CallRecord,
    span: Span,
    cut: Cut,
    _permit: Option<OwnedSemaphorePermit>,
}

impl CallBody {
    pub(super) fn new(
        inner: Body,
        record: CallRecord,
        span: Span,
        permit: Option<OwnedSemaphorePermit>,
        cut: Cut,
    ) -> Self {
        Self {
            inner: Some(inner),
            record,
            span,
            cut,
            _permit: permit,
        }
    }
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let _inside = this.span.enter();
        let Some(inner) = &mut this.inner else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(frame) = Pin::new(inner).poll_frame(cx) {
            if let Some(trailers) = frame.as_ref().and_then(|f| f.as_ref().ok()?.trailers_ref()) {
                this.record.observe(trailers);
            }
            return Poll::Ready(frame);
        }
        // Only an answer that has nothing to send is cut, so what was produced in time arrives.
        let Poll::Ready(reason) = this.cut.reason.as_mut().poll(cx) else {
            return Poll::Pending;
        };
        this.inner = None;
        let mut trailers = HeaderMap::new();
        if let Err(status) = status_of(&reason).add_header(&mut trailers) {
            return Poll::Ready(Some(Err(status)));
        }
        this.record.observe(&trailers);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner
            .as_ref()
            .map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for CallBody {
    fn drop(&mut self) {
        self.span.record("rpc.code", code_name(self.record.code()));
    }
}
