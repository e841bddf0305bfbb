//! Checks of request fields that report every violation at once.

use std::{collections::HashMap, fmt::Display, ops::RangeInclusive};

use moka_core::{FieldViolation, PublicError};

/// Longest DNS-1035 label, in bytes.
const DNS_LABEL_BYTES: usize = 63;

/// Collects what is wrong with a request. Each check names the field by its path in the request.
#[derive(Debug, Clone, Default)]
pub struct Violations {
    found: Vec<FieldViolation>,
}

impl Violations {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a violation of a rule of the caller's own.
    pub fn add(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.found.push(FieldViolation {
            field: field.into(),
            description: description.into(),
        });
    }

    /// The message field must be there; hands it on.
    pub fn required<'a, T>(&mut self, field: &str, value: Option<&'a T>) -> Option<&'a T> {
        if value.is_none() {
            self.add(field, "must be set");
        }
        value
    }

    /// The text must have at least one character that is not white space.
    pub fn non_empty(&mut self, field: &str, text: &str) {
        if text.trim().is_empty() {
            self.add(field, "must not be empty");
        }
    }

    /// The text may have at most `max_bytes` bytes of UTF-8.
    pub fn max_length(&mut self, field: &str, text: &str, max_bytes: usize) {
        if text.len() > max_bytes {
            self.add(
                field,
                format!("must be at most {max_bytes} bytes long, is {}", text.len()),
            );
        }
    }

    /// The value must lie in the range, ends included.
    pub fn range<T: PartialOrd + Display>(
        &mut self,
        field: &str,
        value: &T,
        allowed: &RangeInclusive<T>,
    ) {
        if !allowed.contains(value) {
            let (least, most) = (allowed.start(), allowed.end());
            self.add(field, format!("must be {least} to {most}, is {value}"));
        }
    }

    /// The text must be a DNS-1035 label: lowercase letters, digits and `-`, a letter first, no `-`
    /// last, at most 63 bytes.
    pub fn dns_label(&mut self, field: &str, text: &str) {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let well_formed = text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.chars().all(allowed)
            && text.len() <= DNS_LABEL_BYTES;
        if !well_formed {
            self.add(
                field,
                "must be 1 to 63 lowercase letters, digits or '-', a letter first and no '-' last",
            );
        }
    }

    /// All keys and values together may have at most `max_bytes` bytes.
    pub fn map_size(&mut self, field: &str, map: &HashMap<String, String>, max_bytes: usize) {
        let bytes: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > max_bytes {
            self.add(
                field,
                format!("keys and values must be at most {max_bytes} bytes in total, are {bytes}"),
            );
        }
    }

    /// Whether nothing was found so far.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Ends the checks.
    ///
    /// # Errors
    ///
    /// `INVALID_FIELD` with every violation, when there is one.
    pub fn into_result(self) -> Result<(), PublicError> {
        if self.found.is_empty() {
            Ok(())
        } else {
            Err(PublicError::invalid(self.found))
        }
    }
}

#[cfg(test)]
mod tests {
    use moka_core::ErrorReason;

    use super::*;

    fn fields(check: impl FnOnce(&mut Violations)) -> Vec<String> {
        let mut violations = Violations::new();
        check(&mut violations);
        violations
            .found
            .into_iter()
            .map(|violation| violation.field)
            .collect()
    }

    #[test]
    fn every_violation_is_reported() {
        let mut violations = Violations::new();
        violations.non_empty("queue", " ");
        violations.range("spec.executors", &0, &(1..=10_000));
        violations.required::<String>("spec.main", None);
        let error = violations.into_result().unwrap_err();
        assert_eq!(error.reason, ErrorReason::InvalidField);
        let found: Vec<_> = error
            .violations
            .iter()
            .map(|v| v.description.as_str())
            .collect();
        assert_eq!(
            found,
            [
                "must not be empty",
                "must be 1 to 10000, is 0",
                "must be set"
            ]
        );
    }

    #[test]
    fn clean_request_passes() {
        assert!(Violations::new().into_result().is_ok());
    }

    #[test]
    fn labels_are_those_of_dns_1035() {
        for (text, allowed) in [
            ("a", true),
            ("team-a1", true),
            (&"x".repeat(63), true),
            (&"x".repeat(64), false),
            ("", false),
            ("1a", false),
            ("a-", false),
            ("Team", false),
            ("a.b", false),
            ("ä", false),
        ] {
            assert_eq!(
                fields(|violations| violations.dns_label("name", text)).is_empty(),
                allowed
            );
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let map = HashMap::from([("key".to_owned(), "value".to_owned())]);
        assert!(fields(|violations| violations.map_size("labels", &map, 8)).is_empty());
        assert_eq!(
            fields(|violations| violations.map_size("labels", &map, 7)),
            ["labels"]
        );
        assert!(fields(|violations| violations.max_length("name", "äb", 3)).is_empty());
        assert_eq!(
            fields(|violations| violations.max_length("name", "äb", 2)),
            ["name"]
        );
    }
}
