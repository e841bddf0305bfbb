//! What is not left to chance: an outage longer than the spool, a disk without room, a line without
//! end. Each before a real S3 server, read back as `ReadLog` reads.

use std::{
    fs::{self, File},
    io::Write as _,
    path::PathBuf,
    sync::Arc,
};

use moka_core::AttemptName;
use moka_log_broker::domain::{completeness::Verdict, stream::Source};
use moka_objects::S3Store;
use moka_xtask::{s3_server::TemporaryS3, small_disk::SmallDisk};
use tempfile::TempDir;

use crate::{
    chance::Chance, node::ContainerLog, reader::Reader, run, shipper, shipper::Shipper,
    store_proxy::StoreProxy,
};

const ATTEMPT: &str = "m01hf7yat00v2t9d4h5w8k3e6qz-1";
/// The least that the shipper takes as `--spool-bytes`.
const SPOOL_BYTES: u64 = 1 << 20;
/// Of what is shipped at once; lines go into the spool or not by batches.
const BATCH_BYTES: u64 = 64 << 10;

struct Node {
    folder: TempDir,
    _server: TemporaryS3,
    store: Arc<S3Store>,
    proxy: StoreProxy,
    log: ContainerLog,
    chance: Chance,
}

impl Node {
    async fn new() -> Self {
        let (server, store) = crate::store().await;
        let folder = TempDir::with_prefix("moka-shipping-").unwrap();
        let proxy = StoreProxy::start(&server.endpoint(), 0).await;
        proxy.calm_down();
        let pod = format!("{ATTEMPT}-driver");
        let log = ContainerLog::new(&folder.path().join("pods"), pod, "spark-kubernetes-driver");
        Self {
            folder,
            _server: server,
            store,
            proxy,
            log,
            chance: Chance(0),
        }
    }

    async fn shipper(&self) -> Shipper {
        let program = shipper::build(self.folder.path()).await;
        let url = run::url(&self.proxy);
        Shipper::new(&program, self.folder.path(), &url, BATCH_BYTES)
            .with("--spool-bytes", SPOOL_BYTES)
    }

    fn reader(&self) -> Reader {
        let attempt: AttemptName = ATTEMPT.parse().unwrap();
        Reader::new(Arc::clone(&self.store), attempt)
    }

    fn remove_pods(&self) -> u64 {
        let length = self.log.file.metadata().unwrap().len();
        fs::remove_dir_all(self.folder.path().join("pods")).unwrap();
        length
    }

    /// What a reader gets is what was written first, and the rest is named to the byte.
    async fn judge_loss(&self, file_bytes: u64, lost_bytes: u64) {
        let source = Source::Container {
            pod: self.log.pod.clone(),
            container: self.log.container.to_owned(),
        };
        let (read, found) = self.reader().read(source).await;
        let written = &self.log.written;
        assert!(read.len() < written.len() && *read == written[..read.len()]);
        let found = found.unwrap();
        assert_eq!(found.verdict, Verdict::Lost);
        let gaps = found.gaps.iter();
        let gaps: Vec<_> = gaps.map(|gap| (gap.start_bytes, gap.end_bytes)).collect();
        assert_eq!(gaps, [(file_bytes - lost_bytes, file_bytes)]);
    }
}

/// The store is away until the spool is full and the pods are gone; the shipper is killed as well.
///
/// # Panics
///
/// When something is lost that had room, or lost without a word.
pub async fn outage_longer_than_the_spool() {
    let mut node = Node::new().await;
    let mut shipper = node.shipper().await;
    node.log.write_noise(&mut node.chance, 100);
    shipper.start();
    shipper
        .until_metric("shipped_lines_total", |lines| lines == 100)
        .await;
    node.proxy.set_away(true);
    node.log.write_noise(&mut node.chance, 4_000);
    let nearly_full = SPOOL_BYTES - 2 * BATCH_BYTES;
    shipper
        .until_metric("spool_bytes", |bytes| bytes > nearly_full)
        .await;
    let file_bytes = node.remove_pods();
    let lost_bytes = shipper
        .until_metric("lost_bytes_total", |bytes| bytes > 0)
        .await;
    shipper
        .until_metric("open_streams", |streams| streams == 0)
        .await;
    let spool_bytes = shipper.until_metric("spool_bytes", |_| true).await;
    assert!(
        spool_bytes <= SPOOL_BYTES + SPOOL_BYTES / 16,
        "{spool_bytes}"
    );
    shipper.kill().await;

    node.proxy.set_away(false);
    shipper.start();
    shipper
        .until_metric("shipped_objects_total", |objects| objects > 0)
        .await;
    shipper
        .until_metric("spool_batches", |batches| batches == 0)
        .await;
    node.judge_loss(file_bytes, lost_bytes).await;
}

/// The state's disk has no room at all. That holds up nothing while the store is there; when both
/// are away, what is removed is lost, and told.
///
/// # Panics
///
/// When shipping stops, or something is lost without a word.
pub async fn full_disk() {
    let disk = SmallDisk::of_mebibytes(2).unwrap();
    let mut node = Node::new().await;
    let state: PathBuf = disk.path().join("state");
    fs::create_dir(&state).unwrap();
    std::os::unix::fs::symlink(&state, node.folder.path().join("state")).unwrap();
    let mut shipper = node.shipper().await;
    shipper.start();
    shipper
        .until_metric("open_streams", |streams| streams == 0)
        .await;
    disk.fill().unwrap();
    node.log.write_noise(&mut node.chance, 100);
    shipper
        .until_metric("shipped_lines_total", |lines| lines == 100)
        .await;
    shipper
        .until_metric("state_write_failures_total", |failures| failures > 0)
        .await;

    node.proxy.set_away(true);
    node.log.write_noise(&mut node.chance, 50);
    shipper
        .until_metric("failures_total", |failures| failures > 0)
        .await;
    let file_bytes = node.remove_pods();
    let lost_bytes = shipper
        .until_metric("lost_bytes_total", |bytes| bytes > 0)
        .await;
    shipper
        .until_metric("open_streams", |streams| streams == 0)
        .await;
    shipper
        .until_metric("unmarked_losses_total", |losses| losses == 0)
        .await;
    node.proxy.set_away(false);
    shipper
        .until_metric("spool_batches", |batches| batches == 0)
        .await;
    node.judge_loss(file_bytes, lost_bytes).await;
}

/// A line of so many bytes, without a newline; gives the most memory that the shipper has had.
///
/// # Panics
///
/// When a byte of it is missing, or its pieces are not those that the format promises.
pub async fn endless_line(mebibytes: u64) -> u64 {
    const PIECE: u64 = 16 << 20;
    let node = Node::new().await;
    let mut file = File::create(&node.log.file).unwrap();
    let block = vec![b'x'; 1 << 20];
    for _ in 0..mebibytes {
        file.write_all(&block).unwrap();
    }
    let mut shipper = node.shipper().await.with("--upload-timeout-seconds", 60);
    shipper.start();
    // The last piece may go on, and waits for its end.
    let whole_pieces = (mebibytes << 20) / PIECE;
    shipper
        .until_metric("shipped_bytes_total", |bytes| {
            bytes >= (whole_pieces - 1) * PIECE
        })
        .await;
    node.remove_pods();
    shipper
        .until_metric("shipped_bytes_total", |bytes| bytes == mebibytes << 20)
        .await;
    let pieces = node.reader().pieces(&node.log.pod).await;
    let expected: Vec<_> = (0..whole_pieces)
        .map(|number| (number * PIECE, PIECE, Some(b'x')))
        .collect();
    assert_eq!(pieces, expected);
    shipper.peak_memory_bytes()
}
