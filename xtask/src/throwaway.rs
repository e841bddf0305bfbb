//! What the servers that live as long as a test have in common.

use std::{net::TcpListener, time::Duration};

use anyhow::Result;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::cluster::TiedChild;

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(1);

/// Ports are chosen before they are used, so another process may take one in between.
const TRIES: usize = 3;

/// Starts a server on a free port of the loopback interface and waits until it takes connections.
/// `None` when it never does; its log tells why.
///
/// # Errors
/// When it cannot be started at all.
pub(crate) async fn on_free_port(
    start: impl Fn(u16) -> Result<TiedChild>,
) -> Result<Option<(TiedChild, u16)>> {
    for _ in 0..TRIES {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = start(port)?;
        if ready(&mut server, port).await {
            return Ok(Some((server, port)));
        }
    }
    Ok(None)
}

async fn ready(server: &mut TiedChild, port: u16) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !server.ended() {
        let connected = timeout(CONNECT, TcpStream::connect(("127.0.0.1", port))).await;
        if matches!(connected, Ok(Ok(_))) {
            return true;
        }
        sleep(POLL).await;
    }
    false
}
