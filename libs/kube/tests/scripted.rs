//! Watches, finalizers and calls against an API server that answers by a script.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use http::{Request, Response};
use kube::{Api, Client, ResourceExt as _, client::Body, core::DynamicObject};
use moka_kube::{
    Error, WatchEvent, WatchOptions, calls, finalizer::remove_finalizer, spark, watch,
};
use serde_json::{Value, json};

/// Answers requests in order and remembers them; when the script is over it never answers.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<(u16, String)>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn answer(self, status: u16, body: &Value) -> Self {
        self.answers
            .lock()
            .unwrap()
            .push_back((status, body.to_string()));
        self
    }

    /// A watch's body: one event a line, and then the end.
    fn events(self, events: &[Value]) -> Self {
        let lines = events
            .iter()
            .map(Value::to_string)
            .collect::<Vec<_>>()
            .join("\n")
            + "\n";
        self.answers.lock().unwrap().push_back((200, lines));
        self
    }

    fn api(&self) -> Api<DynamicObject> {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.serve(request).await) }
        });
        spark::applications(Client::new(service, "spark"), "spark")
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = body.collect_bytes().await.unwrap();
        let line = format!(
            "{} {} {}",
            parts.method,
            parts.uri,
            String::from_utf8_lossy(&body)
        );
        self.requests.lock().unwrap().push(line);
        let answer = self.answers.lock().unwrap().pop_front();
        let Some((status, body)) = answer else {
            return std::future::pending().await;
        };
        Response::builder()
            .status(status)
            .body(Body::from(body.into_bytes()))
            .unwrap()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn application(name: &str, version: u32, finalizers: &[&str]) -> Value {
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication",
        "metadata": {
            "name": name, "uid": format!("uid-{name}"), "resourceVersion": version.to_string(),
            "finalizers": finalizers,
        },
    })
}

fn list(version: u32, items: &[Value]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "List",
        "metadata": { "resourceVersion": version.to_string() }, "items": items,
    })
}

fn status(code: u16, reason: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code, "reason": reason, "message": format!("it is {reason}"),
    })
}

fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn describe(event: &WatchEvent<DynamicObject>) -> String {
    let name = |object: &DynamicObject| object.name_any();
    match event {
        WatchEvent::Snapshot(all) => {
            format!(
                "snapshot {}",
                all.iter().map(name).collect::<Vec<_>>().join(",")
            )
        }
        WatchEvent::Applied(object) => format!("applied {}", name(object)),
        WatchEvent::Deleted(object) => format!("deleted {}", name(object)),
        WatchEvent::Interrupted(error) => format!("interrupted {error:?}"),
    }
}

async fn first_events(server: &Server, options: WatchOptions, count: usize) -> Vec<String> {
    let events = pin!(watch(server.api(), options));
    events
        .take(count)
        .map(|event| describe(&event))
        .collect()
        .await
}

