//! What must hold at every moment.

use moka_submission::domain::state::ApplicationState;

use crate::world::{Attempt, CleanUp, Driver, Ending, Object, Outcome, World};

/// The sentence that does not hold.
pub fn broken(world: &World) -> Option<&'static str> {
    let live = |attempt: usize| {
        let drivers = world.slots[attempt].iter();
        drivers.filter(|slot| slot.driver == Driver::Live).count()
    };
    let drivers: Vec<usize> = (0..world.slots.len()).map(live).collect();
    if drivers.iter().any(|count| *count > 1) {
        return Some("an attempt has at most one live driver");
    }
    if drivers.iter().sum::<usize>() > 1 {
        return Some("an application has at most one live attempt");
    }
    if world.state.is_final() && drivers.iter().any(|count| *count > 0) {
        return Some("a final application has no live driver");
    }
    if !is_true(world) {
        return Some("a final state is true");
    }
    let over = usize::from(world.count.saturating_sub(1));
    let succeeded = |attempt: &Attempt| attempt.outcome == Some(Outcome::Success);
    if world.attempts[..over].iter().any(succeeded) {
        return Some("what has succeeded does not run again");
    }
    let invented =
        |attempt: &Attempt| attempt.ending == Some(Ending::Deleted) && !attempt.was_deleted;
    if world.attempts.iter().any(invented) {
        return Some("what is called deleted was deleted");
    }
    None
}

/// Whether the final state is what really happened.
fn is_true(world: &World) -> bool {
    let current = world.current().map(|index| world.attempt(index));
    let outcome = current.and_then(|attempt| attempt.outcome);
    let ending = current.and_then(|attempt| attempt.ending);
    match world.state {
        ApplicationState::Succeeded => outcome == Some(Outcome::Success),
        // Rerouting is no failure, and what the driver did itself counts unless it was ended.
        ApplicationState::Failed => {
            ending == Some(Ending::Deleted)
                || (ending != Some(Ending::Cancelled) && outcome != Some(Outcome::Success))
        }
        _ => true,
    }
}

/// Whether everything has come to its end: the application is final, and nothing of it is left in
/// any cluster.
pub fn is_at_rest(world: &World) -> bool {
    let attempts = &world.attempts[..usize::from(world.count)];
    let is_clean = attempts
        .iter()
        .all(|attempt| attempt.clean_up == CleanUp::Done);
    let nothing_left =
        world.slots.iter().flatten().all(|slot| {
            slot.object == Object::None && slot.driver == Driver::None && !slot.submitting
        });
    world.state.is_final() && is_clean && nothing_left
}
