//! Compression of a chunk, which its name's extension tells.

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

/// How a chunk is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// Zstandard frames, any number of them.
    Zstd,
    /// Anything else, by its extension.
    Unsupported(String),
}

impl Codec {
    /// The codec of a file, by its name without `.compact` and `.inprogress`. Spark's own names
    /// have no other dot.
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.') {
            None => Self::Plain,
            Some((_, "zstd")) => Self::Zstd,
            Some((_, other)) => Self::Unsupported(other.to_owned()),
        }
    }
}

/// Bytes that are no Zstandard stream.
#[derive(Debug, thiserror::Error)]
#[error("the chunk is damaged: it does not decompress")]
pub struct Damaged(#[source] std::io::Error);

/// Decompresses a chunk that comes in pieces.
pub(crate) enum Decompressor {
    Plain,
    Zstd(Box<ZstdState>),
}

pub(crate) struct ZstdState {
    decoder: Decoder<'static>,
    /// A frame has begun and its end has not come.
    is_inside_frame: bool,
    output: Vec<u8>,
}

const OUTPUT_BYTES: usize = 256 << 10;

impl Decompressor {
    /// `None` when the codec is not supported.
    pub(crate) fn new(codec: &Codec) -> std::io::Result<Option<Self>> {
        Ok(match codec {
            Codec::Plain => Some(Self::Plain),
            Codec::Zstd => Some(Self::Zstd(Box::new(ZstdState {
                decoder: Decoder::new()?,
                is_inside_frame: false,
                output: vec![0; OUTPUT_BYTES],
            }))),
            Codec::Unsupported(_) => None,
        })
    }

    /// Hands what `piece` decompresses to on to `sink`.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        sink: &mut impl FnMut(&[u8]),
    ) -> Result<(), Damaged> {
        let state = match self {
            Self::Plain => {
                sink(piece);
                return Ok(());
            }
            Self::Zstd(state) => state,
        };
        let ZstdState {
            decoder,
            is_inside_frame,
            output,
        } = &mut **state;
        let mut input = InBuffer::around(piece);
        loop {
            let mut buffer = OutBuffer::around(output.as_mut_slice());
            let consumed_before = input.pos();
            let hint = decoder.run(&mut input, &mut buffer).map_err(Damaged)?;
            let written = buffer.pos();
            *is_inside_frame = hint != 0;
            sink(&output[..written]);
            let is_exhausted = input.pos() == piece.len() && written < OUTPUT_BYTES;
            let is_stuck = input.pos() == consumed_before && written == 0;
            if is_exhausted || is_stuck {
                return Ok(());
            }
        }
    }

    /// Whether the bytes so far end within a compressed frame.
    pub(crate) fn is_cut(&self) -> bool {
        match self {
            Self::Plain => false,
            Self::Zstd(state) => state.is_inside_frame,
        }
    }
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Zstd(_) => "Zstd",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(parts: &[Vec<u8>]) -> Vec<u8> {
        parts
            .iter()
            .flat_map(|part| zstd::encode_all(part.as_slice(), 3).unwrap())
            .collect()
    }

    proptest! {
        #[test]
        fn frames_read_back_in_any_pieces(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..2000), 0..4),
            piece_bytes in 1_usize..700,
        ) {
            let mut decompressor = Decompressor::new(&Codec::Zstd).unwrap().unwrap();
            let mut found = Vec::new();
            for piece in frames(&parts).chunks(piece_bytes) {
                decompressor.feed(piece, &mut |bytes| found.extend_from_slice(bytes)).unwrap();
            }
            prop_assert!(!decompressor.is_cut());
            prop_assert_eq!(found, parts.concat());
        }

        #[test]
        fn any_bytes_decompress_or_are_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let mut decompressor = Decompressor::new(&Codec::Zstd).unwrap().unwrap();
            let _ = decompressor.feed(&bytes, &mut |_| {});
        }
    }

    #[test]
    fn a_cut_frame_is_noticed_and_a_large_one_is_read_whole() {
        let large = vec![7; 3 * OUTPUT_BYTES + 5];
        let compressed = frames(std::slice::from_ref(&large));
        let mut decompressor = Decompressor::new(&Codec::Zstd).unwrap().unwrap();
        let mut length = 0;
        let (head, tail) = compressed.split_at(compressed.len() - 1);
        decompressor
            .feed(head, &mut |bytes| length += bytes.len())
            .unwrap();
        assert!(decompressor.is_cut());
        decompressor
            .feed(tail, &mut |bytes| length += bytes.len())
            .unwrap();
        assert!(!decompressor.is_cut());
        assert_eq!(length, large.len());
    }

    #[test]
    fn codec_is_told_by_the_name() {
        for (name, expected) in [
            ("events_1_local-1", Codec::Plain),
            ("events_1_local-1.zstd", Codec::Zstd),
            ("events_1_local-1.lz4", Codec::Unsupported("lz4".to_owned())),
            ("local-1.zst", Codec::Unsupported("zst".to_owned())),
        ] {
            assert_eq!(Codec::of_name(name), expected, "{name}");
        }
    }
}
