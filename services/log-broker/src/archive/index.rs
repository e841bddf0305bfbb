//! What the archive has of one stream: runs without their content, put in order.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use moka_objects::{ObjectKey, ObjectMeta};

use super::objects::{RawObjects, piece};
use crate::{
    domain::{
        layout::{Layout, Segment},
        run::{RawObject, Run},
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
    seen: BTreeSet<ObjectKey>,
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
            seen: BTreeSet::new(),
            runs: Vec::new(),
            places: Vec::new(),
            layout: Layout::default(),
        }
    }

    /// Reads the objects that it does not know yet; says whether there were any. After an error it
    /// knows what it knew before.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn add(
        &mut self,
        objects: &RawObjects,
        listed: Vec<ObjectMeta>,
    ) -> Result<bool, Error> {
        let new: Vec<_> = listed
            .into_iter()
            .filter(|meta| !self.seen.contains(&meta.key))
            .collect();
        if new.is_empty() {
            return Ok(false);
        }
        let read: Vec<(ObjectMeta, Vec<Run>)> = stream::iter(new)
            .map(async |meta| Ok::<_, Error>((meta.clone(), objects.runs(&meta.key).await?)))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        for (meta, runs) in read {
            for (position, run) in runs.into_iter().enumerate() {
                if self
                    .path_filter
                    .as_ref()
                    .is_none_or(|filter| filter.accepts(&run.path))
                {
                    self.runs.push(run);
                    self.places.push((self.objects.len(), position));
                }
            }
            self.seen.insert(meta.key.clone());
            self.objects.push(StreamObject {
                key: meta.key,
                modified: meta.modified,
            });
        }
        self.layout = Layout::new(self.kind, &self.runs);
        Ok(true)
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

    /// Where in its object a segment is.
    pub fn part_of(&self, segment: &Segment) -> ObjectPart {
        ObjectPart {
            piece: self.places[segment.run].1,
            start_bytes: segment.start_bytes,
            end_bytes: segment.end_bytes,
        }
    }

    /// The bytes of a segment.
    ///
    /// # Errors
    ///
    /// When the store fails.
    pub async fn bytes(&self, objects: &RawObjects, segment: &Segment) -> Result<Vec<u8>, Error> {
        let key = &self.object_of(segment).key;
        let loaded = objects.load(key).await?;
        let found = self.part_of(segment).bytes(&loaded);
        found.map(<[u8]>::to_vec).ok_or_else(|| Error::Damaged {
            key: key.to_string(),
            problem: "it was deleted or changed after it was read first".to_owned(),
        })
    }

    /// Bytes of the first generation from `start_bytes` on: whole segments until there are `limit`
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
        let end = self.layout.contiguous_end_bytes();
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
