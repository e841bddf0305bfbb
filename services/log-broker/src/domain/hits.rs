//! Lines that match, with the lines around them.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{cursor::Cursor, lines::Line, pattern::Pattern};

/// Longest text of a line around a hit.
pub const MAX_CONTEXT_BYTES: usize = 16 << 10;

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The line.
    pub line: Line,
    /// The lines before it.
    pub before: Vec<Line>,
    /// The lines after it.
    pub after: Vec<Line>,
    /// Where a reader begins with it.
    pub start: Cursor,
}

impl Hit {
    /// Bytes of its text, of the lines around it too.
    pub fn text_bytes(&self) -> usize {
        let lines = self.before.iter().chain([&self.line]).chain(&self.after);
        lines.map(|line| line.text.len()).sum()
    }
}

/// How many lines around a hit are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Context {
    /// Lines before.
    pub before: usize,
    /// Lines after.
    pub after: usize,
}

/// How much a page of hits may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HitLimits {
    /// Hits.
    pub hits: usize,
    /// Bytes of text, of the lines around them too; one hit is given whatever its size.
    pub text_bytes: usize,
}

/// Collects hits from the lines of a stream. Lines come in order; some may be left out between two
/// stretches of them, and some may come again.
#[derive(Debug)]
pub struct Collector<'a> {
    pattern: &'a Pattern,
    context: Context,
    limits: HitLimits,
    hits: Vec<Hit>,
    text_bytes: usize,
    /// Hits before this one have all their lines.
    first_waiting: usize,
    recent: VecDeque<Line>,
    /// The cursor before the next line; `None` when the line before it was left out.
    previous: Option<Cursor>,
    searched: Cursor,
}

impl<'a> Collector<'a> {
    /// Collects from the lines after `searched`.
    pub fn new(
        pattern: &'a Pattern,
        context: Context,
        limits: HitLimits,
        searched: Cursor,
    ) -> Self {
        Self {
            pattern,
            context,
            limits,
            hits: Vec::new(),
            text_bytes: 0,
            first_waiting: 0,
            recent: VecDeque::new(),
            previous: None,
            searched,
        }
    }

    /// Begins another stretch of lines, at the beginning of the stream or later.
    pub fn restart(&mut self, is_beginning: bool) {
        self.recent.clear();
        self.first_waiting = self.hits.len();
        self.previous = is_beginning.then_some(Cursor::Begin);
    }

    /// Begins another stretch after these lines.
    pub fn seed(&mut self, lines: &[Line], previous: Cursor) {
        self.restart(false);
        let first = lines.len().saturating_sub(self.context.before);
        self.recent.extend(lines[first..].iter().map(around));
        self.previous = Some(previous);
    }

    /// Takes the next line and the cursor after it.
    pub fn push(&mut self, line: &Line, after: Cursor) {
        for hit in &mut self.hits[self.first_waiting..] {
            self.text_bytes += line.text.len().min(MAX_CONTEXT_BYTES);
            hit.after.push(around(line));
        }
        let has_all = |hit: &Hit| hit.after.len() >= self.context.after;
        while self.hits.get(self.first_waiting).is_some_and(has_all) {
            self.first_waiting += 1;
        }
        if !self.is_full() && !after.is_up_to(self.searched) {
            self.searched = after;
            if self.pattern.matches(&line.text) {
                self.add(line, after);
            }
        }
        if self.context.before > 0 {
            if self.recent.len() >= self.context.before {
                self.recent.pop_front();
            }
            self.recent.push_back(around(line));
        }
        self.previous = Some(after);
    }

    fn add(&mut self, line: &Line, after: Cursor) {
        let before: Vec<_> = self.recent.iter().cloned().collect();
        self.text_bytes += line.text.len();
        self.text_bytes += before.iter().map(|line| line.text.len()).sum::<usize>();
        self.hits.push(Hit {
            line: cut(line, usize::MAX),
            before,
            after: Vec::new(),
            start: self.previous.unwrap_or_else(|| start_of(line, after)),
        });
        if self.context.after == 0 {
            self.first_waiting = self.hits.len();
        }
    }

    /// Whether hits wait for lines after them.
    pub fn is_waiting(&self) -> bool {
        self.first_waiting < self.hits.len()
    }

    /// Whether the page is full: no more hits are taken, though lines after them may be.
    pub fn is_full(&self) -> bool {
        self.hits.len() >= self.limits.hits
            || !self.hits.is_empty() && self.text_bytes >= self.limits.text_bytes
    }

