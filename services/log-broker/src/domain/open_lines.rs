//! Which lines are begun and go on in what follows.

use serde::{Deserialize, Serialize};

use super::cri::CriLine;

/// What is begun at the end of some lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenLines {
    /// The last line has no newline.
    torn: bool,
    /// Whether the last line of standard output and of standard error is a partial one; `None`
    /// without a line of that output.
    partial: [Option<bool>; 2],
}

impl OpenLines {
    /// Takes note of the next line.
    pub fn push(&mut self, cri: Option<&CriLine<'_>>, torn: bool) {
        self.torn = torn;
        if let Some(line) = cri {
            self.partial[line.output as usize] = Some(line.partial);
        }
    }

    /// Whether something goes on.
    pub fn any(self) -> bool {
        self.torn || self.partial.contains(&Some(true))
    }

    /// What is begun after both: an output that has no line in `next` stays as it was.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let [stdout, stderr] = self.partial;
        Self {
            torn: next.torn,
            partial: [next.partial[0].or(stdout), next.partial[1].or(stderr)],
        }
    }

    /// At the beginning of another file: its first line is not the rest of a torn one, but a
    /// rotation may stand between the parts of a partial one.
    #[must_use]
    pub fn in_next_file(self) -> Self {
        Self {
            torn: false,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[(&str, bool)]) -> OpenLines {
        let mut open = OpenLines::default();
        for (line, torn) in lines {
            open.push(CriLine::parse(line.as_bytes()).as_ref(), *torn);
        }
        open
    }

    #[test]
    fn line_of_one_output_does_not_end_that_of_the_other() {
        let begun = after(&[("2026-11-21T03:00:00Z stdout P a", false)]);
        let other = after(&[("2026-11-21T03:00:00Z stderr F b", false)]);
        let rest = after(&[("2026-11-21T03:00:00Z stdout F c", false)]);
        assert!(!other.any());
        assert!(begun.then(other).any());
        assert!(!begun.then(other).then(rest).any());
        assert!(begun.in_next_file().any());
    }

    #[test]
    fn torn_line_goes_on_in_its_own_file_only() {
        let torn = after(&[("{\"a\":", true)]);
        assert!(torn.any());
        assert!(!torn.in_next_file().any());
        assert!(!torn.then(after(&[("1}", false)])).any());
    }
}
