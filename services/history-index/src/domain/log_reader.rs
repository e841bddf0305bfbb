//! Reads the chunks of one log, as far as they have come, into a fold.

use std::collections::BTreeMap;

use super::{
    codec::{Codec, Decompressor},
    event::{self, Event},
    fold::Fold,
    lines::{Line, Lines},
};

/// How much was read of a log, and what was wrong with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events that were read, repeated ones included.
    pub event_count: u64,
    /// Bytes that were read, after decompression.
    pub event_bytes: u64,
    /// Events of types that this release does not know.
    pub unknown_event_count: u64,
    /// Lines that are no event, and last lines that were cut.
    pub parse_error_count: u64,
    /// Chunks that end within a compressed frame, or do not decompress.
    pub damaged_chunk_count: u64,
}

impl Tally {
    /// Whether what was read had holes.
    pub fn is_incomplete(&self) -> bool {
        self.parse_error_count > 0 || self.damaged_chunk_count > 0
    }
}

/// The reading of one log. Bytes of a chunk must come in order; chunks may come in any.
#[derive(Debug, Default)]
pub struct LogReader {
    fold: Fold,
    tally: Tally,
    chunks: BTreeMap<String, ChunkState>,
}

#[derive(Debug)]
enum ChunkState {
    Open(Box<OpenChunk>),
    /// Nothing more is read of it.
    Closed {
        stored_bytes: u64,
    },
}

#[derive(Debug)]
struct OpenChunk {
    decompressor: Decompressor,
    lines: Lines,
    stored_bytes: u64,
    is_damaged: bool,
}

/// The chunk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its codec is not supported.
    #[error("codec {0} is not supported")]
    UnsupportedCodec(String),
    /// No decompressor could be made.
    #[error("making a decompressor")]
    Decompressor(#[source] std::io::Error),
}

impl LogReader {
    /// Facts so far.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Counts so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many bytes of the object `name` have been read.
    pub fn stored_bytes(&self, name: &str) -> u64 {
        match self.chunks.get(name) {
            Some(ChunkState::Open(chunk)) => chunk.stored_bytes,
            Some(ChunkState::Closed { stored_bytes }) => *stored_bytes,
            None => 0,
        }
    }

    /// Whether nothing more may be read of the chunk.
    pub fn is_closed(&self, name: &str) -> bool {
        matches!(self.chunks.get(name), Some(ChunkState::Closed { .. }))
    }

    /// Names of the chunks that were begun.
    pub fn chunk_names(&self) -> impl Iterator<Item = &str> {
        self.chunks.keys().map(String::as_str)
    }

    /// Reads the next bytes of a chunk. A torn last line waits for the bytes that follow.
    ///
    /// # Errors
    /// When the chunk cannot be read at all; damage within it is counted instead.
    pub fn feed(&mut self, name: &str, codec: &Codec, piece: &[u8]) -> Result<(), Error> {
        if !self.chunks.contains_key(name) {
            let decompressor = Decompressor::new(codec).map_err(Error::Decompressor)?;
            let Some(decompressor) = decompressor else {
                let Codec::Unsupported(extension) = codec else {
                    return Ok(());
                };
                return Err(Error::UnsupportedCodec(extension.clone()));
            };
            let chunk = OpenChunk {
                decompressor,
                lines: Lines::default(),
                stored_bytes: 0,
                is_damaged: false,
            };
            self.chunks
                .insert(name.to_owned(), ChunkState::Open(Box::new(chunk)));
            self.fold.begin_chunk();
        }
        let Some(ChunkState::Open(chunk)) = self.chunks.get_mut(name) else {
            return Ok(());
        };
        chunk.stored_bytes += piece.len() as u64;
        if chunk.is_damaged {
            return Ok(());
        }
        let (fold, tally, lines) = (&mut self.fold, &mut self.tally, &mut chunk.lines);
        let fed = chunk.decompressor.feed(piece, &mut |bytes| {
            tally.event_bytes += bytes.len() as u64;
            lines.feed(bytes, &mut |line| take_line(fold, tally, &line));
        });
        if fed.is_err() {
            chunk.is_damaged = true;
            self.tally.damaged_chunk_count += 1;
        }
        Ok(())
    }

