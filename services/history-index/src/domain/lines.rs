//! Lines out of bytes that come in pieces.

/// Longest line that is read, in bytes. SQL plans reach tens of megabytes; beyond that a log is
/// damaged.
pub(crate) const LONGEST_LINE_BYTES: usize = 64 << 20;

/// Cuts lines. A line that lies within one piece is handed on without a copy.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// The beginning of a line whose end has not come.
    pending: Vec<u8>,
    /// The present line is too long and is being thrown away.
    is_discarding: bool,
}

/// What a piece of a log held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A whole line without its end.
    Whole(&'a [u8]),
    /// A line longer than [`LONGEST_LINE_BYTES`].
    TooLong,
}

impl Lines {
    /// Hands every line that ends within `piece` to `sink`; empty ones are left out.
    pub(crate) fn feed(&mut self, mut piece: &[u8], sink: &mut impl FnMut(Line<'_>)) {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = (&piece[..end], &piece[end + 1..]);
            if self.is_discarding {
                self.is_discarding = false;
            } else if self.pending.is_empty() {
                emit(line, sink);
            } else {
                self.pending.extend_from_slice(line);
                emit(&self.pending, sink);
                self.pending.clear();
            }
            piece = rest;
        }
        if self.is_discarding {
            return;
        }
        if self.pending.len() + piece.len() > LONGEST_LINE_BYTES {
            self.pending = Vec::new();
            self.is_discarding = true;
            sink(Line::TooLong);
        } else {
            self.pending.extend_from_slice(piece);
        }
    }

    /// The line that has not ended, which is all of a last line without a newline.
    pub(crate) fn pending(&self) -> &[u8] {
        trimmed(&self.pending)
    }
}

fn emit(line: &[u8], sink: &mut impl FnMut(Line<'_>)) {
    let line = trimmed(line);
    if !line.is_empty() {
        sink(Line::Whole(line));
    }
}

/// Without the carriage return that some copies add.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn cutting_does_not_depend_on_the_pieces(text in "[ab\n\r]{0,60}", cuts in proptest::collection::vec(0_usize..60, 0..6)) {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            for pair in cuts.windows(2) {
                lines.feed(&text.as_bytes()[pair[0]..pair[1]], &mut |line| {
                    let Line::Whole(line) = line else { panic!("no line is that long") };
                    found.push(line.to_vec());
                });
            }
            let (complete, rest) = text.rsplit_once('\n').unwrap_or(("", &text));
            let expected: Vec<_> = complete
                .split('\n')
                .map(|line| line.strip_suffix('\r').unwrap_or(line).as_bytes().to_vec())
                .filter(|line| !line.is_empty())
                .collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(lines.pending(), rest.strip_suffix('\r').unwrap_or(rest).as_bytes());
        }
    }

    #[test]
    fn a_line_without_end_is_given_up_and_the_next_one_is_read() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        let mut sink = |line: Line<'_>| found.push(matches!(line, Line::Whole(b"next")));
        let piece = vec![b'x'; LONGEST_LINE_BYTES / 2 + 1];
        lines.feed(&piece, &mut sink);
        lines.feed(&piece, &mut sink);
        lines.feed(b"xxx\nnext\n", &mut sink);
        assert_eq!(found, [false, true]);
        assert!(lines.pending().is_empty());
    }
}
