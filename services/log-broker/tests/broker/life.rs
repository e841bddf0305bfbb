//! A driver's life: it writes, the kubelet rotates, and a shipper ships late and in pieces.

use jiff::Timestamp;

use crate::{
    random::Random,
    raw::{object, text},
    serving::{cri, written},
    world::{PATH, World},
};

/// A driver writes, the kubelet rotates, and a shipper ships late and in pieces.
pub(crate) struct Life {
    pub(crate) world: World,
    pub(crate) random: Random,
    lines: Vec<(Timestamp, String)>,
    rotations: [usize; 3],
    shipped: usize,
    file_start: usize,
    generation: usize,
}

/// How often a life goes on; the pod is gone after the last time.
pub(crate) const STEPS: usize = 60;

impl Life {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        Self {
            world: World::new(),
            lines: written(150, &mut random),
            rotations: [50, 100 + random.below(30), 150],
            random,
            shipped: 0,
            file_start: 0,
            generation: 0,
        }
    }

    pub(crate) async fn go_on(&mut self, step: usize) {
        let now_written = (self.lines.len() * step / STEPS).max(1);
        let pod_is_gone = step == STEPS;
        if now_written > self.rotations[self.generation] {
            self.file_start = self.rotations[self.generation];
            self.generation += 1;
        }
        let file = self.lines[self.file_start..now_written].to_vec();
        *self.world.cluster.file.lock().unwrap() = (!pod_is_gone).then_some(file);
        let must_ship = pod_is_gone || (self.shipped == 0 && now_written > 20);
        if self.random.below(3) == 0 || must_ship {
            let (world, lines) = (&self.world, &self.lines);
            self.shipped =
                ship_until(world, lines, &self.rotations, self.shipped, now_written).await;
        }
        if pod_is_gone {
            self.world.applications.set(Some(self.world.store.now()));
            self.world.store.wait(30);
        }
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.lines.iter().map(|(_, text)| text.clone()).collect()
    }
}

async fn ship_until(
    world: &World,
    lines: &[(Timestamp, String)],
    rotations: &[usize],
    mut shipped: usize,
    until: usize,
) -> usize {
    while shipped < until {
        let file = rotations.iter().position(|end| shipped < *end).unwrap();
        let start = file.checked_sub(1).map_or(0, |before| rotations[before]);
        let end = until.min(rotations[file]);
        let offset = text(&cri(&lines[start..shipped])).len() as u64;
        let generation = format!("7-{file}");
        let bytes = object(PATH, Some(&generation), offset, &cri(&lines[shipped..end]));
        world.ship(&format!("{shipped:04}"), bytes).await;
        shipped = end;
    }
    shipped
}
