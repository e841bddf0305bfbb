//! Processes that outlive the command that starts them, found again by process id and start time.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::{process::Command, time::sleep};

use super::{cache::State, digest::ContentHash};

const POLL: Duration = Duration::from_millis(50);
const GRACE: Duration = Duration::from_secs(10);

/// In the environment of every component, so that those are found whose start was interrupted
/// before it was recorded, and what components left behind.
const MARK: &str = "MOKA_LOCAL_CLUSTER";

/// A program with everything it is started with.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Files it reads at its start: when one changes, the process is started anew.
    pub(crate) settings: Vec<PathBuf>,
}

/// What is kept of a started process. A process id alone may since belong to somebody else.
#[derive(Debug, Deserialize, Serialize)]
struct Record {
    id: u32,
    start_time_ticks: u64,
    fingerprint: String,
}

impl Daemon {
    /// Starts the process unless it runs already as described here.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn ensure(&self, state: &State) -> Result<()> {
        let fingerprint = self.fingerprint()?;
        if let Some(record) = running(state, self.name) {
            if record.fingerprint == fingerprint {
                return Ok(());
            }
            stop(state, self.name).await?;
        }
        self.end_unrecorded(state).await?;
        let log = state.log(self.name);
        for file in [&log, &state.process(self.name)] {
            fs::create_dir_all(file.parent().context("a file is in a folder")?)?;
        }
        let output = File::options().create(true).append(true).open(&log)?;
        let child = Command::new("setsid")
            .arg(&self.program)
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env(MARK, state.root())
            .current_dir(state.root())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))?;
        let id = child
            .id()
            .with_context(|| format!("{} ended at once", self.name))?;
        let start_time_ticks =
            start_time_ticks(id).with_context(|| format!("{} ended at once", self.name))?;
        let record = Record {
            id,
            start_time_ticks,
            fingerprint,
        };
        fs::write(state.process(self.name), serde_json::to_vec(&record)?)?;
        Ok(())
    }

    /// Ends what an interrupted command started and did not record.
    async fn end_unrecorded(&self, state: &State) -> Result<()> {
        let ours = || marked(state).filter(|&id| program(id).as_ref() == Some(&self.program));
        for id in ours() {
            send("KILL", id).await;
        }
        let gone = async {
            while ours().next().is_some() {
                sleep(POLL).await;
            }
        };
        let ended = tokio::time::timeout(GRACE, gone).await;
        ended.with_context(|| format!("an earlier {} does not end", self.name))
    }

    fn fingerprint(&self) -> Result<String> {
        let mut hash = ContentHash::default();
        hash.add("program", self.program.as_os_str().as_encoded_bytes());
        for argument in &self.arguments {
            hash.add("argument", argument);
        }
        for (name, value) in &self.environment {
            hash.add(name, value);
        }
        for file in &self.settings {
            hash.add_path("settings", file)?;
        }
        Ok(hash.finish())
    }
}

/// The process id of a component that runs.
pub(crate) fn process_id(state: &State, name: &str) -> Option<u32> {
    running(state, name).map(|record| record.id)
}

/// Ends a component: asked first, forced after ten seconds. Nothing happens when it does not run.
///
/// # Errors
/// When the process survives.
pub(crate) async fn stop(state: &State, name: &str) -> Result<()> {
    end(state, name, "TERM").await;
    kill(state, name).await
}

/// Ends a component whose state is not wanted any more, without asking.
///
/// # Errors
/// When the process survives.
pub(crate) async fn kill(state: &State, name: &str) -> Result<()> {
    end(state, name, "KILL").await;
    if let Some(record) = running(state, name) {
        bail!("{name} (process {}) does not end", record.id);
    }
    match fs::remove_file(state.process(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Signals a component and what it started: it leads a process group of its own.
async fn end(state: &State, name: &str, signal: &str) {
    if let Some(record) = running(state, name) {
        let mut kill = Command::new("kill");
        kill.args(["-s", signal, "--", &format!("-{}", record.id)]);
        let _ = super::command::output(&mut kill).await;
        wait_until_gone(state, name).await;
    }
}

/// Every process that carries the mark of this cluster.
pub(crate) fn marked(state: &State) -> impl Iterator<Item = u32> {
    let mark = format!("{MARK}={}", state.root().display());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(move |id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == mark.as_bytes())
        })
}

/// The first word of a process's command line.
fn program(id: u32) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let word = line.split(|byte| *byte == 0).next()?;
    Some(PathBuf::from(String::from_utf8_lossy(word).into_owned()))
}

/// Sends a signal to a process. It may have ended meanwhile, which is no error.
pub(crate) async fn send(signal: &str, id: u32) {
    let mut kill = Command::new("kill");
    let _ = super::command::output(kill.args(["-s", signal, &id.to_string()])).await;
}

/// When the process started, in clock ticks after boot; nothing when it is gone or a zombie.
fn start_time_ticks(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
    parse_start_time(&stat)
}

/// Field 22 of `/proc/<id>/stat`. The program's name, field 2, may hold spaces and parentheses.
fn parse_start_time(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let process_state = fields.next()?;
    if matches!(process_state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn running(state: &State, name: &str) -> Option<Record> {
    let record: Record = serde_json::from_slice(&fs::read(state.process(name)).ok()?).ok()?;
    (start_time_ticks(record.id)? == record.start_time_ticks).then_some(record)
}

async fn wait_until_gone(state: &State, name: &str) {
    let gone = async {
        while running(state, name).is_some() {
            sleep(POLL).await;
        }
    };
    let _ = tokio::time::timeout(GRACE, gone).await;
}

#[cfg(test)]
mod tests {
    use super::{parse_start_time, start_time_ticks};

    #[test]
    fn name_with_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 0";
        assert_eq!(parse_start_time(stat), Some(123_456));
    }

    #[test]
    fn zombie_does_not_run() {
        let stat = "42 (x) Z 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 9 0 123456 0";
        assert_eq!(parse_start_time(stat), None);
    }

    #[test]
    fn this_process_has_a_start_time() {
        assert!(start_time_ticks(std::process::id()).is_some());
    }
}
