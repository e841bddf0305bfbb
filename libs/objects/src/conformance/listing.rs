//! Listings: order, pages, prefixes.

use super::{key, put};
use crate::{Error, ObjectStore};

/// In the order of their bytes. `/` (2f) lies between `-` (2d) and `0` (30), so walking directories
/// one after the other is not enough; the last two are the other way round in UTF-16.
const ORDERED: &[&str] = &[
    "order/A",
    "order/a-b",
    "order/a-b.c/d",
    "order/a.b",
    "order/a/b-c/d",
    "order/a/b/c",
    "order/a/b0",
    "order/a0",
    "order/b/a",
    "order/é",
    "order/\u{ff5e}",
    "order/\u{1d11e}",
];

pub(super) async fn keys_come_in_the_order_of_their_bytes(
    store: &dyn ObjectStore,
) -> Result<(), Error> {
    assert!(ORDERED.is_sorted(), "the list is in order itself");
    for name in ORDERED.iter().rev() {
        put(store, name, "x").await?;
    }
    assert_eq!(keys(store, "order/", None, 1000).await?, ORDERED);
    Ok(())
}

pub(super) async fn pages_join_to_the_whole(store: &dyn ObjectStore) -> Result<(), Error> {
    let whole = keys(store, "order/", None, 1000).await?;
    for limit in [1, 2, 3, whole.len(), 1000] {
        let mut joined = Vec::new();
        let mut start_after = None;
        loop {
            let page = store.list("order/", start_after.as_deref(), limit).await?;
            assert!(
                page.objects.len() <= limit,
                "a page of {limit} is no longer than that"
            );
            joined.extend(
                page.objects
                    .into_iter()
                    .map(|object| object.key.to_string()),
            );
            start_after = page.next;
            if start_after.is_none() {
                break;
            }
        }
        assert_eq!(joined, whole, "pages of {limit}");
    }
    for (position, name) in whole.iter().enumerate() {
        let rest = keys(store, "order/", Some(name), 1000).await?;
        assert_eq!(rest, whole[position + 1..], "after {name}");
    }
    assert_eq!(
        keys(store, "order/", Some("order/a/"), 2).await?,
        ["order/a/b-c/d", "order/a/b/c"]
    );
    assert_eq!(
        keys(store, "order/", Some("a"), 1).await?,
        ["order/A"],
        "before the prefix"
    );
    assert_eq!(
        keys(store, "order/", Some("z"), 1).await?,
        [""; 0],
        "behind the prefix"
    );
    Ok(())
}

pub(super) async fn prefixes_may_end_anywhere(store: &dyn ObjectStore) -> Result<(), Error> {
    for (prefix, expected) in [
        ("order/a-", &["order/a-b", "order/a-b.c/d"][..]),
        ("order/a/b/", &["order/a/b/c"]),
        ("order/a/b/c", &["order/a/b/c"]),
        ("order/b", &["order/b/a"]),
        ("order/zz", &[]),
        ("nowhere/", &[]),
    ] {
        assert_eq!(keys(store, prefix, None, 1000).await?, expected, "{prefix}");
    }
    Ok(())
}

pub(super) async fn a_listing_describes_objects_as_head_does(
    store: &dyn ObjectStore,
) -> Result<(), Error> {
    let etag = put(store, "described/object", "twelve bytes").await?;
    let page = store.list("described/", None, 1000).await?;
    let listed = page.objects.first().expect("it was just put");
    assert_eq!((listed.size_bytes, &listed.etag), (12, &etag));
    let head = store
        .head(&key("described/object"))
        .await?
        .expect("it was just put");
    assert_eq!(head.key, listed.key);
    assert_eq!(head.etag, listed.etag);
    assert_eq!(head.modified.as_second(), listed.modified.as_second());
    Ok(())
}

pub(super) async fn sub_directories_are_listed_once(store: &dyn ObjectStore) -> Result<(), Error> {
    for name in [
        "tree/a-b/x",
        "tree/a/x",
        "tree/a/y",
        "tree/a0/deep/er/x",
        "tree/object",
        "tree/z/x",
    ] {
        put(store, name, "x").await?;
    }
    let all = ["tree/a-b/", "tree/a/", "tree/a0/", "tree/z/"];
    for limit in [1, 2, 4, 1000] {
        let mut joined = Vec::new();
        let mut start_after = None;
        loop {
            let page = store
                .list_prefixes("tree/", start_after.as_deref(), limit)
                .await?;
            assert!(
                page.prefixes.len() <= limit,
                "a page of {limit} is no longer than that"
            );
            joined.extend(page.prefixes);
            start_after = page.next;
            if start_after.is_none() {
                break;
            }
        }
        assert_eq!(joined, all, "pages of {limit}");
    }
    assert_eq!(
        store.list_prefixes("tree/a", None, 10).await?.prefixes,
        all[..3]
    );
    assert!(
        store
            .list_prefixes("", None, 1000)
            .await?
            .prefixes
            .contains(&"tree/".to_owned())
    );
    Ok(())
}

async fn keys(
    store: &dyn ObjectStore,
    prefix: &str,
    start_after: Option<&str>,
    limit: usize,
) -> Result<Vec<String>, Error> {
    let page = store.list(prefix, start_after, limit).await?;
    Ok(page
        .objects
        .into_iter()
        .map(|object| object.key.to_string())
        .collect())
}
