//! Every step that anybody can take next.

mod clean_up;
mod ending;
mod environment;
mod launch;
mod record;
mod status;

use crate::{Variant, World};

/// A step's name and the moment after it.
pub type Successor = (&'static str, World);

/// All moments that can follow a moment.
pub fn successors(world: &World, variant: Variant) -> Vec<Successor> {
    let mut all = Vec::with_capacity(32);
    for worker in World::worker_numbers() {
        launch::steps(world, worker, variant, &mut all);
        status::steps(world, worker, variant, &mut all);
        ending::steps(world, worker, variant, &mut all);
        clean_up::steps(world, worker, variant, &mut all);
        record::steps(world, worker, variant, &mut all);
    }
    environment::steps(world, variant, &mut all);
    for (_, next) in &mut all {
        if !variant.has_leases() {
            next.lease = None;
        }
        *next = next.canonical();
    }
    all
}
