//! The launch protocol as a state space: two workers, two clusters, two attempts of one
//! application, searched breadth first through every order of steps. `docs/launch-protocol.md` says
//! in words what stands here.
//!
//! A worker dies between any two of its steps, a lease runs out at any time, and a request that was
//! sent arrives at any later time or never. What is trusted about time is in one place,
//! [`assumptions`].

pub mod assumptions;
pub mod explore;
pub mod invariants;
pub mod steps;
pub mod variant;
pub mod world;

pub use explore::{Search, explore};
pub use variant::Variant;
pub use world::World;
