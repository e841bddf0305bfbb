//! Listings of a directory in the order of keys.
//!
//! Sorting a directory's entries with `/` behind the directories' names, and walking in that order,
//! gives keys in the order of their bytes: `a-b` before `a/b` before `a0`.

use std::{
    fs::{self, DirEntry},
    io,
    path::Path,
};

use super::files::{absent_as_none, object_meta, object_metadata};
use crate::{ObjectKey, ObjectMeta, Page, PrefixPage, page::cut};

pub(super) fn objects(
    root: &Path,
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
) -> io::Result<Page> {
    let Some((directory, _)) = split(prefix) else {
        return Ok(Page::default());
    };
    let mut walk = Walk {
        root,
        prefix,
        start_after: start_after.unwrap_or(""),
        wanted: limit + 1,
        found: vec![],
    };
    walk.directory(directory)?;
    let (objects, next) = cut(walk.found, limit, |object: &ObjectMeta| object.key.as_str());
    Ok(Page { objects, next })
}

pub(super) fn prefixes(
    root: &Path,
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
) -> io::Result<PrefixPage> {
    let Some((directory, partial)) = split(prefix) else {
        return Ok(PrefixPage::default());
    };
    let mut found = Vec::new();
    for name in entries(root, directory)? {
        let candidate = format!("{directory}{name}");
        if !name.ends_with('/')
            || !name.starts_with(partial)
            || start_after.is_some_and(|start| candidate.as_str() <= start)
        {
            continue;
        }
        let mut walk = Walk {
            root,
            prefix: &candidate,
            start_after: "",
            wanted: 1,
            found: vec![],
        };
        walk.directory(&candidate)?;
        if !walk.found.is_empty() {
            found.push(candidate);
        }
        if found.len() > limit {
            break;
        }
    }
    let (prefixes, next) = cut(found, limit, |prefix: &String| prefix);
    Ok(PrefixPage { prefixes, next })
}

/// The directory that a prefix lies in, and the beginning of a name there. `None` when no key can
/// have the prefix, which keeps `..` out of paths.
fn split(prefix: &str) -> Option<(&str, &str)> {
    let (directory, partial) = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1));
    let possible = match directory.strip_suffix('/') {
        Some(directory) => ObjectKey::new(directory).is_ok(),
        None => true,
    };
    possible.then_some((directory, partial))
}

struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    start_after: &'a str,
    wanted: usize,
    found: Vec<ObjectMeta>,
}

impl Walk<'_> {
    /// Adds what lies below `directory`, which is empty or ends with `/`.
    fn directory(&mut self, directory: &str) -> io::Result<()> {
        for name in entries(self.root, directory)? {
            if self.found.len() >= self.wanted {
                return Ok(());
            }
            let path = format!("{directory}{name}");
            if name.ends_with('/') {
                if self.may_hold_some(&path) {
                    self.directory(&path)?;
                }
            } else if path.starts_with(self.prefix) && path.as_str() > self.start_after {
                self.object(path)?;
            }
        }
        Ok(())
    }

    fn may_hold_some(&self, directory: &str) -> bool {
        let under_prefix = directory.starts_with(self.prefix) || self.prefix.starts_with(directory);
        let after_start = directory > self.start_after || self.start_after.starts_with(directory);
        under_prefix && after_start
    }

    fn object(&mut self, path: String) -> io::Result<()> {
        let metadata = object_metadata(&self.root.join(&path))?;
        // Deleted meanwhile, or put there by someone whose names are no keys.
        if let (Some(metadata), Ok(key)) = (metadata, ObjectKey::new(path)) {
            self.found.push(object_meta(key, &metadata));
        }
        Ok(())
    }
}

/// Names in a directory, in the order of keys; those of directories end with `/`.
fn entries(root: &Path, directory: &str) -> io::Result<Vec<String>> {
    let Some(read) = absent_as_none(fs::read_dir(root.join(directory)))? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in read {
        let entry = entry?;
        let Ok(mut name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with(".moka-") {
            continue;
        }
        let Some(is_directory) = absent_as_none(is_directory(&entry))? else {
            continue;
        };
        if is_directory {
            name.push('/');
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Most file systems tell it with the name; only a link has to be looked up.
fn is_directory(entry: &DirEntry) -> io::Result<bool> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return Ok(fs::metadata(entry.path())?.is_dir());
    }
    Ok(kind.is_dir())
}
