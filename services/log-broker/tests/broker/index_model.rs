//! Whatever comes, goes, is saved and is forgotten: an index says what one says that has read
//! everything anew.

use std::{collections::BTreeMap, sync::Arc};

use moka_log_broker::{
    archive::{GrowingIndex, RawObjects, StreamIndex},
    domain::layout::Step,
    metrics::Metrics,
};
use moka_objects::{MemoryStore, ObjectKey, ObjectMeta, ObjectStore, PutCondition};
use proptest::prelude::*;

use crate::{
    raw::{grammar, object},
    world::{PATH, driver},
};

/// Lines of each of two generations of the file.
const LINES: usize = 200;

#[derive(Debug, Clone)]
enum Event {
    /// An object comes: a generation, its first line, and how many.
    Ship(usize, usize, usize),
    /// One of the objects is deleted.
    Delete(prop::sample::Index),
    /// A replica looks.
    Look(usize),
    /// A replica saves all it knows.
    Save(usize),
    /// A replica is killed and started again.
    Restart(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..2_usize, 0..LINES, 1..30_usize).prop_map(|(generation, first, count)| Event::Ship(generation, first, count)),
        1 => any::<prop::sample::Index>().prop_map(Event::Delete),
        3 => (0..2_usize).prop_map(Event::Look),
        2 => (0..2_usize).prop_map(Event::Save),
        2 => (0..2_usize).prop_map(Event::Restart),
    ]
}

struct Model {
    /// Who tells generations: log-shipper does, Fluent Bit does not.
    told: bool,
    store: MemoryStore,
    objects: RawObjects,
    /// All objects that ever were, and as they were listed.
    shadow: RawObjects,
    ever: BTreeMap<ObjectKey, ObjectMeta>,
    replicas: [GrowingIndex; 2],
    loaded: u64,
}

fn prefix() -> String {
    grammar().stream_prefix(&driver())
}

fn fresh() -> GrowingIndex {
    GrowingIndex::saved(driver(), prefix())
}

fn lines(generation: usize) -> Vec<String> {
    let line = |number: usize| {
        let second = generation * LINES + number;
        let (minute, second) = (second / 60, second % 60);
        format!("2026-11-21T02:{minute:02}:{second:02}Z stdout F {generation} {number}")
    };
    (0..LINES).map(line).collect()
}

impl Model {
    fn new(told: bool) -> Self {
        let store = MemoryStore::new();
        let archive =
            |store: MemoryStore| RawObjects::new(Arc::new(store), 1 << 20, Metrics::default());
        Self {
            told,
            objects: archive(store.clone()),
            store,
            shadow: archive(MemoryStore::new()),
            ever: BTreeMap::new(),
            replicas: [fresh(), fresh()],
            loaded: 0,
        }
    }

    async fn ship(&mut self, generation: usize, first: usize, count: usize) {
        let lines = lines(generation);
        let last = (first + count).min(LINES);
        let name = format!("{generation}-1{generation}");
        let offset: usize = lines[..first].iter().map(|line| line.len() + 1).sum();
        let told = self.told.then_some(name.as_str());
        let bytes = object(PATH, told, offset as u64, &lines[first..last]);
        let number = self.ever.len() * 7919 % 10_007;
        let key = ObjectKey::new(format!("{}{number:05}.jsonl", prefix())).unwrap();
        for store in [&self.store as &dyn ObjectStore, &**self.shadow.store()] {
            let put = store.put(&key, bytes.clone().into(), PutCondition::Always);
            put.await.unwrap();
        }
        let meta = self.store.head(&key).await.unwrap().unwrap();
        self.ever.insert(key, meta);
    }

    async fn take_place(&mut self, event: Event) {
        match event {
            Event::Ship(generation, first, count) => self.ship(generation, first, count).await,
            Event::Delete(which) => {
                let listed = self.objects.list(&prefix()).await.unwrap();
                if !listed.is_empty() {
                    self.store.delete(&which.get(&listed).key).await.unwrap();
                }
            }
            Event::Look(replica) => self.look(replica).await,
            Event::Save(replica) => self.replicas[replica].save_rest(&self.objects).await,
            Event::Restart(replica) => self.replicas[replica] = fresh(),
        }
    }

    async fn look(&mut self, replica: usize) {
        let known = self.replicas[replica].index().objects().len();
        let listed = self.objects.list(&prefix()).await.unwrap();
        let refresh = self.replicas[replica].refresh(&self.objects, listed.clone(), known, None);
        refresh.await.unwrap();
        self.loaded += self.objects.metrics().indexes.loaded.get();
        let index = Arc::clone(self.replicas[replica].index());
        // What the replica knows of deleted objects was true; one that reads everything anew has to
        // be told.
        let mut known = listed.clone();
        for object in index.objects().iter().filter(|object| object.gone) {
            known.push(self.ever[&object.key].clone());
        }
        assert_eq!(index.objects().len(), known.len());
        let mut anew = GrowingIndex::unsaved(StreamIndex::of_source(&driver().source));
        for objects in [known.clone(), listed] {
            let refresh = anew.refresh(&self.shadow, objects, known.len(), None);
            refresh.await.unwrap();
        }
        let expected = self.described(anew.index()).await;
        assert_eq!(self.described(&index).await, expected);
    }

    /// The steps of a layout and their bytes, whatever the numbers of runs are.
    async fn described(&self, index: &StreamIndex) -> Vec<String> {
        let mut steps = Vec::new();
        for step in &index.layout().steps {
            steps.push(match step {
                Step::Segment(segment) => {
                    let bytes = index.bytes(&self.shadow, segment).await.unwrap();
                    let generation = index.runs()[segment.run].generation;
                    let (start, end) = (segment.start_bytes, segment.end_bytes);
                    let (before, whole) = (segment.maximum_time_before, segment.starts_whole);
                    format!("{generation:?} {start}-{end} {before:?} {whole} {bytes:?}")
                }
                Step::Gap(gap) => {
                    let (start, end) = (gap.start_bytes, gap.end_bytes);
                    format!("gap {} {start}-{end} {}", gap.path, gap.at_the_beginning)
                }
            });
        }
        steps
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn index_is_that_of_one_who_reads_everything_anew(
        told: bool,
        first in prop::collection::vec((0..2_usize, 0..LINES, 1..30_usize), 16..30),
        events in prop::collection::vec(event(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut model = Model::new(told);
            for (generation, first, count) in first {
                model.ship(generation, first, count).await;
            }
            for event in events {
                model.take_place(event).await;
            }
            model.look(0).await;
            model.look(1).await;
        });
    }
}

#[tokio::test]
async fn model_loads_what_was_saved() {
    let mut model = Model::new(true);
    for number in 0..20 {
        model.ship(0, number * 10, 10).await;
    }
    for event in [Event::Look(0), Event::Save(0), Event::Restart(0)] {
        model.take_place(event).await;
    }
    model.look(0).await;
    assert_eq!(model.loaded, 1);
}
