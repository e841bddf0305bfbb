//! Everything gRPC that is no handler: status mapping, deadlines, health, reflection, metrics, in-memory channels.
