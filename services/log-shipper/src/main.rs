//! Starts the log shipper.
use std::process::ExitCode;

fn main() -> ExitCode {
    moka_process::main(moka_log_shipper::SERVICE, moka_log_shipper::start)
}
