//! The API over an in-memory connection and a SQLite file, with queues as given.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod explanations;
mod fakes;
mod harness;
mod requests;
mod retries;
mod validations;
mod watches;
