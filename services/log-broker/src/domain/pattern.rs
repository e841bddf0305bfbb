//! What a search looks for.

use std::sync::Arc;

use memchr::{memchr, memmem, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use super::{cri::CriLine, screen::Screen, stream::StreamKind};

/// Longest text or expression.
pub const MAX_PATTERN_BYTES: usize = 1_000;
/// Most memory of a compiled expression.
pub const MAX_COMPILED_BYTES: usize = 1 << 20;

/// Matches lines as `grep` does: anywhere in a line, without its line end. Clones share what was
/// compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    matcher: Arc<Matcher>,
    screen: Option<Screen>,
}

#[derive(Debug, Clone)]
enum Matcher {
    Literal(Box<memmem::Finder<'static>>),
    Regex(Regex),
}

/// The pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would match every line.
    #[error("must not be empty")]
    Empty,
    /// Too long.
    #[error("must be at most {MAX_PATTERN_BYTES} bytes long, is {0}")]
    TooLong(usize),
    /// A line never has one.
    #[error("must not have a line end: lines are matched one by one")]
    LineEnd,
    /// Compiles to something too large.
    #[error("must be at most {MAX_COMPILED_BYTES} bytes when it is compiled")]
    TooBig,
    /// No expression.
    #[error("is no regular expression: {0}")]
    Syntax(String),
}

impl Pattern {
    /// A text.
    ///
    /// # Errors
    ///
    /// [`PatternError`] when it is empty, too long, or has a line end.
    pub fn literal(text: &str, ignore_case: bool) -> Result<Self, PatternError> {
        check_length(text)?;
        if text.contains('\n') {
            return Err(PatternError::LineEnd);
        }
        if ignore_case {
            return compile(&regex::escape(text), true);
        }
        Ok(Self {
            matcher: Arc::new(Matcher::Literal(Box::new(
                memmem::Finder::new(text).into_owned(),
            ))),
            screen: Screen::of(text.as_bytes()),
        })
    }

    /// An expression.
    ///
    /// # Errors
    ///
    /// [`PatternError`] when it is none, or too large.
    pub fn regex(expression: &str, ignore_case: bool) -> Result<Self, PatternError> {
        check_length(expression)?;
        compile(expression, ignore_case)
    }

    /// Whether a line, without its line end, matches.
    pub fn matches(&self, line: &[u8]) -> bool {
        match &*self.matcher {
            Matcher::Literal(finder) => finder.find(line).is_some(),
            Matcher::Regex(regex) => regex.is_match(line),
        }
    }

    /// What tells raw objects that need not be parsed; `None` when any may hold a match.
    pub fn screen(&self) -> Option<&Screen> {
        self.screen.as_ref()
    }

    /// Where in a file's bytes, which are whole lines without parts of others, the first line that
    /// matches starts.
    pub fn first_match(&self, kind: StreamKind, bytes: &[u8]) -> Option<usize> {
        match &*self.matcher {
            Matcher::Literal(finder) => {
                let mut start = 0;
                loop {
                    let found = start + finder.find(&bytes[start..])?;
                    let line = line_around(bytes, found);
                    if self.matches(text_of(kind, &bytes[line.clone()])) {
                        return Some(line.start);
                    }
                    // It stands in what the container runtime put in front of the text.
                    start = line.end;
                }
            }
            Matcher::Regex(_) => {
                let mut start = 0;
                while start < bytes.len() {
                    let line = line_around(bytes, start);
                    if self.matches(text_of(kind, &bytes[line.clone()])) {
                        return Some(line.start);
                    }
                    start = line.end + 1;
                }
                None
            }
        }
    }
}

fn check_length(text: &str) -> Result<(), PatternError> {
    match text.len() {
        0 => Err(PatternError::Empty),
        1..=MAX_PATTERN_BYTES => Ok(()),
        length => Err(PatternError::TooLong(length)),
    }
}

fn compile(expression: &str, ignore_case: bool) -> Result<Pattern, PatternError> {
    let regex = RegexBuilder::new(expression)
        .case_insensitive(ignore_case)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => PatternError::TooBig,
            other => PatternError::Syntax(other.to_string()),
        })?;
    Ok(Pattern {
        matcher: Arc::new(Matcher::Regex(regex)),
        screen: None,
    })
}

