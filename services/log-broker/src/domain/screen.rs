//! Tells raw objects that cannot hold a text by their JSON as it stands, so that they need not be
//! parsed.

use memchr::memmem;

/// Looks for a part of the text that every JSON writer writes as it is, unless it writes `\u00…`
/// for it: printable ASCII without `"`, `\` and `/`.
#[derive(Debug, Clone)]
pub struct Screen {
    fragment: memmem::Finder<'static>,
    escape: memmem::Finder<'static>,
    encoded: memmem::Finder<'static>,
}

impl Screen {
    /// The screen for a text; `None` when it has no such part.
    pub fn of(text: &[u8]) -> Option<Self> {
        let stands_as_it_is =
            |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'/');
        let fragment = text
            .split(|byte| !stands_as_it_is(byte))
            .max_by_key(|fragment| fragment.len())
            .filter(|fragment| !fragment.is_empty())?;
        Some(Self {
            fragment: memmem::Finder::new(fragment).into_owned(),
            escape: memmem::Finder::new(b"\\u00"),
            encoded: memmem::Finder::new(b"log_base64"),
        })
    }

    /// Whether a line of one of the records may have the text. Sure when it says no.
    pub fn may_hold(&self, json: &[u8]) -> bool {
        self.fragment.find(json).is_some()
            || self.encoded.find(json).is_some()
            || self.has_escaped_ascii(json)
    }

    fn has_escaped_ascii(&self, json: &[u8]) -> bool {
        let is_printable = |escape: usize| matches!(json.get(escape + 4), Some(b'2'..=b'7'));
        self.escape.find_iter(json).any(is_printable)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::record::RawRecord;

    fn record(log: &str) -> String {
        format!("{{\"path\":\"/p\",\"offset\":0,\"log\":\"{log}\"}}")
    }

    #[test]
    fn every_way_to_write_a_text_passes() {
        for (text, json) in [
            ("ab", record("xaby")),
            ("ab", record(r"x\u0061by")),
            ("aB", record(r"xa\u0042y")),
            ("a/b", record(r"a\/b")),
            ("say \"hi\"", record(r#"say \"hi\""#)),
            ("é<", record(r"\u00e9\u003c")),
            ("ab", record("").replace("log\":\"", "log_base64\":\"YWI=")),
        ] {
            assert!(
                Screen::of(text.as_bytes())
                    .unwrap()
                    .may_hold(json.as_bytes()),
                "{json}"
            );
        }
        assert!(Screen::of("\"é\\/\n".as_bytes()).is_none());
    }

    #[test]
    fn colours_do_not_pass() {
        let screen = Screen::of(b"ab").unwrap();
        assert!(!screen.may_hold(record(r"\u001b[31mred\u001b[0m é \u00e9").as_bytes()));
    }

    proptest! {
        #[test]
        fn what_a_record_holds_passes(
            before: String,
            text in "[a-c\"/\\\\\u{1b}é]{1,4}",
            after: String,
            spelled in prop::collection::vec(any::<bool>(), 8),
        ) {
            let line = format!("{before}{text}{after}");
            let mut json = String::new();
            for (index, c) in line.chars().enumerate() {
                if spelled[index % spelled.len()] {
                    let quoted = serde_json::to_string(&c).unwrap();
                    json.push_str(&quoted[1..quoted.len() - 1]);
                } else {
                    let units = c.encode_utf16(&mut [0; 2]).to_vec();
                    json.extend(units.into_iter().map(|unit| format!("\\u{unit:04x}")));
                }
            }
            let json = record(&json);
            prop_assert_eq!(&*RawRecord::parse(json.as_bytes()).unwrap().line, line.as_bytes());
            if let Some(screen) = Screen::of(text.as_bytes()) {
                prop_assert!(screen.may_hold(json.as_bytes()));
            }
        }
    }
}
