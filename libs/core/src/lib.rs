//! Domain types that more than one service needs.
//!
//! Pure: no async runtime, no network, no database. Time and randomness enter as [`clock::Clock`]
//! and [`entropy::Entropy`], so that everything built on this crate can be tested without either.
#![warn(missing_docs, clippy::future_not_send, clippy::wildcard_enum_match_arm)]

pub mod attempt;
pub mod clock;
pub mod entropy;
pub mod error;
pub mod id;
pub mod labels;
pub mod reason;
pub mod resources;

pub use attempt::AttemptName;
pub use error::{FieldViolation, PublicError};
pub use id::ApplicationId;
pub use reason::ErrorReason;
pub use resources::PodSize;
