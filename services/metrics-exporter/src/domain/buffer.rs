//! Lines that wait for the agent, within a bound.

use std::collections::VecDeque;

/// What a line costs beside its text: its entry in the queue.
const OVERHEAD_BYTES: usize = size_of::<String>();

/// A queue of lines. The oldest make room for new ones: in a TSDB the newest values matter most.
#[derive(Debug)]
pub struct Buffer {
    lines: VecDeque<String>,
    bytes: usize,
    limit_bytes: usize,
}

impl Buffer {
    /// An empty buffer that holds at most so many bytes, or a single line.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            lines: VecDeque::new(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// Adds the newest line. Returns how many of the oldest had to go.
    pub fn push(&mut self, line: String) -> u64 {
        self.bytes += cost(&line);
        self.lines.push_back(line);
        let mut dropped = 0;
        while self.bytes > self.limit_bytes && self.lines.len() > 1 {
            self.pop();
            dropped += 1;
        }
        dropped
    }

    /// Takes the oldest lines, at least one if there is any, otherwise up to so many bytes.
    pub fn take(&mut self, maximum_bytes: usize) -> Vec<String> {
        let mut taken = Vec::new();
        let mut bytes = 0;
        while let Some(line) = self.lines.front() {
            bytes += line.len();
            if bytes > maximum_bytes && !taken.is_empty() {
                break;
            }
            taken.extend(self.pop());
        }
        if self.lines.is_empty() {
            // After a burst the memory goes back.
            self.lines = VecDeque::new();
        }
        taken
    }

    /// Gives lines back that were taken, as the oldest. Returns how many found no room.
    pub fn put_back(&mut self, taken: Vec<String>) -> u64 {
        let mut dropped = 0;
        for line in taken.into_iter().rev() {
            if dropped > 0 || self.bytes + cost(&line) > self.limit_bytes {
                dropped += 1;
            } else {
                self.bytes += cost(&line);
                self.lines.push_front(line);
            }
        }
        dropped
    }

    /// How many lines wait.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no line waits.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn pop(&mut self) -> Option<String> {
        let line = self.lines.pop_front()?;
        self.bytes -= cost(&line);
        Some(line)
    }
}

fn cost(line: &str) -> usize {
    line.len() + OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_oldest_lines_make_room() {
        let mut buffer = Buffer::new(2 * (1 + OVERHEAD_BYTES));
        let dropped: Vec<_> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|line| buffer.push(line.to_owned()))
            .collect();
        assert_eq!(dropped, [0, 0, 1, 1]);
        assert_eq!(buffer.take(100), ["c", "d"]);
        assert_eq!((buffer.len(), buffer.bytes), (0, 0));
    }

    #[test]
    fn lines_are_taken_in_portions_and_given_back_in_order() {
        let mut buffer = Buffer::new(10_000);
        for line in ["aaaa", "bbbb", "cccc"] {
            buffer.push(line.to_owned());
        }
        assert_eq!(buffer.take(8), ["aaaa", "bbbb"]);
        assert_eq!(
            buffer.put_back(vec!["aaaa".to_owned(), "bbbb".to_owned()]),
            0
        );
        assert_eq!(
            buffer.take(1),
            ["aaaa"],
            "a line is never too long to be taken"
        );
        assert_eq!(buffer.take(100), ["bbbb", "cccc"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_uncounted_and_the_bound_holds(
            steps in proptest::collection::vec((0..3_u8, 0..60_usize), 0..60),
        ) {
            let mut buffer = Buffer::new(300);
            let (mut pushed, mut gone, mut in_hand) = (0, 0, Vec::new());
            for (step, size) in steps {
                match step {
                    0 => {
                        pushed += 1;
                        gone += buffer.push("x".repeat(size));
                    }
                    1 => {
                        gone += in_hand.len() as u64;
                        in_hand = buffer.take(size);
                    }
                    _ => gone += buffer.put_back(std::mem::take(&mut in_hand)),
                }
                prop_assert!(buffer.bytes <= 300);
                prop_assert_eq!(pushed, gone + (in_hand.len() + buffer.len()) as u64);
            }
        }
    }
}
