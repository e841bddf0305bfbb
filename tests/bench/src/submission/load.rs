//! Callers that ask again as soon as they have an answer, and callers that ask at a steady rate.

use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use tokio::time::{Instant, sleep_until};

/// What callers got between warming up and the end.
#[derive(Debug, Default)]
pub(crate) struct Load {
    seconds: f64,
    /// How long each call took, in order of size.
    latencies: Vec<Duration>,
}

impl Load {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let count = self.latencies.len() as f64;
        count / self.seconds
    }

    /// The time within which 99 of 100 calls were answered.
    pub(crate) fn p99_ms(&self) -> f64 {
        let index = self.latencies.len() * 99 / 100;
        let latency = self.latencies.get(index).copied().unwrap_or_default();
        latency.as_secs_f64() * 1e3
    }
}

/// Runs `callers` callers for a while. Each gets its number, and a count of its calls.
///
/// # Errors
/// The first error of a call.
pub(crate) async fn run<C, F>(
    callers: usize,
    warm_up: Duration,
    duration: Duration,
    call: impl Fn(usize) -> C,
) -> Result<Load>
where
    C: Fn(u64) -> F + Send + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let begin = Instant::now() + warm_up;
    let end = begin + duration;
    let tasks = (0..callers).map(|number| {
        let call = call(number);
        tokio::task::spawn(async move {
            let mut latencies = Vec::new();
            let mut count = 0;
            loop {
                let asked = Instant::now();
                call(count).await?;
                count += 1;
                let answered = Instant::now();
                if answered >= end {
                    return Ok::<_, anyhow::Error>(latencies);
                }
                if answered >= begin {
                    latencies.push(answered - asked);
                }
            }
        })
    });
    let mut load = Load {
        seconds: duration.as_secs_f64(),
        ..Load::default()
    };
    for latencies in try_join_all(tasks).await? {
        load.latencies.extend(latencies?);
    }
    load.latencies.sort_unstable();
    Ok(load)
}

/// Calls at a steady rate, whatever becomes of earlier calls. Each call gets its number. Latencies
/// count from when a call was due, so that a call that waits for its turn is not told to be quick.
///
/// # Errors
/// The first error of a call.
pub(crate) async fn at_rate<F>(
    per_second: u32,
    warm_up: Duration,
    duration: Duration,
    call: impl Fn(u64) -> F,
) -> Result<Load>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let begin = Instant::now();
    let mut calls = Vec::new();
    for number in 0_u32.. {
        let due = begin + Duration::from_secs_f64(f64::from(number) / f64::from(per_second));
        if due >= begin + warm_up + duration {
            break;
        }
        sleep_until(due).await;
        let called = call(number.into());
        calls.push(tokio::task::spawn(async move {
            called.await?;
            anyhow::Ok((due, due.elapsed()))
        }));
    }
    let mut load = Load {
        seconds: duration.as_secs_f64(),
        ..Load::default()
    };
    for answered in try_join_all(calls).await? {
        let (due, latency) = answered?;
        if due >= begin + warm_up {
            load.latencies.push(latency);
        }
    }
    load.latencies.sort_unstable();
    Ok(load)
}
