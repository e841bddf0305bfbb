//! The clients over TLS, and before a service that asks them to wait.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::Response};
use moka_client::{Client, ErrorReason, Options, Patience, PublicError};
use moka_rpc::{client::Tls, status_of};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{process::Command, task::JoinHandle, time::Instant};
use tonic::{
    body::Body,
    service::Routes,
    transport::{Certificate, Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use crate::clients::python_with_the_package;

const ID: &str = "m00000000000000000000000000";
/// Reads an application, and says how that ended.
const READ: &str = "
import sys, grpc
from moka_client import Client
target, authority, patience, application = sys.argv[1:]
credentials = None
if authority:
    with open(authority, 'rb') as file:
        credentials = grpc.ssl_channel_credentials(file.read())
with Client(target, credentials=credentials, patience_seconds=float(patience)) as client:
    try:
        client.get(application)
    except grpc.RpcError as error:
        print(error.code().name)
";

/// A service that knows no application, and may have something else to say first.
struct Service {
    address: SocketAddr,
    calls: Calls,
    server: JoinHandle<()>,
}

type Calls = Arc<Mutex<Vec<Instant>>>;

impl Service {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's server ends with the test"
    )]
    fn start(tls: Option<ServerTlsConfig>, first: Option<PublicError>) -> Self {
        let calls = Calls::default();
        let state = (Arc::clone(&calls), Arc::new(Mutex::new(first)));
        let router = Router::new().fallback(answer).with_state(state);
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        let mut server = Server::builder();
        if let Some(tls) = tls {
            server = server.tls_config(tls).unwrap();
        }
        let serving = server
            .add_routes(Routes::from(router))
            .serve_with_incoming(incoming);
        let server = tokio::spawn(async { serving.await.unwrap() });
        Self {
            address,
            calls,
            server,
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(
    State((calls, first)): State<(Calls, Arc<Mutex<Option<PublicError>>>)>,
) -> Response<Body> {
    calls.lock().unwrap().push(Instant::now());
    let first = first.lock().unwrap().take();
    let unknown = || PublicError::new(ErrorReason::ApplicationNotFound, "there is none");
    status_of(&first.unwrap_or_else(unknown)).into_http()
}

fn come_back_after(pause: Duration) -> PublicError {
    PublicError::new(ErrorReason::StoreUnavailable, "a test").retry_after(pause)
}

/// A certificate authority of its own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        // One that is named as what it certifies would seem to have been certified by itself.
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, "an authority of a test");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(parameters, key),
            pem,
        }
    }

    /// A certificate and its key.
    fn certify(&self, name: &str) -> (String, String) {
        let parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn server(&self) -> ServerTlsConfig {
        let (certificate, key) = self.certify("localhost");
        ServerTlsConfig::new().identity(Identity::from_pem(certificate, key))
    }
}

/// What the Rust client makes of a service that it reaches by TLS.
async fn read_in_rust(service: &Service, tls: Tls) -> Result<bool, ErrorReason> {
    let options = Options {
        tls,
        patience: Patience {
            total: Duration::ZERO,
            ..Patience::default()
        },
        ..Options::default()
    };
    let client = Client::connect(&format!("https://{}", service.address), options).unwrap();
    match client.get(ID).await {
        Ok(application) => Ok(application.is_some()),
        Err(error) => Err(error.reason),
    }
}

#[tokio::test]
async fn the_rust_client_trusts_its_authority_alone_and_shows_its_own_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let trusts = |authority: &Authority| Tls {
        authority_pem: Some(authority.pem.clone()),
        server_name: Some("localhost".to_owned()),
        ..Tls::default()
    };
    let service = Service::start(Some(authority.server()), None);
    assert_eq!(read_in_rust(&service, trusts(&authority)).await, Ok(false));
    let stranger = read_in_rust(&service, trusts(&other)).await;
    assert!(stranger.is_err(), "{stranger:?}");
    assert_eq!(service.calls.lock().unwrap().len(), 1);

    let asks = authority.server();
    let asks = asks.client_ca_root(Certificate::from_pem(&authority.pem));
    let service = Service::start(Some(asks), None);
    let nobody = read_in_rust(&service, trusts(&authority)).await;
    assert!(nobody.is_err(), "{nobody:?}");
    let known = Tls {
        identity_pem: Some(authority.certify("a-client")),
        ..trusts(&authority)
    };
    assert_eq!(read_in_rust(&service, known).await, Ok(false));
    assert_eq!(service.calls.lock().unwrap().len(), 1);
}

/// How a read of the Python client ended, as the name of a code.
async fn read_in_python(python: &Path, target: &str, authority: &str, patience: &str) -> String {
    let output = Command::new(python)
        .args(["-c", READ, target, authority, patience, ID])
        .output()
        .await
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn written(folder: &Path, name: &str, authority: &Authority) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, &authority.pem).unwrap();
    file
}

#[tokio::test]
async fn the_python_client_trusts_its_authority_alone_and_waits_as_long_as_it_is_asked() {
    const ASKED: Duration = Duration::from_secs(3);
    let folder = tempfile::tempdir().unwrap();
    let python = python_with_the_package(folder.path()).await;

    let (authority, other) = (Authority::new(), Authority::new());
    let service = Service::start(Some(authority.server()), None);
    let target = format!("localhost:{}", service.address.port());
    for (authority, expected) in [(&authority, "NOT_FOUND"), (&other, "UNAVAILABLE")] {
        let file = written(folder.path(), expected, authority);
        let ended = read_in_python(&python, &target, file.to_str().unwrap(), "0").await;
        assert_eq!(ended, expected);
    }
    assert_eq!(service.calls.lock().unwrap().len(), 1);

    let service = Service::start(None, Some(come_back_after(ASKED)));
    let target = service.address.to_string();
    let ended = read_in_python(&python, &target, "", "60").await;
    assert_eq!(ended, "NOT_FOUND");
    let calls = service.calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 2);
    // It may wait longer, but never less.
    assert!(calls[1] - calls[0] >= ASKED, "{calls:?}");

    // That is more patience than it has, so that it tells at once.
    let service = Service::start(None, Some(come_back_after(Duration::from_hours(1))));
    let target = service.address.to_string();
    let ended = read_in_python(&python, &target, "", "60").await;
    assert_eq!(ended, "UNAVAILABLE");
    assert_eq!(service.calls.lock().unwrap().len(), 1);
}
