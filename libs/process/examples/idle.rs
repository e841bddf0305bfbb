//! The smallest service: it waits for the stop, or ends in the way that it is told to. The tests of
//! this crate run it as a real process.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use moka_process::{Exit, ProcessContext, ServiceInfo};

const SERVICE: ServiceInfo = ServiceInfo {
    name: "idle",
    version: env!("CARGO_PKG_VERSION"),
    description: "Waits",
    default_admin_listen: "127.0.0.1:0",
};

#[derive(Debug, Args)]
struct Config {
    /// What to do.
    #[arg(long, value_enum, default_value_t = Behaviour::Wait)]
    behaviour: Behaviour,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Behaviour {
    /// Waits for the stop.
    Wait,
    /// Has a task that does not stop.
    Hang,
    /// Has a task that fails.
    Fail,
    /// Cannot reach what it needs.
    Miss,
    /// Stops by itself.
    Finish,
}

fn main() -> ExitCode {
    moka_process::main(SERVICE, start)
}

async fn start(context: ProcessContext, config: Config) -> anyhow::Result<()> {
    let stop = context.stop.clone();
    match config.behaviour {
        Behaviour::Wait => context.tasks.spawn("waiter", stop.cancelled_owned()),
        Behaviour::Hang => context
            .tasks
            .spawn("stubborn", std::future::pending::<()>()),
        Behaviour::Fail => context.tasks.spawn("failing", async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Err::<(), _>(anyhow!("disk full").context("writing the index"))
        }),
        Behaviour::Miss => return Err(anyhow!("connection refused")).context(Exit::Unavailable),
        Behaviour::Finish => stop.cancel(),
    }
    Ok(())
}
