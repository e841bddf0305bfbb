//! From submission's watch and the object store to the answers, in one process.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test support")]

#[path = "support/corpus.rs"]
mod corpus;
#[path = "index/faults.rs"]
mod faults;
#[path = "index/follow.rs"]
mod follow;
#[path = "index/grow.rs"]
mod grow;
#[path = "index/grpc.rs"]
mod grpc;
#[path = "index/rest.rs"]
mod rest;
#[path = "index/submission.rs"]
mod submission;
#[path = "index/world.rs"]
mod world;