    /// Ends a chunk: what was torn at its end will not be completed. A last line without a newline
    /// counts.
    pub fn close(&mut self, name: &str) {
        let Some(ChunkState::Open(chunk)) = self.chunks.get_mut(name) else {
            return;
        };
        if !chunk.is_damaged && chunk.decompressor.is_cut() {
            self.tally.damaged_chunk_count += 1;
        }
        let pending = chunk.lines.pending();
        if !pending.is_empty() {
            take_line(&mut self.fold, &mut self.tally, &Line::Whole(pending));
        }
        let stored_bytes = chunk.stored_bytes;
        self.chunks
            .insert(name.to_owned(), ChunkState::Closed { stored_bytes });
    }
}

fn take_line(fold: &mut Fold, tally: &mut Tally, line: &Line<'_>) {
    let parsed = match line {
        Line::Whole(line) => event::parse(line).ok(),
        Line::TooLong => None,
    };
    let Some(event) = parsed else {
        tally.parse_error_count += 1;
        return;
    };
    tally.event_count += 1;
    tally.unknown_event_count += u64::from(matches!(event, Event::Unknown));
    fold.apply(&event);
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = r#"{"Event":"SparkListenerApplicationStart","App Name":"n","App ID":"a","Timestamp":1,"User":"u"}"#;
    const END: &str = r#"{"Event":"SparkListenerApplicationEnd","Timestamp":9}"#;

    #[test]
    fn a_torn_last_line_waits_for_the_rest() {
        let mut reader = LogReader::default();
        let (head, tail) = END.split_at(20);
        reader
            .feed(
                "events_1_a",
                &Codec::Plain,
                format!("{START}\n{head}").as_bytes(),
            )
            .unwrap();
        assert_eq!(reader.tally().event_count, 1);
        assert_eq!(reader.fold().snapshot().application.end_time, None);
        reader
            .feed("events_1_a", &Codec::Plain, tail.as_bytes())
            .unwrap();
        reader.close("events_1_a");
        let tally = reader.tally();
        assert_eq!((tally.event_count, tally.parse_error_count), (2, 0));
        assert!(reader.fold().snapshot().application.end_time.is_some());
        assert_eq!(
            reader.stored_bytes("events_1_a"),
            (START.len() + 1 + END.len()) as u64
        );
    }

    #[test]
    fn a_line_torn_for_good_is_an_error_and_is_counted() {
        let mut reader = LogReader::default();
        reader
            .feed("events_1_a", &Codec::Plain, &START.as_bytes()[..30])
            .unwrap();
        reader.close("events_1_a");
        assert!(reader.tally().is_incomplete());
        assert_eq!(reader.tally().event_count, 0);
    }

    #[test]
    fn a_truncated_zstd_chunk_is_flagged_when_it_ends() {
        let compressed = zstd::encode_all(format!("{START}\n{END}\n").as_bytes(), 3).unwrap();
        let mut reader = LogReader::default();
        reader
            .feed(
                "events_1_a.zstd",
                &Codec::Zstd,
                &compressed[..compressed.len() - 4],
            )
            .unwrap();
        assert!(!reader.tally().is_incomplete());
        reader.close("events_1_a.zstd");
        assert_eq!(reader.tally().damaged_chunk_count, 1);
    }

    #[test]
    fn an_unsupported_codec_is_refused_by_name() {
        let codec = Codec::Unsupported("lz4".to_owned());
        let error = LogReader::default()
            .feed("events_1_a.lz4", &codec, b"x")
            .unwrap_err();
        assert_eq!(error.to_string(), "codec lz4 is not supported");
    }
}
