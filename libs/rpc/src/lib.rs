//! Everything gRPC that is no handler: status mapping, deadlines, health, reflection, metrics,
//! in-memory channels.
//!
//! A handler parses its request with [`validate`], [`page`] and [`timestamp`], calls the domain and
//! turns a [`moka_core::PublicError`] into a status with [`status::status_of`]. [`Server`] does the
//! rest of the way to the network, [`client`] is the other end.
#![warn(missing_docs, clippy::future_not_send)]

pub mod client;
mod deadline;
pub mod memory;
pub mod page;
pub mod server;
pub mod status;
pub mod timestamp;
pub mod trace;
pub mod validate;

pub use client::{Channel, ClientOptions};
pub use deadline::AnswerBy;
pub use page::{Fingerprint, Page};
pub use server::{BoundServer, ServeError, Server, ServerOptions, until_stopped};
pub use status::{error_of, status_of};
pub use validate::Violations;
