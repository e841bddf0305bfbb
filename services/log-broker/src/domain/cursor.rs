//! Where a reader stands in a stream, as an opaque token that only this stream takes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;

use super::{
    run::hash_of,
    stream::{StreamKind, StreamName},
};

/// A line of a container: equal for the live line and the same line in the archive. Ordered as the
/// lines are; the hash tells whether a line at this place is really the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinePlace {
    /// Its time, never lower than that of a line before it.
    pub time: Timestamp,
    /// Its number among the lines of that time.
    pub ordinal: u32,
    /// Its text.
    pub hash: u64,
}

impl LinePlace {
    /// Whether it lies before or at `other`.
    pub fn is_up_to(&self, other: &Self) -> bool {
        (self.time, self.ordinal) <= (other.time, other.ordinal)
    }
}

/// After which line a reader goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// Nothing was read yet.
    Begin,
    /// After this line of a container.
    Line(LinePlace),
    /// After this many bytes of an event log.
    Offset(u64),
    /// After the lines of a container whose place is before this time.
    Time(Timestamp),
}

impl Cursor {
    /// Whether a line that ends at `self` lies before or at `other`, where a reader goes on.
    pub fn is_up_to(self, other: Self) -> bool {
        match (self, other) {
            (Self::Line(place), Self::Line(other)) => place.is_up_to(&other),
            (Self::Line(place), Self::Time(time)) => place.time < time,
            (Self::Offset(offset), Self::Offset(other)) => offset <= other,
            _ => false,
        }
    }
}

/// The token is damaged or belongs to another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is damaged or belongs to another stream; start from the beginning")]
pub struct InvalidCursor;

const VERSION: u8 = 1;
const BEGIN: u8 = 0;
const LINE: u8 = 1;
const OFFSET: u8 = 2;
const TIME: u8 = 3;

impl Cursor {
    /// The token.
    pub fn encode(self, stream: &StreamName) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&fingerprint(stream));
        match self {
            Self::Begin => bytes.push(BEGIN),
            Self::Line(LinePlace {
                time,
                ordinal,
                hash,
            }) => {
                bytes.push(LINE);
                bytes.extend_from_slice(&time.as_nanosecond().to_be_bytes());
                bytes.extend_from_slice(&ordinal.to_be_bytes());
                bytes.extend_from_slice(&hash.to_be_bytes());
            }
            Self::Offset(offset) => {
                bytes.push(OFFSET);
                bytes.extend_from_slice(&offset.to_be_bytes());
            }
            Self::Time(time) => {
                bytes.push(TIME);
                bytes.extend_from_slice(&time.as_nanosecond().to_be_bytes());
            }
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token; the empty one is the beginning.
    ///
    /// # Errors
    ///
    /// [`InvalidCursor`] when it is none of this stream.
    pub fn decode(token: &str, stream: &StreamName) -> Result<Self, InvalidCursor> {
        if token.is_empty() {
            return Ok(Self::Begin);
        }
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else {
            return Err(InvalidCursor);
        };
        let cursor = parse(&bytes, fingerprint(stream)).ok_or(InvalidCursor)?;
        match (cursor, stream.source.kind()) {
            (Self::Line(_) | Self::Time(_), StreamKind::EventLog)
            | (Self::Offset(_), StreamKind::Container) => Err(InvalidCursor),
            _ => Ok(cursor),
        }
    }
}

fn parse(bytes: &[u8], expected: [u8; 8]) -> Option<Cursor> {
    let rest = bytes.strip_prefix(&[VERSION])?.strip_prefix(&expected)?;
    let (kind, rest) = rest.split_first()?;
    match *kind {
        BEGIN if rest.is_empty() => Some(Cursor::Begin),
        LINE => {
            let (time, rest) = rest.split_first_chunk()?;
            let (ordinal, rest) = rest.split_first_chunk()?;
            Some(Cursor::Line(LinePlace {
                time: time_of(*time)?,
                ordinal: u32::from_be_bytes(*ordinal),
                hash: u64::from_be_bytes(rest.try_into().ok()?),
            }))
        }
        OFFSET => Some(Cursor::Offset(u64::from_be_bytes(rest.try_into().ok()?))),
        TIME => Some(Cursor::Time(time_of(rest.try_into().ok()?)?)),
        _ => None,
    }
}

fn time_of(bytes: [u8; 16]) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from_be_bytes(bytes)).ok()
}

fn fingerprint(stream: &StreamName) -> [u8; 8] {
    hash_of(stream.to_string().as_bytes()).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::stream::Source;

    fn stream(source: Source) -> StreamName {
        StreamName {
            attempt: "m01hf7yat00v2t9d4h5w8k3e6qz-1".parse().unwrap(),
            source,
        }
    }

    fn container(pod: &str) -> StreamName {
        stream(Source::Container {
            pod: pod.to_owned(),
            container: "c".to_owned(),
        })
    }

    fn event_log() -> StreamName {
        stream(Source::EventLog {
            file: "spark-1".to_owned(),
        })
    }

    proptest! {
        #[test]
        fn tokens_come_back(nanoseconds in 0..4_000_000_000_000_000_000_i128, ordinal: u32, hash: u64) {
            let time = Timestamp::from_nanosecond(nanoseconds).unwrap();
            let cursor = Cursor::Line(LinePlace { time, ordinal, hash });
            let stream = container("pod");
            prop_assert_eq!(Cursor::decode(&cursor.encode(&stream), &stream), Ok(cursor));
            let cursor = Cursor::Time(time);
            prop_assert_eq!(Cursor::decode(&cursor.encode(&stream), &stream), Ok(cursor));
            let token = cursor.encode(&event_log());
            prop_assert_eq!(Cursor::decode(&token, &event_log()), Err(InvalidCursor));
            let cursor = Cursor::Offset(hash);
            prop_assert_eq!(Cursor::decode(&cursor.encode(&event_log()), &event_log()), Ok(cursor));
        }

        #[test]
        fn any_text_is_refused_or_a_cursor(token in "[A-Za-z0-9_-]{1,60}") {
            prop_assert_eq!(Cursor::decode(&token, &event_log()), Err(InvalidCursor));
        }
    }

    #[test]
    fn tokens_of_another_stream_are_refused() {
        let place = LinePlace {
            time: Timestamp::UNIX_EPOCH,
            ordinal: 0,
            hash: 1,
        };
        let token = Cursor::Line(place).encode(&container("a"));
        assert_eq!(Cursor::decode(&token, &container("b")), Err(InvalidCursor));
        assert_eq!(
            Cursor::decode(&token[1..], &container("a")),
            Err(InvalidCursor)
        );
        assert_eq!(
            Cursor::decode(&token[..20], &container("a")),
            Err(InvalidCursor)
        );
        let mismatched = Cursor::Offset(1).encode(&container("a"));
        assert_eq!(
            Cursor::decode(&mismatched, &container("a")),
            Err(InvalidCursor)
        );
        assert_eq!(Cursor::decode("", &container("a")), Ok(Cursor::Begin));
    }
}
