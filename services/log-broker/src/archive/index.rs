//! What the archive has of one stream: runs without their content, put in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use jiff::Timestamp;
use moka_objects::{ObjectKey, ObjectMeta};

use super::objects::{RawObjects, piece};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Layout, Segment, Step},
        run::{Mark, RawObject, Run, Waypoint},
        stream::{Source, StreamKind, original_path},
    },
    error::Error,
};

/// Names an object in one version: 128 bits of its key, its version and its size (XXH3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectVersion(pub(super) u128);

impl ObjectVersion {
    pub(super) fn of(meta: &ObjectMeta) -> Self {
        // Neither a key nor a length has a line feed.
        let text = format!("{}\n{}\n{}", meta.key, meta.size_bytes, meta.etag);
        Self(xxhash_rust::xxh3::xxh3_128(text.as_bytes()))
    }
}

/// A raw object of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamObject {
    /// Its key.
    pub key: ObjectKey,
    /// Which version of it.
    pub(super) version: ObjectVersion,
    /// When it was put, by the store's clock.
    pub modified: Timestamp,
    /// Whether it was deleted since it was read.
    pub gone: bool,
}

/// Where in a raw object some bytes of a stream are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectPart {
    piece: usize,
    start_bytes: u64,
    end_bytes: u64,
}

impl ObjectPart {
    /// The bytes, a part of the object's memory; `None` when the object is another one than it
    /// was.
    pub fn bytes(self, object: &RawObject) -> Option<Bytes> {
        let piece = piece(object, self.piece)?;
        let position =
            |offset: u64| usize::try_from(offset.checked_sub(piece.run.start_bytes)?).ok();
        let range = position(self.start_bytes)?..position(self.end_bytes)?;
        let bytes = piece.bytes.get(range)?;
        Some(piece.bytes.slice_ref(bytes))
    }
}

/// The runs of a stream, without their content.
#[derive(Debug, Clone)]
pub struct StreamIndex {
    kind: StreamKind,
    /// Runs of other files are left out: the content decides, not the key.
    path_filter: Option<PathFilter>,
    objects: Vec<StreamObject>,
    /// Where in `objects` an object is.
    positions: BTreeMap<ObjectVersion, usize>,
    runs: Vec<Run>,
    /// Object and position in it of each run.
    places: Vec<(usize, usize)>,
    /// The runs in order, but for those that came after it was made.
    layout: Layout,
    is_laid_out: bool,
    size_bytes: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathFilter {
    /// The file has this name.
    Name(String),
    /// The file has this path.
    Path(String),
}

impl PathFilter {
    fn accepts(&self, path: &str) -> bool {
        let path = original_path(path);
        match self {
            Self::Name(name) => path.rsplit('/').next() == Some(name),
            Self::Path(wanted) => path == wanted,
        }
    }
}

impl StreamIndex {
    /// An empty index of a stream.
    pub fn of_source(source: &Source) -> Self {
        let filter = match source {
            Source::Container { .. } => None,
            Source::EventLog { file } => Some(PathFilter::Name(file.clone())),
        };
        Self::new(source.kind(), filter)
    }

    /// An empty index of the files that had this path.
    pub fn of_path(kind: StreamKind, path: &str) -> Self {
        Self::new(kind, Some(PathFilter::Path(original_path(path).to_owned())))
    }

    fn new(kind: StreamKind, path_filter: Option<PathFilter>) -> Self {
        Self {
            kind,
            path_filter,
            objects: Vec::new(),
            positions: BTreeMap::new(),
            runs: Vec::new(),
            places: Vec::new(),
            layout: Layout::default(),
            is_laid_out: true,
            size_bytes: 0,
        }
    }

    /// Whether the store had just these objects when the index was put in order.
    pub(super) fn is_of(&self, listed: &[ObjectMeta]) -> bool {
        let there = self.objects.iter().filter(|object| !object.gone).count();
        let is_there = |meta| {
            let position = self.positions.get(&ObjectVersion::of(meta)).copied();
            position.is_some_and(|position| !self.objects[position].gone)
        };
        self.is_laid_out && there == listed.len() && listed.iter().all(is_there)
    }

    /// Whether the object was read.
    pub(super) fn has(&self, meta: &ObjectMeta) -> bool {
        self.positions.contains_key(&ObjectVersion::of(meta))
    }

    /// The objects, also those that are gone.
    pub fn objects(&self) -> &[StreamObject] {
        &self.objects
    }

    /// The object of each run and which of its pieces the run is. Objects are in order.
    pub(super) fn places(&self) -> &[(usize, usize)] {
        &self.places
    }

    /// Takes in what was read of an object. It is put in order by [`Self::lay_out`].
    pub(super) fn push(&mut self, meta: &ObjectMeta, runs: Vec<Run>) {
        let object = StreamObject {
            key: meta.key.clone(),
            version: ObjectVersion::of(meta),
            modified: meta.modified,
            gone: false,
        };
        self.push_placed(object, runs.into_iter().enumerate());
    }

    /// Takes in runs and which pieces of the object they are.
    pub(super) fn push_placed(
        &mut self,
        object: StreamObject,
        runs: impl Iterator<Item = (usize, Run)>,
    ) {
        if self.positions.contains_key(&object.version) {
            return;
        }
        let position = self.objects.len();
        for (piece, mut run) in runs {
            let filter = self.path_filter.as_ref();
            if !filter.is_none_or(|filter| filter.accepts(&run.path)) {
                continue;
            }
            match self.runs.last() {
                Some(last) if last.path == run.path => run.path = Arc::clone(&last.path),
                _ => self.size_bytes += run.path.len(),
            }
            self.size_bytes += run_bytes(&run);
            self.runs.push(run);
            self.places.push((position, piece));
        }
        self.size_bytes += object_bytes(&object);
        self.positions.insert(object.version, position);
        self.objects.push(object);
        self.is_laid_out = false;
    }

