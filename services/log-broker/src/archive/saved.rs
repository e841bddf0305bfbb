//! An index as bytes: a header, and what was read out of the objects, in postcard and zstd.
//!
//! What is saved is true of the objects that it names, whoever saved it and when, so that nothing
//! has to be agreed on: a reader takes what fits, and reads the rest from the objects.

use std::{
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use moka_objects::ObjectKey;
use serde::{Deserialize, Serialize};

use super::index::{ObjectVersion, StreamIndex, StreamObject};
use crate::domain::{
    open_lines::OpenLines,
    record::Generation,
    run::{Mark, Run},
};

const MAGIC: [u8; 8] = *b"moka-idx";
/// What is written here, and what is read out of raw objects: a change of either needs another
/// one.
const VERSION: u32 = 1;
/// Magic, version and checksum.
const HEADER_BYTES: usize = 20;
const ZSTD_LEVEL: i32 = 1;
/// Most bytes that an index may become when it is uncompressed.
const MAX_PLAIN_BYTES: u64 = 512 << 20;
/// No file is as long.
const MAX_OFFSET_BYTES: u64 = 1 << 63;

/// Why saved bytes are of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnusableIndex {
    /// They are not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// Another release wrote them.
    #[error("it has version {0}, not {VERSION}")]
    OtherVersion(u32),
    /// They are of other objects: the key templates were changed.
    #[error("it is of objects under {0}")]
    OtherPrefix(String),
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Wire {
    prefix: String,
    paths: Vec<String>,
    objects: Vec<WireObject>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireObject {
    /// What follows the prefix.
    name: String,
    version: [u8; 16],
    modified_nanoseconds: i128,
    runs: Vec<WireRun>,
}

/// Times are differences to when the object was put.
#[derive(Debug, Serialize, Deserialize)]
struct WireRun {
    piece: usize,
    /// Index of the path.
    path: usize,
    /// Birth and inode.
    generation: Option<(u64, u64)>,
    start_bytes: u64,
    length_bytes: u64,
    whole_line_count: u64,
    first_time: Option<i128>,
    minimum_time: Option<i128>,
    maximum_time: Option<i128>,
    has_parts: bool,
    open_lines: OpenLines,
    marks: Vec<WireMark>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WireMark {
    /// From the start of the run.
    distance_bytes: u64,
    time: Option<i128>,
    hash: [u8; 8],
}

/// The index of a stream whose objects are under the prefix.
///
/// # Errors
///
/// When it cannot be written, which memory alone can cause.
pub(super) fn encode(index: &StreamIndex, prefix: &str) -> io::Result<Bytes> {
    let mut wire = Wire {
        prefix: prefix.to_owned(),
        ..Wire::default()
    };
    let mut runs = index.places().iter().zip(index.runs()).peekable();
    for (position, object) in index.objects().iter().enumerate() {
        let base = object.modified.as_nanosecond();
        let mut wire_runs = Vec::new();
        while let Some(((_, piece), run)) = runs.next_if(|((object, _), _)| *object == position) {
            let path = path_index(&mut wire.paths, &run.path);
            wire_runs.push(wire_run(*piece, path, run, base));
        }
        // An index only has objects that were listed under the prefix.
        let Some(name) = object.key.as_str().strip_prefix(prefix) else {
            continue;
        };
        wire.objects.push(WireObject {
            name: name.to_owned(),
            version: object.version.0.to_le_bytes(),
            modified_nanoseconds: base,
            runs: wire_runs,
        });
    }
    let plain = postcard::to_allocvec(&wire).map_err(io::Error::other)?;
    drop(wire);
    let packed = zstd::stream::encode_all(&*plain, ZSTD_LEVEL)?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + packed.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend(checksum(&packed));
    bytes.extend(packed);
    Ok(bytes.into())
}

/// Adds what was saved to an index, but for objects that `accepts` refuses; says how many those
/// are. After an error nothing was added.
///
/// # Errors
///
/// [`UnusableIndex`].
pub(super) fn decode_into(
    index: &mut StreamIndex,
    bytes: &[u8],
    prefix: &str,
    accepts: impl Fn(&StreamObject) -> bool,
) -> Result<usize, UnusableIndex> {
    let wire = wire_of(bytes)?;
    if wire.prefix != prefix {
        return Err(UnusableIndex::OtherPrefix(wire.prefix));
    }
    let paths: Vec<Arc<str>> = wire.paths.into_iter().map(Arc::from).collect();
    let objects = wire.objects.iter();
    let restored: Result<Vec<_>, _> = objects
        .map(|object| restored(object, prefix, &paths))
        .collect();
    let restored = restored.ok_or_damaged()?;
    let mut refused = 0;
    for (object, runs) in restored {
        if accepts(&object) {
            index.push_placed(object, runs.into_iter());
        } else {
            refused += 1;
        }
    }
    Ok(refused)
}

fn wire_of(bytes: &[u8]) -> Result<Wire, UnusableIndex> {
    let damaged = |problem: &str| UnusableIndex::Damaged(problem.to_owned());
    let (header, packed) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("it is cut off"))?;
    let (magic, rest) = header.split_at(MAGIC.len());
    let (version, sum) = rest.split_at(4);
    if magic != MAGIC {
        return Err(damaged("it is no index"));
    }
    let version = version.iter().rev();
    let version = version.fold(0, |number, byte| number << 8 | u32::from(*byte));
    if version != VERSION {
        return Err(UnusableIndex::OtherVersion(version));
    }
    if sum != checksum(packed) {
        return Err(damaged("its checksum is another one"));
    }
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(packed).ok_or_damaged()?;
    let read = decoder.take(MAX_PLAIN_BYTES + 1).read_to_end(&mut plain);
    read.ok_or_damaged()?;
    if plain.len() as u64 > MAX_PLAIN_BYTES {
        return Err(damaged("it is too large"));
    }
    postcard::from_bytes(&plain).ok_or_damaged()
}

fn checksum(bytes: &[u8]) -> [u8; 8] {
    xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes()
}

fn path_index(paths: &mut Vec<String>, path: &str) -> usize {
    // There are few, and mostly the last one is meant.
    let known = paths.iter().rposition(|known| known == path);
    known.unwrap_or_else(|| {
        paths.push(path.to_owned());
        paths.len() - 1
    })
}

fn wire_run(piece: usize, path: usize, run: &Run, base: i128) -> WireRun {
    let relative = |time: Option<Timestamp>| time.map(|time| time.as_nanosecond() - base);
    let marks = run.marks.iter().map(|mark| WireMark {
        distance_bytes: mark.offset_bytes - run.start_bytes,
        time: relative(mark.time),
        hash: mark.hash.to_le_bytes(),
    });
    WireRun {
        piece,
        path,
        generation: run
            .generation
            .map(|generation| (generation.birth_nanoseconds, generation.inode)),
        start_bytes: run.start_bytes,
        length_bytes: run.end_bytes - run.start_bytes,
        whole_line_count: run.whole_line_count,
        first_time: relative(run.first_time),
        minimum_time: relative(run.minimum_time),
        maximum_time: relative(run.maximum_time),
        has_parts: run.has_parts,
        open_lines: run.open_lines,
        marks: marks.collect(),
    }
}

/// An object and its runs, each with which piece of it it is.
type Restored = (StreamObject, Vec<(usize, Run)>);

fn restored(
    object: &WireObject,
    prefix: &str,
    paths: &[Arc<str>],
) -> Result<Restored, UnusableIndex> {
    let base = object.modified_nanoseconds;
    let runs = object.runs.iter();
    let runs: Result<Vec<_>, _> = runs.map(|run| restored_run(run, base, paths)).collect();
    let object = StreamObject {
        key: ObjectKey::new(format!("{prefix}{}", object.name)).ok_or_damaged()?,
        version: ObjectVersion(u128::from_le_bytes(object.version)),
        modified: Timestamp::from_nanosecond(base).ok_or_damaged()?,
        gone: false,
    };
    Ok((object, runs?))
}

fn restored_run(
    wire: &WireRun,
    base: i128,
    paths: &[Arc<str>],
) -> Result<(usize, Run), UnusableIndex> {
    let damaged = || UnusableIndex::Damaged("a run is out of its limits".to_owned());
    let offset = |distance: u64| {
        let offset = wire.start_bytes.checked_add(distance);
        offset
            .filter(|offset| *offset <= MAX_OFFSET_BYTES)
            .ok_or_else(damaged)
    };
    let absolute = |time: Option<i128>| {
        let nanoseconds = time.map(|time| base.checked_add(time).ok_or_else(damaged));
        let time = nanoseconds.transpose()?.map(Timestamp::from_nanosecond);
        time.transpose().ok_or_damaged()
    };
    let marks = wire.marks.iter().map(|mark| {
        Ok(Mark {
            offset_bytes: offset(mark.distance_bytes)?,
            time: absolute(mark.time)?,
            hash: u64::from_le_bytes(mark.hash),
        })
    });
    let generation = wire
        .generation
        .map(|(birth_nanoseconds, inode)| Generation {
            birth_nanoseconds,
            inode,
        });
    let run = Run {
        path: Arc::clone(paths.get(wire.path).ok_or_else(damaged)?),
        generation,
        start_bytes: wire.start_bytes,
        end_bytes: offset(wire.length_bytes)?,
        whole_line_count: wire.whole_line_count,
        first_time: absolute(wire.first_time)?,
        minimum_time: absolute(wire.minimum_time)?,
        maximum_time: absolute(wire.maximum_time)?,
        has_parts: wire.has_parts,
        open_lines: wire.open_lines,
        marks: marks.collect::<Result<_, _>>()?,
    };
    Ok((wire.piece, run))
}

/// Turns what a reader says into [`UnusableIndex::Damaged`].
trait OrDamaged<T> {
    fn ok_or_damaged(self) -> Result<T, UnusableIndex>;
}

impl<T, E: std::fmt::Display> OrDamaged<T> for Result<T, E> {
    fn ok_or_damaged(self) -> Result<T, UnusableIndex> {
        self.map_err(|error| UnusableIndex::Damaged(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use moka_objects::{ETag, ObjectMeta};
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{run::RawObject, stream::StreamKind};

    const PREFIX: &str = "logs/qz/m01hf7yat00v2t9d4h5w8k3e6qz/1/containers/p/c/";
    const PATH: &str = "/var/log/pods/ns_p_uid/c/0.log";

    fn meta(name: &str) -> ObjectMeta {
        ObjectMeta {
            key: ObjectKey::new(format!("{PREFIX}{name}")).unwrap(),
            size_bytes: 7,
            etag: ETag::new("\"1\""),
            modified: "2026-11-21T03:00:00Z".parse().unwrap(),
        }
    }

    /// Objects of both shippers with all that runs tell.
    fn index() -> StreamIndex {
        let told = |offset: u64, log: &str, torn: bool| serde_json::json!({"path": PATH, "offset": offset, "log": log, "generation": "12-345", "torn": torn});
        let untold = |offset: u64, log: &str| serde_json::json!({"path": format!("{PATH}.20261121-030000"), "offset": offset, "log": log});
        let objects = [
            vec![
                told(0, "2026-11-21T02:00:00.000000001Z stdout F one", false),
                told(46, "2026-11-21T02:00:01Z stderr P two", false),
                told(200, "torn", true),
            ],
            vec![
                untold(0, "2026-11-21T02:00:00Z stdout F one"),
                untold(35, "2026-11-21T01:59:59.5Z stderr F two"),
                untold(72, "no CRI line"),
            ],
            Vec::new(),
        ];
        let mut index = StreamIndex::of_path(StreamKind::Container, PATH);
        for (number, records) in objects.into_iter().enumerate() {
            let lines: Vec<_> = records.iter().map(ToString::to_string).collect();
            let object = RawObject::parse(lines.join("\n").as_bytes());
            let runs = object.pieces.into_iter().map(|piece| piece.run);
            index.push(&meta(&number.to_string()), runs.collect());
        }
        index
    }

    fn decoded(bytes: &[u8]) -> Result<StreamIndex, UnusableIndex> {
        let mut index = StreamIndex::of_path(StreamKind::Container, PATH);
        decode_into(&mut index, bytes, PREFIX, |_| true)?;
        Ok(index)
    }

    #[test]
    fn index_comes_back_as_it_was() {
        let index = index();
        let bytes = encode(&index, PREFIX).unwrap();
        let found = decoded(&bytes).unwrap();
        assert_eq!(found.runs(), index.runs());
        assert_eq!(found.places(), index.places());
        assert_eq!(found.objects(), index.objects());
        assert_eq!(index.runs().len(), 4);
    }

    /// Whoever changes what is read out of raw objects, or how it is written, has to change
    /// `VERSION`: indexes that are saved already say what the former release read.
    #[test]
    fn what_a_version_says_never_changes() {
        let bytes = encode(&index(), PREFIX).unwrap();
        let plain = zstd::stream::decode_all(&bytes[HEADER_BYTES..]).unwrap();
        let pinned = [160, 100, 251, 37, 201, 119, 0, 105];
        assert_eq!((VERSION, checksum(&plain)), (1, pinned));
    }

    #[test]
    fn other_versions_and_prefixes_are_told() {
        let mut bytes = encode(&index(), PREFIX).unwrap().to_vec();
        let mut other = StreamIndex::of_path(StreamKind::Container, PATH);
        let error = decode_into(&mut other, &bytes, "logs/", |_| true).unwrap_err();
        assert_eq!(error, UnusableIndex::OtherPrefix(PREFIX.to_owned()));
        bytes[MAGIC.len()] = 9;
        assert_eq!(decoded(&bytes).unwrap_err(), UnusableIndex::OtherVersion(9));
    }

    #[test]
    fn refused_objects_are_left_out_and_counted() {
        let bytes = encode(&index(), PREFIX).unwrap();
        let mut found = StreamIndex::of_path(StreamKind::Container, PATH);
        let accepts = |object: &StreamObject| object.key.name() != "0";
        assert_eq!(decode_into(&mut found, &bytes, PREFIX, accepts), Ok(1));
        assert_eq!(found.runs(), &index().runs()[3..]);
        assert_eq!(found.places(), [(0, 0)]);
    }

    proptest! {
        #[test]
        fn any_damage_is_noticed(position: prop::sample::Index, flip in 1..=u8::MAX, cut: bool) {
            let mut bytes = encode(&index(), PREFIX).unwrap().to_vec();
            let position = position.index(bytes.len());
            bytes[position] ^= flip;
            if cut {
                bytes.truncate(position);
            }
            prop_assert!(decoded(&bytes).is_err());
        }

        /// With a right checksum: what another program wrote.
        #[test]
        fn any_content_is_read_or_refused(plain: Vec<u8>, as_objects: bool) {
            let plain = if as_objects { [postcard::to_allocvec(PREFIX).unwrap(), vec![1, 1, b'/', 1], plain].concat() } else { plain };
            let packed = zstd::stream::encode_all(&*plain, 1).unwrap();
            let bytes = [&MAGIC[..], &VERSION.to_le_bytes(), &checksum(&packed), &packed].concat();
            if let Ok(mut index) = decoded(&bytes) {
                index.lay_out(&[], 0);
            }
        }
    }
}
