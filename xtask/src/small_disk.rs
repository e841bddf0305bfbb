//! A disk that is soon full.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A file system of a few MiB in memory, mounted for as long as this lives. That takes root.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one.
    ///
    /// # Errors
    /// When this process may not mount.
    pub fn of_mebibytes(size: u32) -> Result<Self> {
        let folder = TempDir::with_prefix("moka-small-disk-")?;
        let size = format!("size={size}m,mode=0777");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "moka-small-disk"]);
        let status = mount.arg(folder.path()).status();
        let mounted = status.context("starting mount")?.success();
        ensure!(mounted, "a small disk cannot be mounted: that takes root");
        Ok(Self { folder })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left. Room that files already have stays theirs.
    ///
    /// # Errors
    /// When it fails for another reason than a full disk.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::create(self.ballast())?;
        for size in [64 * 1024, 4096, 512] {
            let block = vec![1; size];
            while ballast.write_all(&block).is_ok() {}
        }
        let full = ballast.write_all(&[1; 4096]).err();
        let is_full = full.is_some_and(|error| error.kind() == std::io::ErrorKind::StorageFull);
        ensure!(is_full, "the disk is not full");
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// When it was not taken.
    pub fn empty(&self) -> Result<()> {
        fs::remove_file(self.ballast()).context("removing the ballast")
    }

    fn ballast(&self) -> PathBuf {
        self.folder.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever has a file open there may end later.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.folder.path())
            .status();
    }
}
