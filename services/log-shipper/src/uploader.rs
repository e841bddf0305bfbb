//! Turns lines into an object and puts it into the store.

use std::{io, sync::Arc, time::Duration};

use jiff::Timestamp;
use moka_core::{clock::Clock, entropy::Entropy};
use moka_objects::{ObjectKey, ObjectStore, PutCondition};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    domain::{Batch, BatchHeader, ClusterName, Origin, RecordWriter, lines, object_key},
    error::ShipError,
    gate::Gate,
};

/// Shared by all streams.
#[derive(Debug)]
pub struct Uploader {
    /// Takes the objects.
    pub store: Arc<dyn ObjectStore>,
    /// Bounds the batches in memory, and the uploads.
    pub permits: Semaphore,
    /// How long one upload may take.
    pub timeout: Duration,
    /// Knows whether the store answers.
    pub gate: Gate,
    /// The node's cluster.
    pub cluster: ClusterName,
    /// Dates records and keys.
    pub clock: Arc<dyn Clock>,
    /// Makes keys unique.
    pub entropy: Arc<dyn Entropy>,
}

impl Uploader {
    /// Waits for room. A stream holds the permit while its batch is in memory, and not while it
    /// waits for another try, so that streams that fail leave room to those that do not.
    pub async fn permit(&self) -> SemaphorePermit<'_> {
        self.permits
            .acquire()
            .await
            .expect("the semaphore is never closed")
    }

    /// Writes the records of some lines. Blocks for as long as the compression takes.
    ///
    /// # Errors
    ///
    /// When the compressor has no memory.
    pub fn encode(&self, origin: Origin, bytes: &[u8]) -> io::Result<Batch> {
        let mut line_count = 0;
        let mut torn_count = 0;
        let object = self.compressed(&origin, |record, encoder| {
            for (start, line, torn) in lines(bytes) {
                record.write(encoder, origin.start_bytes + start as u64, line, torn)?;
                line_count += 1;
                torn_count += u64::from(torn);
            }
            Ok(())
        })?;
        Ok(Batch {
            header: BatchHeader {
                origin,
                length_bytes: bytes.len() as u64,
                line_count,
                torn_count,
            },
            object: object.into(),
        })
    }

    /// Writes the mark of a loss.
    ///
    /// # Errors
    ///
    /// When the compressor has no memory.
    pub fn encode_loss(&self, origin: Origin, lost_bytes: u64) -> io::Result<Batch> {
        let object = self.compressed(&origin, |record, encoder| {
            record.write_loss(encoder, origin.start_bytes, lost_bytes)
        })?;
        Ok(Batch {
            header: BatchHeader {
                origin,
                length_bytes: 0,
                line_count: 0,
                torn_count: 0,
            },
            object: object.into(),
        })
    }

    fn compressed(
        &self,
        origin: &Origin,
        write: impl FnOnce(&RecordWriter<'_>, &mut zstd::Encoder<'_, Vec<u8>>) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        let record = RecordWriter {
            date: &self.clock.now().to_string(),
            path: &origin.path,
            generation: &origin.generation.to_string(),
            cluster: self.cluster.as_str(),
        };
        write(&record, &mut encoder)?;
        encoder.finish()
    }

    /// Puts an object under a key that nothing has had.
    ///
    /// # Errors
    ///
    /// When the store does not acknowledge. It may have the object nevertheless; another try then
    /// makes a second one, with the same records. [`ShipError::Away`] when it was not asked.
    pub async fn put(&self, batch: &Batch) -> Result<(), ShipError> {
        if !self.gate.admits(self.timeout) {
            return Err(ShipError::Away);
        }
        let result = self.try_put(batch).await;
        match &result {
            Ok(()) => self.gate.answered(),
            Err(error) if error.is_silence() => self.gate.failed(self.random()),
            Err(_refused) => {}
        }
        result
    }

    async fn try_put(&self, batch: &Batch) -> Result<(), ShipError> {
        let mut unique = [0; 16];
        self.entropy.fill(&mut unique);
        let key_prefix = &batch.header.origin.key_prefix;
        let key = object_key(key_prefix, self.now(), &self.cluster, unique);
        let key = ObjectKey::new(key).map_err(ShipError::Key)?;
        let object = batch.object.clone();
        let put = self.store.put(&key, object, PutCondition::IfAbsent);
        match tokio::time::timeout(self.timeout, put).await {
            Ok(Ok(_etag)) => Ok(()),
            Ok(Err(error)) => Err(ShipError::Store(error)),
            Err(_elapsed) => Err(ShipError::TimedOut(self.timeout.as_secs())),
        }
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A random number.
    pub fn random(&self) -> u8 {
        let mut random = [0];
        self.entropy.fill(&mut random);
        random[0]
    }
}
