//! A proxy between a service and a real API server, which lets a call fail at a chosen moment.

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
use futures::StreamExt as _;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// The largest request that is passed on.
const MAXIMUM_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The label of a tombstone.
const TOMBSTONE: &str = "moka.dev/tombstone";
/// The event with which a watch ends that is too old.
const GONE: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"#,
    r#""status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// The creation of a SparkApplication.
    Create,
    /// The creation of a tombstone.
    Tombstone,
    /// The deletion of a SparkApplication.
    Stop,
    /// The removal of a finalizer, of the driver's pod or the SparkApplication.
    Release,
    /// A watch.
    Watch,
}

impl Call {
    fn of(request: &Request, body: &[u8]) -> Option<Self> {
        let path = request.uri().path();
        let is_watch = || {
            let query = request.uri().query().unwrap_or_default();
            query.split('&').any(|one| one == "watch=true")
        };
        let is_object = path.contains("/sparkapplications");
        match *request.method() {
            Method::POST if path.ends_with("/sparkapplications") => {
                let mark = TOMBSTONE.as_bytes();
                let is_tombstone = body.windows(mark.len()).any(|part| part == mark);
                Some(if is_tombstone {
                    Self::Tombstone
                } else {
                    Self::Create
                })
            }
            Method::DELETE if is_object => Some(Self::Stop),
            Method::PATCH if is_object || path.contains("/pods/") => Some(Self::Release),
            Method::GET if is_watch() => Some(Self::Watch),
            _ => None,
        }
    }
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It never reaches the API server, and is never answered: the service dies before it.
    BeforeCreate,
    /// The API server carries it out, and the answer is never given: the service dies after it.
    AfterCreate,
    /// The API server carries it out, and the connection breaks in the middle of the answer.
    Reset,
    /// The API server never sees it; the proxy answers with this status, as an overloaded server
    /// does.
    Refuse(StatusCode),
    /// What a watch is told when the API server has forgotten where it stopped.
    Gone,
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
    armed: Mutex<Option<(Call, Fault)>>,
    struck: watch::Sender<usize>,
    cuts: watch::Sender<usize>,
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
            cuts: watch::Sender::new(0),
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
        self.arm_for(Call::Create, fault);
    }

    /// Lets the next call of a kind fail in this way. Later ones pass.
    pub fn arm_for(&self, call: Call, fault: Fault) {
        *self.shared.armed.lock().unwrap() = Some((call, fault));
    }

    /// How many calls have failed.
    pub fn count(&self) -> usize {
        *self.shared.struck.borrow()
    }

    /// Ends every connection, and with them every watch.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Waits until `count` calls have failed.
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
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAXIMUM_BODY_BYTES).await.unwrap();
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let call = Call::of(&request, &body);
    let fault = {
        let mut armed = shared.armed.lock().unwrap();
        let strikes = armed.is_some_and(|(armed, _)| Some(armed) == call);
        if strikes { armed.take() } else { None }
    };
    match fault.map(|(_, fault)| fault) {
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
            shared.carried_out(request).await;
            shared.strike();
            std::future::pending().await
        }
        Some(Fault::Reset) => {
            shared.carried_out(request).await;
            shared.strike();
            let torn = [Ok("{"), Err(std::io::Error::other("the connection breaks"))];
            let body = Body::from_stream(futures::stream::iter(torn));
            (StatusCode::CREATED, body).into_response()
        }
        Some(Fault::Gone) => {
            shared.strike();
            ([(header::CONTENT_TYPE, "application/json")], GONE).into_response()
        }
    }
}

impl Shared {
    fn strike(&self) {
        self.struck.send_modify(|count| *count += 1);
    }

    async fn carried_out(&self, request: Request) {
        let answer = self.forward(request).await;
        assert!(
            answer.status().is_success(),
            "the API server refused: {}",
            answer.status()
        );
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
        let mut cuts = self.cuts.subscribe();
        let until_cut = async move {
            // The sender lives as long as the proxy.
            let _ = cuts.changed().await;
        };
        let answer = answer.bytes_stream().take_until(Box::pin(until_cut));
        response.body(Body::from_stream(answer)).unwrap()
    }
}
