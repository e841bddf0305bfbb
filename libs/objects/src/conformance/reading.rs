//! Put, get, ranges, delete.

use bytes::Bytes;

use super::{key, put, text};
use crate::{Error, MAX_OBJECT_SIZE_BYTES, ObjectStore, Page, PrefixPage, PutCondition};

pub(super) async fn an_empty_store_answers_none(store: &dyn ObjectStore) -> Result<(), Error> {
    let absent = key("absent/object");
    assert_eq!(store.get(&absent).await?, None);
    assert_eq!(store.get_range(&absent, 0..10).await?, None);
    assert_eq!(store.get_range(&absent, 10..10).await?, None);
    assert_eq!(store.head(&absent).await?, None);
    assert_eq!(store.list("", None, 10).await?, Page::default());
    assert_eq!(store.list("../", None, 10).await?, Page::default());
    assert_eq!(
        store.list_prefixes("absent/", None, 10).await?,
        PrefixPage::default()
    );
    store.delete(&absent).await
}

pub(super) async fn an_object_reads_back_whole(store: &dyn ObjectStore) -> Result<(), Error> {
    let every_byte: Bytes = (0..=u8::MAX).cycle().take(100_000).collect();
    for (name, bytes) in [
        ("reading/empty", Bytes::new()),
        ("reading/bytes", every_byte),
        (
            "reading/ä name with spaces+signs&%41='(x)",
            Bytes::from_static(b"x"),
        ),
    ] {
        let etag = store
            .put(&key(name), bytes.clone(), PutCondition::Always)
            .await?;
        let object = store.get(&key(name)).await?.expect("it was just put");
        assert_eq!(object.bytes, bytes, "{name}");
        assert_eq!(object.size_bytes, bytes.len() as u64, "{name}");
        assert_eq!(object.etag, etag, "{name}");
        let meta = store.head(&key(name)).await?.expect("it was just put");
        assert_eq!(
            (meta.size_bytes, &meta.etag),
            (bytes.len() as u64, &etag),
            "{name}"
        );
        assert!(meta.modified.as_second() > 0, "{name} is dated");
    }
    Ok(())
}

pub(super) async fn a_put_replaces_and_changes_the_version(
    store: &dyn ObjectStore,
) -> Result<(), Error> {
    let first = put(store, "reading/replaced", "one").await?;
    let second = put(store, "reading/replaced", "two").await?;
    assert_ne!(first, second);
    assert_eq!(
        text(store, "reading/replaced").await?.as_deref(),
        Some("two")
    );
    Ok(())
}

pub(super) async fn ranges_are_clipped(store: &dyn ObjectStore) -> Result<(), Error> {
    let etag = put(store, "reading/range", "0123456789").await?;
    for (range, expected) in [
        (0..10, "0123456789"),
        (3..5, "34"),
        (8..100, "89"),
        (0..u64::MAX, "0123456789"),
        (5..5, ""),
        (10..12, ""),
        (100..200, ""),
    ] {
        let object = store
            .get_range(&key("reading/range"), range.clone())
            .await?;
        let object = object.expect("it was just put");
        assert_eq!(object.bytes, expected, "{range:?}");
        assert_eq!(object.size_bytes, 10, "{range:?} tells the whole size");
        assert_eq!(object.etag, etag, "{range:?}");
    }
    put(store, "reading/range_of_nothing", "").await?;
    let object = store
        .get_range(&key("reading/range_of_nothing"), 0..10)
        .await?;
    assert_eq!(object.map(|object| object.size_bytes), Some(0));
    Ok(())
}

pub(super) async fn a_deleted_object_is_gone(store: &dyn ObjectStore) -> Result<(), Error> {
    put(store, "reading/deleted/deep/object", "x").await?;
    store.delete(&key("reading/deleted/deep/object")).await?;
    assert_eq!(text(store, "reading/deleted/deep/object").await?, None);
    assert_eq!(
        store.list_prefixes("reading/", None, 10).await?,
        PrefixPage::default()
    );
    // What was a directory can be an object now.
    put(store, "reading/deleted", "y").await?;
    assert_eq!(text(store, "reading/deleted").await?.as_deref(), Some("y"));
    Ok(())
}

pub(super) async fn too_large_objects_are_refused(store: &dyn ObjectStore) -> Result<(), Error> {
    let bytes = Bytes::from(vec![0; MAX_OBJECT_SIZE_BYTES + 1]);
    let put = store
        .put(&key("reading/large"), bytes, PutCondition::Always)
        .await;
    assert!(matches!(put, Err(Error::TooLarge { .. })), "{put:?}");
    Ok(())
}
