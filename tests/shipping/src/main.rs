//! Random faults for as many runs as it is told, and their figures as JSON.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that is run by hand"
)]

use std::path::PathBuf;

use clap::Parser;

/// Random faults between log-shipper and an S3 server.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many runs.
    #[arg(long, default_value_t = 1000)]
    runs: u32,
    /// The first seed; each run takes the next.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Instead: one line of so many MiB without a newline, and the memory that it takes.
    #[arg(long)]
    endless_line: Option<u64>,
    /// Where to keep the figures.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() {
    let Arguments {
        runs,
        seed,
        endless_line,
        json,
    } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(mebibytes) = endless_line {
        let peak_bytes = runtime.block_on(moka_tests_shipping::hard::endless_line(mebibytes));
        println!("{} MiB at most", peak_bytes >> 20);
        return;
    }
    let report = runtime.block_on(moka_tests_shipping::runs(seed, runs));
    let figures = serde_json::to_string_pretty(&report).unwrap();
    println!("{figures}");
    if let Some(path) = json {
        std::fs::write(path, figures).unwrap();
    }
}
