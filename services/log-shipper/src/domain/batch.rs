//! What travels at once, in the form in which the spool keeps it.

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Generation, SourceKind};

/// Some lines of one file, or the mark of their loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What it is about.
    pub header: BatchHeader,
    /// Records as JSON lines, compressed.
    pub object: Bytes,
}

/// Where the lines of a batch begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What the object's key begins with.
    pub key_prefix: String,
    /// Of which kind the file is.
    pub kind: SourceKind,
    /// The path that records carry.
    pub path: String,
    /// Which bytes the offset counts.
    pub generation: Generation,
    /// Offset of the first line.
    pub start_bytes: u64,
}

/// What a batch is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchHeader {
    /// Where its lines begin.
    pub origin: Origin,
    /// How many bytes of the file it stands for.
    pub length_bytes: u64,
    /// How many lines it holds.
    pub line_count: u64,
    /// How many of them lack a newline.
    pub torn_count: u64,
}

/// A file of the spool does not hold what was put into it.
#[derive(Debug, thiserror::Error)]
pub enum DamagedBatch {
    /// Nobody knows what it was about.
    #[error("the batch has no readable header")]
    Header,
    /// Its lines are lost.
    #[error("the batch's records are damaged")]
    Object(Box<BatchHeader>, #[source] io::Error),
}

impl Batch {
    /// What stands in front of the object in a file: the header as a line of JSON.
    pub fn head(&self) -> Vec<u8> {
        let mut head = serde_json::to_vec(&self.header).expect("headers have text keys only");
        head.push(b'\n');
        head
    }

    /// Reads a file back, and checks it to its last byte.
    ///
    /// # Errors
    ///
    /// When it is not what was written.
    pub fn parse(file: &Bytes) -> Result<Self, DamagedBatch> {
        let newline = file.iter().position(|byte| *byte == b'\n');
        let newline = newline.ok_or(DamagedBatch::Header)?;
        let header: BatchHeader =
            serde_json::from_slice(&file[..newline]).or(Err(DamagedBatch::Header))?;
        let object = file.slice(newline + 1..);
        let checked = zstd::Decoder::with_buffer(&object[..])
            .and_then(|mut decoder| io::copy(&mut decoder, &mut io::sink()));
        match checked {
            Ok(0) => Err(DamagedBatch::Object(
                Box::new(header),
                io::ErrorKind::UnexpectedEof.into(),
            )),
            Ok(_) => Ok(Self { header, object }),
            Err(error) => Err(DamagedBatch::Object(Box::new(header), error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        io::copy(&mut &b"{\"log\":\"a\"}\n"[..], &mut encoder).unwrap();
        let batch = Batch {
            header: BatchHeader {
                origin: Origin {
                    key_prefix: "system/local/a/b/c".to_owned(),
                    kind: SourceKind::System,
                    path: "/var/log/pods/a_b_c/d/0.log".to_owned(),
                    generation: "7-1000".parse().unwrap(),
                    start_bytes: 5,
                },
                length_bytes: 2,
                line_count: 1,
                torn_count: 0,
            },
            object: encoder.finish().unwrap().into(),
        };
        [batch.head(), batch.object.to_vec()].concat()
    }

    #[test]
    fn file_reads_back_whole_or_is_told_to_be_damaged() {
        let file = file();
        let batch = Batch::parse(&file.clone().into()).unwrap();
        assert_eq!([batch.head(), batch.object.to_vec()].concat(), file);
        for length in 0..file.len() {
            Batch::parse(&file[..length].to_vec().into()).unwrap_err();
        }
        let object = batch.head().len();
        for position in object..file.len() {
            let mut changed = file.clone();
            changed[position] ^= 1;
            let parsed = Batch::parse(&changed.into());
            // A bit of the compressed form may stand for nothing.
            assert!(parsed.is_err() || parsed.unwrap().header == batch.header);
        }
    }
}
