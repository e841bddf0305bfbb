//! The launch lane: lease, place, intent, create, adopt.

use moka_submission::domain::state::{ApplicationState, Step};

use super::Successor;
use crate::{
    Variant,
    world::{ATTEMPTS, Activity, Attempt, CLUSTERS, Finding, Name, Object, World},
};

pub(super) fn steps(world: &World, worker: u8, variant: Variant, all: &mut Vec<Successor>) {
    match world.activity(worker) {
        Activity::Idle => lease(world, worker, all),
        Activity::Placing => {
            for cluster in 0..CLUSTERS {
                let cluster = u8::try_from(cluster).expect("there are few clusters");
                all.push((
                    "a place is found",
                    world.with(worker, Activity::Placed(cluster)),
                ));
            }
        }
        Activity::Placed(cluster) => place(world, worker, cluster, variant, all),
        Activity::Creating(name) => {
            let mut next = world.with(worker, Activity::Awaiting(name));
            next.slot_mut(name).in_flight = true;
            all.push(("a create is sent", next));
        }
        Activity::Awaiting(_) => {
            all.push(("no answer in time", give_back(world, worker)));
        }
        Activity::Reading(name) => read(world, worker, name, variant, all),
        _ => {}
    }
}

fn lease(world: &World, worker: u8, all: &mut Vec<Successor>) {
    if world.lease.is_some() {
        return;
    }
    let activity = match world.state {
        ApplicationState::Queued | ApplicationState::RetryWait => Activity::Placing,
        ApplicationState::Launching => {
            let current = world
                .current()
                .expect("a launching application has an attempt");
            Activity::Creating(world.name_of(current))
        }
        _ => return,
    };
    let mut next = world.with(worker, activity);
    next.lease = Some(worker);
    all.push(("a launch is leased", next));
}

fn place(world: &World, worker: u8, cluster: u8, variant: Variant, all: &mut Vec<Successor>) {
    let committed = intend(world, cluster);
    if variant == Variant::NoIntent {
        // It trusts its own choice, and writes it down afterwards.
        let attempt = world
            .count
            .min(u8::try_from(ATTEMPTS - 1).expect("few attempts"));
        let mut next = committed.unwrap_or(*world);
        next = next.with(
            worker,
            Activity::Creating(Name {
                attempt: next.current().unwrap_or(attempt),
                cluster,
            }),
        );
        all.push(("a create is decided without an intent", next));
        return;
    }
    let next = committed.unwrap_or(*world);
    // Whoever committed the intent, it is this one that counts now.
    let next = match (next.state, next.current()) {
        (ApplicationState::Launching, Some(current)) => {
            next.with(worker, Activity::Creating(next.name_of(current)))
        }
        _ => give_back(&next, worker),
    };
    all.push(("the intent is committed", next));
}

/// The row with a further attempt; `None` when the state does not allow one.
fn intend(world: &World, cluster: u8) -> Option<World> {
    let state = world.state.after(Step::Place)?;
    let mut next = *world;
    next.state = state;
    *next.attempts.get_mut(usize::from(world.count))? = Attempt {
        cluster,
        ..Attempt::default()
    };
    next.count += 1;
    Some(next)
}

fn read(world: &World, worker: u8, name: Name, variant: Variant, all: &mut Vec<Successor>) {
    let finding = match world.slot(name).object {
        Object::None => return all.push(("the object went away", give_back(world, worker))),
        Object::Own(_) if variant == Variant::NoAdoption => Finding::Refused,
        Object::Own(own) => Finding::Created(own.uid),
        Object::Tombstone => Finding::Refused,
    };
    let next = world.with(worker, Activity::Writing(name.attempt, finding));
    all.push(("the name's owner is read", next));
}

/// The launch is given back; a lease that ran out is another's by now.
fn give_back(world: &World, worker: u8) -> World {
    let mut next = world.with(worker, Activity::Idle);
    if next.lease == Some(worker) {
        next.lease = None;
    }
    next
}
