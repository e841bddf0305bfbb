//! A client of submission: calls with deadlines that are repeated while that can help, pages as
//! streams, and watches that go on over restarts.
//!
//! Every call of submission is idempotent, so each may be repeated: after a broken connection, a
//! passed deadline, or an answer that says to come back later. What is refused is told at once.
//! [`Client::stub`] is the generated client, for everything that this crate does not wrap.
#![warn(missing_docs, clippy::future_not_send)]

mod client;
mod list;
mod retry;
mod submit;
mod wait;
mod watch;

pub use client::{Client, Options};
pub use moka_core::{ErrorReason, PublicError};
pub use moka_proto::submission::v1;
pub use moka_rpc::{
    Channel,
    client::{ConnectError, Tls},
};
pub use retry::Patience;
pub use submit::MOST_AT_ONCE;
pub use watch::{Watch, WatchItem, WatchStep};
