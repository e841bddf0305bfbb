//! Serves logs, live and archived, and assembles event logs.
pub mod applications;
pub mod archive;
pub mod assembler;
pub mod domain;
pub mod error;
pub mod metrics;
