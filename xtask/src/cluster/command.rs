//! Running other programs, and saying clearly what they said when they fail.

use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;

use super::cache::environment;

const LINES_SHOWN: usize = 15;

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// When it cannot be started or ends with another code than zero; the message ends with its last
/// words.
pub(crate) async fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("starting {}", shown(command)))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let words = if complaint.trim().is_empty() {
            printed.as_str()
        } else {
            &complaint
        };
        bail!(
            "{} ended with {}:\n{}",
            shown(command),
            output.status,
            last_lines(words, LINES_SHOWN)
        );
    }
    Ok(printed)
}

/// Runs a long command with its output in a file.
///
/// # Errors
/// As [`output`]; the message says where the log is.
pub(crate) async fn logged(command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .kill_on_drop(true)
        .status()
        .await
        .with_context(|| format!("starting {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}; {}", shown(command), tail(log));
    }
    Ok(())
}

/// Whether a command ends with code zero. What it prints is dropped.
pub(crate) async fn succeeds(command: &mut Command) -> bool {
    output(command).await.is_ok()
}

/// Where a program is, in `PATH` or in the folders of the administrator's programs.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = environment("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The end of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    format!(
        "its log {} ends with:\n{}",
        log.display(),
        last_lines(&text, LINES_SHOWN)
    )
}

/// The last `count` lines of a text, indented.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines[skipped..]
        .iter()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Program and first arguments: enough to recognise the command.
fn shown(command: &Command) -> String {
    let command = command.as_std();
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    let mut words = vec![program.to_string_lossy()];
    words.extend(command.get_args().take(4).map(OsStr::to_string_lossy));
    format!("`{}`", words.join(" "))
}
