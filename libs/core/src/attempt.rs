//! The name of an attempt: the only thing that ties pods and files to an application.

use std::{fmt, str::FromStr};

use crate::ApplicationId;

/// `<application_id>-<number>`: the name of the SparkApplication, the prefix of the driver's and
/// the executors' pods, the name of the attempt's event-log directory and `YuniKorn`'s application
/// id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptName {
    /// The application that is attempted.
    pub application_id: ApplicationId,
    /// Counts from 1.
    pub number: u32,
}

impl AttemptName {
    /// Names attempt `number` of an application.
    pub fn new(application_id: ApplicationId, number: u32) -> Self {
        Self {
            application_id,
            number,
        }
    }

    /// Reads the attempt out of a pod's name, `<attempt>-driver`, `<attempt>-exec-3` and the like.
    /// `None` for pods that are no part of an application.
    pub fn of_pod(pod_name: &str) -> Option<Self> {
        let id_text = pod_name.get(..ApplicationId::LENGTH)?;
        let rest = pod_name.get(ApplicationId::LENGTH..)?.strip_prefix('-')?;
        let number_text = rest.split('-').next()?;
        Some(Self::new(id_text.parse().ok()?, parse_number(number_text)?))
    }

    /// The name of the driver's pod.
    pub fn driver_pod(self) -> String {
        format!("{self}-driver")
    }
}

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.application_id, self.number)
    }
}

/// The text names no attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an attempt is named `<application id>-<number>`, counting from 1")]
pub struct ParseAttemptNameError;

impl FromStr for AttemptName {
    type Err = ParseAttemptNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (id_text, number_text) = text.split_once('-').ok_or(ParseAttemptNameError)?;
        let Ok(application_id) = id_text.parse() else {
            return Err(ParseAttemptNameError);
        };
        let number = parse_number(number_text).ok_or(ParseAttemptNameError)?;
        Ok(Self::new(application_id, number))
    }
}

/// A positive number without sign or leading zero, so that one attempt has one written form.
fn parse_number(text: &str) -> Option<u32> {
    if text.starts_with(['0', '+']) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "m01hf7yat00v2t9d4h5w8k3e6qz";

    #[test]
    fn name_reads_back() {
        let name: AttemptName = format!("{ID}-12").parse().unwrap();
        assert_eq!(name.number, 12);
        assert_eq!(name.to_string(), format!("{ID}-12"));
    }

    #[test]
    fn pods_of_an_attempt_are_recognised() {
        for (pod, expected) in [
            (format!("{ID}-1-driver"), Some(1)),
            (format!("{ID}-7-exec-3"), Some(7)),
            (format!("{ID}-driver"), None),
            (format!("tg-{ID}-1-driver"), None),
            ("coredns-5d78c9869d-abcde".to_owned(), None),
            (format!("{ID}-01-driver"), None),
        ] {
            assert_eq!(
                AttemptName::of_pod(&pod).map(|name| name.number),
                expected,
                "{pod}"
            );
        }
    }
}
