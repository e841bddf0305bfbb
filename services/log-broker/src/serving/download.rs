//! A whole stream as bytes, one part after another.

use std::vec;

use tokio::task::spawn_blocking;

use super::{
    Serving, Target,
    read::{Deletions, Moment},
    resolve::not_found,
};
use crate::{
    archive::StepReader,
    domain::{completeness::Completeness, cursor::Cursor, layout::Gap, lines::PlacedLine},
    error::Error,
};

/// A part has at least so many bytes, unless it is the last one, and at most one line more.
const PART_BYTES: usize = 1 << 20;
const ZSTD_LEVEL: i32 = 3;

/// In which form the bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// Each part is a frame of zstd; the frames one after another are a file of zstd.
    Zstd,
}

/// What a download gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Some bytes, and where to go on after them.
    Bytes(Vec<u8>, Cursor),
    /// Nothing more is known now.
    End(Cursor, Completeness),
}

/// One download. It reads when it is asked for more, so that a slow reader holds one part and one
/// object's lines.
#[derive(Debug)]
pub struct Download {
    serving: Serving,
    target: Target,
    moment: Moment,
    encoding: Encoding,
    steps: StepReader,
    lines: vec::IntoIter<PlacedLine>,
    cursor: Cursor,
    gaps: Vec<Gap>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The archive may have more.
    Archive,
    /// Only the lines at hand are left.
    LastLines { finished: bool },
    /// The end was told.
    Over,
}

impl Download {
    /// A download of what is after a cursor.
    ///
    /// # Errors
    ///
    /// When the store fails, or `LOG_STREAM_NOT_FOUND`.
    pub async fn start(
        serving: Serving,
        target: Target,
        cursor: Cursor,
        encoding: Encoding,
    ) -> Result<Self, Error> {
        let moment = serving.moment(&target).await?;
        if moment.ended && moment.index.is_empty() {
            return Err(not_found("the stream has no lines").into());
        }
        let (steps, gaps) = steps_after(&moment, cursor);
        Ok(Self {
            gaps,
            // Only its beginning has to come in time.
            serving: serving.answering_by(None),
            target,
            moment,
            encoding,
            steps,
            lines: Vec::new().into_iter(),
            cursor,
            state: State::Archive,
        })
    }

    /// The stream.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The next part; `None` after the end.
    ///
    /// # Errors
    ///
    /// When the store or the cluster fails.
    pub async fn next(&mut self) -> Result<Option<Part>, Error> {
        let mut bytes = Vec::new();
        loop {
            self.take_lines(&mut bytes);
            if bytes.len() >= PART_BYTES {
                return self.part(bytes).await.map(Some);
            }
            if !self.lines.as_slice().is_empty() {
                continue;
            }
            match self.state {
                State::Archive => self.read_on().await?,
                State::LastLines { .. } if !bytes.is_empty() => {
                    return self.part(bytes).await.map(Some);
                }
                State::LastLines { finished } => {
                    self.state = State::Over;
                    let gaps = std::mem::take(&mut self.gaps);
                    let completeness = Completeness::of(gaps, !finished);
                    return Ok(Some(Part::End(self.cursor, completeness)));
                }
                State::Over => return Ok(None),
            }
        }
    }

    fn take_lines(&mut self, bytes: &mut Vec<u8>) {
        let mut last = None;
        for line in self.lines.by_ref() {
            if line.is_up_to(self.cursor) {
                continue;
            }
            bytes.extend_from_slice(&line.line.text);
            if !line.line.unterminated {
                bytes.push(b'\n');
            }
            last = Some(line);
            if bytes.len() >= PART_BYTES {
                break;
            }
        }
        self.cursor = last.map_or(self.cursor, |line| line.after());
    }

    /// Reads the next step, or what comes after the last one. When an object was deleted meanwhile,
    /// the download goes on with what is left.
    async fn read_on(&mut self) -> Result<(), Error> {
        let mut deletions = Deletions::default();
        while let Err(error) = self.read_next().await {
            deletions.excuse(error)?;
            self.moment = self.serving.moment(&self.target).await?;
            (self.steps, self.gaps) = steps_after(&self.moment, self.cursor);
        }
        Ok(())
    }

    async fn read_next(&mut self) -> Result<(), Error> {
        let Moment {
            index,
            ended,
            open_gaps,
        } = &self.moment;
        if index.is_open_gap(self.steps.next_step(), *open_gaps) {
            self.state = State::LastLines { finished: false };
            return Ok(());
        }
        let lines = if let Some(read) = self.steps.read(index, &self.serving.objects).await? {
            self.gaps.extend(read.gap);
            read.lines
        } else {
            self.state = State::LastLines { finished: *ended };
            if *ended {
                self.steps.finish()
            } else {
                self.live_lines().await?
            }
        };
        self.lines = lines.into_iter();
        Ok(())
    }

    async fn live_lines(&self) -> Result<Vec<PlacedLine>, Error> {
        let index = &self.moment.index;
        let live = self
            .serving
            .live_after(&self.target, index, self.cursor)
            .await?;
        if live.is_none() && index.is_empty() {
            return Err(not_found("the stream has neither archived nor live lines").into());
        }
        Ok(live.unwrap_or_default())
    }

    async fn part(&self, bytes: Vec<u8>) -> Result<Part, Error> {
        self.serving
            .metrics
            .readers
            .downloaded_bytes
            .inc_by(bytes.len() as u64);
        let bytes = match self.encoding {
            Encoding::Plain => bytes,
            Encoding::Zstd => {
                let packing = spawn_blocking(move || zstd::stream::encode_all(&*bytes, ZSTD_LEVEL));
                let packed = packing.await.map_err(|_stopped| Error::Stopped)?;
                packed.map_err(|_in_memory| Error::Stopped)?
            }
        };
        Ok(Part::Bytes(bytes, self.cursor))
    }
}

/// A reader of what is after a cursor, and the gaps before it.
fn steps_after(moment: &Moment, cursor: Cursor) -> (StepReader, Vec<Gap>) {
    let steps = StepReader::after(&moment.index, cursor);
    let passed = moment.index.layout().gaps_before(steps.next_step());
    let gaps = passed.cloned().collect();
    (steps, gaps)
}
