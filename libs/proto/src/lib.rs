//! Generated bindings of `proto/moka`, committed so that nobody needs protoc. `cargo xtask gen`
//! makes them; a check fails when they drift.
//!
//! Clients are `moka_proto::<noun>::v1::<noun>_service_client`, servers likewise.
#![expect(clippy::pedantic, clippy::all, reason = "generated code")]

mod codec;

pub use self::codec::Codec;

include!("generated/modules.rs");

/// The descriptors of every package and of what they import, for reflection: an encoded
/// `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
