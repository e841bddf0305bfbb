//! What is trusted about time and people, and nothing else is.

use crate::{
    Variant,
    world::{Activity, Name, Own, World},
};

/// A name is kept longer than any request is on its way and any worker pauses before it sends one.
/// So it is given free only when nobody can use it any more.
pub fn retention_may_be_over(world: &World, name: Name) -> bool {
    let may_create = |activity: &Activity| match *activity {
        Activity::Creating(other) | Activity::Awaiting(other) => other == name,
        _ => false,
    };
    !world.slot(name).in_flight && !world.workers.iter().any(may_create)
}

/// An operator that has read an object makes its driver, or gives up, within
/// `--driver-appearance-seconds` of the object's deletion.
pub fn driver_can_no_longer_appear(world: &World, name: Name) -> bool {
    !world.slot(name).submitting
}

/// No create that was sent before an attempt's end arrives in the moment between the removal of the
/// deleted object's last finalizer and the creation of the tombstone in its place: Kubernetes
/// cannot do the two at once.
pub fn tombstone_follows_at_once(variant: Variant) -> bool {
    variant != Variant::GapBeforeTheTombstone
}

/// People may delete an object that runs: our finalizer keeps its name. They leave alone what only
/// keeps a name.
pub fn somebody_may_delete(own: Own, variant: Variant) -> bool {
    own.finalizer || variant == Variant::FinishedObjectDeleted
}
