//! Where PostgreSQL's programs are, and the user that they run as.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command as StandardCommand,
};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::cluster::{Cache, ensure_packages, find_program, is_root, output};

const USER: &[&str] = &["--reuid=postgres", "--regid=postgres", "--init-groups"];

/// The folder of the server's programs: Debian keeps one per version, outside `PATH`.
pub(super) async fn folder() -> Result<PathBuf> {
    if installed().is_none() {
        ensure_packages(&Cache::locate()?, &[("postgres", "postgresql")]).await?;
    }
    installed().context("PostgreSQL is installed, but its programs cannot be found")
}

fn installed() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(find_program("postgres").and_then(|file| Some(file.parent()?.to_owned())));
    let complete = |folder: &PathBuf| {
        let programs = ["initdb", "postgres", "pg_basebackup", "pg_isready"];
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    folders.into_iter().rev().find(complete)
}

/// A program that runs as the user that PostgreSQL insists on.
pub(super) fn command(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut setpriv = Command::new("setpriv");
        setpriv.args(USER).arg(program);
        setpriv
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

/// Lets a `setpriv` that is being put together run a program as that user.
pub(super) fn append(setpriv: &mut StandardCommand, program: &Path) {
    if is_root() {
        setpriv.args(USER);
    }
    setpriv.arg(program).current_dir("/");
}

/// Gives a folder to that user; PostgreSQL wants its files to be nobody else's.
pub(super) async fn give(folder: &Path) -> Result<()> {
    if is_root() {
        output(Command::new("chown").arg("postgres:").arg(folder)).await?;
    }
    Ok(())
}
