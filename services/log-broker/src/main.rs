//! The binary `moka-log-broker`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match moka_log_broker::by_hand::requested() {
        Some(command) => moka_log_broker::by_hand::run(command),
        None => moka_process::main(moka_log_broker::SERVICE, moka_log_broker::start),
    }
}
