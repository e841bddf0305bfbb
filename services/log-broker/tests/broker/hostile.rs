//! Records that lie and tokens that nobody gave: answers or refusals, and no panic.

use jiff::Timestamp;
use moka_log_broker::{
    domain::{
        cursor::{Cursor, LinePlace},
        hits::Context,
        pattern::Pattern,
        run::RawObject,
    },
    serving::{Download, Encoding, SearchRequest, SearchScope},
};
use proptest::prelude::*;

use crate::{
    raw::attempt,
    serving::{LIMITS, driver_target},
    world::{PATH, World, driver},
};

/// A record whose fields need not fit each other.
fn record() -> impl Strategy<Value = String> {
    let offset = prop_oneof![
        0_u64..200,
        any::<u64>(),
        (0_u64..40).prop_map(|back| u64::MAX - back),
        (0_u64..40).prop_map(|back| (1 << 62) - back),
    ];
    let generation = prop_oneof![
        Just(None),
        Just(Some("7-1".to_owned())),
        Just(Some("7-18446744073709551615".to_owned())),
        any::<String>().prop_map(Some),
    ];
    let time = prop_oneof![
        Just("2026-11-21T02:00:00Z"),
        Just("2026-11-21T02:00:00.000000001Z"),
        Just("-009999-01-02T01:59:59Z"),
        Just("9999-12-30T22:00:00.999999999Z"),
        Just("never"),
    ];
    let line = prop_oneof![
        any::<String>(),
        (time, any::<bool>(), any::<bool>(), "[ab ]{0,6}").prop_map(
            |(time, is_error, is_part, text)| {
                let output = if is_error { "stderr" } else { "stdout" };
                format!("{time} {output} {} {text}", if is_part { "P" } else { "F" })
            }
        ),
    ];
    (offset, generation, line, any::<bool>()).prop_map(|(offset, generation, line, torn)| {
        let record = serde_json::json!({
            "path": PATH, "offset": offset, "log": line, "generation": generation, "torn": torn,
        });
        record.to_string()
    })
}

fn cursor() -> impl Strategy<Value = Cursor> {
    let time = prop_oneof![
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        Just("2026-11-21T02:00:00Z".parse::<Timestamp>().unwrap()),
    ];
    prop_oneof![
        Just(Cursor::Begin),
        time.clone().prop_map(Cursor::Time),
        (time, any::<u32>(), any::<u64>()).prop_map(|(time, ordinal, hash)| {
            Cursor::Line(LinePlace {
                time,
                ordinal,
                hash,
            })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn lying_records_are_read_searched_and_downloaded(
        objects in prop::collection::vec(prop::collection::vec(record(), 0..8), 1..4),
        cursor in cursor(),
        line_count in 0_usize..5,
        is_ended: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let world = World::new();
            let mut record_count = 0;
            for (number, records) in objects.iter().enumerate() {
                let bytes = records.join("\n").into_bytes();
                record_count += RawObject::parse(&bytes).record_count;
                world.ship(&number.to_string(), bytes).await;
            }
            world.applications.set(is_ended.then(|| world.store.now()));
            world.store.wait(100);
            let serving = world.serving();
            let target = driver_target(&serving).await;
            let Ok(answer) = serving.read(&target, cursor, LIMITS).await else {
                assert_eq!(record_count, 0);
                return;
            };
            let again = serving.read(&target, answer.next, LIMITS).await.unwrap();
            assert!(again.lines.is_empty());
            serving.tail(&target, line_count).await.unwrap();
            let request = SearchRequest {
                scope: SearchScope::Application(attempt().application_id),
                pattern: Pattern::regex("a|b", false).unwrap(),
                context: Context { before: line_count, after: line_count },
                maximum_hits: 3,
            };
            serving.search(&request, None).await.unwrap();
            let download =
                Download::start(serving.clone(), target, cursor, Encoding::Plain).await;
            let mut download = download.unwrap();
            while download.next().await.unwrap().is_some() {}
        });
    }

    #[test]
    fn any_token_is_refused_or_a_cursor(token: String, bytes: Vec<u8>) {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        // Bytes behind a right beginning come further than others.
        let begin = Cursor::Begin.encode(&driver());
        let mut forged = URL_SAFE_NO_PAD.decode(begin).unwrap();
        forged.pop();
        forged.extend(bytes);
        for token in [token, URL_SAFE_NO_PAD.encode(forged)] {
            if let Ok(cursor) = Cursor::decode(&token, &driver())
                && !token.is_empty()
            {
                prop_assert_eq!(cursor.encode(&driver()), token);
            }
        }
    }
}
