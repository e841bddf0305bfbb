//! Streams as the object store has them.

mod growing;
mod index;
mod objects;
mod read;
mod saved;
mod search;
mod steps;
mod turns;
mod uncompressed;

pub use growing::{GrowingIndex, Progress, SAVED_FROM_OBJECTS};
pub use index::{ObjectPart, StreamIndex, StreamObject};
pub use objects::RawObjects;
pub use read::{ArchivePage, Limits, OpenGaps, PageEnd, PageReader};
pub use search::{ArchiveSearch, SearchBudget, SearchEnd};
pub use steps::{StepLines, StepReader};
