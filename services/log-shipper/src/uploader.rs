//! Turns lines into an object and puts it into the store.

use std::{io, sync::Arc, time::Duration};

use jiff::Timestamp;
use moka_core::{clock::Clock, entropy::Entropy};
use moka_objects::{ObjectKey, ObjectStore, PutCondition};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    domain::{ClusterName, Generation, RecordWriter, lines, object_key},
    error::ShipError,
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
    /// The node's cluster.
    pub cluster: ClusterName,
    /// Dates records and keys.
    pub clock: Arc<dyn Clock>,
    /// Makes keys unique.
    pub entropy: Arc<dyn Entropy>,
}

/// A batch in the form that travels.
#[derive(Debug)]
pub struct EncodedBatch {
    /// Records as JSON lines, compressed.
    pub object: Vec<u8>,
    /// How many.
    pub line_count: u64,
    /// How many of them lack a newline.
    pub torn_count: u64,
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
    pub fn encode(
        &self,
        path: &str,
        generation: Generation,
        offset_bytes: u64,
        bytes: &[u8],
    ) -> io::Result<EncodedBatch> {
        let mut encoder = zstd::Encoder::new(Vec::new(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        let record = RecordWriter {
            date: &self.clock.now().to_string(),
            path,
            generation: &generation.to_string(),
            cluster: self.cluster.as_str(),
        };
        let mut line_count = 0;
        let mut torn_count = 0;
        for (start, line, torn) in lines(bytes) {
            record.write(&mut encoder, offset_bytes + start as u64, line, torn)?;
            line_count += 1;
            torn_count += u64::from(torn);
        }
        Ok(EncodedBatch {
            object: encoder.finish()?,
            line_count,
            torn_count,
        })
    }

    /// Puts an object under a key that nothing has had.
    ///
    /// # Errors
    ///
    /// When the store does not acknowledge. It may have the object nevertheless; another try then
    /// makes a second one, with the same records.
    pub async fn put(&self, key_prefix: &str, object: Vec<u8>) -> Result<(), ShipError> {
        let mut unique = [0; 16];
        self.entropy.fill(&mut unique);
        let key = object_key(key_prefix, self.now(), &self.cluster, unique);
        let key = ObjectKey::new(key).map_err(ShipError::Key)?;
        let put = self.store.put(&key, object.into(), PutCondition::IfAbsent);
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
