//! Processes that die with this one, even when it is killed.

use std::{
    io,
    process::{Child, Command},
    sync::{
        Mutex, OnceLock, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
};

use anyhow::{Context as _, Result};

type Order = (Command, SyncSender<io::Result<Child>>);

/// A process that is killed when this is dropped or when this process ends.
#[derive(Debug)]
pub(crate) struct TiedChild {
    child: Child,
    signal: &'static str,
}

impl TiedChild {
    /// Starts the command given to `setpriv`, which asks the kernel to send `signal` when its
    /// parent goes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        signal: &'static str,
        configure: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal]);
        configure(&mut command);
        let child = spawn(command).context("starting a process through setpriv")?;
        Ok(Self { child, signal })
    }

    /// Ends it at once, and the processes that it has started itself after it, so that none of them
    /// can start another.
    pub(crate) fn kill_with_children(mut self) {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        self.signal = "KILL";
        let _ = self.child.kill();
        for child in children.unwrap_or_default().split_ascii_whitespace() {
            let _ = Command::new("kill").args(["-s", "KILL", child]).status();
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for TiedChild {
    fn drop(&mut self) {
        if self.signal == "KILL" {
            let _ = self.child.kill();
        } else {
            let mut kill = Command::new("kill");
            let _ = kill
                .args(["-s", self.signal, &self.child.id().to_string()])
                .status();
        }
        let _ = self.child.wait();
    }
}

/// The kernel sends the signal when the *thread* that started the process ends, and the threads
/// of tests end early. So one thread that lives as long as the process starts them all.
fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Mutex<SyncSender<Order>>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, orders) = sync_channel::<Order>(16);
        std::thread::spawn(move || {
            for (mut command, answer) in orders {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, result) = sync_channel(1);
    // A lock poisoned by a panic still guards a sender that works.
    let sender = starter
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    sender.send((command, answer)).map_err(io::Error::other)?;
    result.recv().map_err(io::Error::other)?
}
