//! Random faults for as long as it is told, seed after seed, over both databases.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that is run by hand"
)]

use std::time::Duration;

use clap::Parser;
use moka_tests_faults::{Scenario, run_fast};
use moka_xtask::postgres::TemporaryPostgres;

/// Random faults for as long as it is told.
#[derive(Debug, Parser)]
struct Arguments {
    /// How long, at least; the last run is finished.
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    /// The first seed; each run takes the next.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// How many applications a run has at first.
    #[arg(long, default_value_t = 200)]
    applications: usize,
}

fn main() {
    let Arguments {
        minutes,
        seed,
        applications,
    } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let until = tokio::time::Instant::now() + Duration::from_mins(minutes);
    let (mut runs, mut faults) = (0, 0);
    for seed in seed.. {
        if tokio::time::Instant::now() >= until {
            break;
        }
        let folder = tempfile::tempdir().unwrap();
        let sqlite = format!("sqlite:{}", folder.path().join("submission.db").display());
        let postgres = runtime.block_on(TemporaryPostgres::start()).unwrap();
        for (name, url) in [("sqlite", sqlite), ("postgres", postgres.url())] {
            println!("seed {seed} on {name}");
            let scenario = Scenario {
                url,
                seed,
                applications,
                faults: 0,
            };
            let report = run_fast(scenario.run());
            runs += 1;
            faults += report.fault_count();
            println!(
                "  {} faults, {} attempts",
                report.fault_count(),
                report.attempts
            );
        }
    }
    println!("{runs} runs, {faults} faults: every invariant held");
}
