//! What holds creates back: rates, failures in a row, slow answers. State machines over a time that
//! only rises, given as the duration since some beginning.

mod circuit;
mod concurrency;
mod room;
mod token_bucket;

pub use circuit::{Circuit, CircuitState};
pub use concurrency::Concurrency;
pub use room::{Full, Room};
pub use token_bucket::TokenBucket;
