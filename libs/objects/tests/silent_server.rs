//! Nothing waits for ever for an S3 server that accepts connections and then falls silent.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::time::Duration;

use bytes::Bytes;
use moka_objects::{
    Error, ObjectKey, ObjectStore as _, PutCondition, S3Credentials, S3Options, S3Store,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

/// Accepts every connection, says `answer` to the first bytes and nothing more.
async fn serve(listener: TcpListener, answer: &'static [u8]) {
    let mut connections = Vec::new();
    loop {
        let (mut connection, _) = listener.accept().await.unwrap();
        connection.read_exact(&mut [0; 16]).await.unwrap();
        connection.write_all(answer).await.unwrap();
        connections.push(connection);
    }
}

async fn store(listener: &TcpListener) -> S3Store {
    let credentials = S3Credentials {
        access_key_id: "id".to_owned(),
        secret_access_key: "key".to_owned(),
        session_token: None,
    };
    S3Store::open(S3Options {
        endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
        region: Some("us-east-1".to_owned()),
        path_style: true,
        credentials: Some(credentials),
        attempt_timeout: Duration::from_millis(100),
        operation_timeout: Duration::from_millis(300),
        max_attempts: 2,
        ..S3Options::new("bucket")
    })
    .await
}

async fn check(answer: &'static [u8], call: impl AsyncFnOnce(S3Store) -> Result<(), Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let store = store(&listener).await;
    let call = tokio::time::timeout(Duration::from_secs(20), call(store));
    tokio::select! {
        () = serve(listener, answer) => unreachable!("it accepts for ever"),
        result = call => {
            let error = result.expect("the call has a deadline").unwrap_err();
            assert!(error.is_retryable(), "{error:?}");
        }
    }
}

fn key() -> ObjectKey {
    "key".parse().unwrap()
}

#[tokio::test]
async fn calls_without_an_answer_end() {
    check(b"", async |store| store.get(&key()).await.map(drop)).await;
    check(b"", async |store| store.head(&key()).await.map(drop)).await;
    check(b"", async |store| store.list("", None, 10).await.map(drop)).await;
    check(b"", async |store| store.delete(&key()).await).await;
    for condition in [PutCondition::Always, PutCondition::IfAbsent] {
        check(b"", async |store| {
            store
                .put(&key(), Bytes::from_static(b"x"), condition)
                .await
                .map(drop)
        })
        .await;
    }
}

#[tokio::test]
async fn a_body_that_stops_in_the_middle_ends() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\netag: \"e\"\r\n\r\nhalf";
    check(half, async |store| store.get(&key()).await.map(drop)).await;
}

#[tokio::test]
async fn a_server_that_asks_to_slow_down_is_unavailable() {
    let slow_down = b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n";
    check(slow_down, async |store| store.get(&key()).await.map(drop)).await;
}
