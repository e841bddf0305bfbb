//! Starts the scheduler adapter.

use std::process::ExitCode;

fn main() -> ExitCode {
    moka_process::main(
        moka_scheduler_adapter::SERVICE,
        moka_scheduler_adapter::start,
    )
}
