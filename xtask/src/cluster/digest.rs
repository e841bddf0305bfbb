//! Content hashes: what a cached thing was made from decides whether it is still good.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// A hash over labelled parts, in the order they are added.
#[derive(Default)]
pub(crate) struct ContentHash {
    hasher: Sha256,
}

impl ContentHash {
    /// Adds some bytes. Lengths are hashed too, so that parts cannot run into each other.
    pub(crate) fn add(&mut self, label: &str, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        for part in [label.as_bytes(), bytes] {
            self.hasher.update(part.len().to_le_bytes());
            self.hasher.update(part);
        }
        self
    }

    /// Adds a file, or a folder with everything in it: relative paths, permissions, contents.
    ///
    /// # Errors
    /// When something cannot be read.
    pub(crate) fn add_path(&mut self, label: &str, path: &Path) -> Result<&mut Self> {
        for (name, file) in files(path)? {
            let mode = fs::metadata(&file)?.permissions().mode();
            let bytes = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
            self.add(label, name)
                .add("mode", mode.to_le_bytes())
                .add("content", bytes);
        }
        Ok(self)
    }

    /// The first 16 hexadecimal digits, which is plenty to tell builds apart.
    pub(crate) fn finish(&self) -> String {
        self.hasher
            .clone()
            .finalize()
            .iter()
            .take(8)
            .fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").expect("writing to a string cannot fail");
                text
            })
    }
}

/// Files by relative path, in order.
fn files(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![path.to_owned()];
    while let Some(next) = pending.pop() {
        if next.is_dir() {
            for entry in fs::read_dir(&next)? {
                pending.push(entry?.path());
            }
        } else {
            let name = next.strip_prefix(path).unwrap_or(&next);
            found.insert(name.to_string_lossy().into_owned(), next.clone());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::ContentHash;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let one = ContentHash::default().add("a", "bc").finish();
        let other = ContentHash::default().add("ab", "c").finish();
        assert_ne!(one, other);
    }

    #[test]
    fn changed_file_changes_the_hash() {
        let folder = tempfile::tempdir().unwrap();
        let hash = || {
            ContentHash::default()
                .add_path("folder", folder.path())
                .unwrap()
                .finish()
        };
        std::fs::write(folder.path().join("one"), "1").unwrap();
        let before = hash();
        assert_eq!(before, hash());
        std::fs::write(folder.path().join("one"), "2").unwrap();
        assert_ne!(before, hash());
    }
}
