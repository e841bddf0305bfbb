//! What an application is and what may become of it. Pure: no I/O, no clock, no randomness.

pub mod admission;
pub mod application;
pub mod deadline;
pub mod difference;
pub mod exception;
pub mod exit;
pub mod explain;
pub mod fleet;
pub mod flow;
pub mod launch_spec;
pub mod lifecycle;
pub mod links;
pub mod manifest;
pub mod observation;
pub mod platform_settings;
pub mod policy;
pub mod queue_tree;
pub mod resolve;
pub mod retry;
pub mod rules;
pub mod sizing;
pub mod spec;
pub mod state;
pub mod submission;
pub mod tries;
pub mod verdict;
