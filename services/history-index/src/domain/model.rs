//! What the index serves. Each type serialises to exactly what Spark History Server's REST API
//! answers, and that text is also what the catalogue keeps.

mod application;
mod executor;
mod job;
mod peaks;
mod stage;
mod sums;
mod time;

pub use self::{
    application::{Application, Counts},
    executor::{Executor, MemoryMetrics},
    job::{Job, JobStatus},
    peaks::PeakMetrics,
    stage::{AccumulatorUpdate, Stage, StageStatus},
    sums::MetricSums,
    time::SparkTime,
};
