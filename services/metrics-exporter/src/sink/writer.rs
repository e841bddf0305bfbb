//! Keeps a connection open for as long as the process lives.

use std::{io, sync::Arc, time::Duration};

use moka_core::entropy::Entropy;
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Sink, SinkAddress, connection};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The first wait after a failure; it doubles with every further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// The longest wait.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// How lines are written.
#[derive(Debug, Clone)]
pub struct WriterOptions {
    /// The agent.
    pub address: SinkAddress,
    /// How long the last lines may take to leave when the process ends.
    pub flush_timeout: Duration,
}

/// Takes lines out of the buffer.
#[derive(Debug)]
pub struct Writer {
    /// The buffer.
    pub sink: Sink,
    /// How lines are written.
    pub options: WriterOptions,
    /// Spreads the connections of many exporters to one agent.
    pub entropy: Arc<dyn Entropy>,
}

impl Writer {
    /// Writes until `finish` says that no more lines come, then what is left, within the flush
    /// timeout.
    pub async fn run(self, finish: CancellationToken) {
        let too_late = async {
            finish.cancelled().await;
            sleep(self.options.flush_timeout).await;
        };
        tokio::select! {
            () = self.write(&finish) => {}
            () = too_late => {}
        }
        self.sink.closed();
        let lost = self.sink.abandon();
        if lost > 0 {
            tracing::warn!(
                lines = lost,
                "the agent did not take the last lines in time"
            );
        }
    }

    async fn write(&self, finish: &CancellationToken) {
        let mut backoff = FIRST_BACKOFF;
        while !(finish.is_cancelled() && self.sink.is_empty()) {
            let written_before = self.sink.shared.metrics.written_lines.get();
            let result = self.connect_and_serve(finish).await;
            self.sink.closed();
            let Err(error) = result else { return };
            if backoff == FIRST_BACKOFF {
                tracing::warn!(sink.address = %self.options.address, %error, "connection to the agent failed");
            }
            self.sink.failed(error.to_string());
            // An agent that takes connections but no lines is as far away as one that takes none.
            if self.sink.shared.metrics.written_lines.get() > written_before {
                backoff = FIRST_BACKOFF;
            }
            self.wait(backoff, finish).await;
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    async fn connect_and_serve(&self, finish: &CancellationToken) -> io::Result<()> {
        let SinkAddress { host, port } = &self.options.address;
        let connecting = TcpStream::connect((host.as_str(), *port));
        let connection = timeout(CONNECT_TIMEOUT, connecting).await??;
        connection.set_nodelay(true)?;
        self.sink.opened();
        tracing::info!(sink.address = %self.options.address, "connected to the agent");
        let (mut reader, mut writer) = connection.into_split();
        connection::serve(&self.sink, &mut reader, &mut writer, finish).await
    }

    /// Waits between half of `backoff` and all of it. At the end of the process there is no time
    /// for more than the shortest one.
    async fn wait(&self, backoff: Duration, finish: &CancellationToken) {
        let mut random = [0];
        self.entropy.fill(&mut random);
        let jittered = |backoff: Duration| backoff / 2 + backoff * u32::from(random[0]) / 510;
        if finish.is_cancelled() {
            sleep(jittered(FIRST_BACKOFF)).await;
            return;
        }
        tokio::select! {
            () = sleep(jittered(backoff)) => {}
            () = finish.cancelled() => {}
        }
    }
}
