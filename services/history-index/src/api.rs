//! What the service answers: gRPC, and the History Server's REST.

mod convert;
mod grpc;
mod lookup;
pub mod rest;

pub use self::grpc::HistoryApi;
