//! The serving end: what every gRPC server of ours does around its handlers.

mod body;
mod layer;
mod metrics;

use std::{convert::Infallible, fmt, io, net::SocketAddr, time::Duration};

use futures::{Stream, StreamExt};
use prometheus_client::registry::Registry;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
    transport::{
        self,
        server::{Connected, TcpIncoming},
    },
};
use tonic_health::{
    ServingStatus,
    server::{HealthReporter, HealthService},
};
use tower::Service;

use self::{layer::CallLayer, metrics::CallMetrics};

/// How a server behaves. The defaults are right for our services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerOptions {
    /// How long a handler may take to answer when the caller sets no deadline.
    pub default_deadline: Duration,
    /// How long a handler may take to answer whatever the caller says.
    pub maximum_deadline: Duration,
    /// How many calls may be in flight, streams included; more are refused as `OVERLOADED`.
    pub concurrency_limit: usize,
    /// How often a connection is probed.
    pub keepalive_interval: Duration,
    /// How long a probe may go unanswered before the connection is closed.
    pub keepalive_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            default_deadline: Duration::from_secs(30),
            maximum_deadline: Duration::from_mins(5),
            concurrency_limit: 1024,
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(20),
        }
    }
}

/// Why a server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not of this machine.
    #[error("binding the gRPC port {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The descriptors are damaged.
    #[error("reading the descriptors for reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// The connection handling failed.
    #[error("serving gRPC")]
    Transport(#[source] transport::Error),
}

/// A server that is being put together.
///
/// Around every handler it keeps deadlines, refuses calls over the concurrency limit, counts and
/// times, and opens a span under the caller's trace. It answers health checks and reflection.
/// Requests larger than 4 MiB are refused, which is tonic's default; a service that takes larger
/// ones says so on its generated server (`max_decoding_message_size`).
///
/// Deadlines: the caller's holds for the whole call. The default and the maximum hold until the
/// handler answers, so a stream for which the caller sets no deadline runs until it ends or the
/// server drains.
pub struct Server {
    routes: RoutesBuilder,
    services: Vec<&'static str>,
    descriptors: Option<&'static [u8]>,
    options: ServerOptions,
    metrics: CallMetrics,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("services", &self.services)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server without services. Its metrics are registered as `…rpc_requests_total`,
    /// `…rpc_duration_seconds` and `…rpc_in_flight`.
    pub fn new(options: ServerOptions, registry: &mut Registry) -> Self {
        Self {
            routes: Routes::builder(),
            services: Vec::new(),
            descriptors: None,
            options,
            metrics: CallMetrics::register(registry),
        }
    }

    /// Adds a generated server. Its health is that of the whole server: serving until the drain.
    #[must_use]
    pub fn add_service<S>(mut self, service: S) -> Self
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.services.push(S::NAME);
        self
    }

    /// Answers reflection for the services that were added, from an encoded `FileDescriptorSet`
    /// such as `moka_proto::DESCRIPTORS`.
    #[must_use]
    pub fn with_reflection(mut self, descriptors: &'static [u8]) -> Self {
        self.descriptors = Some(descriptors);
        self
    }

    /// Opens the port; 0 takes a free one. Must run inside the runtime.
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`].
    pub fn bind(self, address: SocketAddr) -> Result<BoundServer, ServeError> {
        let bind_error = |source| ServeError::Bind { address, source };
        let incoming = TcpIncoming::bind(address)
            .map_err(bind_error)?
            .with_nodelay(Some(true));
        let address = incoming.local_addr().map_err(bind_error)?;
        Ok(BoundServer {
            server: self,
            incoming,
            address,
        })
    }

    /// Serves the connections of `incoming` until `stop`, then drains: health turns to not serving,
    /// no connection and no call is accepted, streams end as soon as they have nothing to send,
    /// and the future ends with the last call.
    ///
    /// # Errors
    ///
    /// [`ServeError::Reflection`] and [`ServeError::Transport`].
    pub async fn serve_incoming<IO>(
        mut self,
        incoming: impl Stream<Item = io::Result<IO>> + Send,
        stop: CancellationToken,
    ) -> Result<(), ServeError>
    where
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let health = self.add_health().await;
        self.add_reflection()?;
        let layer = CallLayer::new(
            self.options,
            self.metrics,
            self.services.clone(),
            stop.clone(),
        );
        let services = self.services;
        let draining = async move {
            stop.cancelled().await;
            for service in services.into_iter().chain([""]) {
                health
                    .set_service_status(service, ServingStatus::NotServing)
                    .await;
            }
        };
        transport::Server::builder()
            .http2_keepalive_interval(Some(self.options.keepalive_interval))
            .http2_keepalive_timeout(Some(self.options.keepalive_timeout))
            .layer(layer)
            .add_routes(self.routes.routes())
            .serve_with_incoming_shutdown(incoming, draining)
            .await
            .map_err(ServeError::Transport)
    }

    async fn add_health(&mut self) -> HealthReporter {
        let health = HealthReporter::new();
        for service in &self.services {
            health
                .set_service_status(service, ServingStatus::Serving)
                .await;
        }
        let service = HealthService::from_health_reporter(health.clone());
        self.routes
            .add_service(tonic_health::pb::health_server::HealthServer::new(service));
        health
    }

    fn add_reflection(&mut self) -> Result<(), ServeError> {
        let Some(descriptors) = self.descriptors else {
            return Ok(());
        };
        let mut builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        for service in self.services.iter().copied().chain(layer::INFRASTRUCTURE) {
            builder = builder.with_service_name(service);
        }
        self.routes
            .add_service(builder.build_v1().map_err(ServeError::Reflection)?);
        Ok(())
    }
}

/// A server whose port is open.
#[derive(Debug)]
pub struct BoundServer {
    server: Server,
    incoming: TcpIncoming,
    address: SocketAddr,
}

impl BoundServer {
    /// Where it listens.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then drains; see [`Server::serve_incoming`].
    ///
    /// # Errors
    ///
    /// As [`Server::serve_incoming`].
    pub async fn serve(self, stop: CancellationToken) -> Result<(), ServeError> {
        self.server.serve_incoming(self.incoming, stop).await
    }
}

/// The stream until `stop`: a handler that wraps its stream ends it well when the server drains.
/// Streams that are not wrapped end as `UNAVAILABLE`.
pub fn until_stopped<S: Stream>(
    stream: S,
    stop: CancellationToken,
) -> impl Stream<Item = S::Item> + use<S> {
    stream.take_until(stop.cancelled_owned())
}
