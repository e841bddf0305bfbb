//! Breadth first through every moment that can be reached.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use crate::{Variant, World, invariants, steps::successors};

/// A moment where an invariant is broken, and how it came to it.
#[derive(Debug)]
pub struct Counterexample {
    /// The sentence that does not hold.
    pub invariant: &'static str,
    /// The steps from the beginning, the shortest way.
    pub steps: Vec<&'static str>,
    /// The moment.
    pub world: World,
}

/// What a search has found.
#[derive(Debug)]
pub struct Search {
    /// How many different moments were reached.
    pub worlds: usize,
    /// How many steps lead from one to another.
    pub transitions: usize,
    /// The length of the longest shortest way.
    pub depth: usize,
    /// The first broken invariant; the search ended there.
    pub counterexample: Option<Counterexample>,
}

/// Nobody needs to do anything for an application to come to its end.
const BY_PEOPLE: [&str; 3] = [
    "a cancel is accepted",
    "an attempt is to run elsewhere",
    "somebody deletes an object",
];

/// Searches a variant to its end, or to the first broken invariant.
pub fn explore(variant: Variant) -> Search {
    let mut graph = Graph::default();
    let mut depth = 0;
    graph.add(World::accepted(), u32::MAX, "an application is accepted");
    let mut at = 0;
    let mut level_ends = 1;
    while at < graph.worlds.len() {
        if at == level_ends {
            depth += 1;
            level_ends = graph.worlds.len();
        }
        let world = graph.worlds[at];
        if let Some(invariant) = invariants::broken(&world) {
            return graph.search(depth, Some(invariant), at);
        }
        let from = index(at);
        for (step, next) in successors(&world, variant) {
            let to = graph.add(next, from, step);
            graph.transitions += 1;
            if !BY_PEOPLE.contains(&step) {
                graph.edges.push((to, from));
            }
        }
        at += 1;
    }
    match graph.without_rest() {
        Some(stuck) => graph.search(
            depth,
            Some(
                "every application can come to its end by itself, with nothing left in any cluster",
            ),
            stuck,
        ),
        None => graph.search(depth, None, 0),
    }
}

#[derive(Default)]
struct Graph {
    worlds: Vec<World>,
    numbers: HashMap<World, u32, BuildHasherDefault<FastHasher>>,
    /// From where, and by which step, a world was first reached.
    origins: Vec<(u32, &'static str)>,
    /// To and from, but for what only people do.
    edges: Vec<(u32, u32)>,
    transitions: usize,
}

impl Graph {
    fn add(&mut self, world: World, from: u32, step: &'static str) -> u32 {
        let next = index(self.worlds.len());
        let number = *self.numbers.entry(world).or_insert(next);
        if number == next {
            self.worlds.push(world);
            self.origins.push((from, step));
        }
        number
    }

    /// A world from which no rest can be reached.
    fn without_rest(&mut self) -> Option<usize> {
        self.edges.sort_unstable();
        let mut reaches: Vec<bool> = self.worlds.iter().map(invariants::is_at_rest).collect();
        let mut open: Vec<u32> = (0..index(self.worlds.len()))
            .filter(|number| reaches[*number as usize])
            .collect();
        while let Some(to) = open.pop() {
            let first = self.edges.partition_point(|edge| edge.0 < to);
            for (_, from) in self.edges[first..].iter().take_while(|edge| edge.0 == to) {
                if !std::mem::replace(&mut reaches[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        reaches.iter().position(|reaches| !reaches)
    }

    fn search(&self, depth: usize, broken: Option<&'static str>, at: usize) -> Search {
        Search {
            worlds: self.worlds.len(),
            transitions: self.transitions,
            depth,
            counterexample: broken.map(|invariant| Counterexample {
                invariant,
                steps: self.way_to(at),
                world: self.worlds[at],
            }),
        }
    }

    fn way_to(&self, at: usize) -> Vec<&'static str> {
        let mut steps = Vec::new();
        let mut at = index(at);
        while let Some(&(from, step)) = self.origins.get(at as usize) {
            steps.push(step);
            at = from;
        }
        steps.reverse();
        steps
    }
}

fn index(number: usize) -> u32 {
    u32::try_from(number).expect("memory ends long before four billion worlds")
}

/// The standard hasher resists attackers, of whom there are none here, and takes most of the time.
#[derive(Default)]
struct FastHasher(u64);

impl Hasher for FastHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
