//! Reads records in the form in which shippers write them, several times as fast as JSON in general
//! can be read: one object, without spaces between its parts, whose values are texts, numbers and
//! truths.
//!
//! Whatever is not of this form is left to the general reader, which also says what is wrong.

use std::{borrow::Cow, ops::Range};

use super::record::Wire;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Where the parts of a record are that the next one has otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Places {
    /// The digits of the offset.
    pub(super) offset: Range<usize>,
    /// What is between the quotation marks of `log`.
    pub(super) log: Range<usize>,
}

/// The record, and its places when its offset stands before its `log`; `None` when it is not of the
/// simple form, whether or not it is JSON.
pub(super) fn wire(json: &[u8]) -> Option<(Wire<'_>, Option<Places>)> {
    let mut scanner = Scanner { json, position: 0 };
    let mut fields = Fields::default();
    scanner.take(b'{')?;
    loop {
        scanner.take(b'"')?;
        let Cow::Borrowed(name) = scanner.text()? else {
            return None;
        };
        scanner.take(b':')?;
        fields.read(name, &mut scanner)?;
        match scanner.next()? {
            b',' => {}
            b'}' if scanner.is_at_end() => {
                let places = fields.places();
                return Some((fields.wire()?, places));
            }
            _ => return None,
        }
    }
}

/// The number that digits stand for, without sign, point and exponent.
pub(super) fn integer(digits: &[u8]) -> Option<u64> {
    // A zero in front makes it no JSON.
    let is_plain = digits.len() == 1 || digits.first() != Some(&b'0');
    let text = std::str::from_utf8(digits).ok()?;
    text.parse().ok().filter(|_| is_plain)
}

/// The bytes of the text that stands between two quotation marks, as [`text`].
pub(super) fn text_bytes(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    // Most lines are of ASCII, which is seen faster than that something is UTF-8.
    plain(quoted).filter(|bytes| bytes.is_ascii() || std::str::from_utf8(bytes).is_ok())
}

/// The text that stands between two quotation marks; `None` when something else is there.
pub(super) fn text(quoted: &[u8]) -> Option<Cow<'_, str>> {
    match plain(quoted)? {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    }
}

/// What stands between two quotation marks without its escapes, whether or not it is UTF-8.
fn plain(quoted: &[u8]) -> Option<Cow<'_, [u8]>> {
    if is_plain(quoted) {
        return Some(Cow::Borrowed(quoted));
    }
    unescaped(quoted).map(Cow::Owned)
}

/// What escapes and the bytes between them stand for.
fn unescaped(quoted: &[u8]) -> Option<Vec<u8>> {
    // Nothing gets longer, but words are written whole before it is known how much of them counts.
    let mut text = vec![0; quoted.len() + size_of::<u64>()];
    let (mut from, mut to) = (0, 0);
    while let Some(word) = quoted[from..].first_chunk::<8>() {
        text[to..to + 8].copy_from_slice(word);
        let special = special_in(u64::from_le_bytes(*word));
        let plain_bytes = special.trailing_zeros() as usize / 8;
        (from, to) = (from + plain_bytes, to + plain_bytes);
        if special != 0 {
            text[to] = escaped(*quoted[from..].first_chunk()?)?;
            (from, to) = (from + 2, to + 1);
        }
    }
    while let Some(byte) = quoted.get(from) {
        if is_special(*byte) {
            text[to] = escaped(*quoted[from..].first_chunk()?)?;
            from += 2;
        } else {
            text[to] = *byte;
            from += 1;
        }
        to += 1;
    }
    text.truncate(to);
    Some(text)
}

/// What an escape stands for; `None` for one of another length, and for what is none.
fn escaped(escape: [u8; 2]) -> Option<u8> {
    let [b'\\', letter] = escape else {
        return None;
    };
    Some(match letter {
        b'"' | b'\\' | b'/' => letter,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'f' => 0x0c,
        _ => return None,
    })
}

