//! What an answer can vouch for.

use super::layout::Gap;

/// How much of what was written is there, up to the end of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everything, and nothing more will come.
    Complete,
    /// The beginning was rotated away before it was shipped.
    Truncated,
    /// Ranges in between are missing.
    Lost,
    /// Everything so far; more may come.
    Open,
}

/// A verdict and its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completeness {
    /// The verdict.
    pub verdict: Verdict,
    /// What is missing.
    pub gaps: Vec<Gap>,
}

impl Completeness {
    /// Judges an answer by the gaps before its end.
    pub fn of(gaps: Vec<Gap>, may_grow: bool) -> Self {
        let verdict = if gaps.iter().any(|gap| !gap.at_the_beginning) {
            Verdict::Lost
        } else if !gaps.is_empty() {
            Verdict::Truncated
        } else if may_grow {
            Verdict::Open
        } else {
            Verdict::Complete
        };
        Self { verdict, gaps }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(at_the_beginning: bool) -> Gap {
        Gap {
            path: "/a".into(),
            start_bytes: 0,
            end_bytes: 1,
            next_run: 0,
            at_the_beginning,
        }
    }

    #[test]
    fn the_worst_finding_decides() {
        for (gaps, may_grow, expected) in [
            (vec![], false, Verdict::Complete),
            (vec![], true, Verdict::Open),
            (vec![gap(true)], true, Verdict::Truncated),
            (vec![gap(true), gap(false)], false, Verdict::Lost),
        ] {
            assert_eq!(Completeness::of(gaps, may_grow).verdict, expected);
        }
    }
}