#[tokio::test(start_paused = true)]
async fn a_lost_version_ends_in_a_new_snapshot() {
    let server = Server::default()
        .answer(200, &list(10, &[application("a", 9, &[])]))
        .events(&[
            json!({ "type": "ADDED", "object": application("b", 11, &[]) }),
            json!({ "type": "BOOKMARK", "object": application("", 20, &[]) }),
            json!({ "type": "DELETED", "object": application("a", 21, &[]) }),
            json!({ "type": "ERROR", "object": status(410, "Expired") }),
        ])
        .answer(200, &list(30, &[application("c", 29, &[])]));
    let events = first_events(&server, WatchOptions::labels("moka.dev/attempt"), 5).await;
    assert_eq!(events[..3], ["snapshot a", "applied b", "deleted a"]);
    assert!(events[3].starts_with("interrupted Gone"), "{}", events[3]);
    assert_eq!(events[4], "snapshot c");
    for request in server.requests() {
        assert!(
            request.contains("labelSelector=moka.dev%2Fattempt"),
            "{request}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_connection_resumes_at_the_last_bookmark() {
    let server = Server::default()
        .answer(200, &list(10, &[]))
        .events(&[json!({ "type": "BOOKMARK", "object": application("", 42, &[]) })])
        .events(&[json!({ "type": "ADDED", "object": application("b", 43, &[]) })]);
    let events = first_events(&server, WatchOptions::default(), 2).await;
    assert_eq!(events, ["snapshot ", "applied b"]);
    assert!(
        server.requests()[2].contains("resourceVersion=42"),
        "{:?}",
        server.requests()
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_lists_again_periodically() {
    let server = Server::default().answer(200, &list(10, &[application("a", 9, &[])]));
    let api = server.api();
    let mut events = pin!(watch(api, WatchOptions::labels("x")));
    assert_eq!(describe(&events.next().await.unwrap()), "snapshot a");
    // The watch itself is never answered; ten minutes later there is another list.
    let listed_late = async {
        tokio::time::sleep(Duration::from_mins(9)).await;
        assert_eq!(server.requests().len(), 2);
        server.clone().answer(200, &list(20, &[]));
    };
    let (event, ()) = tokio::join!(events.next(), listed_late);
    assert_eq!(describe(&event.unwrap()), "snapshot ");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_never_ends_is_begun_anew() {
    let server = Server::default();
    let mut events = pin!(watch(server.api(), WatchOptions::labels("x")));
    let answered_late = async {
        tokio::time::sleep(Duration::from_mins(4)).await;
        assert_eq!(server.requests().len(), 1);
        server.clone().answer(200, &list(20, &[]));
    };
    let (event, ()) = tokio::join!(events.next(), answered_late);
    assert_eq!(describe(&event.unwrap()), "snapshot ");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_and_survived() {
    let server = Server::default()
        .answer(503, &status(503, "ServiceUnavailable"))
        .answer(403, &status(403, "Forbidden"))
        .answer(200, &list(10, &[]));
    let events = first_events(&server, WatchOptions::default(), 3).await;
    assert!(
        events[0].starts_with("interrupted Unavailable"),
        "{}",
        events[0]
    );
    assert!(
        events[1].starts_with("interrupted Refused"),
        "{}",
        events[1]
    );
    assert_eq!(events[2], "snapshot ");
}

#[tokio::test]
async fn a_finalizer_is_removed_where_it_is() {
    let server = Server::default().answer(200, &application("a", 2, &["other"]));
    let seen = object(application("a", 1, &["other", "ours"]));
    remove_finalizer(&server.api(), &seen, "ours")
        .await
        .unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    for part in [
        "PATCH",
        r#"{"op":"test","path":"/metadata/uid","value":"uid-a"}"#,
        r#"{"op":"test","path":"/metadata/finalizers/1","value":"ours"}"#,
        r#"{"op":"remove","path":"/metadata/finalizers/1"}"#,
    ] {
        assert!(requests[0].contains(part), "{part} in {}", requests[0]);
    }
}

#[tokio::test]
async fn a_finalizer_that_moved_is_looked_for_again() {
    let server = Server::default()
        .answer(422, &status(422, "Invalid"))
        .answer(200, &application("a", 2, &["ours"]))
        .answer(200, &application("a", 3, &[]));
    let seen = object(application("a", 1, &["other", "ours"]));
    remove_finalizer(&server.api(), &seen, "ours")
        .await
        .unwrap();
    assert!(server.requests()[2].contains("/metadata/finalizers/0"));
}

#[tokio::test]
async fn objects_that_are_gone_or_others_keep_nothing_of_ours() {
    let gone = Server::default().answer(404, &status(404, "NotFound"));
    let mut other = application("a", 9, &["ours"]);
    other["metadata"]["uid"] = json!("another");
    let replaced = Server::default()
        .answer(422, &status(422, "Invalid"))
        .answer(200, &other);
    let seen = object(application("a", 1, &["ours"]));
    remove_finalizer(&gone.api(), &seen, "ours").await.unwrap();
    remove_finalizer(&replaced.api(), &seen, "ours")
        .await
        .unwrap();
    assert_eq!(
        replaced.requests().len(),
        2,
        "the other object is not touched"
    );
    let without = object(application("a", 1, &[]));
    remove_finalizer(&Server::default().api(), &without, "ours")
        .await
        .unwrap();
}

#[tokio::test]
async fn calls_fail_by_what_can_be_done() {
    let server = Server::default()
        .answer(409, &status(409, "AlreadyExists"))
        .answer(404, &status(404, "NotFound"))
        .answer(404, &status(404, "NotFound"))
        .answer(409, &status(409, "Conflict"))
        .answer(429, &status(429, "TooManyRequests"));
    let (api, ours) = (server.api(), object(application("a", 1, &[])));
    assert!(matches!(
        calls::create(&api, &ours).await,
        Err(Error::AlreadyExists(_))
    ));
    assert!(matches!(calls::get(&api, "a").await, Ok(None)));
    calls::delete(&api, &ours).await.unwrap();
    calls::delete(&api, &ours).await.unwrap();
    assert!(
        server.requests()[3].contains(r#""uid":"uid-a""#),
        "{:?}",
        server.requests()
    );
    let busy = calls::apply(&api, "a", "moka", &ours).await;
    assert!(
        matches!(busy, Err(Error::TooManyRequests { retry_after: None })),
        "{busy:?}"
    );
}
