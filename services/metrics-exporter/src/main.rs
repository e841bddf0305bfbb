//! Starts the metrics exporter.

use std::process::ExitCode;

fn main() -> ExitCode {
    moka_process::main(moka_metrics_exporter::SERVICE, moka_metrics_exporter::start)
}
