//! One transaction: what was found out about an attempt goes into the row, if that is still so.

use moka_submission::domain::state::{ApplicationState, Step};

use super::{Successor, status::is_live};
use crate::{
    Variant,
    world::{ATTEMPTS, Activity, CleanUp, Ending, Finding, Outcome, World},
};

pub(super) fn steps(world: &World, worker: u8, variant: Variant, all: &mut Vec<Successor>) {
    let Activity::Writing(attempt, finding) = world.activity(worker) else {
        return;
    };
    let mut next = world.with(worker, Activity::Idle);
    if next.lease == Some(worker) {
        next.lease = None;
    }
    let target = match variant {
        Variant::AttemptsNotTold => next.current().unwrap_or(attempt),
        _ => attempt,
    };
    apply(&mut next, target, finding, variant);
    if finding == Finding::Deleting {
        next = next.with(worker, Activity::Stopping(attempt));
    }
    all.push(("a finding is committed", next));
}

fn apply(world: &mut World, attempt: u8, finding: Finding, variant: Variant) {
    if world.current() != Some(attempt) || !is_live(world) {
        return;
    }
    let row = world.attempt_mut(attempt);
    match finding {
        Finding::Created(uid) => {
            if row.uid == 0 {
                row.uid = uid;
            }
            step(world, Step::Create);
        }
        Finding::Refused
            if variant == Variant::RefusalIsTheEnd || variant == Variant::NoAdoption =>
        {
            row.ending.get_or_insert(Ending::Refused);
            if world.state == ApplicationState::Launching {
                end(world, attempt, Outcome::Failure, variant);
            }
        }
        Finding::Refused => {
            if world.state == ApplicationState::Launching {
                world
                    .attempt_mut(attempt)
                    .ending
                    .get_or_insert(Ending::Refused);
            }
        }
        Finding::Deleting => {
            row.ending.get_or_insert(Ending::Deleted);
        }
        Finding::Deleted => {
            row.ending.get_or_insert(Ending::Deleted);
            end(world, attempt, Outcome::Failure, variant);
        }
        Finding::Ended(outcome) => end(world, attempt, outcome, variant),
    }
}

/// The attempt is over. What ended it from outside is its reason, whatever its driver said.
fn end(world: &mut World, attempt: u8, outcome: Outcome, variant: Variant) {
    let retries = match (world.attempt(attempt).ending, outcome) {
        // It was done before it could be moved.
        (Some(Ending::Rerouted | Ending::Refused), Outcome::Success)
            if variant != Variant::DoneIsMoved =>
        {
            false
        }
        (Some(Ending::Rerouted), _) => true,
        (Some(Ending::Cancelled | Ending::Deleted), _) => false,
        (Some(Ending::Refused), _) | (None, Outcome::Failure) => true,
        (None, Outcome::Success) => false,
    } && usize::from(world.count) < ATTEMPTS;
    let before = world.state;
    let ending = world.attempt(attempt).ending;
    let succeeds = matches!(ending, None | Some(Ending::Rerouted | Ending::Refused))
        && outcome == Outcome::Success;
    if retries && world.state.after(Step::Retry).is_some() {
        step(world, Step::Retry);
    } else if succeeds {
        step(world, Step::Succeed);
    } else {
        step(world, Step::Fail);
    }
    if world.state != before {
        world.attempt_mut(attempt).clean_up = CleanUp::Release;
    }
}

fn step(world: &mut World, step: Step) {
    if let Some(after) = world.state.after(step) {
        world.state = after;
    }
}
