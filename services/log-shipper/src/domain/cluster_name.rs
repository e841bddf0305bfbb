//! The name of the cluster that the node is in.

use std::{fmt, str::FromStr};

/// A DNS label: it stands in keys and records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

/// The text names no cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cluster name has 1 to 63 lowercase letters, digits and `-`, and starts and ends with a letter or digit"
)]
pub struct InvalidClusterName;

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = (1..=63).contains(&text.len())
            && text.chars().all(legal)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidClusterName)
        }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dns_labels_are_names() {
        for (text, valid) in [
            ("local", true),
            ("eu-1", true),
            ("1", true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a/b", false),
            ("A", false),
            ("a.b", false),
        ] {
            assert_eq!(text.parse::<ClusterName>().is_ok(), valid, "{text}");
        }
        assert!("a".repeat(64).parse::<ClusterName>().is_err());
    }
}
