//! Every recorded case of Fluent Bit comes out as its source files were: through the archive's
//! index, the assembler and `ReadLog`; with repetitions; in any order of arrival. What is missing
//! is named to the byte.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use jiff::Timestamp;
use moka_log_broker::{
    applications::AttemptView,
    archive::{GrowingIndex, Limits, RawObjects, StreamIndex},
    assembler::{AssemblySettings, EventLogAssembly},
    domain::{
        chunk::EventLogKeys,
        completeness::Verdict,
        cursor::Cursor,
        layout::Layout,
        lines::Line,
        manifest::AssemblyState,
        run::RawObject,
        stream::{Source, StreamKind},
    },
    metrics::Metrics,
    serving::{Serving, Target},
};

use crate::{
    random::Random,
    raw::attempt,
    recorded::{self, CASES, NamedGap, Stream, cut, load},
    world::World,
};

/// Some answers for most streams; one answer for each would not show that cursors go on.
const LIMITS: Limits = Limits {
    lines: 9000,
    text_bytes: 8 << 20,
    until: None,
};
const SETTINGS: AssemblySettings = AssemblySettings {
    chunk_bytes: 20_000,
    chunk_interval: Duration::from_secs(10),
    settle: Duration::from_secs(10),
    synthetic_end: true,
};

/// A store to which one stream's objects come one by one, with everything that reads them.
struct Desk<'a> {
    world: World,
    stream: &'a Stream,
    assembly: Option<EventLogAssembly>,
    arrived_count: usize,
}

/// What a reader got.
struct Received {
    lines: Vec<Line>,
    verdict: Verdict,
    gaps: Vec<NamedGap>,
    finished: bool,
}

impl<'a> Desk<'a> {
    fn new(stream: &'a Stream) -> Self {
        let world = World::new();
        let assembly = match &stream.source {
            Source::Container { .. } => None,
            Source::EventLog { file } => Some(EventLogAssembly::new(
                attempt(),
                file,
                RawObjects::new(
                    Arc::new(world.store.memory.clone()),
                    1 << 20,
                    Metrics::default(),
                ),
                Arc::new(world.store.memory.clone()),
                SETTINGS,
                Metrics::default(),
            )),
        };
        Self {
            world,
            stream,
            assembly,
            arrived_count: 0,
        }
    }

    /// An object arrives. Keys are not in the order of arrival, and say nothing.
    async fn arrive(&mut self, bytes: Bytes) {
        let number = self.arrived_count;
        self.arrived_count += 1;
        let key = format!(
            "{}{:02}-{number}.jsonl",
            self.stream.prefix(),
            number * 37 % 100
        );
        self.world.store.put(&key, bytes).await;
        self.world.store.wait(1);
    }

    /// A round of the assembler.
    async fn assemble(&mut self, ended: Option<Timestamp>) -> Option<AssemblyState> {
        let listed = self.world.store.list(&self.stream.prefix()).await;
        let now = self.world.store.now();
        let assembly = self.assembly.as_mut()?;
        let status = assembly.advance(listed, ended, now).await.unwrap();
        Some(status.state)
    }

    fn serving(&self) -> Serving {
        Serving {
            grammar: Arc::new(recorded::grammar()),
            live: None,
            ..self.world.serving()
        }
    }

    fn target(&self, ended: Option<Timestamp>) -> Target {
        let stream = self.stream.name();
        let attempt = AttemptView {
            name: stream.attempt,
            cluster: "local".to_owned(),
            namespace: "spark-jobs".to_owned(),
            ended,
        };
        Target { stream, attempt }
    }

