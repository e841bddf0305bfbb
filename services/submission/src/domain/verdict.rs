//! From what a cluster shows to what it means.

mod exit;

pub use exit::{Evidence, Rejection, exit_of};
use jiff::{SignedDuration, Timestamp};

use super::{
    application::Ending,
    exit::ExitCategory,
    lifecycle::Happening,
    noted::Noted,
    observation::{Container, DriverView, ObjectView, Observation, Owner},
};

/// How long to wait before some absences and delays mean something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After an object was deleted: how long its driver may still appear, because the operator was
    /// about to submit it.
    pub driver_appearance: SignedDuration,
    /// How long an image may fail to be pulled.
    pub image_pull: SignedDuration,
}

/// What an observation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is not noted of the attempt yet, in this order.
    pub news: Vec<Happening>,
    /// What to do.
    pub verdict: Verdict,
}

/// What to do with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Look again when something changes.
    Wait,
    /// See to it that the object and the driver end, then look again.
    Stop,
    /// Nothing runs any more: find out the exit and write it down.
    Ended,
}

/// Judges an attempt that is live.
pub fn judge(
    noted: &Noted,
    observation: &Observation,
    patience: Patience,
    now: Timestamp,
) -> Finding {
    let mut news = Vec::new();
    let object = own_object(noted, observation);
    if let Some(object) = object.filter(|_| noted.uid.is_none()) {
        news.push(Happening::Created {
            uid: object.uid.clone(),
        });
    }
    let driver = observation.driver.as_ref();
    let spark_application_id = driver
        .and_then(|driver| driver.spark_application_id.clone())
        .or_else(|| object.and_then(|object| object.spark_application_id.clone()));
    if let Some(spark_application_id) = spark_application_id.filter(|_| !noted.has_driver) {
        news.push(Happening::DriverSeen {
            spark_application_id,
        });
    }
    let start_time = driver.and_then(DriverView::start_time);
    if let Some(start_time) = start_time.filter(|_| !noted.has_started) {
        news.push(Happening::DriverStarted { start_time });
    }
    let (ending, mut verdict) = match driver {
        Some(driver) => with_driver(driver, object, patience, now),
        None => without_driver(noted, object, observation, patience, now),
    };
    if let Some(ending) = ending.filter(|_| !noted.is_ending) {
        news.push(Happening::Ending(ending));
    }
    if noted.is_ending && verdict == Verdict::Wait {
        verdict = Verdict::Stop;
    }
    Finding { news, verdict }
}

/// The object under the attempt's name, when it is this attempt's own.
fn own_object<'a>(noted: &Noted, observation: &'a Observation) -> Option<&'a ObjectView> {
    let same_uid = |uid: &str| noted.uid.as_deref().is_none_or(|known| known == uid);
    let object = observation.object.as_ref()?;
    (object.owner == Owner::Attempt && same_uid(&object.uid)).then_some(object)
}

fn with_driver(
    driver: &DriverView,
    object: Option<&ObjectView>,
    patience: Patience,
    now: Timestamp,
) -> (Option<Ending>, Verdict) {
    if driver.has_ended() {
        return (None, Verdict::Ended);
    }
    if let Some(ending) = exit::disruption_of(driver) {
        return (Some(ending), Verdict::Stop);
    }
    if object.is_none_or(|object| object.delete_time.is_some()) {
        return (
            Some(deleted("the SparkApplication was deleted")),
            Verdict::Stop,
        );
    }
    if driver.delete_time.is_some() {
        return (Some(deleted("the driver's pod was deleted")), Verdict::Stop);
    }
    match image_problem(driver, patience, now) {
        Some(ending) => (Some(ending), Verdict::Stop),
        None => (None, Verdict::Wait),
    }
}

fn without_driver(
    noted: &Noted,
    object: Option<&ObjectView>,
    observation: &Observation,
    patience: Patience,
    now: Timestamp,
) -> (Option<Ending>, Verdict) {
    let Some(object) = object else {
        let fenced = observation
            .object
            .as_ref()
            .is_some_and(|o| o.owner == Owner::Tombstone);
        // Without a uid the object may still be on its way, unless a tombstone keeps it out.
        return if noted.uid.is_some() {
            (
                Some(deleted("the SparkApplication was deleted")),
                Verdict::Ended,
            )
        } else if fenced && noted.is_ending {
            (None, Verdict::Ended)
        } else {
            (None, Verdict::Wait)
        };
    };
    match object.delete_time {
        None if object.is_terminal() => (None, Verdict::Ended),
        // The operator may be away, and would launch the driver again if it never noted the first.
        None if noted.has_driver || noted.has_started => {
            (Some(deleted("the driver's pod is gone")), Verdict::Stop)
        }
        None => (None, Verdict::Wait),
        Some(delete_time) => {
            let ending = Some(deleted("the SparkApplication was deleted"));
            let waited = now.duration_since(delete_time) >= patience.driver_appearance;
            if object.is_terminal() || waited {
                (ending, Verdict::Ended)
            } else {
                (ending, Verdict::Stop)
            }
        }
    }
}

fn deleted(message: &str) -> Ending {
    Ending {
        category: ExitCategory::Deleted,
        message: message.to_owned(),
    }
}

/// An image that cannot be pulled leaves a driver waiting for ever: neither Kubernetes nor the
/// operator ends it.
fn image_problem(driver: &DriverView, patience: Patience, now: Timestamp) -> Option<Ending> {
    let Container::Waiting { reason, message } = &driver.container else {
        return None;
    };
    let waited = driver
        .create_time
        .is_some_and(|since| now.duration_since(since) >= patience.image_pull);
    let hopeless = match reason.as_str() {
        "InvalidImageName" | "ErrImageNeverPull" => true,
        "ErrImagePull" | "ImagePullBackOff" => waited,
        _ => false,
    };
    hopeless.then(|| Ending {
        category: ExitCategory::Image,
        message: super::exit::shorten(&format!("{reason}: {message}")),
    })
}

#[cfg(test)]
mod tests;
