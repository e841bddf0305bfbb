//! A line to the S3 server that fails in every way that such a line does.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::sleep,
};

use crate::chance::Chance;

/// Longer than the shipper waits for an upload.
const HANG: Duration = Duration::from_millis(2500);
const SLOW: Duration = Duration::from_millis(300);

/// A running proxy.
#[derive(Debug)]
pub(crate) struct StoreProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    calm: bool,
    away: bool,
    requests: u64,
    faults: BTreeMap<&'static str, u64>,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    Slow,
    Refused(&'static str, &'static str),
    ResetBefore,
    /// The store has taken it, and nobody hears so.
    ResetAfterBody,
    Hangs,
}

/// A request or an answer.
struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

impl StoreProxy {
    /// Starts one on a free port of the loopback interface.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test's server ends with the test"
    )]
    pub(crate) async fn start(upstream: &str, seed: u64) -> Self {
        let state = State {
            chance: Chance(seed),
            calm: false,
            away: false,
            requests: 0,
            faults: BTreeMap::new(),
        };
        let shared = Arc::new(Shared {
            upstream: upstream.trim_start_matches("http://").to_owned(),
            state: Mutex::new(state),
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let for_server = Arc::clone(&shared);
        let server = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&for_server);
                tokio::spawn(async move {
                    // A connection that breaks is the shipper's or a fault; both are what is
                    // tested.
                    let _ = serve(client, &shared).await;
                });
            }
        });
        Self {
            address,
            shared,
            server,
        }
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on nothing fails.
    pub(crate) fn calm_down(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.calm = true;
        state.away = false;
    }

    /// Answers nothing any more, or as before.
    pub(crate) fn set_away(&self, away: bool) {
        self.shared.state.lock().unwrap().away = away;
    }

    /// Requests, and how often each fault happened.
    pub(crate) fn figures(&self) -> (u64, BTreeMap<&'static str, u64>) {
        let state = self.shared.state.lock().unwrap();
        (state.requests, state.faults.clone())
    }
}

impl Drop for StoreProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn next_fate(&mut self) -> Fate {
        self.requests += 1;
        if self.away {
            return Fate::ResetBefore;
        }
        if self.calm {
            return Fate::Answered;
        }
        let (fault, fate) = match self.chance.below(100) {
            0..8 => (
                "answered_500",
                Fate::Refused("500 Internal Server Error", "InternalError"),
            ),
            8..12 => ("answered_503", Fate::Refused("503 Slow Down", "SlowDown")),
            12..15 => ("reset_before", Fate::ResetBefore),
            15..23 => ("reset_after_body", Fate::ResetAfterBody),
            23..25 => ("hung", Fate::Hangs),
            25..30 => ("slow", Fate::Slow),
            _ => return Fate::Answered,
        };
        *self.faults.entry(fault).or_default() += 1;
        fate
    }
}

async fn serve(client: TcpStream, shared: &Shared) -> io::Result<()> {
    client.set_zero_linger()?;
    let mut client = BufReader::new(client);
    while let Some(request) = read(&mut client).await? {
        let fate = shared.state.lock().unwrap().next_fate();
        let answer = match fate {
            Fate::Answered => forward(&request, shared).await?,
            Fate::Slow => {
                sleep(SLOW).await;
                forward(&request, shared).await?
            }
            Fate::Refused(status, code) => refusal(status, code),
            Fate::ResetBefore => return Ok(()),
            Fate::ResetAfterBody => {
                forward(&request, shared).await?;
                return Ok(());
            }
            Fate::Hangs => {
                sleep(HANG).await;
                return Ok(());
            }
        };
        client.write_all(&answer.head).await?;
        client.write_all(&answer.body).await?;
        client.flush().await?;
    }
    Ok(())
}

async fn forward(request: &Message, shared: &Shared) -> io::Result<Message> {
    let mut server = BufReader::new(TcpStream::connect(&shared.upstream).await?);
    server.write_all(&request.head).await?;
    server.write_all(&request.body).await?;
    server.flush().await?;
    loop {
        let answer = read(&mut server)
            .await?
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        // "100 Continue" announces the answer.
        if !answer.head.starts_with(b"HTTP/1.1 100") {
            return Ok(answer);
        }
    }
}

/// Reads a message whose length its head tells; `None` at the end of the connection.
async fn read(from: &mut BufReader<TcpStream>) -> io::Result<Option<Message>> {
    let mut head = Vec::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if from.read_until(b'\n', &mut head).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&head[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        assert!(
            !line.starts_with("transfer-encoding:"),
            "what a shipper puts has a length"
        );
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Some(Message { head, body }))
}

fn refusal(status: &str, code: &str) -> Message {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Message {
        head: head.into_bytes(),
        body: body.into_bytes(),
    }
}