    /// Everything that can be read now after a cursor.
    async fn read(&self, serving: &Serving, target: &Target, cursor: &mut Cursor) -> Received {
        let mut lines = Vec::new();
        loop {
            let answer = serving.read(target, *cursor, LIMITS).await.unwrap();
            lines.extend(answer.lines);
            *cursor = answer.next;
            if answer.at_end {
                let gaps = answer.completeness.gaps.iter();
                let named = |gap: &moka_log_broker::domain::layout::Gap| {
                    (gap.path.to_string(), gap.start_bytes, gap.end_bytes)
                };
                return Received {
                    lines,
                    verdict: answer.completeness.verdict,
                    gaps: gaps.map(named).collect(),
                    finished: answer.finished,
                };
            }
        }
    }

    /// The attempt ends, and everything about it settles: gaps are given up, the assembler has done
    /// what it can, and a new reader reads it all.
    async fn settle(&mut self) -> Received {
        let ended = self.world.store.now();
        self.world.store.wait(100);
        self.assemble(Some(ended)).await;
        let target = self.target(Some(ended));
        self.read(&self.serving(), &target, &mut Cursor::Begin)
            .await
    }

    /// What the assembler published.
    async fn published(&self) -> Vec<u8> {
        let Source::EventLog { file } = &self.stream.source else {
            return Vec::new();
        };
        let keys = EventLogKeys::new(file);
        let mut bytes = Vec::new();
        for number in 1.. {
            match self.world.store.get(&keys.chunk(number)).await {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => break,
            }
        }
        bytes
    }

    /// Checks that everything is there, once and in order, and that everybody says so.
    async fn check_whole(&mut self, what: &str) {
        let received = self.settle().await;
        assert_same(&received.lines, &expected_lines(self.stream), what);
        assert_eq!(
            (received.verdict, received.finished, received.gaps),
            (Verdict::Complete, true, Vec::new()),
            "{what}"
        );
        let expected = self.stream.bytes();
        let (bytes, gaps) = self.index_bytes().await;
        assert!(
            bytes == expected,
            "{what}: {} bytes of {}",
            bytes.len(),
            expected.len()
        );
        assert_eq!(gaps, [], "{what}");
        if let Some(assembly) = &self.assembly {
            let manifest = assembly.manifest().unwrap();
            assert_eq!(manifest.state, AssemblyState::Completed, "{what}");
            assert_eq!(manifest.gaps, [], "{what}");
            let published = self.published().await;
            let synthetic = published.strip_prefix(&*expected).unwrap();
            assert_eq!(manifest.synthetic_end, !synthetic.is_empty(), "{what}");
            assert_eq!(
                synthetic.is_empty(),
                expected.ends_with(b"\"ExitCode\":0}\n"),
                "{what}"
            );
        }
    }

    /// What `cat` prints.
    async fn index_bytes(&self) -> (Vec<u8>, Vec<NamedGap>) {
        let memory = Arc::new(self.world.store.memory.clone());
        let objects = RawObjects::new(memory, 1 << 20, Metrics::default());
        let index = StreamIndex::of_source(&self.stream.source);
        let mut growing = GrowingIndex::unsaved(index);
        let listed = objects.list(&self.stream.prefix()).await.unwrap();
        growing.refresh(&objects, listed, 0, None).await.unwrap();
        let index = growing.index();
        let mut bytes = Vec::new();
        for segment in index.layout().segments() {
            bytes.extend(index.bytes(&objects, segment).await.unwrap());
        }
        (bytes, named_gaps(index.layout()))
    }
}

fn named_gaps(layout: &Layout) -> Vec<NamedGap> {
    layout
        .gaps()
        .map(|gap| (gap.path.to_string(), gap.start_bytes, gap.end_bytes))
        .collect()
}

