//! A PostgreSQL that lives as long as a test.

mod programs;
mod standby;

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

use crate::cluster::{TiedChild, output, tail};

const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);

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
    server: Option<TiedChild>,
    folder: TempDir,
    programs: PathBuf,
    settings: &'static [&'static str],
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

    async fn start_with(settings: &'static [&'static str]) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-postgres-")?;
        prepare(&programs::folder().await?, folder.path()).await?;
        Self::serve(folder, settings).await
    }

    /// Serves the data in a folder.
    async fn serve(folder: TempDir, settings: &'static [&'static str]) -> Result<Self> {
        let mut postgres = Self {
            server: None,
            folder,
            programs: programs::folder().await?,
            settings,
            port: 0,
        };
        for _ in 0..TRIES {
            postgres.port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if postgres.start_server().await? {
                return Ok(postgres);
            }
        }
        bail!(
            "PostgreSQL does not start; {}",
            tail(&postgres.folder.path().join(LOG))
        )
    }

    /// Ends it without a checkpoint, as when its machine goes: what it had not written is lost.
    ///
    /// # Errors
    /// When it does not run.
    pub fn crash(&mut self) -> Result<()> {
        let server = self.server.take().context("PostgreSQL does not run")?;
        server.kill_with_children();
        Ok(())
    }

    /// Starts it where it was, after a [`TemporaryPostgres::crash`], and waits until it takes
    /// connections.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        ensure!(self.server.is_none(), "PostgreSQL runs already");
        for _ in 0..TRIES {
            // What is left of the one before may still hold its shared memory.
            if self.start_server().await? {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        let log = self.folder.path().join(LOG);
        bail!("PostgreSQL does not start again; {}", tail(&log))
    }

    async fn start_server(&mut self) -> Result<bool> {
        let server = serve(&self.programs, self.folder.path(), self.port, self.settings)?;
        let server = self.server.insert(server);
        Ok(ready(&self.programs, server, self.port).await)
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
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Runs statements with psql, as one transaction unless they say otherwise, and returns what
    /// they print: rows as lines, columns between `|`.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn psql(&self, database: &str, statements: &str) -> Result<String> {
        let mut psql = self.psql_command(database);
        psql.args(["--command", statements]);
        let output = psql.stdin(Stdio::null()).output().await?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{statements}: {errors}");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// Makes a database whose tables are below a folder, and gives its address.
    ///
    /// # Errors
    /// When a statement fails.
    pub async fn database_on(&self, folder: &Path, name: &str) -> Result<String> {
        let place = folder.join(name);
        fs::create_dir(&place)?;
        programs::give(&place).await?;
        let tablespace = format!("CREATE TABLESPACE {name} LOCATION '{}'", place.display());
        self.psql("postgres", &tablespace).await?;
        let database = format!("CREATE DATABASE {name} TABLESPACE {name}");
        self.psql("postgres", &database).await?;
        let port = self.port;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}"))
    }

    /// psql, connected to a database, for whoever speaks to it statement by statement.
    pub fn psql_command(&self, database: &str) -> Command {
        let mut psql = Command::new(self.program("psql"));
        psql.args(["--host=127.0.0.1", "--username=postgres", "--no-psqlrc"])
            .args([
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ])
            .arg(format!("--port={}", self.port))
            .arg(database);
        psql
    }
}

const LOG: &str = "postgres.log";

/// The server's user must reach its data.
fn make_reachable(folder: &Path) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

async fn prepare(programs: &Path, folder: &Path) -> Result<()> {
    let data = folder.join("data");
    fs::create_dir(&data)?;
    make_reachable(folder)?;
    programs::give(&data).await?;
    let mut initdb = programs::command(&programs.join("initdb"));
    initdb.args([
        "--username=postgres",
        "--auth=trust",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    initdb.args(["--no-sync", "--pgdata"]).arg(&data);
    output(&mut initdb).await.map(drop)
}

fn serve(programs: &Path, folder: &Path, port: u16, settings: &[&str]) -> Result<TiedChild> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join(LOG))?;
    let errors = log.try_clone()?;
    // INT is a fast shutdown: it also frees the shared memory.
    TiedChild::start("INT", |command| {
        programs::append(command, &programs.join("postgres"));
        command.arg("-D").arg(folder.join("data"));
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
