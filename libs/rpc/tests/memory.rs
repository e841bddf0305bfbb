//! Calls over the in-memory channel.
#![expect(clippy::unwrap_used, reason = "test support")]

use moka_core::ErrorReason;
use moka_rpc::{ClientOptions, ServerOptions, error_of, memory};
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[path = "support/fake.rs"]
#[expect(dead_code, reason = "this test needs no socket")]
mod fake;

#[tokio::test]
async fn calls_reach_a_server_in_the_same_process() {
    let stop = CancellationToken::new();
    let (channel, incoming) = memory::channel(&ClientOptions::default()).unwrap();
    let server = fake::server(
        ServerOptions::default(),
        &mut Registry::default(),
        stop.clone(),
    );
    let mut serving = JoinSet::new();
    serving.spawn(server.serve_incoming(incoming, stop.clone()));
    let mut client = fake::Client::new(channel);
    client.read_log(fake::read("")).await.unwrap();

    stop.cancel();
    serving.join_next().await.unwrap().unwrap().unwrap();
    let status = client.read_log(fake::read("")).await.unwrap_err();
    assert_eq!(error_of(&status).reason, ErrorReason::PeerUnavailable);
}
