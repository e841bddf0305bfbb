//! A trace goes from the caller through the server.
#![expect(clippy::unwrap_used, reason = "test support")]

use moka_rpc::{ServerOptions, trace};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::{propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;

#[path = "support/fake.rs"]
#[expect(dead_code, reason = "this test makes one call")]
mod fake;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";

#[tokio::test]
async fn handler_runs_in_the_trace_of_the_caller() {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer = SdkTracerProvider::builder().build().tracer("test");
    let subscriber =
        tracing_subscriber::registry().with(tracing_opentelemetry::layer().with_tracer(tracer));
    // The test's runtime has one thread, so the server sees the subscriber too.
    let _installed = tracing::subscriber::set_default(subscriber);

    let mut mesh = fake::Mesh::start(ServerOptions::default());
    let span = info_span!("caller");
    trace::set_parent(&span, &format!("00-{TRACE_ID}-b7ad6b7169203331-01"));
    let answer = async {
        let own = trace::current_traceparent().unwrap();
        assert_eq!(own.split('-').nth(1), Some(TRACE_ID));
        mesh.client
            .read_log(fake::read(""))
            .await
            .unwrap()
            .into_inner()
    }
    .instrument(span)
    .await;
    assert_eq!(answer.next_cursor.split('-').nth(1), Some(TRACE_ID));
    assert_eq!(trace::current_traceparent(), None);
}
