//! Offsets that survive a restart.
//!
//! One file holds the [`Progress`](crate::domain::Progress) of every stream. It is replaced as a
//! whole, so that a crash leaves the old or the new one; an old one only means that some records
//! are shipped again.

mod offsets;
mod state_directory;

pub use offsets::{Offsets, OffsetsWriter, offsets};
pub use state_directory::{Loaded, Saved, StateDirectory};
