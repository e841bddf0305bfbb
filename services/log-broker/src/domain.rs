//! What logs are: records, streams, lines and chunks. Pure.

pub mod checkpoint;
pub mod chunk;
pub mod completeness;
pub mod cri;
pub mod cursor;
mod flat_json;
pub mod generation;
pub mod hits;
pub mod keys;
pub mod layout;
pub mod lines;
pub mod manifest;
pub mod open_lines;
pub mod pattern;
pub mod record;
pub mod retention;
pub mod run;
pub mod saved_index;
pub mod screen;
pub mod stream;
#[cfg(test)]
mod testing;
