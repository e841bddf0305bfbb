//! The directory store against the memory store: the same operations, the same answers.

use bytes::Bytes;
use moka_objects::{
    DirectoryStore, Error, MemoryStore, ObjectKey, ObjectStore, Page, PutCondition,
};
use proptest::{collection::vec, prelude::*};

/// Few characters around `/` in the order of bytes, so that keys often share their beginnings.
fn name() -> impl Strategy<Value = String> {
    vec("[-.a0é]{1,2}", 1..4).prop_map(|segments| segments.join("/"))
}

#[derive(Debug, Clone)]
enum Step {
    Put(String, u8),
    Delete(String),
    List {
        prefix: String,
        start_after: Option<String>,
        limit: usize,
    },
    Prefixes {
        prefix: String,
        limit: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let prefix = || "[-.a0é/]{0,4}";
    prop_oneof![
        4 => (name(), any::<u8>()).prop_map(|(name, byte)| Step::Put(name, byte)),
        1 => name().prop_map(Step::Delete),
        2 => (prefix(), proptest::option::of(prefix()), 1_usize..5)
            .prop_map(|(prefix, start_after, limit)| Step::List { prefix, start_after, limit }),
        2 => (prefix(), 1_usize..5).prop_map(|(prefix, limit)| Step::Prefixes { prefix, limit }),
    ]
}

/// What both stores must agree on; versions and times are their own.
fn content(page: &Page) -> (Vec<(String, u64)>, Option<&str>) {
    let objects = page.objects.iter();
    (
        objects
            .map(|object| (object.key.to_string(), object.size_bytes))
            .collect(),
        page.next.as_deref(),
    )
}

async fn check(steps: Vec<Step>) -> Result<(), Error> {
    let root = tempfile::tempdir().expect("a temporary directory");
    let directory = DirectoryStore::open(root.path())
        .await
        .expect("it can be written");
    let memory = MemoryStore::new();
    for step in steps {
        match step {
            Step::Put(name, byte) => {
                let Ok(key) = ObjectKey::new(name) else {
                    continue;
                };
                let bytes = Bytes::from(vec![byte; byte.into()]);
                match directory
                    .put(&key, bytes.clone(), PutCondition::Always)
                    .await
                {
                    // An object above or below it is in the way.
                    Err(Error::Refused { .. }) => continue,
                    put => put?,
                };
                memory.put(&key, bytes, PutCondition::Always).await?;
            }
            Step::Delete(name) => {
                let Ok(key) = ObjectKey::new(name) else {
                    continue;
                };
                directory.delete(&key).await?;
                memory.delete(&key).await?;
                assert_eq!(directory.get(&key).await?, None);
            }
            Step::List {
                prefix,
                start_after,
                limit,
            } => {
                let found = directory
                    .list(&prefix, start_after.as_deref(), limit)
                    .await?;
                let expected = memory.list(&prefix, start_after.as_deref(), limit).await?;
                assert_eq!(
                    content(&found),
                    content(&expected),
                    "{prefix} {start_after:?}"
                );
            }
            Step::Prefixes { prefix, limit } => {
                let found = directory.list_prefixes(&prefix, None, limit).await?;
                let expected = memory.list_prefixes(&prefix, None, limit).await?;
                assert_eq!(found, expected, "{prefix}");
                let rest = directory
                    .list_prefixes(&prefix, found.next.as_deref(), limit)
                    .await?;
                let expected = memory
                    .list_prefixes(&prefix, found.next.as_deref(), limit)
                    .await?;
                assert_eq!(rest, expected, "{prefix}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn directory_and_memory_answer_alike(steps in vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(check(steps)).expect("no operation fails");
    }
}