    /// After which line nothing was looked at.
    pub fn searched(&self) -> Cursor {
        self.searched
    }

    /// The hits.
    pub fn into_hits(self) -> Vec<Hit> {
        self.hits
    }
}

/// Where a line begins whose predecessor was left out: its first byte, or its time, for a stretch
/// of lines begins with the first line of its time.
fn start_of(line: &Line, after: Cursor) -> Cursor {
    match after {
        Cursor::Offset(end) => {
            let length = line.text.len() as u64 + u64::from(!line.unterminated);
            Cursor::Offset(end.saturating_sub(length))
        }
        Cursor::Line(place) => Cursor::Time(place.time),
        other => other,
    }
}

fn around(line: &Line) -> Line {
    cut(line, MAX_CONTEXT_BYTES)
}

/// The line, of at most so many bytes, with memory of its own: it is kept while much else is
/// looked through.
fn cut(line: &Line, maximum_bytes: usize) -> Line {
    let kept = line.text.len().min(maximum_bytes);
    Line {
        text: Bytes::copy_from_slice(&line.text[..kept]),
        unterminated: line.unterminated || kept < line.text.len(),
        ..*line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line {
            text: Bytes::copy_from_slice(text.as_bytes()),
            time: None,
            output: None,
            unterminated: false,
        }
    }

    fn collect(texts: &[&str], context: Context, limits: HitLimits) -> (Vec<String>, Cursor, bool) {
        let pattern = Pattern::literal("x", false).unwrap();
        let mut collector = Collector::new(&pattern, context, limits, Cursor::Begin);
        collector.restart(true);
        let mut offset = 0;
        for text in texts {
            offset += text.len() as u64 + 1;
            collector.push(&line(text), Cursor::Offset(offset));
        }
        let (searched, waiting) = (collector.searched(), collector.is_waiting());
        let join = |lines: &[Line]| {
            let texts = lines.iter().map(|line| String::from_utf8_lossy(&line.text));
            texts.collect::<Vec<_>>().join(",")
        };
        let hits = collector.into_hits();
        let shown = hits.iter().map(|hit| {
            let text = String::from_utf8_lossy(&hit.line.text);
            format!("{}[{text}]{}", join(&hit.before), join(&hit.after))
        });
        (shown.collect(), searched, waiting)
    }

    const MANY: HitLimits = HitLimits {
        hits: 100,
        text_bytes: 1 << 20,
    };

    #[test]
    fn hits_have_the_lines_around_them_also_when_they_overlap() {
        let context = Context {
            before: 2,
            after: 1,
        };
        let (hits, _, waiting) = collect(&["a", "b", "c", "1x", "2x", "d", "3x"], context, MANY);
        assert_eq!(hits, ["b,c[1x]2x", "c,1x[2x]d", "2x,d[3x]"]);
        assert!(waiting);
    }

    #[test]
    fn full_page_takes_no_hit_but_the_lines_after_its_last_one() {
        let limits = HitLimits { hits: 1, ..MANY };
        let context = Context {
            before: 0,
            after: 2,
        };
        let (hits, searched, waiting) = collect(&["1x", "2x", "a"], context, limits);
        assert_eq!(hits, ["[1x]2x,a"]);
        assert_eq!((searched, waiting), (Cursor::Offset(3), false));
    }

    #[test]
    fn text_of_a_page_is_limited_and_one_hit_is_always_given() {
        let limits = HitLimits {
            text_bytes: 3,
            ..MANY
        };
        let texts = ["long x", "x"];
        assert_eq!(collect(&texts, Context::default(), limits).0, ["[long x]"]);
        let long = "y".repeat(MAX_CONTEXT_BYTES + 1);
        let (context, texts) = (
            Context {
                before: 1,
                after: 0,
            },
            [&*long, "x"],
        );
        let (hits, ..) = collect(&texts, context, limits);
        assert_eq!(hits[0].len(), MAX_CONTEXT_BYTES + "[x]".len());
    }

    #[test]
    fn line_whose_predecessor_was_left_out_has_its_own_start() {
        let pattern = Pattern::literal("x", false).unwrap();
        let mut collector = Collector::new(&pattern, Context::default(), MANY, Cursor::Begin);
        collector.restart(false);
        collector.push(&line("xyz"), Cursor::Offset(14));
        collector.push(&line("x"), Cursor::Offset(16));
        let starts: Vec<_> = collector.into_hits().iter().map(|hit| hit.start).collect();
        assert_eq!(starts, [Cursor::Offset(10), Cursor::Offset(14)]);
    }
}