/// Whether the bytes stand for themselves. Without an end before the last word, so that the
/// compiler has several words looked at at once.
fn is_plain(quoted: &[u8]) -> bool {
    let (words, tail) = quoted.as_chunks::<8>();
    let special = words.iter().fold(0, |special, word| {
        special | special_in(u64::from_le_bytes(*word))
    });
    special == 0 && !tail.iter().any(|byte| is_special(*byte))
}

#[derive(Default)]
struct Fields<'a> {
    path: Option<Cow<'a, str>>,
    offset: Option<u64>,
    generation: Option<Cow<'a, str>>,
    log: Option<Cow<'a, str>>,
    log_base64: Option<Cow<'a, str>>,
    torn: Option<bool>,
    offset_place: Range<usize>,
    log_place: Range<usize>,
}

impl<'a> Fields<'a> {
    /// Reads the value of a field. A second one of the same name is not simple.
    fn read(&mut self, name: &str, scanner: &mut Scanner<'a>) -> Option<()> {
        let start = scanner.position;
        let text = match name {
            "path" => &mut self.path,
            "generation" => &mut self.generation,
            "log" => &mut self.log,
            "log_base64" => &mut self.log_base64,
            "offset" => {
                let is_first = self.offset.replace(scanner.integer()?).is_none();
                self.offset_place = start..scanner.position;
                return is_first.then_some(());
            }
            "torn" => {
                let is_first = self.torn.replace(scanner.truth()?).is_none();
                return is_first.then_some(());
            }
            _ => return scanner.pass(),
        };
        scanner.take(b'"')?;
        let is_first = text.replace(scanner.text()?).is_none();
        if name == "log" {
            self.log_place = start + 1..scanner.position - 1;
        }
        is_first.then_some(())
    }

    fn places(&self) -> Option<Places> {
        let is_told = self.offset.is_some() && self.log.is_some();
        let places = Places {
            offset: self.offset_place.clone(),
            log: self.log_place.clone(),
        };
        Some(places).filter(|places| is_told && places.offset.end <= places.log.start)
    }

    fn wire(self) -> Option<Wire<'a>> {
        Some(Wire {
            path: self.path?,
            offset: self.offset?,
            generation: self.generation,
            log: self.log,
            log_base64: self.log_base64,
            torn: self.torn.unwrap_or_default(),
        })
    }
}

struct Scanner<'a> {
    json: &'a [u8],
    position: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.json.get(self.position)?;
        self.position += 1;
        Some(byte)
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    fn is_at_end(&self) -> bool {
        self.position == self.json.len()
    }

    /// The rest of a text whose first quotation mark is behind, and its last one.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let start = self.position;
        let mut end = special_from(self.json, start)?;
        while self.json[end] == b'\\' {
            end = special_from(self.json, end + 2)?;
        }
        self.position = end + 1;
        let quoted = &self.json[start..end];
        text(quoted).filter(|_| self.json[end] == b'"')
    }

    fn integer(&mut self) -> Option<u64> {
        let rest = &self.json[self.position..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += length;
        integer(&rest[..length])
    }

    fn truth(&mut self) -> Option<bool> {
        let rest = &self.json[self.position..];
        let truth = [(&b"true"[..], true), (b"false", false)];
        let (word, value) = truth.into_iter().find(|(word, _)| rest.starts_with(word))?;
        self.position += word.len();
        Some(value)
    }

    /// Passes the value of an unknown field.
    fn pass(&mut self) -> Option<()> {
        match self.json.get(self.position)? {
            b'"' => {
                self.position += 1;
                self.text().map(|_| ())
            }
            b'0'..=b'9' => self.integer().map(|_| ()),
            _ => self.truth().map(|_| ()),
        }
    }
}

