//! The calling end: connections that heal, deadlines that are always set, traces that go on.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, uri::Scheme};
use moka_core::{ErrorReason, PublicError};
use tokio::time::{Instant, timeout_at};
use tonic::{body::Body, transport};
use tower::{BoxError, Service};

use crate::{deadline, status_of, trace};

/// Large answers come in frames of this size: each costs both ends a call of the kernel.
const MAX_FRAME_BYTES: u32 = 256 << 10;

/// How a client behaves. The defaults are right for calls between our services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Deadline of calls that set none of their own.
    pub default_deadline: Duration,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How often an open connection is probed.
    pub keepalive_interval: Duration,
    /// How long a probe may go unanswered before the connection counts as broken.
    pub keepalive_timeout: Duration,
    /// Who calls, such as `moka-submission/0.1.0`.
    pub user_agent: String,
    /// Certificates for `https://` addresses.
    pub tls: Tls,
}

/// Certificates for `https://` addresses. The default trusts what this machine trusts and shows
/// none of its own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// PEM of the authority that the server's certificate must come from; `None` for those that
    /// this machine trusts.
    pub authority_pem: Option<String>,
    /// PEM of the certificate to show and of its key.
    pub identity_pem: Option<(String, String)>,
    /// Name that the server's certificate must have, when it is not that of the address.
    pub server_name: Option<String>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("server_name", &self.server_name)
            .finish_non_exhaustive()
    }
}

impl Tls {
    fn config(&self) -> transport::ClientTlsConfig {
        let Self {
            authority_pem,
            identity_pem,
            server_name,
        } = self;
        let mut config = transport::ClientTlsConfig::new();
        config = match authority_pem {
            Some(pem) => config.ca_certificate(transport::Certificate::from_pem(pem)),
            None => config.with_native_roots(),
        };
        if let Some((certificate, key)) = identity_pem {
            config = config.identity(transport::Identity::from_pem(certificate, key));
        }
        if let Some(name) = server_name {
            config = config.domain_name(name);
        }
        config
    }
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            default_deadline: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            user_agent: "moka".to_owned(),
            tls: Tls::default(),
        }
    }
}

/// The endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not a URL.
    #[error("{url} is no URL")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        source: transport::Error,
    },
    /// Neither `http` nor `https`.
    #[error("{url} must be of the form http://host:port or https://host:port")]
    Scheme {
        /// What was given.
        url: String,
    },
    /// A certificate cannot be used.
    #[error("the certificates cannot be used")]
    Certificates(#[source] transport::Error),
    /// The user agent has characters that a header cannot have.
    #[error("the user agent is no header value")]
    UserAgent(#[source] transport::Error),
}

/// A channel to `url`, which opens its connection with the first call and again after it breaks.
///
/// # Errors
///
/// [`ConnectError`] when the URL or an option cannot be used; never because nobody answers.
pub fn connect(url: &str, options: &ClientOptions) -> Result<Channel, ConnectError> {
    let endpoint =
        transport::Endpoint::from_shared(url.to_owned()).map_err(|source| ConnectError::Url {
            url: url.to_owned(),
            source,
        })?;
    let endpoint = match endpoint.uri().scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => endpoint,
        Some(scheme) if *scheme == Scheme::HTTPS => endpoint
            .tls_config(options.tls.config())
            .map_err(ConnectError::Certificates)?,
        _ => {
            return Err(ConnectError::Scheme {
                url: url.to_owned(),
            });
        }
    };
    Ok(Channel::new(
        configure(endpoint, options)?.connect_lazy(),
        options,
    ))
}

/// A request without a deadline, for streams that live as long as both ends.
pub fn without_deadline<T>(message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.extensions_mut().insert(NoDeadline);
    request
}

#[derive(Debug, Clone, Copy)]
struct NoDeadline;

pub(crate) fn configure(
    endpoint: transport::Endpoint,
    options: &ClientOptions,
) -> Result<transport::Endpoint, ConnectError> {
    let endpoint = endpoint
        .connect_timeout(options.connect_timeout)
        .http2_keep_alive_interval(options.keepalive_interval)
        .keep_alive_timeout(options.keepalive_timeout)
        .keep_alive_while_idle(true)
        .max_frame_size(MAX_FRAME_BYTES)
        .tcp_nodelay(true);
    endpoint
        .user_agent(options.user_agent.clone())
        .map_err(ConnectError::UserAgent)
}

/// What generated clients are made with: `XServiceClient::new(channel)`. Clones share the
/// connection.
///
/// Every call carries the current trace and a deadline: its own (`Request::set_timeout`), or the
/// default one, or none after [`without_deadline`]. A call that is not answered in time fails here
/// with `DEADLINE_EXCEEDED`, whatever the server does.
#[derive(Debug, Clone)]
pub struct Channel {
    inner: transport::Channel,
    default_deadline: Duration,
}

impl Channel {
    pub(crate) fn new(inner: transport::Channel, options: &ClientOptions) -> Self {
        Self {
            inner,
            default_deadline: options.default_deadline,
        }
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        trace::inject(request.headers_mut());
        let timeout = match deadline::read(request.headers()) {
            Some(own) => Some(own),
            None if request.extensions().get::<NoDeadline>().is_some() => None,
            None => {
                deadline::write(request.headers_mut(), self.default_deadline);
                Some(self.default_deadline)
            }
        };
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let answer = self.inner.call(request);
        Box::pin(async move {
            let Some(until) = until else {
                return Ok(answer.await?);
            };
            match timeout_at(until, answer).await {
                Ok(Ok(answer)) => Ok(answer),
                // The channel watches the same deadline and may notice it first.
                Ok(Err(error)) if Instant::now() < until => Err(error.into()),
                Ok(Err(_)) | Err(_) => Err(status_of(&no_answer()).into()),
            }
        })
    }
}

fn no_answer() -> PublicError {
    PublicError::new(
        ErrorReason::DeadlineExceeded,
        "no answer came before the deadline",
    )
}
