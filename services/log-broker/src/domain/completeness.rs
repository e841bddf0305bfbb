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

impl Verdict {
    /// Its name, as in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Truncated => "TRUNCATED",
            Self::Lost => "LOST",
            Self::Open => "OPEN",
        }
    }
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

    /// What two answers together vouch for: the worse verdict, and everything that is missing.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let rank = |verdict: Verdict| match verdict {
            Verdict::Complete => 0,
            Verdict::Open => 1,
            Verdict::Truncated => 2,
            Verdict::Lost => 3,
        };
        if rank(other.verdict) > rank(self.verdict) {
            self.verdict = other.verdict;
        }
        self.gaps.extend(other.gaps);
        self
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

    #[test]
    fn answers_together_vouch_for_as_much_as_the_worse_one() {
        let ranked = [
            Completeness::of(vec![], false),
            Completeness::of(vec![], true),
            Completeness::of(vec![gap(true)], false),
            Completeness::of(vec![gap(false)], false),
        ];
        for (better, worse) in ranked.iter().zip(&ranked[1..]) {
            for both in [
                better.clone().and(worse.clone()),
                worse.clone().and(better.clone()),
            ] {
                assert_eq!(both.verdict, worse.verdict);
                assert_eq!(both.gaps.len(), better.gaps.len() + worse.gaps.len());
            }
        }
    }
}
