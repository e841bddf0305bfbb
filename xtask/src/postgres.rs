//! A PostgreSQL that lives as long as a test.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;
use tokio::{
    process::Command,
    time::{Instant, sleep},
};

use crate::cluster::{Cache, TiedChild, ensure_packages, find_program, is_root, output, tail};

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

/// Ports are chosen before they are used, so another process may take one in between.
const TRIES: usize = 3;

/// For tests: many connections, and nothing waits for the disk.
const QUICK: &[&str] = &[
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
];

/// A server with its data in a temporary folder, on a free port of the loopback interface. It ends
/// when this is dropped or this process ends.
#[derive(Debug)]
pub struct TemporaryPostgres {
    // Fields are dropped in this order: the process first, then its files.
    server: TiedChild,
    _folder: TempDir,
    port: u16,
}

impl TemporaryPostgres {
    /// Starts one and waits until it takes connections.
    ///
    /// # Errors
    /// When PostgreSQL is missing and cannot be installed, or does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(QUICK).await
    }

    /// Starts one with its stock settings: what it commits is on disk.
    ///
    /// # Errors
    /// As [`TemporaryPostgres::start`].
    pub async fn start_durable() -> Result<Self> {
        Self::start_with(&[]).await
    }

    async fn start_with(settings: &[&str]) -> Result<Self> {
        let programs = programs().await?;
        let folder = TempDir::with_prefix("moka-postgres-")?;
        let data = folder.path().join("data");
        prepare(&programs, folder.path(), &data).await?;
        for _ in 0..TRIES {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut server = serve(&programs, folder.path(), &data, port, settings)?;
            if ready(&programs, &mut server, port).await {
                return Ok(Self {
                    server,
                    _folder: folder,
                    port,
                });
            }
        }
        bail!(
            "PostgreSQL does not start; {}",
            tail(&folder.path().join("postgres.log"))
        )
    }

    /// The address of the database `postgres`, as its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// The port on the loopback interface.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// One of the server's own programs, such as `pgbench`.
    ///
    /// # Errors
    /// When PostgreSQL is missing.
    pub async fn program(&self, name: &str) -> Result<PathBuf> {
        Ok(programs().await?.join(name))
    }

    /// Runs statements with psql, as one transaction unless they say otherwise, and returns what
    /// they print: rows as lines, columns between `|`.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn psql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = self.psql_command(database).await?;
        psql.args(["--command", statements]);
        let output = psql.stdin(Stdio::null()).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{statements}: {errors}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// psql, connected to a database, for whoever speaks to it statement by statement.
    ///
    /// # Errors
    /// When PostgreSQL is missing.
    pub async fn psql_command(&self, database: &str) -> Result<Command> {
        let mut psql = Command::new(self.program("psql").await?);
        psql.args(["--host=127.0.0.1", "--username=postgres", "--no-psqlrc"])
            .args([
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ])
            .arg(format!("--port={}", self.port))
            .arg(database);
        Ok(psql)
    }

    /// Whether the server ended by itself.
    pub fn ended(&mut self) -> bool {
        self.server.ended()
    }
}

/// The folder of the server's programs: Debian keeps one per version, outside `PATH`.
async fn programs() -> Result<PathBuf> {
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
        let programs = ["initdb", "postgres", "pg_isready"];
        programs
            .iter()
            .all(|program| folder.join(program).is_file())
    };
    folders.into_iter().rev().find(complete)
}

async fn prepare(programs: &Path, folder: &Path, data: &Path) -> Result<()> {
    fs::create_dir(data)?;
    if is_root() {
        // The server's user must reach its data, and PostgreSQL wants it to be that user's alone.
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        output(Command::new("chown").arg("postgres:").arg(data)).await?;
    }
    let mut initdb = Command::new(as_postgres().0);
    initdb.args(as_postgres().1).arg(programs.join("initdb"));
    initdb.args([
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    initdb
        .args(["--no-sync", "--pgdata"])
        .arg(data)
        .current_dir("/");
    output(&mut initdb).await.map(drop)
}

/// A program and arguments that run the rest as the user that PostgreSQL insists on.
fn as_postgres() -> (&'static str, &'static [&'static str]) {
    const USER: &[&str] = &["--reuid=postgres", "--regid=postgres", "--init-groups"];
    if is_root() {
        ("setpriv", USER)
    } else {
        ("env", &[])
    }
}

fn serve(
    programs: &Path,
    folder: &Path,
    data: &Path,
    port: u16,
    settings: &[&str],
) -> Result<TiedChild> {
    let log = File::create(folder.join("postgres.log"))?;
    let errors = log.try_clone()?;
    // INT is a fast shutdown: it also frees the shared memory.
    TiedChild::start("INT", |command| {
        if is_root() {
            command.args(as_postgres().1);
        }
        command
            .arg(programs.join("postgres"))
            .arg("-D")
            .arg(data)
            .current_dir("/");
        let port = format!("port={port}");
        let place = [
            &port,
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
        ];
        for setting in place.iter().chain(settings) {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
    })
}

async fn ready(programs: &Path, server: &mut TiedChild, port: u16) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline && !server.ended() {
        let mut asked = Command::new(programs.join("pg_isready"));
        asked.args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()]);
        if output(&mut asked).await.is_ok() {
            return true;
        }
        sleep(POLL).await;
    }
    false
}