/// The line that holds a byte, without its newline.
fn line_around(bytes: &[u8], position: usize) -> std::ops::Range<usize> {
    let start = memrchr(b'\n', &bytes[..position]).map_or(0, |newline| newline + 1);
    let end = memchr(b'\n', &bytes[position..]).map_or(bytes.len(), |newline| position + newline);
    start..end
}

/// What the container wrote of a line of the file.
fn text_of(kind: StreamKind, line: &[u8]) -> &[u8] {
    match kind {
        StreamKind::Container => CriLine::parse(line).map_or(line, |cri| cri.text),
        StreamKind::EventLog => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_at_their_limits() {
        let text = |length: usize| "x".repeat(length);
        assert_eq!(
            Pattern::literal("", false).unwrap_err(),
            PatternError::Empty
        );
        assert!(Pattern::literal(&text(1_000), false).is_ok());
        assert!(Pattern::literal(&text(1_000), true).is_ok());
        assert_eq!(
            Pattern::literal(&text(1_001), false).unwrap_err(),
            PatternError::TooLong(1_001)
        );
        assert_eq!(
            Pattern::literal("a\nb", false).unwrap_err(),
            PatternError::LineEnd
        );
        assert!(Pattern::regex(&text(1_000), false).is_ok());
        assert_eq!(
            Pattern::regex(&text(1_001), false).unwrap_err(),
            PatternError::TooLong(1_001)
        );
        assert!(Pattern::regex(r"\pL{10}", false).is_ok());
        let error = Pattern::regex(r"(\pL{100}){100}", false).unwrap_err();
        assert_eq!(error, PatternError::TooBig);
        assert!(error.to_string().contains("1048576 bytes"), "{error}");
        assert!(matches!(
            Pattern::regex("(", false),
            Err(PatternError::Syntax(_))
        ));
    }

    #[test]
    fn expression_is_refused_from_the_first_byte_past_the_limit_on() {
        let expression = |count: usize| format!(r"\pL{{{count}}}");
        // The smallest limit that the engine takes for an expression is its size.
        let fits = |count: usize, limit_bytes: usize| {
            let mut builder = RegexBuilder::new(&expression(count));
            builder.size_limit(limit_bytes).build().is_ok()
        };
        let counts: Vec<_> = (1..1_000).collect();
        let most = counts.partition_point(|count| fits(*count, 1_048_576));
        assert!(most > 10 && most < counts.len());
        assert!(!fits(most, 1_048_576 / 2));
        assert!(Pattern::regex(&expression(most), false).is_ok());
        let past = Pattern::regex(&expression(most + 1), false);
        assert_eq!(past.unwrap_err(), PatternError::TooBig);
    }

    #[test]
    fn what_the_runtime_puts_in_front_is_not_matched() {
        let bytes = b"2026-11-21T03:00:00Z stdout F a\n2026-11-21T03:00:00Z stdout F stdout\n";
        for pattern in [
            Pattern::literal("stdout", false).unwrap(),
            Pattern::literal("STDOUT", true).unwrap(),
            Pattern::regex("^std", false).unwrap(),
        ] {
            let found = pattern.first_match(StreamKind::Container, bytes);
            assert_eq!(found, Some(32), "{pattern:?}");
            let found = pattern.first_match(StreamKind::Container, &bytes[..32]);
            assert_eq!(found, None, "{pattern:?}");
        }
    }

    proptest! {
        /// What is found in a block is what is found line by line.
        #[test]
        fn first_match_is_the_first_line_that_matches(
            text in "[ab\n]{0,40}",
            needle in "[ab]{1,3}",
        ) {
            let text = text.as_bytes();
            let patterns = [
                Pattern::literal(&needle, false).unwrap(),
                Pattern::literal(&needle, true).unwrap(),
                Pattern::regex(&needle, false).unwrap(),
                Pattern::regex(&format!("^{needle}$"), false).unwrap(),
            ];
            for pattern in patterns {
                let mut start = 0;
                let mut expected = None;
                for line in text.split_inclusive(|byte| *byte == b'\n') {
                    let bare = line.strip_suffix(b"\n").unwrap_or(line);
                    if expected.is_none() && pattern.matches(bare) {
                        expected = Some(start);
                    }
                    start += line.len();
                }
                prop_assert_eq!(pattern.first_match(StreamKind::EventLog, text), expected);
            }
        }
    }
}
