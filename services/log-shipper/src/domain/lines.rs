//! Where lines end.

/// Longest line that travels in one record. A longer one is cut into pieces of this size.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// How many of the bytes are complete lines, their newlines included.
pub fn complete_length(bytes: &[u8]) -> usize {
    let last = bytes.iter().rposition(|byte| *byte == b'\n');
    last.map_or(0, |position| position + 1)
}

/// The lines in order: where each begins, its bytes without the newline, and whether it is torn,
/// which means that no newline follows. Only the last can be, or a piece of
/// [`MAX_LINE_BYTES`].
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8], bool)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = &bytes[start..];
        if rest.is_empty() {
            return None;
        }
        let newline = rest
            .iter()
            .take(MAX_LINE_BYTES + 1)
            .position(|byte| *byte == b'\n');
        let begin = start;
        let (line, torn) = match newline {
            Some(length) => (&rest[..length], false),
            None => (&rest[..rest.len().min(MAX_LINE_BYTES)], true),
        };
        start += line.len() + usize::from(!torn);
        Some((begin, line, torn))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn newline_ends_a_line() {
        for (bytes, complete, expected) in [
            (&b""[..], 0, vec![]),
            (b"\n", 1, vec![(0, &b""[..], false)]),
            (b"ab\nc\r\n", 6, vec![(0, b"ab", false), (3, b"c\r", false)]),
            (b"ab\nc", 3, vec![(0, b"ab", false), (3, b"c", true)]),
            (b"ab", 0, vec![(0, b"ab", true)]),
        ] {
            assert_eq!(complete_length(bytes), complete);
            assert_eq!(lines(bytes).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn endless_line_is_cut() {
        let bytes = vec![b'x'; 2 * MAX_LINE_BYTES + 3];
        let cut: Vec<_> = lines(&bytes)
            .map(|(start, line, torn)| (start, line.len(), torn))
            .collect();
        assert_eq!(
            cut,
            [
                (0, MAX_LINE_BYTES, true),
                (MAX_LINE_BYTES, MAX_LINE_BYTES, true),
                (2 * MAX_LINE_BYTES, 3, true)
            ]
        );
    }

    proptest! {
        #[test]
        fn lines_put_together_are_the_bytes(bytes in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200)) {
            let mut again = Vec::new();
            for (start, line, torn) in lines(&bytes) {
                prop_assert_eq!(start, again.len());
                again.extend_from_slice(line);
                if !torn {
                    again.push(b'\n');
                }
            }
            prop_assert_eq!(again, bytes);
        }
    }
}
