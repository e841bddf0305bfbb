//! The labels of one sample.

use std::borrow::Cow;

use super::{Malformed, sample::is_blank};

/// More labels on one sample are taken for garbage: it keeps the search for repeated names short.
const MAXIMUM_LABELS: usize = 128;

/// Well-formed labels, which still point into the text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Labels<'a> {
    /// What stands between the braces.
    text: &'a str,
}

/// A label as it is written: the value's escapes are still in it.
struct RawLabel<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Labels<'a> {
    /// Reads labels after their opening brace; also returns what follows the closing one.
    pub(super) fn parse(text: &'a str) -> Result<(Self, &'a str), Malformed> {
        let mut names: Vec<&str> = Vec::new();
        let mut rest = text;
        loop {
            let (label, after) = next(rest)?;
            rest = after;
            let Some(RawLabel { name, .. }) = label else {
                break;
            };
            if names.len() == MAXIMUM_LABELS || names.contains(&name) {
                return Err(Malformed);
            }
            names.push(name);
        }
        let inner = &text[..text.len() - rest.len() - 1];
        Ok((Self { text: inner }, rest))
    }

    /// Names and values in the order of the text.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut rest = self.text;
        std::iter::from_fn(move || {
            let (label, after) = next(rest).ok()?;
            rest = after;
            label.map(|RawLabel { name, value }| (name, unescape(value)))
        })
    }

    /// The value of a label; `None` when there is none of this name.
    pub fn get(self, name: &str) -> Option<Cow<'a, str>> {
        self.iter()
            .find_map(|(found, value)| (found == name).then_some(value))
    }
}

/// The next label and what follows it and its comma; no label at the closing brace.
fn next(text: &str) -> Result<(Option<RawLabel<'_>>, &str), Malformed> {
    let text = text.trim_start_matches(is_blank);
    if let Some(rest) = text.strip_prefix('}') {
        return Ok((None, rest));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (name, rest) = text.split_at(text.find(|c| !allowed(c)).ok_or(Malformed)?);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Malformed);
    }
    let rest = rest
        .trim_start_matches(is_blank)
        .strip_prefix('=')
        .ok_or(Malformed)?;
    let rest = rest
        .trim_start_matches(is_blank)
        .strip_prefix('"')
        .ok_or(Malformed)?;
    let (value, rest) = rest.split_at(end_of_value(rest)?);
    let rest = rest[1..].trim_start_matches(is_blank);
    let rest = match rest.strip_prefix(',') {
        Some(rest) => rest,
        None if rest.starts_with('}') || rest.is_empty() => rest,
        None => return Err(Malformed),
    };
    Ok((Some(RawLabel { name, value }), rest))
}

/// Where the closing quote is.
fn end_of_value(text: &str) -> Result<usize, Malformed> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok(at),
            _ => {}
        }
    }
    Err(Malformed)
}

/// `\\`, `\"` and `\n` stand for themselves; a backslash before anything else stays, as Prometheus
/// reads it.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains('\\') {
        return Cow::Borrowed(value);
    }
    let mut plain = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some(c @ ('\\' | '"')) => plain.push(c),
            Some(c) => plain.extend(['\\', c]),
            None => plain.push('\\'),
        }
    }
    Cow::Owned(plain)
}
