//! OpenTSDB's letters: ASCII letters and digits, `-`, `_`, `.` and `/`. Unicode letters are legal
//! too, but not safe to send by telnet.

/// Adds a metric's name. Prometheus's names have letters, digits, `_` and `:`; the colon becomes a
/// dot, which they never have, so two names stay two.
pub(super) fn push_metric_name(text: &mut String, name: &str) {
    text.extend(name.chars().map(|c| if c == ':' { '.' } else { c }));
}

/// Adds a tag's value: an illegal byte becomes `/x` and two hexadecimal digits. A slash that would
/// read like such an escape is escaped itself, so two values stay two.
pub(super) fn push_tag_value(text: &mut String, value: &str) {
    let bytes = value.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        if is_legal(*byte) && !starts_escape(&bytes[at..]) {
            text.push(char::from(*byte));
        } else {
            push_escape(text, *byte);
        }
    }
}

/// Whether OpenTSDB takes the byte as it is.
pub(super) fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/')
}

fn starts_escape(bytes: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    matches!(bytes, [b'/', b'x', high, low, ..] if is_digit(high) && is_digit(low))
}

fn push_escape(text: &mut String, byte: u8) {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    text.push_str("/x");
    text.push(DIGITS[usize::from(byte >> 4)]);
    text.push(DIGITS[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: &str) -> String {
        let mut text = String::new();
        push_tag_value(&mut text, value);
        text
    }

    /// Reads a written value back; only possible because no two values are written alike.
    fn read(text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes();
        let mut value = Vec::new();
        while let [first, rest @ ..] = bytes {
            if starts_escape(bytes) {
                value.push(
                    u8::from_str_radix(std::str::from_utf8(&bytes[2..4]).unwrap(), 16).unwrap(),
                );
                bytes = &bytes[4..];
            } else {
                value.push(*first);
                bytes = rest;
            }
        }
        value
    }

    #[test]
    fn usual_values_stay_as_they_are() {
        for value in ["driver", "4.0.1", "/api/v1/x", "linux_x86_64", "a-b"] {
            assert_eq!(written(value), value);
        }
        assert_eq!(written("prom test"), "prom/x20test");
        assert_eq!(written("a:8080"), "a/x3a8080");
        assert_eq!(written("/x20"), "/x2fx20");
        assert_eq!(written("ä"), "/xc3/xa4");
    }

    proptest! {
        #[test]
        fn written_values_are_legal_and_never_collide(value in ".*|[/x0-9a-f :]{0,12}") {
            let text = written(&value);
            prop_assert!(text.bytes().all(is_legal), "{}", text);
            prop_assert_eq!(read(&text), value.as_bytes());
        }
    }
}
