//! The clean-up lane: finalizers go, and the name stays taken for its retention.

use super::Successor;
use crate::{
    Variant, assumptions,
    world::{Activity, CleanUp, Driver, Object, Progress, World},
};

pub(super) fn steps(world: &World, worker: u8, variant: Variant, all: &mut Vec<Successor>) {
    match world.activity(worker) {
        Activity::Idle => {
            for attempt in 0..world.count {
                idle(world, worker, attempt, variant, all);
            }
        }
        Activity::Burying(attempt) => {
            let name = world.name_of(attempt);
            let mut next = world.with(worker, Activity::Idle);
            let slot = next.slot_mut(name);
            if slot.object.own().is_none() {
                slot.object = Object::Tombstone;
                next.attempt_mut(attempt).clean_up = CleanUp::Retain;
            }
            all.push(("a tombstone is put", next));
        }
        _ => {}
    }
}

fn idle(world: &World, worker: u8, attempt: u8, variant: Variant, all: &mut Vec<Successor>) {
    let row = world.attempt(attempt);
    let name = world.name_of(attempt);
    match row.clean_up {
        CleanUp::Live if variant == Variant::ReleaseBeforeCommit => {
            if matches!(world.slot(name).driver, Driver::Ended(_)) {
                let mut next = *world;
                let slot = next.slot_mut(name);
                slot.driver = Driver::None;
                // Which the operator finds out, and calls a failure.
                if let Object::Own(own) = &mut slot.object {
                    own.progress = Progress::GaveUp;
                }
                all.push(("finalizers go too early", next));
            }
        }
        CleanUp::Live => {}
        CleanUp::Release if must_stop(world, attempt) => {
            let next = world.with(worker, Activity::Stopping(attempt));
            all.push(("a clean-up finds something alive", next));
        }
        CleanUp::Release => {
            all.push(("finalizers go", release(world, worker, attempt, variant)));
        }
        CleanUp::Retain | CleanUp::Done => {
            let over = variant == Variant::NameFreedEarly
                || assumptions::retention_may_be_over(world, name);
            if row.clean_up == CleanUp::Retain && over {
                let mut next = *world;
                next.slot_mut(name).object = Object::None;
                next.attempt_mut(attempt).clean_up = CleanUp::Done;
                all.push(("a retention ends", next));
            }
            if something_remains(world, attempt) {
                let mut next = *world;
                next.attempt_mut(attempt).clean_up = CleanUp::Release;
                all.push(("something is left over", next));
            }
        }
    }
}

/// Whether something of an attempt that is over can still run.
fn must_stop(world: &World, attempt: u8) -> bool {
    let slot = world.slot(world.name_of(attempt));
    let another = slot
        .object
        .own()
        .is_some_and(|own| !own.deleting && own.uid != world.attempt(attempt).uid);
    slot.driver == Driver::Live || another
}

fn release(world: &World, worker: u8, attempt: u8, variant: Variant) -> World {
    let name = world.name_of(attempt);
    let mut next = *world;
    let slot = next.slot_mut(name);
    if matches!(slot.driver, Driver::Ended(_)) {
        slot.driver = Driver::None;
    }
    let is_kept = match &mut slot.object {
        Object::Own(own) if own.deleting => {
            let follows = assumptions::tombstone_follows_at_once(variant);
            slot.object = if follows {
                Object::Tombstone
            } else {
                Object::None
            };
            false
        }
        Object::Own(own) => {
            own.finalizer = false;
            true
        }
        Object::Tombstone => true,
        Object::None => false,
    };
    if is_kept {
        next.attempt_mut(attempt).clean_up = CleanUp::Retain;
        next
    } else {
        next.with(worker, Activity::Burying(attempt))
    }
}

/// Whether a watch names something of an attempt whose clean-up had been through.
fn something_remains(world: &World, attempt: u8) -> bool {
    let slot = world.slot(world.name_of(attempt));
    let object = slot.object.own();
    let object = object.is_some_and(|own| own.uid != world.attempt(attempt).uid || own.finalizer);
    object || slot.driver != Driver::None
}
