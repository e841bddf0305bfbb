//! Which runs belong to one generation of a file.
//!
//! log-shipper says it. Fluent Bit does not: there a generation is inferred from what a log file
//! cannot do. Within a generation times do not fall while offsets rise, and a later generation
//! starts again at offset 0 with later times. So runs are taken in the order of their times; one
//! that overlaps the newest generation with other content, or lies before its end, begins the next
//! generation.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{
    run::{Mark, Run},
    stream::{StreamKind, original_path},
};

/// The runs of one generation, as indexes of the slice that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The file's path, as it was before a rotation.
    pub path: Arc<str>,
    /// The runs, in no particular order.
    pub members: Vec<usize>,
}

/// Sorts runs into generations, oldest first.
pub fn groups(kind: StreamKind, runs: &[Run]) -> Vec<Group> {
    match kind {
        StreamKind::Container => container_groups(runs),
        StreamKind::EventLog => event_log_group(runs).into_iter().collect(),
    }
}

/// An event-log file is made once. Should a driver have made it anew, only the newest one counts.
fn event_log_group(runs: &[Run]) -> Option<Group> {
    let newest = runs.iter().filter_map(|run| run.generation).max();
    let belongs = |run: &Run| run.generation.is_none() || run.generation == newest;
    let members: Vec<_> = (0..runs.len())
        .filter(|index| belongs(&runs[*index]))
        .collect();
    let path = Arc::from(original_path(&runs[*members.first()?].path));
    Some(Group { path, members })
}

fn container_groups(runs: &[Run]) -> Vec<Group> {
    let mut told: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut untold: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        match run.generation {
            Some(generation) => told.entry(generation).or_default().push(index),
            None => untold
                .entry(original_path(&run.path))
                .or_default()
                .push(index),
        }
    }
    let mut found: Vec<Vec<usize>> = told.into_values().collect();
    found.extend(
        untold
            .into_values()
            .flat_map(|members| infer(runs, members)),
    );
    let begin = |members: &Vec<usize>| {
        members
            .iter()
            .filter_map(|index| runs[*index].first_time)
            .min()
    };
    found.sort_by_key(begin);
    found
        .into_iter()
        .map(|members| Group {
            path: Arc::from(original_path(&runs[members[0]].path)),
            members,
        })
        .collect()
}

fn infer(runs: &[Run], mut members: Vec<usize>) -> Vec<Vec<usize>> {
    members.sort_by_key(|index| (runs[*index].first_time, runs[*index].start_bytes));
    let mut generations: Vec<Vec<usize>> = Vec::new();
    for index in members {
        let run = &runs[index];
        // Runs of two writers may overtake each other by microseconds, so the last generation but
        // one is asked as well.
        let newest = generations.len().saturating_sub(2);
        let found = generations[newest..]
            .iter()
            .rposition(|generation| shares_content(runs, generation, run))
            .map(|position| newest + position)
            .or_else(|| follows(runs, &generations, run));
        match found {
            Some(position) => generations[position].push(index),
            None => generations.push(vec![index]),
        }
    }
    generations
}

/// The newest generation, when the run lies behind everything that is known of it.
fn follows(runs: &[Run], generations: &[Vec<usize>], run: &Run) -> Option<usize> {
    let last = generations.last()?;
    let end = last.iter().map(|index| runs[*index].end_bytes).max()?;
    (run.start_bytes >= end).then_some(generations.len() - 1)
}

fn shares_content(runs: &[Run], generation: &[usize], run: &Run) -> bool {
    generation.iter().any(|index| {
        let other = &runs[*index];
        let (first, second) = if other.start_bytes <= run.start_bytes {
            (other, run)
        } else {
            (run, other)
        };
        second.start_bytes < first.end_bytes && agrees(first, second)
    })
}

/// Whether the second run's first line is the first run's line at that offset.
fn agrees(first: &Run, second: &Run) -> bool {
    let Some(line) = second.marks.first() else {
        return false;
    };
    let after = first
        .marks
        .partition_point(|mark| mark.offset_bytes <= line.offset_bytes);
    let Some(before) = after.checked_sub(1).map(|index| first.marks[index]) else {
        return false;
    };
    if before.offset_bytes == line.offset_bytes {
        return (before.time, before.hash) == (line.time, line.hash);
    }
    let next = first
        .marks
        .get(after)
        .map_or(first.maximum_time, |mark: &Mark| mark.time);
    lies_between(before.time, line.time, next)
}

fn lies_between(low: Option<Timestamp>, time: Option<Timestamp>, high: Option<Timestamp>) -> bool {
    match (low, time, high) {
        (Some(low), Some(time), Some(high)) => low <= time && time <= high,
        // Without times nothing speaks against it.
        _ => true,
    }
}
