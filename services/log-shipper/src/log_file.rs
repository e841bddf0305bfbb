//! One open log file. It can be read to its end after its name is gone.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::domain::{FINGERPRINT_BYTES, MAX_LINE_BYTES, Progress, StreamId, complete_length};

/// An open file. Clones share it.
#[derive(Debug, Clone)]
pub struct LogFile {
    file: Arc<File>,
}

/// What a file is like now.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Its length.
    pub size_bytes: u64,
    /// Whether no directory names it any more.
    pub unlinked: bool,
    /// When it last changed.
    pub modified: SystemTime,
}

/// What was read past an offset.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// The file no longer holds what was shipped.
    Rewritten,
    /// Lines, or nothing when no line is complete yet.
    Lines {
        /// Complete lines; at the end of a finished file, or of a piece, a torn one.
        bytes: Vec<u8>,
        /// The length that the file had, when its end was reached.
        end_bytes: Option<u64>,
    },
}

/// The name for ever of a file that was written under `written_path`.
pub fn stream_id(written_path: &str, metadata: &Metadata) -> StreamId {
    let birth = metadata.created().ok().and_then(nanoseconds);
    StreamId {
        path: written_path.to_owned(),
        inode: metadata.ino(),
        // A file system that knows no birth may also answer 1970.
        birth_nanoseconds: birth.filter(|birth| *birth > 0),
    }
}

impl LogFile {
    /// Opens the file at `path` if it is still the one that `id` names.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(path: &Path, id: &StreamId) -> io::Result<Option<Self>> {
        // The name may have become a link or a pipe since it was looked at, by the hand of a
        // driver: the first must not be followed, the second must not block.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        let metadata = file.metadata()?;
        let is_same = metadata.is_file() && stream_id(&id.path, &metadata) == *id;
        Ok(is_same.then(|| Self {
            file: Arc::new(file),
        }))
    }

    /// Looks at the file.
    ///
    /// # Errors
    ///
    /// When the disk does not answer.
    pub fn facts(&self) -> io::Result<Facts> {
        let metadata = self.file.metadata()?;
        Ok(Facts {
            size_bytes: metadata.size(),
            unlinked: metadata.nlink() == 0,
            modified: metadata.modified()?,
        })
    }

    /// Reads the first bytes, of a file that has so many.
    ///
    /// # Errors
    ///
    /// When the disk does not answer, or the file was cut off.
    pub fn head(&self) -> io::Result<[u8; FINGERPRINT_BYTES]> {
        let mut head = [0; FINGERPRINT_BYTES];
        self.file.read_exact_at(&mut head, 0)?;
        Ok(head)
    }

    /// Reads about `batch_bytes` past what is shipped: complete lines, more when one line is
    /// longer, and with `torn_too` what stands behind the last newline. Blocks.
    ///
    /// # Errors
    ///
    /// When the disk does not answer.
    pub fn read_lines(
        &self,
        shipped: &Progress,
        batch_bytes: usize,
        torn_too: bool,
    ) -> io::Result<Read> {
        if !self.holds(shipped)? {
            return Ok(Read::Rewritten);
        }
        let mut bytes = Vec::new();
        let mut at_end = self.read_more(shipped.offset_bytes, &mut bytes, batch_bytes)?;
        while !at_end && complete_length(&bytes) == 0 && bytes.len() <= MAX_LINE_BYTES {
            let longer = (bytes.len() * 2).min(MAX_LINE_BYTES + 1);
            at_end = self.read_more(shipped.offset_bytes, &mut bytes, longer)?;
        }
        let end_bytes = at_end.then_some(shipped.offset_bytes + bytes.len() as u64);
        if !(at_end && torn_too) {
            let complete = complete_length(&bytes);
            let is_endless = complete == 0 && bytes.len() > MAX_LINE_BYTES;
            bytes.truncate(if is_endless { MAX_LINE_BYTES } else { complete });
        }
        Ok(Read::Lines { bytes, end_bytes })
    }

    /// Whether what stands in front of the offset is what was shipped, and at the start what may
    /// have been.
    fn holds(&self, shipped: &Progress) -> io::Result<bool> {
        let remembered = shipped.fingerprint.len() as u64;
        let before_offset = shipped.offset_bytes.saturating_sub(remembered);
        Ok(self.has_at(before_offset, &shipped.fingerprint)? && self.has_at(0, &shipped.head)?)
    }

    fn has_at(&self, offset: u64, expected: &[u8]) -> io::Result<bool> {
        let mut present = vec![0; expected.len()];
        match self.file.read_exact_at(&mut present, offset) {
            Ok(()) => Ok(present == expected),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads on until there are `wanted` bytes; true when the file ended first.
    fn read_more(&self, offset: u64, bytes: &mut Vec<u8>, wanted: usize) -> io::Result<bool> {
        let mut filled = bytes.len();
        // One more than there is tells the end. A whole batch of zeros for each short line would
        // cost more than all else.
        let there = self.file.metadata()?.size().saturating_sub(offset) + 1;
        let wanted = wanted.min(usize::try_from(there).unwrap_or(usize::MAX));
        bytes.resize(wanted.max(filled), 0);
        let result = loop {
            if filled >= wanted {
                break Ok(false);
            }
            match self
                .file
                .read_at(&mut bytes[filled..], offset + filled as u64)
            {
                Ok(0) => break Ok(true),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        bytes.truncate(filled);
        result
    }
}

fn nanoseconds(time: SystemTime) -> Option<i128> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    i128::try_from(since.as_nanos()).ok()
}
