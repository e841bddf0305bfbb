//! YuniKorn's REST answers as they were recorded from a real one, for suites that have no
//! scheduler: YuniKorn insists on a port of every interface, so it runs only in the whole local
//! cluster.

use std::{net::SocketAddr, path::Path};

use axum::{Router, http::StatusCode, routing::get};
use tokio::{net::TcpListener, task::JoinHandle};

/// Serves the queue tree of the corpus; knows no application.
#[derive(Debug)]
pub struct RecordedYuniKorn {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl RecordedYuniKorn {
    /// Starts serving on a free port of the loopback interface.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's server ends with the test"
    )]
    pub async fn start() -> Self {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpora/yunikorn");
        let queues = std::fs::read_to_string(corpus.join("queues-idle.json")).unwrap();
        let rejected = std::fs::read_to_string(corpus.join("applications-rejected.json")).unwrap();
        let router = Router::new()
            .route("/ws/v1/partition/default/queues", get(|| async { queues }))
            .route(
                "/ws/v1/partition/default/applications/rejected",
                get(|| async { rejected }),
            )
            .fallback(|| async {
                (
                    StatusCode::NOT_FOUND,
                    "{\"status_code\":404,\"message\":\"not found\"}",
                )
            });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { address, server }
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for RecordedYuniKorn {
    fn drop(&mut self) {
        self.server.abort();
    }
}
