//! Streams as the object store has them.

mod index;
mod objects;
mod read;
mod steps;

pub use index::{StreamIndex, StreamObject};
pub use objects::RawObjects;
pub use read::{ArchivePage, Limits, OpenGaps, PageEnd};
pub use steps::{LineAndCursor, StepLines, StepReader};