/// Lines as a reader should get them, taken from the files without any code of the broker.
fn expected_lines(stream: &Stream) -> Vec<(Option<Timestamp>, Vec<u8>)> {
    let bytes = stream.bytes();
    let lines = bytes.strip_suffix(b"\n").unwrap_or_default();
    let lines = lines.split(|byte| *byte == b'\n');
    if stream.kind() == StreamKind::EventLog {
        return lines.map(|line| (None, line.to_vec())).collect();
    }
    let mut joined = Vec::new();
    // By output, what was begun and when.
    let mut begun: BTreeMap<&[u8], (Timestamp, Vec<u8>)> = BTreeMap::new();
    for line in lines {
        let fields: Vec<_> = line.splitn(4, |byte| *byte == b' ').collect();
        let [time, output, flag, text] = fields.try_into().unwrap();
        let time = std::str::from_utf8(time).unwrap().parse().unwrap();
        let (_, begin) = begun.entry(output).or_insert((time, Vec::new()));
        begin.extend_from_slice(text);
        if flag == b"F" {
            joined.extend(begun.remove(output).map(|(time, text)| (Some(time), text)));
        }
    }
    joined
}

fn assert_same(found: &[Line], expected: &[(Option<Timestamp>, Vec<u8>)], what: &str) {
    let differ = (0..found.len().max(expected.len())).find(|index| {
        let found = found.get(*index).map(|line| (&line.time, &*line.text));
        found != expected.get(*index).map(|(time, text)| (time, &**text))
    });
    assert_eq!(differ, None, "{what}: line {differ:?} is another one");
}

fn all_streams() -> impl Iterator<Item = (&'static str, Stream)> {
    CASES.into_iter().flat_map(|(case, stream_count)| {
        let streams = load(case);
        assert_eq!(streams.len(), stream_count, "{case}");
        streams.into_iter().map(move |stream| (case, stream))
    })
}

/// Large ones take part in fewer of the variations.
fn is_large(stream: &Stream) -> bool {
    stream.bytes().len() > 5 << 20
}

#[tokio::test]
async fn recorded_case_gives_its_source_whole_and_once() {
    for (case, stream) in all_streams() {
        let mut desk = Desk::new(&stream);
        for (_, bytes) in &stream.objects {
            desk.arrive(bytes.clone()).await;
        }
        desk.check_whole(case).await;
    }
}

#[tokio::test]
async fn repeated_objects_change_nothing() {
    let mut random = Random(11);
    for (case, stream) in all_streams() {
        let count = stream.objects.len();
        let mut plans = vec![(0..count).chain(0..count).collect()];
        if !is_large(&stream) {
            // Object by object, and some several times.
            plans.extend((0..count).map(|index| vec![index]));
            plans.push((0..3).map(|_| random.below(count)).collect());
        }
        for again in plans {
            let mut desk = Desk::new(&stream);
            let mut order: Vec<_> = (0..count).chain(again.iter().copied()).collect();
            random.shuffle(&mut order);
            for index in order {
                desk.arrive(stream.objects[index].1.clone()).await;
            }
            desk.check_whole(&format!("{case}, {again:?} again")).await;
        }
    }
}

#[tokio::test]
async fn removed_object_is_named_to_the_byte() {
    for (case, stream) in all_streams() {
        for removed in 0..stream.objects.len() {
            let what = format!("{case} without {}", stream.objects[removed].0);
            let mut desk = Desk::new(&stream);
            let mut kept: Vec<&[u8]> = Vec::new();
            for (index, (_, bytes)) in stream.objects.iter().enumerate() {
                if index != removed {
                    kept.push(bytes);
                    desk.arrive(bytes.clone()).await;
                }
            }
            if kept.is_empty() {
                let target = desk.target(Some(Timestamp::UNIX_EPOCH));
                let answer = desk.serving().read(&target, Cursor::Begin, LIMITS).await;
                assert!(answer.is_err(), "{what}: nothing is there to be read");
                continue;
            }
            let expected = stream.gaps(&kept);
            let received = desk.settle().await;
            assert_eq!(received.gaps, expected, "{what}");
            let (_, gaps) = desk.index_bytes().await;
            assert_eq!(gaps, expected, "{what}");
            if let Some(manifest) = desk.assembly.as_ref().and_then(EventLogAssembly::manifest) {
                let found = manifest.gaps.iter();
                let found: Vec<_> = found
                    .map(|gap| (gap.start_offset_bytes, gap.end_offset_bytes))
                    .collect();
                let ranges: Vec<_> = expected.iter().map(|gap| (gap.1, gap.2)).collect();
                assert_eq!(found, ranges, "{what}");
            }
        }
    }
}

