//! Placement as pure functions: queue trees, the fleet they come from, scores and pod metadata.

pub mod application_state;
pub mod fleet;
pub mod placement;
pub mod pod_metadata;
pub mod queue_tree;
pub mod resources;
