//! What happens by itself: the network, the operator, drivers, people, time and death.

use moka_submission::domain::state::{ApplicationState, Step};

use super::Successor;
use crate::{
    Variant, assumptions,
    world::{
        ATTEMPTS, Activity, Driver, Ending, Finding, Name, Object, Outcome, Own, Progress, World,
    },
};

pub(super) fn steps(world: &World, variant: Variant, all: &mut Vec<Successor>) {
    if world.lease.is_some() && variant != Variant::LeaseWithoutEnd {
        let next = World {
            lease: None,
            ..*world
        };
        all.push(("a lease runs out", next));
    }
    for worker in World::worker_numbers() {
        if world.activity(worker) != Activity::Idle {
            all.push(("a worker dies", world.with(worker, Activity::Idle)));
        }
    }
    people(world, all);
    for name in World::names() {
        network(world, name, all);
        operator(world, name, all);
        let slot = world.slot(name);
        if slot.driver == Driver::Live {
            for outcome in [Outcome::Success, Outcome::Failure] {
                let mut next = *world;
                next.slot_mut(name).driver = Driver::Ended(outcome);
                next.attempt_mut(name.attempt).outcome = Some(outcome);
                all.push(("a driver ends", next));
            }
        }
        if let Object::Own(own) = slot.object
            && !own.deleting
            && assumptions::somebody_may_delete(own, variant)
        {
            let object = if own.finalizer {
                Object::Own(Own {
                    deleting: true,
                    ..own
                })
            } else {
                Object::None
            };
            let mut next = *world;
            next.slot_mut(name).object = object;
            next.attempt_mut(name.attempt).was_deleted = true;
            all.push(("somebody deletes an object", next));
        }
    }
}

fn people(world: &World, all: &mut Vec<Successor>) {
    if let Some(state) = world.state.after(Step::Cancel) {
        let mut next = World { state, ..*world };
        if state == ApplicationState::Cancelling
            && let Some(current) = next.current()
        {
            next.attempt_mut(current).ending = Some(Ending::Cancelled);
        }
        all.push(("a cancel is accepted", next));
    }
    let may_move = matches!(
        world.state,
        ApplicationState::Launching | ApplicationState::Submitted
    ) && usize::from(world.count) < ATTEMPTS;
    if let Some(current) = world.current().filter(|_| may_move)
        && world.attempt(current).ending.is_none()
    {
        let mut next = *world;
        next.attempt_mut(current).ending = Some(Ending::Rerouted);
        all.push(("an attempt is to run elsewhere", next));
    }
}

/// A create arrives, now or later, once or more often; its answer may be lost.
fn network(world: &World, name: Name, all: &mut Vec<Successor>) {
    if !world.slot(name).in_flight {
        return;
    }
    let mut quiet = *world;
    quiet.slot_mut(name).in_flight = false;
    all.push(("nothing is on its way any more", quiet));
    let mut landed = *world;
    let slot = landed.slot_mut(name);
    let created = slot.object == Object::None;
    if created {
        slot.last_uid = (slot.last_uid + 1).min(2);
        slot.object = Object::Own(Own {
            uid: slot.last_uid,
            progress: Progress::New,
            deleting: false,
            finalizer: true,
        });
    }
    let uid = slot.last_uid;
    all.push(("a create arrives, its answer does not", landed));
    for worker in World::worker_numbers() {
        if world.activity(worker) == Activity::Awaiting(name) {
            let answered = if created {
                Activity::Writing(name.attempt, Finding::Created(uid))
            } else {
                Activity::Reading(name)
            };
            all.push(("a create is answered", landed.with(worker, answered)));
            let refused = Activity::Writing(name.attempt, Finding::Refused);
            all.push(("a create is refused", world.with(worker, refused)));
        }
    }
}

fn operator(world: &World, name: Name, all: &mut Vec<Successor>) {
    let slot = world.slot(name);
    if let Object::Own(own) = slot.object
        && own.progress == Progress::New
        && !own.deleting
    {
        let mut next = *world;
        let picked = next.slot_mut(name);
        picked.submitting = true;
        picked.object = Object::Own(Own {
            progress: Progress::Read,
            ..own
        });
        all.push(("the operator reads an object", next));
    }
    if !slot.submitting {
        return;
    }
    let mut gave_up = *world;
    let after = gave_up.slot_mut(name);
    after.submitting = false;
    if let Object::Own(own) = &mut after.object {
        own.progress = Progress::GaveUp;
    }
    all.push(("the operator gives up", gave_up));
    // A pod of the same name would be in its way.
    if slot.driver == Driver::None {
        let mut appeared = *world;
        let after = appeared.slot_mut(name);
        after.submitting = false;
        after.driver = Driver::Live;
        all.push(("a driver appears", appeared));
    }
}
