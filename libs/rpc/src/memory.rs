//! Calls within the process: a channel and the stream of connections that it opens.

use std::{io, sync::Arc};

use hyper_util::rt::TokioIo;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Endpoint, Uri};

use crate::{
    Channel, ClientOptions,
    client::{self, ConnectError},
};

/// Bytes in flight each way, like a socket's buffer.
const BUFFER_BYTES: usize = 64 * 1024;
/// Connections that wait to be accepted.
const BACKLOG: usize = 16;

/// The server's end, for [`crate::Server::serve_incoming`].
pub type Incoming = ReceiverStream<io::Result<DuplexStream>>;

/// A channel to whoever serves the stream. When the server has stopped, calls fail as unavailable.
///
/// # Errors
///
/// [`ConnectError`] when an option cannot be used.
pub fn channel(options: &ClientOptions) -> Result<(Channel, Incoming), ConnectError> {
    let (connections, incoming) = mpsc::channel(BACKLOG);
    let connections = Arc::new(connections);
    let connector = tower::service_fn(move |_: Uri| {
        let connections = Arc::clone(&connections);
        async move {
            let (client, server) = duplex(BUFFER_BYTES);
            connections
                .send(Ok(server))
                .await
                .map_err(io::Error::other)?;
            Ok::<_, io::Error>(TokioIo::new(client))
        }
    });
    let endpoint = client::configure(Endpoint::from_static("http://in-memory"), options)?;
    let channel = Channel::new(endpoint.connect_with_connector_lazy(connector), options);
    Ok((channel, ReceiverStream::new(incoming)))
}
