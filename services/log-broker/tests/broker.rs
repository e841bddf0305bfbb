//! log-broker with a store in memory, a submission and a cluster that tests control, and as the
//! real binary.
#![expect(clippy::unwrap_used, reason = "test support")]

#[path = "broker/api.rs"]
mod api;
#[path = "broker/assembly.rs"]
mod assembly;
#[path = "broker/corpora.rs"]
mod corpora;
#[path = "broker/deleted.rs"]
mod deleted;
#[path = "broker/documents.rs"]
mod documents;
#[path = "broker/download.rs"]
mod download;
#[path = "broker/following.rs"]
mod following;
#[path = "broker/hostile.rs"]
mod hostile;
#[path = "broker/index_model.rs"]
mod index_model;
#[path = "broker/keeping.rs"]
mod keeping;
#[path = "broker/killed.rs"]
mod killed;
#[path = "broker/life.rs"]
mod life;
#[path = "broker/losses.rs"]
mod losses;
#[path = "broker/pages.rs"]
mod pages;
#[path = "broker/process.rs"]
mod process;
#[path = "broker/random.rs"]
mod random;
#[path = "broker/ranges.rs"]
mod ranges;
#[path = "broker/raw.rs"]
mod raw;
#[path = "broker/recorded.rs"]
mod recorded;
#[path = "broker/retention.rs"]
mod retention;
#[path = "broker/retention_faults.rs"]
mod retention_faults;
#[path = "broker/retention_told.rs"]
mod retention_told;
#[path = "broker/saved_index.rs"]
mod saved_index;
#[path = "broker/search.rs"]
mod search;
#[path = "broker/search_reference.rs"]
mod search_reference;
#[path = "broker/serving.rs"]
mod serving;
#[path = "broker/slow.rs"]
mod slow;
#[path = "broker/spark.rs"]
mod spark;
#[path = "broker/stores.rs"]
mod stores;
#[path = "broker/sweeping.rs"]
mod sweeping;
#[path = "broker/watch.rs"]
mod watch;
#[path = "broker/world.rs"]
mod world;
