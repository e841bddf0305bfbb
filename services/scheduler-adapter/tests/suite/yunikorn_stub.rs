//! Answers as YuniKorn did when it was recorded, or fails on demand.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

/// The one application that this YuniKorn runs, as it was recorded.
const RUNNING: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";

macro_rules! corpus {
    ($name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/corpora/yunikorn/",
            $name
        ))
    };
}

#[derive(Debug, Clone)]
pub(crate) struct YuniKornStub {
    pub(crate) address: SocketAddr,
    failing: Arc<AtomicBool>,
}

impl YuniKornStub {
    /// Serves until the test's runtime ends.
    pub(crate) async fn start(tasks: &moka_process::Tasks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Self {
            address: listener.local_addr().unwrap(),
            failing: Arc::default(),
        };
        let routes = Router::new()
            .route("/ws/v1/partition/default/queues", get(queues))
            .route(
                "/ws/v1/partition/default/application/{id}",
                get(application),
            )
            .route(
                "/ws/v1/partition/default/applications/rejected",
                get(rejected),
            )
            .with_state(stub.clone());
        tasks.spawn("yunikorn stub", async move {
            axum::serve(listener, routes).await
        });
        stub
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    fn answer(&self, body: &str) -> Response {
        if self.failing.load(Ordering::SeqCst) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        body.to_owned().into_response()
    }
}

async fn queues(State(stub): State<YuniKornStub>) -> Response {
    stub.answer(corpus!("queues-running.json"))
}

async fn rejected(State(stub): State<YuniKornStub>) -> Response {
    let rejected = corpus!("applications-rejected.json");
    stub.answer(&rejected.replace(
        "spark-16fd09efa5a64d68b66f187a5e339c4b",
        "m01hf7yat00v2t9d4h5w8k3e6qz-2",
    ))
}

async fn application(State(stub): State<YuniKornStub>, Path(id): Path<String>) -> Response {
    if id == RUNNING {
        return stub.answer(corpus!("application-running.json"));
    }
    let message = "Application not found";
    let error = [
        ("status_code", "404"),
        ("message", message),
        ("description", message),
    ];
    (
        StatusCode::NOT_FOUND,
        Json(std::collections::BTreeMap::from(error)),
    )
        .into_response()
}
