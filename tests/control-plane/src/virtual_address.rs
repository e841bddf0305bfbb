//! The one address behind which a fail-over moves from server to server.

use std::future::pending;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// An address on the loopback interface. It goes when this is dropped.
#[derive(Debug)]
pub struct VirtualAddress {
    port: u16,
    target: watch::Sender<Target>,
    task: JoinHandle<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Port(u16),
    /// Connections stand, and nobody answers: a machine that is gone, or a network.
    Silence,
}

impl VirtualAddress {
    /// An address of a server on a port of the loopback interface.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's address ends with the test"
    )]
    pub async fn of(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (target, targets) = watch::channel(Target::Port(port));
        Self {
            port: listener.local_addr().unwrap().port(),
            target,
            task: tokio::spawn(accept(listener, targets)),
        }
    }

    /// Where it is found.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Moves to another server. Connections to the one before are cut, but for those that were
    /// silenced.
    pub fn move_to(&self, port: u16) {
        self.target.send_replace(Target::Port(port));
    }

    /// Nothing passes any more, and no connection ends.
    pub fn silence(&self) {
        self.target.send_replace(Target::Silence);
    }
}

impl Drop for VirtualAddress {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, targets: watch::Receiver<Target>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(forward(stream, targets.clone()));
    }
}

async fn forward(mut stream: TcpStream, mut targets: watch::Receiver<Target>) {
    let target = *targets.borrow_and_update();
    let Target::Port(port) = target else {
        return pending().await;
    };
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut server) => {}
        _ = targets.changed() => {
            let target = *targets.borrow();
            if target == Target::Silence {
                pending::<()>().await;
            }
        }
    }
}
