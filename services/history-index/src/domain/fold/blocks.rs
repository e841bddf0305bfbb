//! Blocks of one executor, when the log tells of blocks (`spark.eventLog.logBlockUpdates.enabled`).

use std::collections::{HashMap, HashSet};

use crate::domain::event::executor::{BlockInfo, StorageLevel};

/// What the History Server adds up of them. It counts a block that is announced twice two times,
/// and so does this; but an announcement that was read twice it counts once, see
/// [`BlockFacts::update`].
#[derive(Debug, Default)]
pub(super) struct BlockFacts {
    pub(super) memory_bytes: i64,
    pub(super) disk_bytes: i64,
    pub(super) on_heap_bytes: i64,
    pub(super) off_heap_bytes: i64,
    rdd_blocks: HashMap<String, Sizes>,
    seen: HashSet<(String, [bool; 3], i64, i64)>,
}

/// What the stage and task events around an announcement are, within its chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// None of them has come.
    #[default]
    NotSeen,
    /// The last one told something new.
    New,
    /// The last one had been read before.
    Known,
}

/// Whether an announcement is to be offered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Undecided(pub(super) bool);

#[derive(Debug, Clone, Copy, Default)]
struct Sizes {
    memory_bytes: i64,
    disk_bytes: i64,
    is_off_heap: bool,
}

impl BlockFacts {
    /// Adds an announcement unless it was read before. An announcement has neither number nor time,
    /// so that one of the same block is told from a chunk that is read again only by what
    /// surrounds it. When that is not known yet, it is handed back, to be decided later.
    pub(super) fn update(&mut self, info: &BlockInfo<'_>, surroundings: Surroundings) -> Undecided {
        if !info.block_id.starts_with("rdd_") && !info.block_id.starts_with("broadcast_") {
            return Undecided(false);
        }
        let level = info.storage_level;
        let places = [level.use_memory, level.use_disk, level.use_off_heap];
        let key = (
            info.block_id.to_string(),
            places,
            info.memory_bytes,
            info.disk_bytes,
        );
        if self.seen.insert(key) {
            self.add(info);
            return Undecided(false);
        }
        match surroundings {
            Surroundings::New => self.add(info),
            Surroundings::Known => {}
            Surroundings::NotSeen => return Undecided(true),
        }
        Undecided(false)
    }

    /// Sizes count as added where the level says that the block is there, and as gone where not.
    fn add(&mut self, info: &BlockInfo<'_>) {
        let level = info.storage_level;
        let memory_change = if level.use_memory {
            info.memory_bytes
        } else {
            -info.memory_bytes
        };
        let disk_change = if level.use_disk {
            info.disk_bytes
        } else {
            -info.disk_bytes
        };
        self.change(memory_change, disk_change, level.use_off_heap);
        if info.block_id.starts_with("rdd_") {
            self.place_rdd_block(info, level);
        }
    }

    fn place_rdd_block(&mut self, info: &BlockInfo<'_>, level: StorageLevel) {
        if level.use_memory || level.use_disk {
            let sizes = Sizes {
                memory_bytes: if level.use_memory {
                    info.memory_bytes
                } else {
                    0
                },
                disk_bytes: if level.use_disk { info.disk_bytes } else { 0 },
                is_off_heap: level.use_off_heap,
            };
            self.rdd_blocks.insert(info.block_id.to_string(), sizes);
        } else {
            self.rdd_blocks.remove(&*info.block_id);
        }
    }

    pub(super) fn unpersist(&mut self, rdd_id: i32) {
        let prefix = format!("rdd_{rdd_id}_");
        let gone: Vec<_> = self
            .rdd_blocks
            .extract_if(|id, _| id.starts_with(&prefix))
            .collect();
        for (_, sizes) in gone {
            self.change(-sizes.memory_bytes, -sizes.disk_bytes, sizes.is_off_heap);
        }
    }

    pub(super) fn rdd_block_count(&self) -> i32 {
        super::count(self.rdd_blocks.len())
    }

    /// Never below zero, as in Spark.
    fn change(&mut self, memory_change: i64, disk_change: i64, is_off_heap: bool) {
        let by_kind = if is_off_heap {
            &mut self.off_heap_bytes
        } else {
            &mut self.on_heap_bytes
        };
        *by_kind = by_kind.saturating_add(memory_change).max(0);
        self.memory_bytes = self.memory_bytes.saturating_add(memory_change).max(0);
        self.disk_bytes = self.disk_bytes.saturating_add(disk_change).max(0);
    }
}
