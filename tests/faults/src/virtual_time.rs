//! Time that runs fast, and goes on while a database is waited for.

use std::time::Duration;

use tokio::{sync::mpsc, task::spawn_blocking, time::advance};

/// How much time passes in one millisecond.
const STEP: Duration = Duration::from_millis(1).saturating_mul(SPEED);
/// How many times as fast as real time virtual time passes.
pub(crate) const SPEED: u32 = 30;

/// Runs a future to its end. Every pause and deadline in it takes a fraction of its time.
///
/// Tokio's own paused time jumps ahead whenever nothing can run, also while a database is working,
/// and so ends every deadline on it. Here it moves in steps of real time.
pub fn run_fast<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (ticks, mut ticked) = mpsc::channel::<()>(1);
        // While a blocking task runs, paused time does not jump.
        let ticker = spawn_blocking(move || tick(&ticks));
        let time = async {
            while ticked.recv().await.is_some() {
                advance(STEP).await;
            }
        };
        let result = tokio::select! {
            biased;
            result = future => result,
            () = time => panic!("the time stands still"),
        };
        drop(ticked);
        ticker.await.unwrap();
        result
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "this thread is the one that real time passes for"
)]
fn tick(ticks: &mpsc::Sender<()>) {
    loop {
        std::thread::sleep(Duration::from_millis(1));
        if ticks.blocking_send(()).is_err() {
            return;
        }
    }
}
