//! Other services.

pub mod scheduling;
