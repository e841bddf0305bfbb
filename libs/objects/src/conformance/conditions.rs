//! Conditional puts: how replicas agree.

use bytes::Bytes;
use futures::future::join_all;

use super::{key, put, text};
use crate::{Error, ObjectStore, PutCondition};

/// How many write at once.
const WRITER_COUNT: usize = 8;

pub(super) async fn if_absent_puts_once(store: &dyn ObjectStore) -> Result<(), Error> {
    let name = key("conditions/absent");
    store
        .put(&name, Bytes::from_static(b"one"), PutCondition::IfAbsent)
        .await?;
    let second = store
        .put(&name, Bytes::from_static(b"two"), PutCondition::IfAbsent)
        .await;
    assert!(
        matches!(second, Err(Error::PreconditionFailed { .. })),
        "{second:?}"
    );
    assert_eq!(text(store, name.as_str()).await?.as_deref(), Some("one"));
    Ok(())
}

pub(super) async fn if_match_follows_versions(store: &dyn ObjectStore) -> Result<(), Error> {
    let name = key("conditions/match");
    let first = put(store, name.as_str(), "one").await?;
    let second = store
        .put(
            &name,
            Bytes::from_static(b"two"),
            PutCondition::IfMatch(first.clone()),
        )
        .await?;
    let stale = store
        .put(
            &name,
            Bytes::from_static(b"late"),
            PutCondition::IfMatch(first.clone()),
        )
        .await;
    assert!(
        matches!(stale, Err(Error::PreconditionFailed { .. })),
        "{stale:?}"
    );
    store
        .put(
            &name,
            Bytes::from_static(b"three"),
            PutCondition::IfMatch(second),
        )
        .await?;
    assert_eq!(text(store, name.as_str()).await?.as_deref(), Some("three"));
    let nothing = key("conditions/match_of_nothing");
    let absent = store
        .put(
            &nothing,
            Bytes::from_static(b"x"),
            PutCondition::IfMatch(first),
        )
        .await;
    assert!(
        matches!(absent, Err(Error::PreconditionFailed { .. })),
        "{absent:?}"
    );
    assert_eq!(text(store, nothing.as_str()).await?, None);
    Ok(())
}

pub(super) async fn a_recreated_object_is_another_version(
    store: &dyn ObjectStore,
) -> Result<(), Error> {
    let name = key("conditions/recreated");
    let first = put(store, name.as_str(), "one").await?;
    store.delete(&name).await?;
    put(store, name.as_str(), "two").await?;
    let stale = store
        .put(
            &name,
            Bytes::from_static(b"late"),
            PutCondition::IfMatch(first),
        )
        .await;
    assert!(
        matches!(stale, Err(Error::PreconditionFailed { .. })),
        "{stale:?}"
    );
    Ok(())
}

pub(super) async fn one_of_many_creators_wins(store: &dyn ObjectStore) -> Result<(), Error> {
    for round in 0..4 {
        let name = key(&format!("conditions/contested/{round}"));
        let creators = (0..WRITER_COUNT).map(|writer| {
            let bytes = Bytes::from(writer.to_string());
            store.put(&name, bytes, PutCondition::IfAbsent)
        });
        let results = join_all(creators).await;
        let winners: Vec<_> = (0..WRITER_COUNT)
            .filter(|writer| results[*writer].is_ok())
            .collect();
        assert_eq!(winners.len(), 1, "{results:?}");
        assert_eq!(
            text(store, name.as_str()).await?,
            Some(winners[0].to_string())
        );
    }
    Ok(())
}

pub(super) async fn concurrent_updates_are_all_counted(
    store: &dyn ObjectStore,
) -> Result<(), Error> {
    put(store, "conditions/counter", "0").await?;
    let writers = (0..WRITER_COUNT).map(|_| count_to(store, 5));
    for result in join_all(writers).await {
        result?;
    }
    let count = text(store, "conditions/counter").await?;
    assert_eq!(count, Some((WRITER_COUNT * 5).to_string()));
    Ok(())
}

/// Adds one, `times` times, each by reading and writing what was read.
async fn count_to(store: &dyn ObjectStore, times: u64) -> Result<(), Error> {
    let name = key("conditions/counter");
    let mut done = 0;
    while done < times {
        let object = store.get(&name).await?.expect("nobody deletes it");
        let count: u64 = String::from_utf8_lossy(&object.bytes)
            .parse()
            .expect("a number");
        let next = Bytes::from((count + 1).to_string());
        match store
            .put(&name, next, PutCondition::IfMatch(object.etag))
            .await
        {
            Ok(_) => done += 1,
            Err(Error::PreconditionFailed { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
