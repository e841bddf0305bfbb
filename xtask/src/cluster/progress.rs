//! One line for each step that takes time.

use std::{future::Future, io::Write as _};

use anyhow::{Context as _, Result};
use tokio::time::Instant;

/// Does a step, saying what it is at the start and how long it took at the end.
///
/// # Errors
/// Those of the step, with its name.
pub(crate) async fn step<T>(name: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let begun = Instant::now();
    eprint!("{name} … ");
    std::io::stderr().flush()?;
    let result = work.await;
    let seconds = begun.elapsed().as_secs_f64();
    match &result {
        Ok(_) => eprintln!("{seconds:.1} s"),
        Err(_) => eprintln!("failed after {seconds:.1} s"),
    }
    result.with_context(|| name.to_owned())
}
