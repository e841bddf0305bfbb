//! Reads records in the form in which shippers write them, several times as fast as JSON in general
//! can be read: one object, without spaces between its parts, whose values are texts, numbers and
//! truths.
//!
//! Whatever is not of this form is left to the general reader, which also says what is wrong.

use std::borrow::Cow;

use super::record::Wire;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The record; `None` when it is not of the simple form, whether or not it is JSON.
pub(super) fn wire(json: &[u8]) -> Option<Wire<'_>> {
    let json = std::str::from_utf8(json).ok()?;
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
            b'}' if scanner.is_at_end() => return fields.wire(),
            _ => return None,
        }
    }
}

#[derive(Default)]
struct Fields<'a> {
    path: Option<Cow<'a, str>>,
    offset: Option<u64>,
    generation: Option<Cow<'a, str>>,
    log: Option<Cow<'a, str>>,
    log_base64: Option<Cow<'a, str>>,
    torn: Option<bool>,
}

impl<'a> Fields<'a> {
    /// Reads the value of a field. A second one of the same name is not simple.
    fn read(&mut self, name: &str, scanner: &mut Scanner<'a>) -> Option<()> {
        let text = match name {
            "path" => &mut self.path,
            "generation" => &mut self.generation,
            "log" => &mut self.log,
            "log_base64" => &mut self.log_base64,
            "offset" => {
                let is_first = self.offset.replace(scanner.integer()?).is_none();
                return is_first.then_some(());
            }
            "torn" => {
                let is_first = self.torn.replace(scanner.truth()?).is_none();
                return is_first.then_some(());
            }
            _ => return scanner.pass(),
        };
        scanner.take(b'"')?;
        text.replace(scanner.text()?).is_none().then_some(())
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
    json: &'a str,
    position: usize,
}

impl<'a> Scanner<'a> {
    fn next(&mut self) -> Option<u8> {
        let byte = *self.json.as_bytes().get(self.position)?;
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
        let end = special_from(self.json.as_bytes(), start)?;
        self.position = end + 1;
        match self.json.as_bytes()[end] {
            b'"' => Some(Cow::Borrowed(&self.json[start..end])),
            b'\\' => self.text_with_escapes(start, end).map(Cow::Owned),
            _ => None,
        }
    }

    /// A text whose first escape is at `escape`, and the position is behind it.
    fn text_with_escapes(&mut self, start: usize, mut escape: usize) -> Option<String> {
        let bytes = self.json.as_bytes();
        // A text is most of its record.
        let mut text = String::with_capacity(bytes.len() - start);
        text.push_str(&self.json[start..escape]);
        loop {
            match self.next()? {
                byte @ (b'"' | b'\\' | b'/') => text.push(byte.into()),
                b'n' => text.push('\n'),
                b't' => text.push('\t'),
                b'r' => text.push('\r'),
                b'b' => text.push('\u{8}'),
                b'f' => text.push('\u{c}'),
                _ => return None,
            }
            let start = self.position;
            escape = special_from(bytes, start)?;
            text.push_str(&self.json[start..escape]);
            self.position = escape + 1;
            match bytes[escape] {
                b'"' => return Some(text),
                b'\\' => {}
                _ => return None,
            }
        }
    }

    /// A number without sign, point and exponent.
    fn integer(&mut self) -> Option<u64> {
        let rest = &self.json.as_bytes()[self.position..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // A zero in front makes it no JSON.
        let is_plain = length == 1 || rest.first() != Some(&b'0');
        let digits = &self.json[self.position..self.position + length];
        self.position += length;
        digits.parse().ok().filter(|_| is_plain)
    }

    fn truth(&mut self) -> Option<bool> {
        let rest = &self.json[self.position..];
        let truth = [("true", true), ("false", false)];
        let (word, value) = truth.into_iter().find(|(word, _)| rest.starts_with(word))?;
        self.position += word.len();
        Some(value)
    }

    /// Passes the value of an unknown field.
    fn pass(&mut self) -> Option<()> {
        match self.json.as_bytes().get(self.position)? {
            b'"' => {
                self.position += 1;
                self.text().map(|_| ())
            }
            b'0'..=b'9' => self.integer().map(|_| ()),
            _ => self.truth().map(|_| ()),
        }
    }
}

/// Where the next byte is that ends a text, begins an escape or may not be in a text.
fn special_from(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let (words, tail) = rest.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let found = special_in(u64::from_le_bytes(*word));
        if found != 0 {
            return Some(start + index * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let position = tail.iter().position(is_special)?;
    Some(start + words.len() * 8 + position)
}

/// The lowest bit that is set is the highest of the first special byte; those above it may be
/// wrong.
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
            path: String, offset: u64, log in ".{0,200}", torn: bool, date in 0..9_u8,
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
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let expected = bytes.iter().skip(start).position(is_special);
            prop_assert_eq!(special_from(&bytes, start), expected.map(|at| at + start));
        }
    }
}
