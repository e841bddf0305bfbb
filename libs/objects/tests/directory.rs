//! What only the directory store promises: safety between processes, and nothing torn or left over.
#![expect(clippy::unwrap_used, reason = "test support")]

use std::{
    fs,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use moka_objects::{DirectoryStore, Error, ObjectKey, ObjectStore as _, PutCondition};

fn key(text: &str) -> ObjectKey {
    text.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_openings_of_one_directory_agree_on_one_writer() {
    let directory = tempfile::tempdir().unwrap();
    let first = DirectoryStore::open(directory.path()).await.unwrap();
    let second = DirectoryStore::open(directory.path()).await.unwrap();
    for round in 0..50 {
        let key = key(&format!("contested/{round}"));
        let (one, two) = tokio::join!(
            first.put(&key, Bytes::from_static(b"one"), PutCondition::IfAbsent),
            second.put(&key, Bytes::from_static(b"two"), PutCondition::IfAbsent),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_and_putting_in_one_directory_do_not_disturb_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    for round in 0..100 {
        let (left, right) = (key(&format!("d/e/l{round}")), key(&format!("d/e/r{round}")));
        store
            .put(&left, Bytes::new(), PutCondition::Always)
            .await
            .unwrap();
        let (deleted, put) = tokio::join!(
            store.delete(&left),
            store.put(&right, Bytes::new(), PutCondition::Always)
        );
        deleted.unwrap();
        put.unwrap();
        store.delete(&right).await.unwrap();
        assert!(!directory.path().join("d").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_whole_objects_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    let key = key("whole");
    store
        .put(&key, Bytes::from(vec![0; 1 << 16]), PutCondition::Always)
        .await
        .unwrap();
    let write = async {
        for value in 1..50 {
            store
                .put(
                    &key,
                    Bytes::from(vec![value; 1 << 16]),
                    PutCondition::Always,
                )
                .await
                .unwrap();
        }
    };
    let read = async {
        for _ in 0..200 {
            let object = store.get(&key).await.unwrap().unwrap();
            assert_eq!(object.bytes.len(), 1 << 16);
            assert!(object.bytes.iter().all(|byte| *byte == object.bytes[0]));
        }
    };
    tokio::join!(write, read);
}

#[tokio::test]
async fn own_and_foreign_files_are_no_objects() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    store
        .put(&key("a"), Bytes::new(), PutCondition::Always)
        .await
        .unwrap();
    fs::write(directory.path().join("bad\nname"), "x").unwrap();
    fs::create_dir_all(directory.path().join("empty/directories")).unwrap();
    let page = store.list("", None, 10).await.unwrap();
    assert_eq!(page.objects.len(), 1);
    assert!(
        store
            .list_prefixes("", None, 10)
            .await
            .unwrap()
            .prefixes
            .is_empty()
    );
}

#[tokio::test]
async fn what_a_crash_left_is_removed_when_it_is_old() {
    let directory = tempfile::tempdir().unwrap();
    DirectoryStore::open(directory.path()).await.unwrap();
    let temporary = directory.path().join(".moka-store/temporary");
    fs::write(temporary.join("young"), "x").unwrap();
    let old = fs::File::create(temporary.join("old")).unwrap();
    old.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1))
        .unwrap();
    DirectoryStore::open(directory.path()).await.unwrap();
    assert!(temporary.join("young").exists());
    assert!(!temporary.join("old").exists());
}

#[tokio::test]
async fn an_object_below_an_object_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = DirectoryStore::open(directory.path()).await.unwrap();
    store
        .put(&key("x"), Bytes::new(), PutCondition::Always)
        .await
        .unwrap();
    let below = store
        .put(&key("x/y"), Bytes::new(), PutCondition::Always)
        .await;
    assert!(matches!(below, Err(Error::Refused { .. })), "{below:?}");
    store
        .put(&key("d/e"), Bytes::new(), PutCondition::Always)
        .await
        .unwrap();
    let above = store
        .put(&key("d"), Bytes::new(), PutCondition::Always)
        .await;
    assert!(matches!(above, Err(Error::Refused { .. })), "{above:?}");
    assert_eq!(store.get(&key("x/y")).await.unwrap(), None);
    assert_eq!(store.get(&key("d")).await.unwrap(), None);
}
