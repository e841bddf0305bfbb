//! Whether another attempt follows one that failed.

use jiff::Timestamp;

use super::application::Application;

/// Another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// When it may begin at the earliest.
    pub not_before: Timestamp,
}

/// Decides after the current attempt ended at `now`, with its exit noted.
pub fn after(application: &Application, now: Timestamp) -> Option<Retry> {
    let _ = (application, now);
    None
}

/// Why there is a next attempt.
pub fn reason(application: &Application) -> String {
    match application
        .attempt()
        .and_then(|attempt| attempt.exit.as_ref())
    {
        None => "first".to_owned(),
        Some(exit) => format!("after {}", exit.category.as_str()),
    }
}
