//! A proxy between a service and a real API server, which lets a call fail at a chosen moment.

mod call;
mod watches;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
pub use call::{Call, Fault};
use futures::{StreamExt as _, TryStreamExt as _};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
    task::JoinHandle,
    time::{Instant, timeout},
};
pub use watches::Watches;

/// The largest request that is passed on.
const MAXIMUM_BODY_BYTES: usize = 8 * 1024 * 1024;
/// How long a call may be awaited: a test that waits for one that never comes has failed.
const PATIENCE: Duration = Duration::from_mins(2);
/// The event with which a watch ends that is too old.
const GONE: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"#,
    r#""status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#,
    "\n"
);

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
    armed: Mutex<Option<Armed>>,
    struck: watch::Sender<usize>,
    cuts: watch::Sender<usize>,
    is_away: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
    /// When creations came, whatever became of them.
    creations: Mutex<Vec<Instant>>,
    let_go: Notify,
    /// What became of the calls that were under way for long.
    late: watch::Sender<Vec<StatusCode>>,
    watches: Mutex<Watches>,
}

/// The fault of the next call of a kind.
#[derive(Clone, Debug)]
struct Armed {
    call: Call,
    /// A part of the path of the calls that are meant: the name of their object, or nothing.
    name: String,
    fault: Fault,
}

/// What all creations are answered with.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    status: StatusCode,
    retry_after_seconds: u64,
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
            is_away: AtomicBool::new(false),
            refusal: Mutex::new(None),
            creations: Mutex::new(Vec::new()),
            let_go: Notify::new(),
            late: watch::Sender::new(Vec::new()),
            watches: Mutex::new(Watches::True),
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
        self.arm_for_name(call, "", fault);
    }

    /// Lets the next call of a kind fail that is about this object or its driver. Later ones pass,
    /// and so do those that clean up after others.
    pub fn arm_for_name(&self, call: Call, name: &str, fault: Fault) {
        let name = name.to_owned();
        *self.shared.armed.lock().unwrap() = Some(Armed { call, name, fault });
    }

    /// How many calls have failed.
    pub fn count(&self) -> usize {
        *self.shared.struck.borrow()
    }

    /// Ends every connection, and with them every watch.
    pub fn cut(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Ends every watch, and lets the next ones come through like this.
    pub fn set_watches(&self, watches: Watches) {
        *self.shared.watches.lock().unwrap() = watches;
        self.cut();
    }

    /// Ends every connection and answers everything as a gateway does whose server is away, or
    /// passes it on again.
    pub fn set_away(&self, is_away: bool) {
        self.shared.is_away.store(is_away, Ordering::Relaxed);
        self.cut();
    }

    /// Answers every creation with a status and `Retry-After`.
    pub fn refuse_creations(&self, status: StatusCode, retry_after_seconds: u64) {
        *self.shared.refusal.lock().unwrap() = Some(Refusal {
            status,
            retry_after_seconds,
        });
    }

    /// Lets creations pass again.
    pub fn accept_creations(&self) {
        *self.shared.refusal.lock().unwrap() = None;
    }

    /// When creations came, whatever became of them.
    pub fn creations(&self) -> Vec<Instant> {
        self.shared.creations.lock().unwrap().clone()
    }

    /// Lets a call that is under way arrive, and says what the API server answers.
    pub async fn let_go(&self) -> StatusCode {
        let mut late = self.shared.late.subscribe();
        let before = late.borrow().len();
        self.shared.let_go.notify_one();
        let arrives = late.wait_for(|late| late.len() > before);
        let late = timeout(PATIENCE, arrives).await;
        late.expect("a call that was under way should arrive in time")
            .unwrap()[before]
    }

    /// Waits until `count` calls have failed.
    pub async fn struck(&self, count: usize) {
        let mut struck = self.shared.struck.subscribe();
        let is_struck = struck.wait_for(|&number| number >= count);
        let is_struck = timeout(PATIENCE, is_struck).await.is_ok();
        let armed = self.shared.armed.lock().unwrap().clone();
        assert!(is_struck, "no call failed in time: {armed:?} is armed");
    }

    /// Writes a kubeconfig that leads through the proxy.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let file = folder.join(format!("through-the-proxy-{}.conf", self.address.port()));
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
    if let Some(refusal) = shared.refuses(Call::Create.is(&request, &body)) {
        return refusal;
    }
    let fault = {
        let mut armed = shared.armed.lock().unwrap();
        armed.take_if(|armed| {
            armed.call.is(&request, &body) && request.uri().path().contains(&armed.name)
        })
    };
    match fault.as_ref().map(|armed| armed.fault) {
        None => shared.forward(request).await,
        Some(Fault::Refuse(status)) => {
            shared.strike();
            (status, [(header::RETRY_AFTER, "1")]).into_response()
        }
        Some(Fault::Delay) => {
            shared.strike();
            delay(shared, request);
            std::future::pending().await
        }
        Some(Fault::BeforeCreate) => {
            shared.strike();
            std::future::pending().await
        }
        Some(kind @ (Fault::AfterCreate | Fault::Reset)) => {
            let answer = shared.forward(request).await;
            if !answer.status().is_success() {
                // It was not carried out; the next one may be.
                *shared.armed.lock().unwrap() = fault;
                return answer;
            }
            shared.strike();
            if kind == Fault::AfterCreate {
                std::future::pending::<()>().await;
            }
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

/// Keeps a call under way, whatever becomes of the connection that it came by.
#[expect(
    clippy::disallowed_methods,
    reason = "the call outlives the task that brought it"
)]
fn delay(shared: Arc<Shared>, request: Request) {
    tokio::spawn(async move {
        shared.let_go.notified().await;
        let status = shared.forward(request).await.status();
        shared.late.send_modify(|late| late.push(status));
    });
}

impl Shared {
    /// What a call is answered with for now.
    fn refuses(&self, is_creation: bool) -> Option<Response> {
        if self.is_away.load(Ordering::Relaxed) {
            return Some(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        if !is_creation {
            return None;
        }
        self.creations.lock().unwrap().push(Instant::now());
        let refusal = (*self.refusal.lock().unwrap())?;
        let retry_after = refusal.retry_after_seconds.to_string();
        let head = [(header::RETRY_AFTER, retry_after)];
        Some((refusal.status, head).into_response())
    }

    fn strike(&self) {
        self.struck.send_modify(|count| *count += 1);
    }

    /// Passes a request on; the answer streams, so that a watch stays a watch.
    async fn forward(&self, request: Request) -> Response {
        let is_watch = Call::Watch.is(&request, &[]);
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
        let answer = answer.bytes_stream().map_err(std::io::Error::other);
        let answer = answer.take_until(Box::pin(until_cut));
        let watches = if is_watch {
            *self.watches.lock().unwrap()
        } else {
            Watches::True
        };
        response
            .body(Body::from_stream(watches.distort(answer)))
            .unwrap()
    }
}
