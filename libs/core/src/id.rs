//! The identifier of an application.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{clock::Clock, entropy::Entropy};

/// Crockford's base 32, lowercase: no `i`, `l`, `o`, `u`. Sorts as the numbers do.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// 128 bits in groups of five.
const DIGITS: usize = 26;

/// `m` and 26 lowercase Crockford base-32 digits of a UUIDv7: a DNS-1035 label, sortable by time of
/// creation, unique for ever. The 16 bytes are the application's trace id too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApplicationId(Uuid);

impl ApplicationId {
    /// Length of the written form, in bytes.
    pub const LENGTH: usize = 1 + DIGITS;

    /// Stands for an application that does not exist: in a dry run, for one.
    pub const ZERO: Self = Self(Uuid::nil());

    /// Makes a new identifier for the clock's millisecond.
    pub fn mint(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 10];
        entropy.fill(&mut random);
        let milliseconds = u64::try_from(clock.now().as_millisecond()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
    }

    /// The 16 bytes, which name the application's trace.
    pub fn trace_id(self) -> [u8; 16] {
        self.0.into_bytes()
    }
}

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.as_u128();
        f.write_str("m")?;
        for position in (0..DIGITS).rev() {
            let digit = usize::try_from((number >> (5 * position)) & 31).unwrap_or_default();
            write!(f, "{}", char::from(ALPHABET[digit]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no application identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an application id is `m` and 26 lowercase base-32 digits")]
pub struct ParseApplicationIdError;

impl FromStr for ApplicationId {
    type Err = ParseApplicationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text
            .strip_prefix('m')
            .ok_or(ParseApplicationIdError)?
            .as_bytes();
        if digits.len() != DIGITS || digits[0] > b'7' {
            return Err(ParseApplicationIdError);
        }
        let mut number = 0_u128;
        for digit in digits {
            let value = ALPHABET
                .iter()
                .position(|c| c == digit)
                .ok_or(ParseApplicationIdError)?;
            number = (number << 5) | value as u128;
        }
        Ok(Self(Uuid::from_u128(number)))
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;

    use super::*;
    use crate::{clock::ManualClock, entropy::SeededEntropy};

    proptest! {
        #[test]
        fn written_form_reads_back(number: u128) {
            let id = ApplicationId(Uuid::from_u128(number));
            let text = id.to_string();
            prop_assert_eq!(text.len(), ApplicationId::LENGTH);
            prop_assert_eq!(text.parse::<ApplicationId>(), Ok(id));
        }

        #[test]
        fn any_text_is_refused_or_reads_back(text in "m?[0-9a-z]{0,30}") {
            if let Ok(id) = text.parse::<ApplicationId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn later_identifiers_sort_later() {
        let clock = ManualClock::new(Timestamp::from_second(1_700_000_000).unwrap());
        let entropy = SeededEntropy::new(1);
        let first = ApplicationId::mint(&clock, &entropy);
        clock.advance(SignedDuration::from_millis(1));
        let second = ApplicationId::mint(&clock, &entropy);
        assert!(first.to_string() < second.to_string());
    }

    #[test]
    fn uppercase_and_overflow_are_refused() {
        for text in [
            "",
            "m",
            "M0000000000000000000000000",
            "m80000000000000000000000000",
        ] {
            assert_eq!(
                text.parse::<ApplicationId>(),
                Err(ParseApplicationIdError),
                "{text}"
            );
        }
    }
}