    /// Puts the runs in order. Of the first `known` objects, those that are not listed count as
    /// deleted; of later ones the listing need not know.
    pub(super) fn lay_out(&mut self, listed: &[ObjectMeta], known: usize) {
        let there: BTreeSet<_> = listed.iter().map(ObjectVersion::of).collect();
        for object in self.objects.iter_mut().take(known) {
            object.gone = !there.contains(&object.version);
        }
        let (objects, places) = (&self.objects, &self.places);
        let is_gone = |run: usize| objects[places[run].0].gone;
        self.layout = Layout::without(self.kind, &self.runs, is_gone);
        self.is_laid_out = true;
    }

    /// The stream in order.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The runs that the layout names.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Its kind.
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// Whether the archive has nothing of the stream.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// When the object of a run was put.
    pub fn modified(&self, run: usize) -> Timestamp {
        self.objects[self.places[run].0].modified
    }

    /// When the newest object was put.
    pub fn last_modified(&self) -> Option<Timestamp> {
        self.objects.iter().map(|object| object.modified).max()
    }

    /// Memory that it takes, roughly.
    pub fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The object that a segment is in.
    pub fn object_of(&self, segment: &Segment) -> &StreamObject {
        &self.objects[self.places[segment.run].0]
    }

    /// The last line within a segment at which reading may start, so that every line after the
    /// cursor gets its right place; `None` for the first one.
    pub(super) fn waypoint(
        &self,
        object: &RawObject,
        segment: &Segment,
        cursor: Cursor,
    ) -> Option<Waypoint> {
        let found = piece(object, self.places[segment.run].1).filter(|_| segment.starts_whole);
        let waypoints = found.map_or(&[][..], |piece| &piece.waypoints);
        let is_start = |waypoint: &&Waypoint| {
            let time_before = segment
                .maximum_time_before
                .max(waypoint.maximum_time_before);
            let is_before = |time: Timestamp| time_before.is_some_and(|before| before < time);
            waypoint.offset_bytes > segment.start_bytes
                && match cursor {
                    Cursor::Begin => false,
                    Cursor::Line(place) => is_before(place.time),
                    Cursor::Time(time) => is_before(time),
                    Cursor::Offset(offset) => waypoint.offset_bytes <= offset,
                }
        };
        waypoints.iter().rev().find(is_start).copied()
    }

    /// Where in its object a segment is.
    pub fn part_of(&self, segment: &Segment) -> ObjectPart {
        ObjectPart {
            piece: self.places[segment.run].1,
            start_bytes: segment.start_bytes,
            end_bytes: segment.end_bytes,
        }
    }

    /// The object of a segment, read.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when the object was deleted after it was listed.
    pub(super) async fn load(
        &self,
        objects: &RawObjects,
        segment: &Segment,
    ) -> Result<Arc<RawObject>, Error> {
        objects.load(&self.object_of(segment).key).await
    }

    /// The bytes of a segment, a part of its object's memory.
    ///
    /// # Errors
    ///
    /// When it is another object than it was.
    pub(super) fn bytes_in(&self, object: &RawObject, segment: &Segment) -> Result<Bytes, Error> {
        self.part_of(segment)
            .bytes(object)
            .ok_or_else(|| Error::Damaged {
                key: self.object_of(segment).key.to_string(),
                problem: "it was changed after it was read first".to_owned(),
            })
    }

    /// The bytes of a segment.
    ///
    /// # Errors
    ///
    /// When the store fails, and [`Error::Gone`] when the object was deleted after it was listed.
    pub async fn bytes(&self, objects: &RawObjects, segment: &Segment) -> Result<Bytes, Error> {
        let object = self.load(objects, segment).await?;
        self.bytes_in(&object, segment)
    }

    /// Bytes of an event log from `start_bytes` on: whole segments until there are `limit`
    /// bytes or a gap.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn bytes_from(
        &self,
        objects: &RawObjects,
        start_bytes: u64,
        limit: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let end = self.layout.contiguous_end_bytes(start_bytes);
        for segment in self.layout.segments() {
            let position = start_bytes + bytes.len() as u64;
            if segment.end_bytes <= position || segment.start_bytes > position {
                continue;
            }
            if bytes.len() >= limit || position >= end {
                break;
            }
            let part = Segment {
                start_bytes: position,
                ..segment.clone()
            };
            let object = self.load(objects, &part).await?;
            bytes.extend_from_slice(&self.bytes_in(&object, &part)?);
        }
        Ok(bytes)
    }
}

/// Memory of a run, its place and its step of the layout.
fn run_bytes(run: &Run) -> usize {
    let marks = run.marks.capacity() * size_of::<Mark>();
    size_of::<Run>() + marks + size_of::<(usize, usize)>() + size_of::<Step>()
}

/// Memory of an object; half of a map's entries are empty at worst.
fn object_bytes(object: &StreamObject) -> usize {
    let entry = size_of::<(ObjectVersion, usize)>();
    size_of::<StreamObject>() + object.key.as_str().len() + 2 * entry
}
