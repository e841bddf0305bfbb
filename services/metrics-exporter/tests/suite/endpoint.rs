//! An HTTP endpoint that says what a test wants.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use moka_process::Tasks;
use tokio::net::TcpListener;

#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: &'static str,
    pub(crate) body: String,
}

impl Endpoint {
    /// Answers until the test's runtime ends.
    pub(crate) async fn start(tasks: &Tasks, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let answer = Answer {
            status: StatusCode::OK,
            content_type: "text/plain",
            body: body.to_owned(),
        };
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
        };
        let routes = Router::new()
            .route("/metrics", get(metrics))
            .route(
                "/moved",
                get(async || (StatusCode::FOUND, [(LOCATION, "/metrics")])),
            )
            .route(
                "/away",
                get(async || (StatusCode::FOUND, [(LOCATION, "http://localhost:1/")])),
            )
            .with_state(endpoint.clone());
        tasks.spawn(
            "endpoint",
            async move { axum::serve(listener, routes).await },
        );
        endpoint
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("metrics")
    }

    /// `moved` leads to the metrics, `away` to another server.
    pub(crate) fn url_of(&self, page: &str) -> String {
        format!("http://{}/{page}", self.address)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Answer)) {
        change(&mut self.answer.lock().unwrap());
    }
}

async fn metrics(State(endpoint): State<Endpoint>) -> Response {
    let Answer {
        status,
        content_type,
        body,
    } = endpoint.answer.lock().unwrap().clone();
    (status, [(CONTENT_TYPE, content_type)], body).into_response()
}
