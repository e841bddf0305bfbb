//! What the archive has of one stream: runs without their content, put in order.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use moka_objects::{ObjectKey, ObjectMeta};

use super::objects::{RawObjects, piece};
use crate::{
    domain::{
        cursor::Cursor,
        layout::{Layout, Segment},
        run::{RawObject, Run, Waypoint},
        stream::{Source, StreamKind, original_path},
    },
    error::Error,
};

/// Objects that are read at once when a stream is new.
const CONCURRENT_READS: usize = 8;

/// A raw object of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamObject {
    /// Its key.
    pub key: ObjectKey,
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
    /// The bytes; `None` when the object is another one than it was.
    pub fn bytes(self, object: &RawObject) -> Option<&[u8]> {
        let piece = piece(object, self.piece)?;
        let position =
            |offset: u64| usize::try_from(offset.checked_sub(piece.run.start_bytes)?).ok();
        piece
            .bytes
            .get(position(self.start_bytes)?..position(self.end_bytes)?)
    }
}

/// The runs of a stream. About 30 kB an object of many lines; no content.
#[derive(Debug, Clone)]
pub struct StreamIndex {
    kind: StreamKind,
    /// Runs of other files are left out: the content decides, not the key.
    path_filter: Option<PathFilter>,
    objects: Vec<StreamObject>,
    /// Where in `objects` a key is.
    positions: BTreeMap<ObjectKey, usize>,
    runs: Vec<Run>,
    /// Object and position in it of each run.
    places: Vec<(usize, usize)>,
    layout: Layout,
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
        }
    }

    /// Whether the store has other objects now than when it was refreshed.
    pub fn differs_from(&self, listed: &[ObjectMeta]) -> bool {
        let there = self.objects.iter().filter(|object| !object.gone).count();
        let is_there = |key| {
            let position = self.positions.get(key).copied();
            position.is_some_and(|position| !self.objects[position].gone)
        };
        there != listed.len() || !listed.iter().all(|meta| is_there(&meta.key))
    }

    /// Takes in what the store has now, which was listed after the former refresh: reads the
    /// objects that it does not know yet, and counts those that are not listed any more as deleted.
    /// Says whether anything has changed. After an error it knows what it knew before.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn refresh(
        &mut self,
        objects: &RawObjects,
        listed: Vec<ObjectMeta>,
    ) -> Result<bool, Error> {
        if !self.differs_from(&listed) {
            return Ok(false);
        }
        let there: BTreeSet<ObjectKey> = listed.iter().map(|meta| meta.key.clone()).collect();
        let new = listed
            .into_iter()
            .filter(|meta| !self.positions.contains_key(&meta.key));
        let read: Vec<(ObjectMeta, Vec<Run>)> = stream::iter(new)
            .map(async |meta| Ok::<_, Error>((meta.clone(), objects.runs(&meta.key).await?)))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        for object in &mut self.objects {
            object.gone = !there.contains(&object.key);
        }
        for (meta, runs) in read {
            self.push(meta, runs);
        }
        let Self {
            objects, places, ..
        } = &*self;
        let is_gone = |run: usize| objects[places[run].0].gone;
        self.layout = Layout::without(self.kind, &self.runs, is_gone);
        Ok(true)
    }

    fn push(&mut self, meta: ObjectMeta, runs: Vec<Run>) {
        let accepts = |run: &Run| {
            let filter = self.path_filter.as_ref();
            filter.is_none_or(|filter| filter.accepts(&run.path))
        };
        let object = self.objects.len();
        for (position, run) in runs.into_iter().enumerate() {
            if accepts(&run) {
                self.runs.push(run);
                self.places.push((object, position));
            }
        }
        self.positions.insert(meta.key.clone(), object);
        self.objects.push(StreamObject {
            key: meta.key,
            modified: meta.modified,
            gone: false,
        });
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
        let runs = self
            .runs
            .iter()
            .map(|run| size_of::<Run>() + run.marks.len() * 40)
            .sum::<usize>();
        runs + self.objects.len() * 400
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

    /// The bytes of a segment in its object.
    ///
    /// # Errors
    ///
    /// When it is another object than it was.
    pub(super) fn bytes_in<'a>(
        &self,
        object: &'a RawObject,
        segment: &Segment,
    ) -> Result<&'a [u8], Error> {
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
    pub async fn bytes(&self, objects: &RawObjects, segment: &Segment) -> Result<Vec<u8>, Error> {
        let object = self.load(objects, segment).await?;
        Ok(self.bytes_in(&object, segment)?.to_vec())
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
            bytes.extend(self.bytes(objects, &part).await?);
        }
        Ok(bytes)
    }
}
