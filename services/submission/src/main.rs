//! Starts submission.
use std::process::ExitCode;

fn main() -> ExitCode {
    moka_process::main(moka_submission::SERVICE, moka_submission::start)
}
