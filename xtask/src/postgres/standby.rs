//! A second server that follows the first.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Result, ensure};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::{PATIENCE, POLL, TemporaryPostgres, make_reachable, programs};
use crate::cluster::output;

const NAME: &str = "standby";

impl TemporaryPostgres {
    /// Copies this server into a second one that follows it, and lets every commit wait for it from
    /// now on.
    ///
    /// # Errors
    /// When the copy fails or never follows.
    pub async fn synchronous_standby(&self) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-postgres-")?;
        make_reachable(folder.path())?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        programs::give(&data).await?;
        let primary = format!(
            "host=127.0.0.1 port={} user=postgres application_name={NAME}",
            self.port
        );
        let mut copy = programs::command(&self.programs.join("pg_basebackup"));
        copy.args(["--checkpoint=fast", "--no-sync", "--write-recovery-conf"])
            .args(["--dbname", &primary, "--pgdata"])
            .arg(&data);
        output(&mut copy).await?;
        let standby = Self::serve(folder, self.settings).await?;
        let names = format!("ALTER SYSTEM SET synchronous_standby_names = '{NAME}'");
        self.psql("postgres", &names).await?;
        self.psql("postgres", "SELECT pg_reload_conf()").await?;
        let begun = Instant::now();
        let states = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while self.psql("postgres", states).await? != "1" {
            ensure!(begun.elapsed() < PATIENCE, "the standby does not follow");
            sleep(POLL).await;
        }
        Ok(standby)
    }

    /// Ends the following: from now on this server takes writes.
    ///
    /// # Errors
    /// When it is no standby.
    pub async fn promote(&self) -> Result<()> {
        let promoted = self.psql("postgres", "SELECT pg_promote()").await?;
        ensure!(promoted == "t", "the standby was not promoted");
        Ok(())
    }
}
