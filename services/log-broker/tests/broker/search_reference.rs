//! A search finds exactly the lines that a plain look through the whole source finds, however the
//! source was cut into parts, records and objects, and however the pages are cut.

use std::{fmt::Write, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use moka_core::labels::DRIVER_CONTAINER;
use moka_log_broker::{
    archive::{Limits, RawObjects},
    domain::{completeness::Verdict, hits::Context, pattern::Pattern, stream::Source},
    metrics::Metrics,
    serving::{SearchRequest, SearchScope, Serving, SourceRequest, StreamRequest},
};
use proptest::{prelude::*, sample::Index};

use crate::{
    raw::{FILE, attempt, grammar},
    serving::target,
    world::{PATH, World, driver},
};

/// A line of the file: the output, whether it is a part, its text.
type FileLine = (bool, bool, String);

/// How a source is shipped and searched.
#[derive(Debug, Clone)]
struct Plan {
    lines: Vec<FileLine>,
    /// Nanoseconds from a line to the next; standard error's clock is behind.
    steps: Vec<i64>,
    rotations: Vec<Index>,
    cuts: Vec<Index>,
    again: Vec<(Index, Index)>,
    order: Vec<u64>,
    spelling: Vec<u8>,
    needle: String,
    is_regex: bool,
    ignore_case: bool,
    context: Context,
    page_size: usize,
    search_bytes: u64,
}

const ALPHABET: &str = "[abA \"\\\\/é\u{1b}]{0,5}";

fn plans() -> impl Strategy<Value = Plan> {
    let lines = prop::collection::vec((any::<bool>(), prop::bool::weighted(0.3), ALPHABET), 1..40);
    let shipping = (
        prop::collection::vec(0_i64..3, 40),
        prop::collection::vec(any::<Index>(), 0..3),
        prop::collection::vec(any::<Index>(), 0..8),
        prop::collection::vec(any::<(Index, Index)>(), 0..4),
        prop::collection::vec(any::<u64>(), 20),
        prop::collection::vec(0_u8..6, 40),
    );
    let needle = "[abA \"\\\\/é]{1,4}";
    let searching = (
        (needle, any::<bool>(), any::<bool>()),
        (0_usize..4, 0_usize..4, 1_usize..5, 1_u64..400),
    );
    (lines, shipping, searching).prop_map(|(lines, shipping, searching)| {
        let (steps, rotations, cuts, again, order, spelling) = shipping;
        let ((needle, is_regex, ignore_case), (before, after, page_size, search_bytes)) = searching;
        Plan {
            lines,
            steps,
            rotations,
            cuts,
            again,
            order,
            spelling,
            needle,
            is_regex,
            ignore_case,
            context: Context { before, after },
            page_size,
            search_bytes,
        }
    })
}

/// One line of the source file as bytes, and whether a newline follows it.
struct SourceLine {
    text: String,
    is_torn: bool,
}

impl Plan {
    /// The lines of the container's file.
    fn cri_lines(&self) -> Vec<SourceLine> {
        let mut time: Timestamp = "2026-11-21T02:00:00Z".parse().unwrap();
        let files = self.files();
        let lines = self.lines.iter().zip(&self.steps).enumerate();
        let lines = lines.map(|(number, ((is_error, is_part, text), step))| {
            // A rotation takes longer than the clocks are apart.
            let pause = if files.contains(&number) { 10 } else { 0 };
            time += SignedDuration::from_nanos(*step + pause);
            let behind = SignedDuration::from_nanos(if *is_error { 2 } else { 0 });
            let time = time - behind;
            let output = if *is_error { "stderr" } else { "stdout" };
            let tag = if *is_part { "P" } else { "F" };
            SourceLine {
                text: format!("{time} {output} {tag} {text}"),
                is_torn: false,
            }
        });
        lines.collect()
    }

    /// Where each of the container's files begins, and the end of the last one.
    fn files(&self) -> Vec<usize> {
        let at = |index: &Index| index.index(self.lines.len() + 1);
        let mut files: Vec<_> = self.rotations.iter().map(at).collect();
        files.extend([0, self.lines.len()]);
        files.sort_unstable();
        files
    }

    /// What a reader of the container's log sees.
    fn joined(&self) -> Vec<String> {
        let mut begun: [Option<String>; 2] = [None, None];
        let mut joined = Vec::new();
        for (is_error, is_part, text) in &self.lines {
            let line = begun[usize::from(*is_error)].get_or_insert_default();
            line.push_str(text);
            if !is_part {
                joined.extend(begun[usize::from(*is_error)].take());
            }
        }
        joined.extend(begun.into_iter().flatten());
        joined
    }

    /// The pieces of an event log: a part is torn from its rest.
    fn event_pieces(&self) -> Vec<SourceLine> {
        let lines = self.lines.iter().map(|(_, is_part, text)| SourceLine {
            text: text.clone(),
            is_torn: *is_part && !text.is_empty(),
        });
        lines.collect()
    }

    fn event_lines(&self) -> Vec<String> {
        let pieces = self.event_pieces();
        let text: String = pieces
            .iter()
            .flat_map(|piece| [piece.text.as_str(), if piece.is_torn { "" } else { "\n" }])
            .collect();
        text.split_inclusive('\n')
            .map(|line| line.strip_suffix('\n').unwrap_or(line).to_owned())
            .collect()
    }

    /// Ships the lines of each file in objects that overlap and are out of order.
    async fn ship(
        &self,
        world: &World,
        prefix: &str,
        path: &str,
        lines: &[SourceLine],
        files: &[usize],
    ) {
        let mut objects: Vec<Vec<u8>> = Vec::new();
        for (number, file) in files.windows(2).enumerate() {
            let lines = &lines[file[0]..file[1]];
            if lines.is_empty() {
                continue;
            }
            let at = |index: &Index| index.index(lines.len() + 1);
            let mut cuts: Vec<_> = self.cuts.iter().map(at).collect();
            cuts.extend([0, lines.len()]);
            cuts.sort_unstable();
            let mut ranges: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
            let again = self.again.iter().map(|(one, other)| {
                let (one, other) = (at(one), at(other));
                one.min(other)..one.max(other)
            });
            ranges.extend(again);
            for range in ranges {
                objects.push(self.object(path, number, lines, range));
            }
        }
        for (number, bytes) in objects.into_iter().enumerate() {
            let name = self.order[number % self.order.len()];
            let key = format!("{prefix}{name:020}-{number}.jsonl");
            world.store.put(&key, bytes).await;
        }
    }

    fn object(
        &self,
        path: &str,
        file: usize,
        lines: &[SourceLine],
        range: std::ops::Range<usize>,
    ) -> Vec<u8> {
        let length = |line: &SourceLine| line.text.len() + usize::from(!line.is_torn);
        let mut offset: usize = lines[..range.start].iter().map(length).sum();
        let mut object = String::new();
        for index in range {
            let line = &lines[index];
            let spelled = spelled(&line.text, self.spelling[index % self.spelling.len()]);
            writeln!(
                object,
                "{{\"path\":\"{path}\",\"offset\":{offset},\"generation\":\"7-{file}\",\"torn\":{},{spelled}}}",
                line.is_torn
            )
            .unwrap();
            offset += length(line);
        }
        object.into_bytes()
    }

    fn pattern(&self) -> Pattern {
        if self.is_regex {
            let quoted: String = self
                .needle
                .chars()
                .flat_map(|c| ["[".to_owned(), quoted(c), "]".to_owned()])
                .collect();
            Pattern::regex(&format!("^.*{quoted}"), self.ignore_case).unwrap()
        } else {
            Pattern::literal(&self.needle, self.ignore_case).unwrap()
        }
    }

    fn is_hit(&self, line: &str) -> bool {
        if self.ignore_case {
            line.to_lowercase().contains(&self.needle.to_lowercase())
        } else {
            line.contains(&self.needle)
        }
    }

    /// Searches page by page, each in a new process, and compares with `lines`.
    async fn check(&self, world: &World, source: SourceRequest, lines: &[String]) {
        let request = SearchRequest {
            scope: SearchScope::Stream(StreamRequest {
                application_id: attempt().application_id,
                attempt_number: None,
                source: source.clone(),
            }),
            pattern: self.pattern(),
            context: self.context,
            maximum_hits: self.page_size,
        };
        let mut after: Option<String> = None;
        let expected = lines
            .iter()
            .enumerate()
            .filter(|(_, line)| self.is_hit(line));
        let mut expected = expected.map(|(number, _)| number);
        loop {
            let serving = self.process(world);
            let answer = serving.search(&request, after.as_deref()).await.unwrap();
            assert!(answer.hits.len() <= self.page_size);
            for (_, hit) in answer.hits {
                let number = expected
                    .next()
                    .expect("no more hits than a plain search has");
                let first = number.saturating_sub(self.context.before);
                let last = (number + 1 + self.context.after).min(lines.len());
                assert_eq!(text(&hit.line), lines[number]);
                assert_eq!(
                    hit.before.iter().map(text).collect::<Vec<_>>(),
                    lines[first..number]
                );
                assert_eq!(
                    hit.after.iter().map(text).collect::<Vec<_>>(),
                    lines[number + 1..last]
                );
                let target = target(&serving, source.clone()).await;
                let rest = serving.read(&target, hit.start, EVERYTHING).await.unwrap();
                let rest: Vec<_> = rest.lines.iter().map(text).collect();
                assert_eq!(rest, lines[number..]);
            }
            if answer.next.is_none() {
                assert_eq!(answer.completeness.verdict, Verdict::Complete);
                break;
            }
            assert_ne!(after, answer.next);
            after = answer.next;
        }
        assert_eq!(expected.next(), None);
    }

    /// A process that keeps no objects, so that they are screened, and looks at little at a time.
    fn process(&self, world: &World) -> Serving {
        let mut serving = world.serving();
        let store = Arc::new(world.store.memory.clone());
        serving.objects = RawObjects::new(store, 0, Metrics::default());
        serving.settings.search_bytes = self.search_bytes;
        serving
    }
}

const EVERYTHING: Limits = Limits {
    lines: usize::MAX,
    text_bytes: usize::MAX,
    until: None,
};

fn text(line: &moka_log_broker::domain::lines::Line) -> String {
    String::from_utf8(line.text.to_vec()).unwrap()
}

fn quoted(c: char) -> String {
    if c == '\\' {
        "\\\\".to_owned()
    } else {
        c.to_string()
    }
}

/// A line as a JSON field, in one of the ways in which writers put it.
fn spelled(text: &str, way: u8) -> String {
    match way {
        0 => {
            use base64::{Engine, engine::general_purpose::STANDARD};
            format!("\"log_base64\":\"{}\"", STANDARD.encode(text))
        }
        1 => {
            let mut units = String::new();
            for unit in text.encode_utf16() {
                write!(units, "\\u{unit:04x}").unwrap();
            }
            format!("\"log\":\"{units}\"")
        }
        2 => {
            let json = serde_json::to_string(text).unwrap();
            format!("\"log\":{}", json.replace('/', "\\/"))
        }
        _ => format!("\"log\":{}", serde_json::to_string(text).unwrap()),
    }
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn container_is_searched_like_its_joined_lines(plan in plans()) {
        run(async {
            let world = World::new();
            let lines = plan.cri_lines();
            let files = plan.files();
            plan.ship(&world, &grammar().stream_prefix(&driver()), PATH, &lines, &files).await;
            world.applications.set(Some(world.store.now()));
            world.store.wait(100);
            let source = SourceRequest::Container {
                pod: attempt().driver_pod(),
                container: DRIVER_CONTAINER.to_owned(),
            };
            plan.check(&world, source, &plan.joined()).await;
        });
    }

    #[test]
    fn event_log_is_searched_like_its_lines(plan in plans()) {
        run(async {
            let world = World::new();
            let lines = plan.event_pieces();
            let mut name = driver();
            name.source = Source::EventLog { file: FILE.to_owned() };
            let prefix = grammar().stream_prefix(&name);
            plan.ship(&world, &prefix, &format!("/events/{FILE}"), &lines, &[0, lines.len()]).await;
            world.applications.set(Some(world.store.now()));
            world.store.wait(100);
            let source = SourceRequest::EventLog { file: FILE.to_owned() };
            plan.check(&world, source, &plan.event_lines()).await;
        });
    }
}

/// Searches lines that were shipped each in an object of its own, looking at one object a call.
fn check_one_by_one(lines: &[(bool, bool, &str)], steps: &[i64], needle: &str) {
    let owned = |&(is_error, is_part, text): &(bool, bool, &str)| (is_error, is_part, text.into());
    let plan = Plan {
        lines: lines.iter().map(owned).collect(),
        steps: steps.to_vec(),
        rotations: Vec::new(),
        cuts: Vec::new(),
        again: Vec::new(),
        order: Vec::new(),
        spelling: vec![5],
        needle: needle.to_owned(),
        is_regex: false,
        ignore_case: false,
        context: Context {
            before: 1,
            after: 1,
        },
        page_size: 1,
        search_bytes: 1,
    };
    run(async {
        let world = World::new();
        let lines = plan.cri_lines();
        let prefix = grammar().stream_prefix(&driver());
        for number in 0..lines.len() {
            let bytes = plan.object(PATH, 0, &lines, number..number + 1);
            let key = format!("{prefix}{number}.jsonl");
            world.store.put(&key, bytes).await;
        }
        world.applications.set(Some(world.store.now()));
        world.store.wait(100);
        let source = SourceRequest::Container {
            pod: String::new(),
            container: String::new(),
        };
        plan.check(&world, source, &plan.joined()).await;
    });
}

// What the strategy rarely makes.

#[test]
fn plain_search_and_cursor_agree_on_a_needle_in_two_parts() {
    let lines = [
        (false, false, "first"),
        (false, true, "nee"),
        (true, false, "other"),
        (false, false, "dle"),
    ];
    check_one_by_one(&lines, &[1; 4], "needle");
}

#[test]
fn line_is_found_that_is_earlier_than_the_part_before_it() {
    let lines = [
        (false, false, "first"),
        (false, true, "be"),
        (true, false, "needle"),
        (false, false, "gun"),
    ];
    check_one_by_one(&lines, &[1, 10, 0, 0], "needle");
}
