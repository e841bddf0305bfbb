//! The service from outside: its RPCs against a stand-in for YuniKorn's REST, and its binary.
#![expect(clippy::unwrap_used, reason = "test support")]

mod list_queues;
mod place_application;
mod process;
mod scheduling_state;
mod service;
mod yunikorn_stub;
