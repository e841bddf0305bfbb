//! The lines that a container runtime writes: `<RFC3339Nano> stdout|stderr P|F <text>`.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

/// How long the date and the clock of a time are.
const SECOND_BYTES: usize = 19;

/// A container's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A line of a container's log file, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CriLine<'a> {
    /// When the runtime took it.
    pub time: Timestamp,
    /// Where the container wrote it.
    pub output: Output,
    /// Whether the container's line goes on in the next one of the same output.
    pub partial: bool,
    /// What the container wrote.
    pub text: &'a [u8],
}

impl<'a> CriLine<'a> {
    /// Takes a line apart; `None` when it is not of this form.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        CriReader::default().read(line)
    }
}

/// Takes lines apart one after another. Of those of one second the date and the clock are read
/// once.
#[derive(Debug, Clone, Default)]
pub struct CriReader {
    second: Option<([u8; SECOND_BYTES], Timestamp)>,
}

impl CriReader {
    /// Takes a line apart, as [`CriLine::parse`] does.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> Option<CriLine<'a>> {
        let (time, rest) = split_at_space(line)?;
        let (output, rest) = split_at_space(rest)?;
        // A runtime writes the space before an empty text too, but a shipper may trim it.
        let (tags, text) = split_at_space(rest).unwrap_or((rest, &[]));
        let output = match output {
            b"stdout" => Output::Stdout,
            b"stderr" => Output::Stderr,
            _ => return None,
        };
        // The tags are separated by colons; the first says whether the line is whole.
        let partial = match tags.split(|byte| *byte == b':').next()? {
            b"P" => true,
            b"F" => false,
            _ => return None,
        };
        Some(CriLine {
            time: self.time(time)?,
            output,
            partial,
            text,
        })
    }

    fn time(&mut self, text: &[u8]) -> Option<Timestamp> {
        self.utc_time(text)
            .or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
    }

    /// Reads `2026-11-21T03:04:05.678901234Z`, as runtimes write times, many times faster than a
    /// parser of every form; `None` for the other forms.
    fn utc_time(&mut self, text: &[u8]) -> Option<Timestamp> {
        let (digits, rest) = text.split_first_chunk()?;
        let second = match &self.second {
            Some((known, second)) if known == digits => *second,
            _ => utc_second(digits)?,
        };
        self.second = Some((*digits, second));
        Timestamp::new(second.as_second(), nanoseconds(rest)?).ok()
    }
}

/// Takes a line of the Kubernetes log API with `timestamps=true` apart: `<RFC3339Nano> <text>`.
pub fn parse_api_line(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (time, text) = split_at_space(line).unwrap_or((line, &[]));
    Some((CriReader::default().time(time)?, text))
}

/// Reads `2026-11-21T03:04:05`.
fn utc_second(text: &[u8; SECOND_BYTES]) -> Option<Timestamp> {
    let [y3, y2, y1, y0, b'-', m1, m0, b'-', d1, d0, b'T', clock @ ..] = text else {
        return None;
    };
    let [h1, h0, b':', i1, i0, b':', s1, s0] = clock else {
        return None;
    };
    let year = two_digits(*y3, *y2)? * 100 + two_digits(*y1, *y0)?;
    let small = |tens: u8, ones: u8| i8::try_from(two_digits(tens, ones)?).ok();
    let time = DateTime::new(
        year,
        small(*m1, *m0)?,
        small(*d1, *d0)?,
        small(*h1, *h0)?,
        small(*i1, *i0)?,
        small(*s1, *s0)?,
        0,
    );
    Offset::UTC.to_timestamp(time.ok()?).ok()
}

/// Reads what follows the seconds: `Z`, or a point, at most nine digits and `Z`.
fn nanoseconds(rest: &[u8]) -> Option<i32> {
    let digits = match rest {
        [b'Z'] => return Some(0),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut value = 0;
    for place in 0..9 {
        value = value * 10 + digits.get(place).map_or(Some(0), |byte| digit(*byte))?;
    }
    Some(value)
}

fn two_digits(tens: u8, ones: u8) -> Option<i16> {
    i16::try_from(digit(tens)? * 10 + digit(ones)?).ok()
}

fn digit(byte: u8) -> Option<i32> {
    byte.is_ascii_digit().then(|| i32::from(byte - b'0'))
}

fn split_at_space(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let position = memchr::memchr(b' ', bytes)?;
    Some((&bytes[..position], &bytes[position + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_taken_apart() {
        let line =
            CriLine::parse(b"2026-11-20T13:22:45.035088137Z stderr F  two  spaces ").unwrap();
        assert_eq!(line.time.subsec_nanosecond(), 35_088_137);
        assert_eq!(
            (line.output, line.partial, line.text),
            (Output::Stderr, false, &b" two  spaces "[..])
        );
        let line = CriLine::parse(b"2026-11-20T13:22:45+01:00 stdout P:x \xff").unwrap();
        assert_eq!(
            (line.output, line.partial, line.text),
            (Output::Stdout, true, &b"\xff"[..])
        );
        let empty = CriLine::parse(b"2026-11-20T13:22:45Z stdout F").unwrap();
        assert_eq!(empty.text, b"");
    }

    #[test]
    fn other_lines_are_not_taken_for_cri() {
        for line in [
            &b""[..],
            b"2026-11-20T13:22:45Z",
            b"2026-11-20T13:22:45Z stdin F x",
            b"2026-11-20T13:22:45Z stdout X x",
            b"yesterday stdout F x",
            b"{\"Event\":\"SparkListenerLogStart\"}",
        ] {
            assert_eq!(
                CriLine::parse(line),
                None,
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text: Vec<u8>, nanoseconds in 0..4_000_000_000_000_000_000_i128) {
            let time = Timestamp::from_nanosecond(nanoseconds).unwrap();
            let mut line = format!("{time} stdout F ").into_bytes();
            line.extend_from_slice(&text);
            let parsed = CriLine::parse(&line).unwrap();
            prop_assert_eq!(parsed.time, time);
            prop_assert_eq!(parsed.text, &text[..]);
        }

        #[test]
        fn what_came_before_a_line_does_not_matter(
            times in prop::collection::vec((0..3_i64, prop::sample::select(&["", ".5", ".x", "+01:00"][..])), 1..20),
        ) {
            let mut reader = CriReader::default();
            for (second, fraction) in times {
                let line = format!("1969-12-31T23:59:5{second}{fraction}Z stdout F x");
                prop_assert_eq!(reader.read(line.as_bytes()), CriLine::parse(line.as_bytes()));
            }
        }

        #[test]
        fn times_are_those_of_the_general_parser(
            seconds in -62_167_219_200_i64..250_000_000_000,
            fraction in "|\\.[0-9]{1,10}",
            damage in prop::option::of((0_usize..30, any::<u8>())),
        ) {
            let time = Timestamp::from_second(seconds).unwrap();
            let mut text = format!("{time:.0}").replace('Z', &format!("{fraction}Z")).into_bytes();
            if let Some((position, byte)) = damage && position < text.len() {
                text[position] = byte;
            }
            let general = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            if let Some(fast) = CriReader::default().utc_time(&text) {
                prop_assert_eq!(Some(fast), general);
            } else {
                prop_assert!(fraction.len() > 10 || damage.is_some() || general.is_none());
            }
        }
    }
}
