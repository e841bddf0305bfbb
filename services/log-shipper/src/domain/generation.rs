//! Which bytes an offset counts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One life of a file under one path. A file that was truncated in place begins another one, whose
/// birth is the time at which the truncation was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// The file's number in its file system.
    pub inode: u64,
    /// Nanoseconds since 1970.
    pub birth_nanoseconds: i128,
}

/// The text names no generation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a generation is written `<inode>-<birth_nanoseconds>`")]
pub struct ParseGenerationError;

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.inode, self.birth_nanoseconds)
    }
}

impl FromStr for Generation {
    type Err = ParseGenerationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = || {
            let (inode, birth) = text.split_once('-')?;
            Some(Self {
                inode: inode.parse().ok()?,
                birth_nanoseconds: birth.parse().ok()?,
            })
        };
        parse().ok_or(ParseGenerationError)
    }
}

impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Generation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn written_form_reads_back(inode: u64, birth_nanoseconds: i128) {
            let generation = Generation { inode, birth_nanoseconds };
            prop_assert_eq!(generation.to_string().parse(), Ok(generation));
        }

        #[test]
        fn any_text_is_refused_or_read(text: String) {
            let _ = text.parse::<Generation>();
        }
    }
}
