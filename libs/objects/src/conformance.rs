//! What every store must do, as one function that tests stamp on each of them.

mod conditions;
mod listing;
mod reading;

use bytes::Bytes;

use crate::{ETag, Error, ObjectKey, ObjectStore, PutCondition};

/// Runs the whole suite on an empty store. Its objects stay there.
///
/// # Errors
/// The first error that no step expects.
///
/// # Panics
/// When the store answers otherwise than the suite demands.
pub async fn run(store: &dyn ObjectStore) -> Result<(), Error> {
    reading::an_empty_store_answers_none(store).await?;
    reading::an_object_reads_back_whole(store).await?;
    reading::a_put_replaces_and_changes_the_version(store).await?;
    reading::ranges_are_clipped(store).await?;
    reading::a_deleted_object_is_gone(store).await?;
    reading::too_large_objects_are_refused(store).await?;
    conditions::if_absent_puts_once(store).await?;
    conditions::if_match_follows_versions(store).await?;
    conditions::a_recreated_object_is_another_version(store).await?;
    conditions::one_of_many_creators_wins(store).await?;
    conditions::concurrent_updates_are_all_counted(store).await?;
    listing::keys_come_in_the_order_of_their_bytes(store).await?;
    listing::pages_join_to_the_whole(store).await?;
    listing::prefixes_may_end_anywhere(store).await?;
    listing::a_listing_describes_objects_as_head_does(store).await?;
    listing::sub_directories_are_listed_once(store).await?;
    Ok(())
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::new(text).expect("the suite's keys are valid")
}

async fn put(store: &dyn ObjectStore, name: &str, bytes: &'static str) -> Result<ETag, Error> {
    store
        .put(
            &key(name),
            Bytes::from_static(bytes.as_bytes()),
            PutCondition::Always,
        )
        .await
}

async fn text(store: &dyn ObjectStore, name: &str) -> Result<Option<String>, Error> {
    let object = store.get(&key(name)).await?;
    Ok(object.map(|object| String::from_utf8_lossy(&object.bytes).into_owned()))
}
