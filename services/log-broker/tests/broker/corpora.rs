//! Every recorded case of Fluent Bit comes out as its source files were.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use moka_log_broker::{
    archive::{RawObjects, StreamIndex},
    domain::{
        keys::KeyGrammar,
        stream::{Source, StreamKind, StreamName, original_path},
    },
    metrics::Metrics,
};

use crate::raw::{Store, attempt};

const CORPORA: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/corpora/fluent-bit"
);

fn unpack(case: &str) -> (tempfile::TempDir, PathBuf) {
    let archive = fs::File::open(Path::new(CORPORA).join(format!("{case}.tar.zst"))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let decoder = zstd::stream::read::Decoder::new(archive).unwrap();
    tar::Archive::new(decoder).unpack(directory.path()).unwrap();
    let root = directory.path().join(case);
    (directory, root)
}

fn grammar() -> KeyGrammar {
    KeyGrammar {
        containers: "logs/{pod}/{container}/".parse().unwrap(),
        events: "events-raw/{file}/".parse().unwrap(),
    }
}

/// What a file held over its rotations, oldest first, by the path that it had on the node. A line
/// that a driver's death has torn is not shipped and does not count.
fn sources(root: &Path, directory: &str, node_directory: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files: Vec<_> = match fs::read_dir(root.join("source").join(directory)) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_no_such_directory) => Vec::new(),
    };
    // `0.log` is the newest, after `0.log.<time>`.
    files.sort_by_key(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (original_path(&name) == name, name)
    });
    let mut sources: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        bytes.truncate(whole);
        let path = format!("{node_directory}/{}", original_path(name));
        sources.entry(path).or_default().extend(bytes);
    }
    sources
}

async fn store_of(root: &Path) -> Store {
    let store = Store::new();
    for upload in fs::read_to_string(root.join("uploads.jsonl"))
        .unwrap()
        .lines()
    {
        let upload: serde_json::Value = serde_json::from_str(upload).unwrap();
        let bytes = fs::read(root.join(upload["file"].as_str().unwrap())).unwrap();
        store.put(upload["key"].as_str().unwrap(), bytes).await;
    }
    store
}

fn container_source(path: &str) -> Source {
    let name = path.rsplit('/').next().unwrap();
    let (pod, rest) = name.split_once("_spark-jobs_").unwrap();
    let (container, _id) = rest.rsplit_once('-').unwrap();
    Source::Container {
        pod: pod.to_owned(),
        container: container.to_owned(),
    }
}

async fn bytes_of(objects: &RawObjects, source: Source, path: &str, kind: StreamKind) -> Vec<u8> {
    let prefix = grammar().stream_prefix(&StreamName {
        attempt: attempt(),
        source,
    });
    let mut index = StreamIndex::of_path(kind, path);
    index
        .add(objects, objects.list(&prefix).await.unwrap())
        .await
        .unwrap();
    assert_eq!(index.layout().gaps().count(), 0, "{path}");
    let mut bytes = Vec::new();
    for segment in index.layout().segments() {
        bytes.extend(index.bytes(objects, segment).await.unwrap());
    }
    bytes
}

async fn check(case: &str, expected_files: usize) {
    let (_directory, root) = unpack(case);
    let store = store_of(&root).await;
    let objects = RawObjects::new(Arc::new(store.memory), 1 << 20, Metrics::default());
    let containers = sources(&root, "containers", "/var/log/containers");
    let events = sources(&root, "events", "/var/log/spark-events");
    assert_eq!(containers.len() + events.len(), expected_files, "{case}");
    for (path, expected) in containers {
        let source = container_source(&path);
        let found = bytes_of(&objects, source, &path, StreamKind::Container).await;
        assert!(
            found == expected,
            "{case} {path}: {} bytes of {}",
            found.len(),
            expected.len()
        );
    }
    for (path, expected) in events {
        let source = Source::EventLog {
            file: path.rsplit('/').next().unwrap().to_owned(),
        };
        let found = bytes_of(&objects, source, &path, StreamKind::EventLog).await;
        assert!(
            found == expected,
            "{case} {path}: {} bytes of {}",
            found.len(),
            expected.len()
        );
    }
}

#[tokio::test]
async fn healthy_shipping_gives_the_source() {
    check("healthy", 4).await;
}

#[tokio::test]
async fn restart_of_the_shipper_gives_the_source() {
    check("sigterm-restart", 2).await;
}

#[tokio::test]
async fn failing_store_gives_the_source() {
    check("s3-5xx", 2).await;
}

#[tokio::test]
async fn rotated_files_are_one_stream() {
    check("rotation", 1).await;
}

#[tokio::test]
async fn restarted_container_gives_both_files() {
    check("container-restart", 2).await;
}

#[tokio::test]
async fn multipart_uploads_give_the_source() {
    check("multipart", 1).await;
}

#[tokio::test]
async fn killed_driver_gives_every_whole_line() {
    check("driver-crash", 1).await;
}