/// Whether the byte ends a text, begins an escape or may not be in a text.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// Where the next special byte is.
fn special_from(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = special_in(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(start + index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let position = tail.iter().position(|byte| is_special(*byte))?;
    Some(start + words.len() * 8 + position)
}

/// None is set when no byte is special; else the lowest one is the highest of the first special
/// byte, and those above it may be wrong.
fn special_in(word: u64) -> u64 {
    let zero_in = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let quotation = zero_in(word ^ (ONES * u64::from(b'"')));
    let escape = zero_in(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
    quotation | escape | control
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The record alone.
    fn wire(json: &[u8]) -> Option<Wire<'_>> {
        super::wire(json).map(|(wire, _)| wire)
    }

    #[test]
    fn what_shippers_write_is_simple() {
        let log_shipper = br#"{"date":"2026-11-21T03:04:05.678Z","path":"/a/0.log","offset":58,"log":"say \"hi\"\t\\ \u00fc","generation":"958478-17","cluster":"local"}"#;
        assert_eq!(wire(log_shipper), None, "an escaped letter is left alone");
        let log_shipper = br#"{"date":"2026-11-21T03:04:05.678Z","path":"/a/0.log","offset":58,"log":"say \"hi\"\t\\","generation":"958478-17","cluster":"local","torn":true}"#;
        let read = wire(log_shipper).unwrap();
        assert_eq!(
            (&*read.path, read.offset, read.torn),
            ("/a/0.log", 58, true)
        );
        assert_eq!(read.log.as_deref(), Some("say \"hi\"\t\\"));
        assert_eq!(read.generation.as_deref(), Some("958478-17"));
    }

    #[test]
    fn what_is_not_simple_or_no_json_is_left_alone() {
        for json in [
            r#"{"path":"/a","path":"/b","offset":1}"#,
            r#"{"path":"/a", "offset":1}"#,
            r#"{"path":"/a","offset":01}"#,
            r#"{"path":"/a","offset":-1}"#,
            r#"{"path":"/a","offset":1.5}"#,
            r#"{"path":"/a","offset":18446744073709551616}"#,
            r#"{"path":"/a","offset":1,"more":{}}"#,
            r#"{"path":"/a","offset":1}}"#,
            r#"{"path":"/a","offset":1,}"#,
            r#"{"path":"/a"}"#,
            r#"{"path":"/a"#,
            "{\"path\":\"\t\",\"offset\":1}",
            "",
        ] {
            assert_eq!(wire(json.as_bytes()), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn it_reads_what_the_general_reader_reads(
            path: String, offset: u64, log in ".{0,200}|[ab\"\\\\\n\t\r\x08\x0c]{0,60}", torn: bool, date in 0..9_u8,
        ) {
            let json = json!({"date": date, "path": path, "offset": offset, "log": log, "torn": torn});
            let text = json.to_string();
            let general: Wire<'_> = serde_json::from_str(&text).unwrap();
            if let Some(read) = wire(text.as_bytes()) {
                prop_assert_eq!(read, general);
            } else {
                prop_assert!(text.contains("\\u"));
            }
        }

        #[test]
        fn it_takes_no_bytes_that_the_general_reader_refuses(
            mut json in r#"\{"path":"[a\\"\\\\]{0,20}","offset":[0-9]{1,3},"log":"[a"\\\\nu\t]{0,20}"\}"#,
            position: prop::sample::Index, byte: char,
        ) {
            let at = position.index(json.len());
            if json.is_char_boundary(at) {
                json.insert(at, byte);
            }
            if let Some(read) = wire(json.as_bytes()) {
                let general: Wire<'_> = serde_json::from_str(&json).unwrap();
                prop_assert_eq!(read, general);
            }
        }

        #[test]
        fn special_bytes_are_found(bytes: Vec<u8>, start in 0..20_usize) {
            let special = |byte: &u8| [b'"', b'\\'].contains(byte) || *byte < 0x20;
            let expected = bytes.iter().skip(start).position(special);
            prop_assert_eq!(special_from(&bytes, start), expected.map(|at| at + start));
            prop_assert_eq!(is_plain(&bytes), !bytes.iter().any(special));
        }
    }
}
