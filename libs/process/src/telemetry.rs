//! Log and traces.

use std::{
    backtrace::Backtrace,
    io::{IsTerminal, stderr},
    panic,
    time::Duration,
};

use anyhow::Context;
use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, filter::LevelFilter, fmt, layer::SubscriberExt, reload,
    util::SubscriberInitExt,
};

use crate::{LogFormat, ProcessOptions, ServiceInfo, log_filter::LogFilter};

/// How long the last spans may take to leave when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// What was installed for the whole process.
#[derive(Debug)]
pub(crate) struct Telemetry {
    pub(crate) log_filter: LogFilter,
    tracer_provider: SdkTracerProvider,
}

/// Installs the subscriber and the W3C propagator. Must run inside the runtime, on which the
/// exporter makes its connection.
pub(crate) fn install(service: ServiceInfo, options: &ProcessOptions) -> anyhow::Result<Telemetry> {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let tracer_provider = tracer_provider(service, options.otlp_endpoint.as_deref())?;
    // Spans exist without an exporter too, so that a trace passes through this service unbroken.
    let traces = tracing_opentelemetry::layer()
        .with_tracer(tracer_provider.tracer("moka"))
        .with_filter(LevelFilter::INFO);
    let filter = EnvFilter::try_new(&options.log_filter).context("parsing the log filter")?;
    let (filter, handle) = reload::Layer::new(filter);
    tracing_subscriber::registry()
        .with(log_layer(options.log_format).with_filter(filter))
        .with(traces)
        .try_init()
        .context("installing the log")?;
    // A panic is a line of the log like every other, also when the log is JSON.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        tracing::error!(%panic, %backtrace, "panicked");
    }));
    Ok(Telemetry {
        log_filter: LogFilter::new(handle),
        tracer_provider,
    })
}

impl Telemetry {
    /// Sends what is left. Blocks, so it must not run on the runtime's threads.
    pub(crate) fn flush(&self) {
        if let Err(error) = self.tracer_provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}

fn tracer_provider(
    service: ServiceInfo,
    otlp_endpoint: Option<&str>,
) -> anyhow::Result<SdkTracerProvider> {
    let resource = Resource::builder()
        .with_service_name(format!("moka-{}", service.name))
        .with_attribute(KeyValue::new("service.version", service.version))
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = otlp_endpoint else {
        return Ok(builder.build());
    };
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .build()
        .with_context(|| format!("preparing to send traces to {endpoint}"))?;
    Ok(builder.with_batch_exporter(exporter).build())
}

fn log_layer(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_writer(stderr);
    match format {
        LogFormat::Text => layer.with_ansi(stderr().is_terminal()).boxed(),
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}
