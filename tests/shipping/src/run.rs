//! One run: a node's life under one seed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use jiff::SignedDuration;
use moka_core::AttemptName;
use moka_log_broker::domain::{completeness::Verdict, stream::Source};
use moka_objects::S3Store;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    BUCKET,
    chance::Chance,
    node::{ContainerLog, EventLog, Written},
    reader::{Reader, now},
    report::Report,
    shipper::Shipper,
    store_proxy::StoreProxy,
};

const STEPS: u32 = 30;
/// How long a shipper may take to ship what it could not.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a rotation waits for the shipper, which a faulty store may hold up.
const LITTLE_PATIENCE: Duration = Duration::from_secs(3);

struct Run {
    seed: u32,
    chance: Chance,
    _folder: TempDir,
    pods: PathBuf,
    attempt: AttemptName,
    logs: Vec<ContainerLog>,
    events: EventLog,
    proxy: StoreProxy,
    shipper: Shipper,
    is_down: bool,
    is_cut_off: bool,
    report: Report,
}

/// Does one run and judges it.
pub(crate) async fn run(
    seed: u32,
    program: &Path,
    endpoint: String,
    store: Arc<S3Store>,
) -> Report {
    let mut run = Run::new(seed, program, &endpoint).await;
    run.shipper.start();
    for _ in 0..STEPS {
        run.step().await;
    }
    let crashes = run.chance.happens(50);
    run.end(crashes).await;
    let reader = Reader::new(store, run.attempt);
    run.judge(&reader).await;
    run.figures(&reader, crashes).await
}

impl Run {
    async fn new(seed: u32, program: &Path, endpoint: &str) -> Self {
        let folder = TempDir::with_prefix("moka-shipping-").unwrap();
        let mut chance = Chance(u64::from(seed));
        // Twenty-six digits; the last of them tell runs apart.
        let attempt = format!("m01hf7yat00v2t9d4h5w8{seed:06}-1");
        let pods = folder.path().join("pods");
        let container =
            |pod: &str, container| ContainerLog::new(&pods, format!("{attempt}-{pod}"), container);
        let logs = vec![
            container("driver", "spark-kubernetes-driver"),
            container("exec-1", "spark-kubernetes-executor"),
            container("exec-2", "spark-kubernetes-executor"),
        ];
        let events = EventLog::new(&folder.path().join("events"), &attempt);
        let proxy = StoreProxy::start(endpoint, u64::from(seed) + 1_000_000).await;
        let batch_bytes = 1 << (9 + chance.below(10));
        let shipper = Shipper::new(program, folder.path(), &url(&proxy), batch_bytes);
        Self {
            seed,
            chance,
            _folder: folder,
            pods,
            attempt: attempt.parse().unwrap(),
            logs,
            events,
            proxy,
            shipper,
            is_down: false,
            is_cut_off: false,
            report: Report::default(),
        }
    }

    async fn step(&mut self) {
        for log in &mut self.logs {
            if self.chance.happens(40) {
                log.write(&mut self.chance);
            }
        }
        if self.chance.happens(50) {
            self.events.write(&mut self.chance);
        }
        let which = usize::try_from(self.chance.below(3)).unwrap();
        match self.chance.below(100) {
            0..8 => {
                self.logs[which].rotate();
                self.report.count("rotations");
            }
            8..11 => self.truncate(which).await,
            11..19 if !self.is_down => {
                self.shipper.kill().await;
                self.is_down = true;
                self.report.count("kills");
            }
            19..24 if !self.is_down => {
                self.shipper.stop().await;
                self.is_down = true;
                self.report.count("stops");
            }
            24..64 if self.is_down => {
                self.shipper.start();
                self.is_down = false;
            }
            64..69 if !self.is_cut_off => {
                self.proxy.set_away(true);
                self.is_cut_off = true;
                self.report.count("outages");
            }
            69..76 if self.is_cut_off => {
                self.proxy.set_away(false);
                self.is_cut_off = false;
            }
            _ => {}
        }
        sleep(Duration::from_millis(self.chance.below(80))).await;
    }

    /// What was not read before a truncation is gone with any shipper, so that it waits for this
    /// one.
    async fn truncate(&mut self, which: usize) {
        let log = &mut self.logs[which];
        if self.is_down || !log.file.exists() {
            return;
        }
        if self.shipper.has_shipped(&log.file, LITTLE_PATIENCE).await {
            log.copy_and_truncate();
            self.report.count("truncations");
        }
    }

    /// The driver ends or dies, the pods are removed, and the shipper ships the rest.
    async fn end(&mut self, crashes: bool) {
        self.events.write(&mut self.chance);
        for log in &mut self.logs {
            log.write(&mut self.chance);
        }
        if crashes {
            self.events.tear();
            self.report.count("crashes");
        } else {
            self.events.finish();
        }
        if self.shipper.has_spooled() {
            self.report.count("ends_with_a_spool");
        }
        self.proxy.calm_down();
        // One that has failed for long would wait for long.
        if !self.is_down {
            self.shipper.kill().await;
        }
        self.shipper.start();
        for log in &mut self.logs {
            let shipped = self.shipper.has_shipped(&log.file, PATIENCE).await;
            assert!(shipped, "seed {}: {}", self.seed, self.shipper.log());
            if crashes {
                log.tear();
            }
            log.end();
        }
        fs::remove_dir_all(&self.pods).unwrap();
    }

    async fn judge(&self, reader: &Reader) {
        for log in &self.logs {
            let source = Source::Container {
                pod: log.pod.clone(),
                container: log.container.to_owned(),
            };
            self.judge_stream(reader, source, &log.written).await;
        }
        let source = Source::EventLog {
            file: self.events.name.to_owned(),
        };
        self.judge_stream(reader, source, &self.events.written)
            .await;
    }

    /// Waits until the last line is there; then every line must be.
    async fn judge_stream(&self, reader: &Reader, source: Source, written: &[Written]) {
        let until = now() + SignedDuration::try_from(PATIENCE).unwrap();
        loop {
            let (read, found) = reader.read(source.clone()).await;
            let verdict = found.map(|completeness| completeness.verdict);
            if read == written && verdict == Ok(Verdict::Complete) {
                return;
            }
            if now() > until {
                let place = read
                    .iter()
                    .zip(written)
                    .position(|(read, written)| read != written);
                panic!(
                    "seed {}, {source:?}: {} lines of {} read, {verdict:?}, differs at {place:?}: {:?} of {:?}\n{}",
                    self.seed,
                    read.len(),
                    written.len(),
                    place.map(|place| shown(&read[place])),
                    place.map(|place| shown(&written[place])),
                    self.shipper.log()
                );
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn figures(mut self, reader: &Reader, crashes: bool) -> Report {
        let (objects, records) = reader.raw_counts().await;
        let (requests, faults) = self.proxy.figures();
        let lines: u64 = self.logs.iter().map(|log| log.line_count).sum();
        let lines = lines + self.events.written.len() as u64;
        self.report.runs = 1;
        self.report.lines_written = lines + u64::from(crashes);
        self.report.objects = objects;
        self.report.records_in_objects = records;
        self.report.records_repeated = records - lines;
        self.report.requests = requests;
        self.report.events.extend(faults);
        self.report
    }
}

/// The store behind a proxy.
pub(crate) fn url(proxy: &StoreProxy) -> String {
    let endpoint = proxy.endpoint();
    format!("s3://{BUCKET}?endpoint={endpoint}&path_style=true&region=us-east-1")
}

fn shown(line: &Written) -> String {
    let text = &line.text[..line.text.len().min(80)];
    format!("{:?} {}", line.time, String::from_utf8_lossy(text))
}
