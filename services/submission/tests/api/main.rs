//! The API over an in-memory connection and a SQLite file, with queues as given.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod bulk;
mod explanations;
mod fakes;
mod fleet;
mod harness;
mod lists;
mod projects;
mod requests;
mod retries;
mod strategies;
mod validations;
mod watches;
