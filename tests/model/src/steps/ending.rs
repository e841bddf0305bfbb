//! The ending lane: an attempt that is to end and whose object is not known is fenced.

use super::{Successor, status::is_live};
use crate::{
    Variant,
    world::{Activity, Finding, Object, Outcome, World},
};

pub(super) fn steps(world: &World, worker: u8, variant: Variant, all: &mut Vec<Successor>) {
    if world.activity(worker) != Activity::Idle {
        return;
    }
    let Some(current) = world.current() else {
        return;
    };
    let row = world.attempt(current);
    if !is_live(world) || row.ending.is_none() || row.uid != 0 {
        return;
    }
    let name = world.name_of(current);
    let mut next = *world;
    let trusts_absence = match variant {
        Variant::NoFence => true,
        Variant::LeaseIsTheGuarantee => world.lease.is_none(),
        _ => false,
    };
    let slot = next.slot_mut(name);
    let finding = match slot.object {
        Object::Own(own) => Finding::Created(own.uid),
        Object::None if trusts_absence => Finding::Ended(Outcome::Failure),
        Object::None | Object::Tombstone => {
            slot.object = Object::Tombstone;
            Finding::Ended(Outcome::Failure)
        }
    };
    let next = next.with(worker, Activity::Writing(current, finding));
    all.push(("a name is fenced", next));
}
