//! A driver's log in the object store, as log-shipper would have put it there: with its own code,
//! but without waiting for a file to be written.

use std::{fmt::Write as _, sync::Arc};

use anyhow::Result;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use moka_core::{
    AttemptName,
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    labels::DRIVER_CONTAINER,
};
use moka_log_shipper::domain::{ClusterName, Generation, RecordWriter, Source, lines, object_key};
use moka_objects::{ObjectKey, ObjectStore, PutCondition};

/// What log-shipper ships at once.
const BATCH_BYTES: u64 = 4 << 20;
/// One batch for each core.
const CONCURRENCY: usize = 2;
/// A driver logs a line in this time, so that all have times of their own.
const LINE_TIME: SignedDuration = SignedDuration::from_micros(250);
const PATH: &str = "/var/log/pods/spark-jobs_driver_0f5c/spark-kubernetes-driver/0.log";
const GENERATION: Generation = Generation {
    inode: 958_478,
    birth_nanoseconds: 1_795_234_466_119_948_727,
};

/// Fills the archive of an attempt's driver.
pub(super) struct Filler {
    store: Arc<dyn ObjectStore>,
    cluster: ClusterName,
    key_prefix: String,
}

/// Lines of one object.
#[derive(Clone, Copy)]
struct Batch {
    first_line: u32,
    line_count: u32,
}

impl Filler {
    pub(super) fn new(store: Arc<dyn ObjectStore>, attempt: AttemptName) -> Result<Self> {
        let cluster: ClusterName = "bench".parse()?;
        let source = Source::Container {
            attempt,
            pod: attempt.driver_pod(),
            container: DRIVER_CONTAINER.to_owned(),
        };
        let key_prefix = source.key_prefix(&cluster);
        Ok(Self {
            store,
            cluster,
            key_prefix,
        })
    }

    /// Puts a log of at least so many bytes there, and returns how many it has.
    pub(super) async fn fill(&self, size_bytes: u64) -> Result<u64> {
        let line_bytes = line_bytes();
        let line_count = u32::try_from(BATCH_BYTES / line_bytes)?;
        let lines = u32::try_from(size_bytes / line_bytes)?;
        let batch_count = lines.div_ceil(line_count);
        let batches = (0..batch_count).map(|number| Batch {
            first_line: number * line_count,
            line_count,
        });
        let filled_bytes = u64::from(batch_count) * u64::from(line_count) * line_bytes;
        let puts = stream::iter(batches).map(async |batch| self.put(batch).await);
        puts.buffered(CONCURRENCY).try_collect::<()>().await?;
        Ok(filled_bytes)
    }

    async fn put(&self, batch: Batch) -> Result<()> {
        let object = tokio::task::spawn_blocking(move || batch.encoded()).await??;
        let mut unique = [0; 16];
        SystemEntropy.fill(&mut unique);
        let now = SystemClock.now();
        let key = object_key(&self.key_prefix, now, &self.cluster, unique);
        let key = ObjectKey::new(key)?;
        let condition = PutCondition::IfAbsent;
        self.store.put(&key, object.into(), condition).await?;
        Ok(())
    }
}

impl Batch {
    /// The object that log-shipper makes of it.
    fn encoded(self) -> Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
        let record = RecordWriter {
            date: "2026-11-21T03:04:05.678Z",
            path: PATH,
            generation: &GENERATION.to_string(),
            cluster: "bench",
        };
        let first_bytes = u64::from(self.first_line) * line_bytes();
        for (start, line, torn) in lines(self.text().as_bytes()) {
            record.write(&mut encoder, first_bytes + start as u64, line, torn)?;
        }
        Ok(encoder.finish()?)
    }

    fn text(self) -> String {
        let mut text = String::new();
        for number in self.first_line..self.first_line + self.line_count {
            write_container_line(&mut text, number);
        }
        text
    }
}

/// The text of such a log without what the container runtime puts in front of its lines.
pub(super) fn plain_text(size_bytes: usize) -> String {
    let mut text = String::with_capacity(size_bytes);
    let mut number = 0;
    while text.len() < size_bytes {
        write_line(&mut text, number);
        number += 1;
    }
    text
}

/// Every line of the container's log has this length, so that offsets need no counting.
fn line_bytes() -> u64 {
    let mut line = String::new();
    write_container_line(&mut line, 0);
    line.len() as u64
}

/// A line that a driver writes, with what the container runtime puts in front of it.
fn write_container_line(text: &mut String, number: u32) {
    let begin: Timestamp = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000);
    let time = begin + LINE_TIME * i32::try_from(number).unwrap_or(i32::MAX);
    // Writing to a string does not fail.
    let _ = write!(text, "{time:.9} stdout F ");
    write_line(text, number);
}

/// A line about a task, as Spark writes it, with numbers that do not repeat.
fn write_line(text: &mut String, number: u32) {
    let mixed = number.wrapping_mul(2_654_435_761);
    let (stage, executor, port) = (number / 4096, mixed % 400, 30_000 + mixed % 20_000);
    let _ = writeln!(
        text,
        "26/11/21 03:{:02}:{:02} INFO TaskSetManager: Finished task {number:08}.0 in stage \
         {stage:05}.0 (TID {number:08}) in {:04} ms on 10.{:03}.{:03}.17:{port} (executor \
         {executor:03}) ({:04}/4096), \
         {mixed:08x}{:08x} bytes result sent to driver",
        number / 60_000 % 60,
        number / 1_000 % 60,
        mixed % 9973,
        mixed % 251,
        mixed % 241,
        number % 4096,
        mixed.rotate_left(13) ^ number,
    );
}
