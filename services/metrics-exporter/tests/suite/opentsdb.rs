//! A receiver as strict as OpenTSDB 2.4 itself, where VictoriaMetrics and others are lenient.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moka_metrics_exporter::domain::{
    batch::Batch, drop_reason::DropReason, exposition::Format, mapping::Policy,
};
use moka_process::Tasks;
use proptest::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

/// How long a test waits before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Takes lines over TCP and judges each.
#[derive(Debug, Clone)]
pub(crate) struct OpenTsdb {
    pub(crate) address: SocketAddr,
    received: watch::Receiver<Received>,
    hang_up: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    pub(crate) stored: Vec<String>,
    pub(crate) refused: Vec<(String, String)>,
    pub(crate) connections: usize,
}

impl OpenTsdb {
    /// Receives at a free port until the test's runtime ends.
    pub(crate) async fn start(tasks: &Tasks) -> Self {
        Self::start_at(tasks, "127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_at(tasks: &Tasks, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (sender, received) = watch::channel(Received::default());
        let hang_up = Arc::new(AtomicBool::new(false));
        let receiver = Self {
            address: listener.local_addr().unwrap(),
            received,
            hang_up: Arc::clone(&hang_up),
        };
        let connection_tasks = tasks.clone();
        tasks.spawn("opentsdb", async move {
            while let Ok((connection, _)) = listener.accept().await {
                sender.send_modify(|received| received.connections += 1);
                let serving = serve(connection, sender.clone(), Arc::clone(&hang_up));
                connection_tasks.spawn("opentsdb connection", serving);
            }
        });
        receiver
    }

    /// Closes every connection after its next line.
    pub(crate) fn hang_up(&self, hang_up: bool) {
        self.hang_up.store(hang_up, Ordering::SeqCst);
    }

    pub(crate) async fn until(&mut self, holds: impl FnMut(&Received) -> bool) -> Received {
        let received = timeout(PATIENCE, self.received.wait_for(holds)).await;
        received
            .expect("what the test waits for arrives")
            .unwrap()
            .clone()
    }
}

async fn serve(connection: TcpStream, sender: watch::Sender<Received>, hang_up: Arc<AtomicBool>) {
    let (reader, mut writer) = connection.into_split();
    let mut lines = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        if !matches!(lines.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        match judge(&text) {
            Ok(()) => sender.send_modify(|received| received.stored.push(text)),
            Err(reason) => {
                let reply = format!("put: {reason}\n");
                sender.send_modify(|received| received.refused.push((text, reason)));
                if writer.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
        if hang_up.load(Ordering::SeqCst) {
            return;
        }
    }
}

/// The rules of `PutDataPointRpc`, `Tags.parse`, `Tags.validateString` and `TSDB.addPoint`, at
/// their defaults; letters are ASCII only, since others are not safe by telnet.
pub(crate) fn judge(line: &str) -> Result<(), String> {
    if line.len() > 1024 {
        return Err(format!("frame length {} exceeds 1024", line.len()));
    }
    let line = line.strip_suffix('\n').ok_or("the last line is torn")?;
    let words: Vec<_> = line.split(' ').collect();
    let ["put", metric, time, value, tags @ ..] = words.as_slice() else {
        return Err("not enough arguments".to_owned());
    };
    validate("metric name", metric)?;
    let seconds: u64 = time
        .parse()
        .map_err(|_invalid| format!("invalid time {time:?}"))?;
    if seconds == 0 || time.len() > 10 {
        return Err(format!("invalid time {time:?}"));
    }
    let integer = !value.contains(['.', 'e', 'E']);
    let valid = if integer {
        value.parse::<i64>().is_ok()
    } else {
        value.parse::<f64>().is_ok_and(f64::is_finite)
    };
    if !valid {
        return Err(format!("invalid value {value:?}"));
    }
    if tags.is_empty() || tags.len() > 8 {
        return Err(format!("{} tags, must be 1 to 8", tags.len()));
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        let parts: Vec<_> = tag.split('=').collect();
        let [key, value] = parts.as_slice() else {
            return Err(format!("invalid tag {tag:?}"));
        };
        validate("tag name", key)?;
        validate("tag value", value)?;
        if !keys.insert(*key) {
            return Err(format!("duplicate tag {key:?}"));
        }
    }
    Ok(())
}

fn validate(what: &str, text: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if text.is_empty() || !text.chars().all(legal) {
        return Err(format!("invalid {what} {text:?}"));
    }
    Ok(())
}

#[test]
fn receiver_is_as_strict_as_opentsdb() {
    for good in [
        "put a.b 1 -1 c=d\n",
        "put a/b_c-d 1700000000 1.5e-7 c=d e=f\n",
    ] {
        assert_eq!(judge(good), Ok(()), "{good}");
    }
    for bad in [
        "put a 1 1 c=d",
        "put a 1 1\n",
        "put a 1 1 c=\n",
        "put a 1 1 c=d=e\n",
        "put a 1 1 c=d c=e\n",
        "put a 1 1 c=a:8080\n",
        "put a 1 1  c=d\n",
        "put a 0 1 c=d\n",
        "put a 1700000000000 1 c=d\n",
        "put a 1 NaN c=d\n",
        "put a 1 inf c=d\n",
        "put a 1 18446744073709551616 c=d\n",
        "put a:b 1 1 c=d\n",
        "put a 1 1 a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1\n",
        "version\n",
    ] {
        assert!(judge(bad).is_err(), "{bad}");
    }
    assert!(judge(&format!("put {} 1 1 c=d\n", "a".repeat(1024))).is_err());
}

proptest! {
    #[test]
    fn whatever_an_endpoint_says_no_line_is_refused(
        name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,30}",
        labels in proptest::collection::btree_map("[a-z_]{1,4}", "\\PC{0,40}|[ =:/x0-9]{0,9}", 0..14),
        value: f64,
        tags in proptest::collection::btree_map("[a-z_]{1,4}", "[^,]{1,12}", 0..8),
        timestamp in proptest::option::of(any::<i64>()),
    ) {
        let quote = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", quote(value))).collect();
        let timestamp = timestamp.map(|timestamp| timestamp.to_string()).unwrap_or_default();
        let text = format!("{name}{{{}}} {value:?} {timestamp}\n", labels.join(","));
        let tags: Vec<_> = tags
            .iter()
            .filter(|(_, value)| !value.trim().is_empty())
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let policy = Policy { static_tags: tags.join(",").parse().unwrap(), ..Policy::default() };
        let batch = Batch::of(text.as_bytes(), Format::Prometheus, &policy, 1_700_000_000);
        prop_assert_eq!(batch.samples, 1);
        prop_assert!(!batch.dropped.contains_key(&DropReason::Malformed), "{}", text);
        for line in &batch.lines {
            prop_assert_eq!(judge(line), Ok(()), "{}", line);
        }
    }
}
