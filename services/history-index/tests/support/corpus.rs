//! The recorded event logs and what the real History Server answered for them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

/// Both archives, unpacked. A missing corpus fails the test.
pub(crate) struct Corpus {
    directory: TempDir,
}

impl Corpus {
    pub(crate) fn unpack() -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["logs", "shs-rest"] {
            let path = archives().join(format!("{name}.tar.zst"));
            let file =
                File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let tar = zstd::Decoder::new(file).unwrap();
            tar::Archive::new(tar).unpack(directory.path()).unwrap();
        }
        Self { directory }
    }

    /// Every file below `logs/`, by its path there.
    pub(crate) fn log_files(&self) -> BTreeMap<String, Vec<u8>> {
        let root = self.directory.path().join("logs");
        let mut files = BTreeMap::new();
        collect(&root, &root, &mut files);
        files
    }

    /// The ids of the recorded applications, with the names of the files of each one's log.
    pub(crate) fn logs(&self) -> BTreeMap<String, Vec<String>> {
        let mut logs = BTreeMap::<_, Vec<_>>::new();
        for path in self.log_files().into_keys() {
            let top = path.split('/').next().unwrap();
            let id = top.strip_prefix("eventlog_v2_").unwrap_or(top);
            let id = id.split('.').next().unwrap();
            logs.entry(id.to_owned()).or_default().push(path);
        }
        logs
    }

    /// An answer of the History Server, such as `local-1/jobs`.
    pub(crate) fn answer(&self, path: &str) -> Value {
        let file = self
            .directory
            .path()
            .join("shs-rest")
            .join(format!("{path}.json"));
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    }
}

fn archives() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpora/spark-events")
}

fn collect(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            files.insert(name, fs::read(&path).unwrap());
        }
    }
}
