//! The status lane: a look at the driver, a look at the object, and what both mean.

use moka_submission::domain::state::{
    ApplicationState::{Cancelling, Launching, Running, Submitted},
    Step,
};

use super::Successor;
use crate::{
    Variant, assumptions,
    world::{Activity, Driver, Finding, Half, Object, Outcome, Progress, World},
};

pub(super) fn steps(world: &World, worker: u8, variant: Variant, all: &mut Vec<Successor>) {
    match world.activity(worker) {
        Activity::Idle => {
            let Some(current) = world.current().filter(|_| is_live(world)) else {
                return;
            };
            let slot = world.slot(world.name_of(current));
            let half = match variant {
                Variant::ObjectReadFirst => Half::Object(slot.object.seen()),
                _ => Half::Driver(slot.driver),
            };
            let next = world.with(worker, Activity::Looking(current, half));
            all.push(("half of an observation is read", next));
        }
        Activity::Looking(attempt, half) => {
            all.push((
                "the other half is read",
                judge(world, worker, attempt, half, variant),
            ));
        }
        Activity::Stopping(attempt) => {
            all.push(("an attempt is stopped", stop(world, worker, attempt)));
        }
        _ => {}
    }
}

/// Whether the row says that something may run.
pub(super) fn is_live(world: &World) -> bool {
    matches!(world.state, Launching | Submitted | Running | Cancelling)
}

/// What an observation means. An older row than the one here would only have the worker wait.
fn judge(world: &World, worker: u8, attempt: u8, half: Half, variant: Variant) -> World {
    let name = world.name_of(attempt);
    let slot = world.slot(name);
    let (driver, object) = match half {
        Half::Driver(driver) => (driver, slot.object),
        Half::Object(object) => (slot.driver, object),
    };
    let row = world.attempt(attempt);
    let own = object
        .own()
        .filter(|own| row.uid == 0 || own.uid == row.uid);
    let act = |activity| world.with(worker, activity);
    let write = |finding| act(Activity::Writing(attempt, finding));
    if let Some(own) = own.filter(|_| row.uid == 0) {
        // Written down before anything else; the rest is seen again.
        return write(Finding::Created(own.uid));
    }
    match driver {
        Driver::Ended(outcome) => return write(Finding::Ended(outcome)),
        Driver::Live if own.is_none_or(|own| own.deleting) => return write(Finding::Deleting),
        Driver::Live if row.ending.is_some() => return act(Activity::Stopping(attempt)),
        Driver::Live => {
            let mut next = act(Activity::Idle);
            if next.current() == Some(attempt)
                && let Some(state) = next.state.after(Step::Start)
            {
                next.state = state;
            }
            return next;
        }
        Driver::None => {}
    }
    let Some(own) = own else {
        // Without a uid the object may still be on its way, unless a tombstone keeps it out.
        return match object {
            _ if row.uid != 0 => write(Finding::Deleted),
            Object::Tombstone if row.ending.is_some() => write(Finding::Ended(Outcome::Failure)),
            _ => act(Activity::Idle),
        };
    };
    let patience_is_over =
        variant == Variant::NoPatience || assumptions::driver_can_no_longer_appear(world, name);
    match (own.deleting, own.progress == Progress::GaveUp) {
        // What the operator has given up or finished had a driver, perhaps, since it was read.
        (_, true) if slot.driver != Driver::None => act(Activity::Idle),
        (true, _) if patience_is_over && slot.driver == Driver::None => write(Finding::Deleted),
        (true, _) => write(Finding::Deleting),
        (false, true) => write(Finding::Ended(Outcome::Failure)),
        (false, false) if row.ending.is_some() => act(Activity::Stopping(attempt)),
        (false, false) => act(Activity::Idle),
    }
}

fn stop(world: &World, worker: u8, attempt: u8) -> World {
    let mut next = world.with(worker, Activity::Idle);
    let name = next.name_of(attempt);
    if let Object::Own(own) = &mut next.slot_mut(name).object {
        own.deleting = true;
    }
    // A driver that is told to stop ends at some time; here every driver does.
    next
}
