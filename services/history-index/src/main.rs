//! Starts the history index.

use std::process::ExitCode;

fn main() -> ExitCode {
    moka_process::main(moka_history_index::SERVICE, moka_history_index::start)
}
