//! Raw objects as they were before they were compressed, and memory for them.

use std::{
    io::Read,
    sync::{Mutex, PoisonError},
};

use moka_objects::ObjectKey;

use crate::error::Error;

/// Most bytes that one object may become when it is uncompressed.
const MAX_UNCOMPRESSED_BYTES: u64 = 256 << 20;
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Larger buffers are not kept.
const MAX_KEPT_BYTES: usize = 16 << 20;
/// So many are kept.
const KEPT_BUFFERS: usize = 2;

/// Memory for objects, which is used again: fresh memory costs about as much time as what is written
/// into it.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
}

impl Buffers {
    /// Gives the plain bytes of an object to `read`.
    ///
    /// # Errors
    ///
    /// When they are damaged or too many.
    pub(super) fn with_plain<T>(
        &self,
        key: &ObjectKey,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, Error> {
        if !bytes.starts_with(&ZSTD_MAGIC) {
            return Ok(read(bytes));
        }
        let mut buffer = self.take();
        let read = uncompress(key, bytes, &mut buffer).map(|()| read(&buffer));
        self.give_back(buffer);
        read
    }

    /// Memory that was used before, if there is some.
    pub(super) fn take(&self) -> Vec<u8> {
        self.free().pop().unwrap_or_default()
    }

    /// Keeps memory for the next one who needs some.
    pub(super) fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut free = self.free();
        if buffer.capacity() <= MAX_KEPT_BYTES && free.len() < KEPT_BUFFERS {
            free.push(buffer);
        }
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uncompress(key: &ObjectKey, bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), Error> {
    let damaged = |error: std::io::Error| Error::Damaged {
        key: key.to_string(),
        problem: error.to_string(),
    };
    // In one piece, when there is room for all of it: that spares a copy of every byte.
    let mut at_once = zstd::bulk::Decompressor::new().map_err(damaged)?;
    if plain.capacity() >= bytes.len() && at_once.decompress_to_buffer(bytes, plain).is_ok() {
        return Ok(());
    }
    plain.clear();
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
    let mut limited = decoder.take(MAX_UNCOMPRESSED_BYTES + 1);
    limited.read_to_end(plain).map_err(damaged)?;
    if plain.len() as u64 > MAX_UNCOMPRESSED_BYTES {
        return Err(too_large(key));
    }
    Ok(())
}

/// Refuses an object whose compressed bytes alone are too many.
///
/// # Errors
///
/// When they are.
pub(super) fn check_size(key: &ObjectKey, size_bytes: u64) -> Result<(), Error> {
    if size_bytes > MAX_UNCOMPRESSED_BYTES {
        return Err(too_large(key));
    }
    Ok(())
}

fn too_large(key: &ObjectKey) -> Error {
    let limit_mebibytes = MAX_UNCOMPRESSED_BYTES >> 20;
    Error::Damaged {
        key: key.to_string(),
        problem: format!("more than {limit_mebibytes} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bytes, compressed.
    fn compressed(size_bytes: u64) -> Vec<u8> {
        let plain = std::io::repeat(b'\n').take(size_bytes);
        zstd::stream::encode_all(plain, 1).unwrap()
    }

    #[test]
    fn object_of_the_largest_size_is_read_and_one_of_a_byte_more_refused() {
        let key = ObjectKey::new("logs/a").unwrap();
        let limit = 268_435_456;
        let buffers = Buffers::default();
        let size = |bytes: Vec<u8>| buffers.with_plain(&key, &bytes, |plain| plain.len() as u64);
        assert_eq!(size(compressed(limit)).unwrap(), limit);
        let error = size(compressed(limit + 1)).unwrap_err();
        assert!(error.to_string().ends_with("more than 256 MiB"), "{error}");
    }

    #[test]
    fn buffer_of_a_damaged_object_leaves_nothing_behind() {
        let key = ObjectKey::new("logs/a").unwrap();
        let buffers = Buffers::default();
        let mut damaged = compressed(200_000);
        damaged.truncate(damaged.len() - 1);
        assert!(buffers.with_plain(&key, &damaged, <[u8]>::len).is_err());
        let size = buffers.with_plain(&key, &compressed(3), <[u8]>::len);
        assert_eq!(size.unwrap(), 3);
    }
}