/// Recorded objects are few and large. Cut into parts, any of them can be missing, alone or with
/// its neighbour.
#[test]
fn removed_part_is_named_to_the_byte() {
    let mut gap_count = 0;
    for (case, stream) in all_streams() {
        let parts: Vec<Bytes> = stream
            .objects
            .iter()
            .flat_map(|(_, object)| cut(object, 5))
            .collect();
        let pieces: Vec<_> = parts
            .iter()
            .map(|part| RawObject::parse(part).pieces)
            .collect();
        for removed in 0..parts.len() {
            for width in [1, 2] {
                let kept: Vec<_> = (0..parts.len())
                    .filter(|index| !(removed..removed + width).contains(index))
                    .collect();
                let runs: Vec<_> = kept
                    .iter()
                    .flat_map(|index| &pieces[*index])
                    .map(|piece| piece.run.clone())
                    .collect();
                let kept: Vec<&[u8]> = kept.iter().map(|index| &*parts[*index]).collect();
                let expected = stream.gaps(&kept);
                let found = named_gaps(&Layout::new(stream.kind(), &runs));
                assert_eq!(
                    found, expected,
                    "{case} without {width} from part {removed}"
                );
                gap_count += expected.len();
            }
        }
    }
    assert!(gap_count > 100, "only {gap_count} gaps were looked for");
}

#[tokio::test]
async fn any_order_of_arrival_gives_the_source() {
    for seed in 0..3 {
        let mut random = Random(seed);
        for (case, stream) in all_streams() {
            if is_large(&stream) && seed > 0 {
                continue;
            }
            let mut parts: Vec<Bytes> = stream
                .objects
                .iter()
                .flat_map(|(_, object)| cut(object, 1 + random.below(6)))
                .collect();
            // Some come again, cut in other places.
            let (_, object) = &stream.objects[random.below(stream.objects.len())];
            parts.extend(cut(object, 3).into_iter().take(2));
            random.shuffle(&mut parts);
            arrive_round_by_round(&stream, parts, &format!("{case}, seed {seed}")).await;
        }
    }
}

/// After each arrival the assembler has a round, and a reader goes on from where it was.
async fn arrive_round_by_round(stream: &Stream, parts: Vec<Bytes>, what: &str) {
    let mut desk = Desk::new(stream);
    let (serving, target) = (desk.serving(), desk.target(None));
    let expected = expected_lines(stream);
    let source = stream.bytes();
    let is_one_file = stream.files.len() == 1;
    let mut cursor = Cursor::Begin;
    let mut followed = Vec::new();
    for part in parts {
        desk.arrive(part).await;
        desk.assemble(None).await;
        let published = desk.published().await;
        assert!(
            source.starts_with(&published),
            "{what}: published what is not the source"
        );
        let received = desk.read(&serving, &target, &mut cursor).await;
        // A gap in a file that the reader has passed is behind it, and told at once.
        if is_one_file {
            assert_eq!(received.gaps, [], "{what}: a young gap is waited for");
        }
        followed.extend(received.lines);
    }
    if is_one_file {
        assert_same(&followed, &expected, &format!("{what}, followed"));
    } else {
        assert_in_order(&followed, &expected, what);
    }
    desk.check_whole(what).await;
}

/// A reader that has passed a file does not see what comes of it later, but nothing twice and
/// nothing out of order.
fn assert_in_order(found: &[Line], expected: &[(Option<Timestamp>, Vec<u8>)], what: &str) {
    let mut rest = expected.iter();
    let strays = found
        .iter()
        .filter(|line| !rest.any(|(time, text)| *time == line.time && *text == line.text));
    assert_eq!(strays.count(), 0, "{what}: lines twice or out of order");
}
