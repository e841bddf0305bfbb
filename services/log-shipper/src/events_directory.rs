//! The base of the event-log directories.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

/// Anybody may make a directory there, and nobody may remove that of another. The kubelet gives the
/// mode on to the directory that it makes for an attempt, which is how a driver that is not root
/// can write into it.
const MODE: u32 = 0o1777;

/// Makes the directory when it is absent, and gives it its mode.
///
/// # Errors
///
/// When the disk refuses.
pub fn prepare(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)?;
    // Not left to `create_dir`, which the process's umask would narrow.
    if fs::metadata(path)?.permissions().mode() & 0o7777 == MODE {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(MODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anybody_can_write_below_the_base() {
        let directory = tempfile::tempdir().unwrap();
        let base = directory.path().join("moka/events");
        prepare(&base).unwrap();
        fs::set_permissions(&base, Permissions::from_mode(0o700)).unwrap();
        prepare(&base).unwrap();
        prepare(&base).unwrap();
        let mode = fs::metadata(&base).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o1777);
    }
}
