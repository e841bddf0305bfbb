//! Kubernetes as the services need it: clients with deadlines, label-scoped watches that survive,
//! server-side apply, finalizers, and errors by what a caller can do about them.
//!
//! Nothing here spawns: watches are streams that live as long as they are polled.
#![warn(missing_docs, clippy::future_not_send)]

pub mod calls;
pub mod client;
mod error;
pub mod finalizer;
pub mod spark;
pub mod throttling;
mod watch;

pub use error::Error;
/// The built-in kinds, of the Kubernetes version that all services are built for.
pub use k8s_openapi;
pub use watch::{WatchEvent, WatchOptions, watch, watch_parts};
