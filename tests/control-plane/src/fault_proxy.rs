//! A proxy between a service and a real API server, which lets the creation of a SparkApplication
//! fail at a chosen moment.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The largest request that is passed on.
const MAXIMUM_BODY_BYTES: usize = 8 * 1024 * 1024;

/// What happens to the next creation of a SparkApplication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches the API server, and is never answered: the service dies between intent and
    /// create.
    BeforeCreate,
    /// The API server carries it out, and the answer is never given: the service dies after create.
    AfterCreate,
    /// The API server never sees it; the proxy answers with this status, as an overloaded server
    /// does.
    Refuse(StatusCode),
}

/// The API server and the certificates to speak with it.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `https://host:port`.
    pub url: String,
    /// Its certificate authority, PEM.
    pub ca_certificate: Vec<u8>,
    /// The client's certificate and key, PEM, one after the other.
    pub identity: Vec<u8>,
}

/// A running proxy.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    client: reqwest::Client,
    armed: Mutex<Option<Fault>>,
    struck: watch::Sender<usize>,
}

impl FaultProxy {
    /// Starts one on a free port of the loopback interface.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's server ends with the test"
    )]
    pub async fn start(upstream: &Upstream) -> Self {
        // Fails when a provider is set already, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let authority = reqwest::Certificate::from_pem(&upstream.ca_certificate).unwrap();
        let client = reqwest::Client::builder()
            .tls_certs_only([authority])
            .identity(reqwest::Identity::from_pem(&upstream.identity).unwrap())
            .build()
            .unwrap();
        let shared = Arc::new(Shared {
            upstream: upstream.url.clone(),
            client,
            armed: Mutex::new(None),
            struck: watch::Sender::new(0),
        });
        let router = Router::new()
            .fallback(handle)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            server,
        }
    }

    /// Lets the next creation fail in this way. Later ones pass.
    pub fn arm(&self, fault: Fault) {
        *self.shared.armed.lock().unwrap() = Some(fault);
    }

    /// Waits until `count` creations have failed.
    pub async fn struck(&self, count: usize) {
        let mut struck = self.shared.struck.subscribe();
        struck.wait_for(|&number| number >= count).await.unwrap();
    }

    /// Writes a kubeconfig that leads through the proxy.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let file = folder.join("through-the-proxy.conf");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: proxy\n\
             clusters: [{{name: proxy, cluster: {{server: 'http://{}'}}}}]\n\
             users: [{{name: proxy, user: {{}}}}]\n\
             contexts: [{{name: proxy, context: {{cluster: proxy, user: proxy}}}}]\n",
            self.address
        );
        std::fs::write(&file, text).unwrap();
        file
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_create =
        request.method() == Method::POST && request.uri().path().ends_with("/sparkapplications");
    let fault = if is_create {
        shared.armed.lock().unwrap().take()
    } else {
        None
    };
    match fault {
        None => shared.forward(request).await,
        Some(Fault::Refuse(status)) => {
            shared.strike();
            (status, [(header::RETRY_AFTER, "1")]).into_response()
        }
        Some(Fault::BeforeCreate) => {
            shared.strike();
            std::future::pending().await
        }
        Some(Fault::AfterCreate) => {
            let answer = shared.forward(request).await;
            assert!(
                answer.status().is_success(),
                "the API server refused: {}",
                answer.status()
            );
            shared.strike();
            std::future::pending().await
        }
    }
}

impl Shared {
    fn strike(&self) {
        self.struck.send_modify(|count| *count += 1);
    }

    /// Passes a request on; the answer streams, so that a watch stays a watch.
    async fn forward(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers;
        headers.remove(header::HOST);
        headers.remove(header::CONTENT_LENGTH);
        let body = to_bytes(body, MAXIMUM_BODY_BYTES).await.unwrap();
        let sent = self
            .client
            .request(parts.method, format!("{}{path}", self.upstream))
            .headers(headers)
            .body(body)
            .send()
            .await;
        let Ok(answer) = sent else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        let mut response = Response::builder().status(answer.status());
        if let Some(kind) = answer.headers().get(header::CONTENT_TYPE) {
            response = response.header(header::CONTENT_TYPE, kind);
        }
        response
            .body(Body::from_stream(answer.bytes_stream()))
            .unwrap()
    }
}
