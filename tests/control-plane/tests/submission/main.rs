//! submission on a real API server: the launch protocol, states, cancels and clean-up. Pods and the
//! operator's status are written by the tests; there are no nodes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod api_server;
mod callers;
mod cancel;
mod client_connections;
mod clients;
mod crash;
mod database_exhausted;
mod database_fail_over;
mod database_full;
mod database_restart;
mod documents;
mod ends;
mod every_step;
mod explain;
mod faulty_calls;
mod faulty_watches;
mod fleet;
mod installation;
mod launcher;
mod objects;
mod refusals;
mod replicas;
mod status;
mod store;
mod store_months;
mod store_order;

use installation::{Database, Installation};
